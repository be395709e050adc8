//! Keeping the access token fresh (C7, C8).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::shared::{Command, Shared};
use crate::backend::Backend;
use crate::error::{Error, Result, Retry};
use crate::id::DocumentId;
use crate::token::{Token, TokenProvider};

/// A token and when it ends, counted from when it was had.
pub(super) struct Fresh {
    ends: Option<Instant>,
}

/// Asks for the first token and installs it, before the document is opened.
pub(super) async fn first(
    backend: &dyn Backend,
    tokens: &dyn TokenProvider,
    id: &DocumentId,
) -> Result<Fresh> {
    let Some(authenticated) = backend.authenticated() else {
        let why = format!("the backend `{}` takes no tokens: leave .token(…) out", backend.facts().name);
        return Err(Error::Invalid { what: "token", why });
    };
    let token = tokens.token().await?;
    let ends = ends(&token);
    authenticated.install_token(&token).await.map_err(|error| error.into_error(&backend.facts(), id))?;
    Ok(Fresh { ends })
}

fn ends(token: &Token) -> Option<Instant> {
    token.lasts().map(|lasts| Instant::now() + lasts)
}

/// Asks for a new token whenever less than three minutes of the present one remain, until the client ends. When none
/// can be had before the end, writes fail; asking goes on, ever more slowly.
pub(super) async fn keep_fresh(
    tokens: Arc<dyn TokenProvider>,
    mut fresh: Fresh,
    shared: Arc<Shared>,
    commands: mpsc::WeakSender<Command>,
) {
    let settings = shared.settings.clone();
    let mut failures = 0_u32;
    let mut expired = false;
    while let Some(ends) = fresh.ends {
        let due = ends.checked_sub(settings.token_renew_before).unwrap_or_else(Instant::now);
        let wait = match failures {
            0 => due.saturating_duration_since(Instant::now()),
            _ => settings.backoff(failures),
        };
        // A token shorter than the time it is renewed early must not be asked for without pause.
        let wait = wait.max(settings.backoff_min.min(Duration::from_millis(50)));
        if !expired && Instant::now() + wait > ends && failures > 0 {
            tokio::time::sleep_until(ends).await;
            expired = send(&commands, Command::TokenExpired).await;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = over(&commands) => return,
        }
        match renew(&*tokens, &shared).await {
            Ok(next) => {
                (fresh, failures, expired) = (next, 0, false);
                send(&commands, Command::Resume).await;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let last = error.retry() == Retry::Never && failures > 8;
                if last && expired {
                    return;
                }
            }
        }
    }
}

async fn renew(tokens: &dyn TokenProvider, shared: &Shared) -> Result<Fresh> {
    let token = tokens.token().await?;
    let fresh = Fresh { ends: ends(&token) };
    install(shared, &token).await?;
    Ok(fresh)
}

/// Gives a token to the backend.
pub(super) async fn install(shared: &Shared, token: &Token) -> Result<()> {
    let facts = shared.backend.facts();
    let Some(authenticated) = shared.backend.authenticated() else {
        let why = format!("the backend `{}` takes no tokens", facts.name);
        return Err(Error::Invalid { what: "token", why });
    };
    authenticated.install_token(token).await.map_err(|error| error.into_error(&facts, &shared.id))
}

async fn send(commands: &mpsc::WeakSender<Command>, command: Command) -> bool {
    match commands.upgrade() {
        Some(commands) => commands.send(command).await.is_ok(),
        None => false,
    }
}

/// Waits until no handle of the client is left.
async fn over(commands: &mpsc::WeakSender<Command>) {
    while commands.strong_count() > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
