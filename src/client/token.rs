//! Keeping the access token fresh (C7, C8).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use uuid::Uuid;

use super::shared::{Command, Seen, Shared};
use crate::backend::Backend;
use crate::error::{Error, Result, Retry};
use crate::id::DocumentId;
use crate::limits::{SETTING_MAX, TOKEN_RENEW_SPREAD, TOKEN_WARNED_EVERY};
use crate::token::{Token, TokenProvider};

/// A token in use, and its times, counted from when it was had.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    token: Token,
    /// When a new one is asked for; `None` when its end is not known, and it is used until it is refused.
    due: Option<Instant>,
    ends: Option<Instant>,
}

impl Fresh {
    pub(super) fn differs_from(&self, other: &Self) -> bool {
        self.token.secret() != other.token.secret()
    }

    fn new(token: Token, renew_before: Duration) -> Self {
        let now = Instant::now();
        // One that lasts longer than anything here lives has no end worth waiting for.
        let lasts = token.lasts().filter(|lasts| *lasts <= SETTING_MAX);
        let ends = lasts.map(|lasts| now + lasts);
        // A token that lasts less than the time it is renewed early is used for half of its life. Clients that were
        // given theirs together do not come together for the next: up to a fifth of what then remains goes by.
        let due = lasts.map(|lasts| {
            let early = renew_before.min(lasts / 2);
            now + (lasts - early) + early.mul_f64(chance() * TOKEN_RENEW_SPREAD)
        });
        Self { token, due, ends }
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    let [high, low, ..] = Uuid::new_v4().into_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}

/// Asks for the first token and installs it, before the document is opened.
pub(super) async fn first(
    backend: &dyn Backend,
    tokens: &dyn TokenProvider,
    id: &DocumentId,
    renew_before: Duration,
) -> Result<Fresh> {
    let Some(authenticated) = backend.authenticated() else {
        let why = format!("the backend `{}` takes no tokens: leave .token(…) out", backend.facts().name);
        return Err(Error::Invalid { what: "token", why });
    };
    let token = tokens.token().await?;
    authenticated.install_token(&token).await.map_err(|error| error.into_error(&backend.facts(), id))?;
    Ok(Fresh::new(token, renew_before))
}

/// Asks for new tokens until the client ends: when little time remains of the present one, when the backend says so, and
/// when it was refused.
pub(super) fn keep_fresh(
    tokens: Arc<dyn TokenProvider>,
    shared: Arc<Shared>,
    commands: mpsc::WeakSender<Box<Command>>,
) -> impl Future<Output = ()> + Send {
    let mut states = shared.states.subscribe();
    // Subscribed before the client is in use: no refusal falls between.
    let (installed, refusals) = (shared.token.subscribe(), shared.token_refused.subscribe());
    async move {
        tokio::select! {
            _ = states.wait_for(|seen| matches!(seen, Seen::Over(_))) => {}
            () = renew_for_ever(&*tokens, &shared, &commands, installed, refusals) => {}
        }
    }
}

async fn renew_for_ever(
    tokens: &dyn TokenProvider,
    shared: &Shared,
    commands: &mpsc::WeakSender<Box<Command>>,
    mut installed: watch::Receiver<Option<Fresh>>,
    mut refusals: watch::Receiver<u64>,
) {
    let settings = &shared.settings;
    let mut failures = 0_u32;
    // The provider has said that it has no more to give.
    let mut last = false;
    let mut expired = false;
    // A service may warn of every token as soon as it has it; no provider is asked all the time for that.
    let mut believe_at = Instant::now();
    let Some(mut given) = installed.borrow().as_ref().map(|present| present.token.clone()) else { return };
    loop {
        let Some(present) = installed.borrow_and_update().clone() else { return };
        let ask_at = match failures {
            0 => present.due,
            _ => Some(Instant::now() + settings.backoff(failures)),
        };
        let refused = tokio::select! {
            biased;
            changed = installed.changed() => {
                // The application has installed one itself.
                refusals.mark_unchanged();
                (failures, last, expired) = (0, false, false);
                if changed.is_err() { return } else { continue }
            }
            Ok(()) = refusals.changed() => true,
            () = at(present.ends), if !expired => {
                expired = send(commands, Command::TokenExpired).await;
                continue;
            }
            () = at(ask_at), if !last => false,
            () = about_to_end(shared, believe_at), if !last && failures == 0 => {
                believe_at = Instant::now() + TOKEN_WARNED_EVERY;
                false
            }
        };
        let within = Instant::now() + settings.connect_within;
        let until = present.ends.filter(|_| !expired).map_or(within, |ends| ends.min(within));
        let renewed = match last {
            false => timeout_at(until, renew(tokens, shared, &mut given)).await,
            true => Ok(Err(Error::TokenExpired)),
        };
        match renewed {
            Ok(Ok(())) => {
                // What was refused meanwhile was the token before.
                refusals.mark_unchanged();
                (failures, expired) = (0, false);
                send(commands, Command::Resume).await;
                // Not even a token without any life left is renewed without pause.
                sleep(settings.backoff_min).await;
                continue;
            }
            Ok(Err(error)) => last = error.retry() == Retry::Never,
            Err(_) => {}
        }
        failures = failures.saturating_add(1);
        if refused && !expired {
            expired = send(commands, Command::TokenExpired).await;
        }
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The backend says that the token is about to end.
async fn about_to_end(shared: &Shared, not_before: Instant) {
    sleep_until(not_before).await;
    match shared.backend.authenticated() {
        Some(authenticated) => authenticated.token_about_to_end().await,
        None => std::future::pending().await,
    }
}

/// Asks for a token and installs it. A provider that gives the same again has no new one; the application may have
/// installed a better one meanwhile.
async fn renew(tokens: &dyn TokenProvider, shared: &Shared, given: &mut Token) -> Result<()> {
    let token = tokens.token().await?;
    if token.secret() == given.secret() {
        return Err(Error::TokenExpired);
    }
    *given = token.clone();
    install(shared, &token).await
}

/// Gives a token to the backend.
pub(super) async fn install(shared: &Shared, token: &Token) -> Result<()> {
    let facts = shared.backend.facts();
    let Some(authenticated) = shared.backend.authenticated() else {
        let why = format!("the backend `{}` takes no tokens", facts.name);
        return Err(Error::Invalid { what: "token", why });
    };
    authenticated.install_token(token).await.map_err(|error| error.into_error(&facts, &shared.id))?;
    shared.token.send_replace(Some(Fresh::new(token.clone(), shared.settings.token_renew_before)));
    Ok(())
}

async fn send(commands: &mpsc::WeakSender<Box<Command>>, command: Command) -> bool {
    match commands.upgrade() {
        Some(commands) => commands.send(Box::new(command)).await.is_ok(),
        None => false,
    }
}
