//! Tokens from a web service.

mod answer;
mod builder;
mod cache;
mod fetch;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{Token, TokenProvider};
use crate::error::Result;
use answer::Answer;
pub use builder::HttpTokensBuilder;
use builder::Place;

/// Asks a web service for access tokens: `POST {base_uri}/sync/tokens`, with another token as `Authorization: Bearer` and the
/// body `{"identity": …, "documentId": …}`. The answer is `{"token": …}`, perhaps with `"endpoint"`, the address of the Sync
/// service's WebSocket, and `"expiresAt"`, an ISO 8601 time or seconds since 1970; without it the token itself is asked, as
/// far as it can be read.
///
/// The first call may be answered from a file, if one is named, or by what [`prefetch`](Self::prefetch) got; every later one
/// asks the service, because a client that asks again needs another token. Calls at once share one request. Clones share
/// everything.
///
/// No token is ever shown or logged.
#[derive(Clone)]
pub struct HttpTokens {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    newest: Option<Answer>,
    /// Whether the newest was given to somebody.
    is_given: bool,
    /// Whether the file was looked at.
    is_file_read: bool,
}

impl fmt::Debug for HttpTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTokens").field("place", &self.inner.place).finish_non_exhaustive()
    }
}

impl HttpTokens {
    /// Says where tokens are had, by whom, and for what. `base_uri` begins with `https://` or `http://`; `bearer` proves to
    /// the service who asks, a fixed [`Token`] or a provider.
    pub fn builder(base_uri: impl Into<String>, bearer: impl TokenProvider) -> HttpTokensBuilder {
        HttpTokensBuilder::new(base_uri.into(), Arc::new(bearer))
    }

    /// Gets a token now, so that the first call need not wait.
    ///
    /// # Errors
    /// As [`TokenProvider::token`].
    pub async fn prefetch(&self) -> Result<()> {
        let mut state = self.inner.state.lock().await;
        self.inner.refresh(&mut state).await.map(|_| ())
    }

    /// Address of the Sync service as the token service gives it; `None` when it does not.
    ///
    /// # Errors
    /// As [`TokenProvider::token`].
    pub async fn endpoint(&self) -> Result<Option<String>> {
        let mut state = self.inner.state.lock().await;
        if state.newest.is_none() {
            self.inner.refresh(&mut state).await?;
        }
        Ok(state.newest.as_ref().and_then(|answer| answer.endpoint.clone()))
    }

    /// Forgets the token, in the file too: for a logout.
    pub async fn forget(&self) {
        let mut state = self.inner.state.lock().await;
        *state = State { is_file_read: true, ..State::default() };
        self.inner.place.cache_forget().await;
    }
}

impl Inner {
    /// A token that nobody has been given yet.
    async fn refresh(&self, state: &mut State) -> Result<Token> {
        if !std::mem::replace(&mut state.is_file_read, true) && state.newest.is_none() {
            state.newest = self.place.cached().await;
        }
        if let Some(answer) = state.newest.as_ref().filter(|answer| !state.is_given && answer.is_fresh()) {
            return Ok(answer.token());
        }
        let answer = self.place.fetch().await?;
        self.place.cache(&answer).await;
        let token = answer.token();
        (state.newest, state.is_given) = (Some(answer), false);
        Ok(token)
    }
}

#[async_trait]
impl TokenProvider for HttpTokens {
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when the service does not let this bearer in, which is final;
    /// [`Error::Backend`](crate::Error::Backend) when it cannot be reached, is busy, or answers with something else.
    async fn token(&self) -> Result<Token> {
        let mut state = self.inner.state.lock().await;
        let token = self.inner.refresh(&mut state).await?;
        state.is_given = true;
        Ok(token)
    }
}
