//! Access tokens: where they come from, how they are checked, and when they are renewed (C7, C8).

#[cfg(feature = "server")]
pub mod jwt;

#[cfg(feature = "remote")]
mod http;

#[cfg(feature = "remote")]
pub use http::{HttpTokens, HttpTokensBuilder};

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::error::Result;

/// An access token. Its text is never printed or logged (C64).
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: Arc<str>,
    lasts: Option<Duration>,
}

impl Token {
    /// A token whose end is not known: it is used until it is refused.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self { secret: secret.into().into(), lasts: None }
    }

    /// States how long the token is good for, counted from now. Relative, so that clocks need not agree.
    #[must_use]
    pub fn lasting(self, lasts: Duration) -> Self {
        Self { lasts: Some(lasts), ..self }
    }

    /// The token's text, for the backend that presents it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// How long the token was good for when it was made, if known.
    #[must_use]
    pub fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("secret", &"[redacted]").field("lasts", &self.lasts).finish()
    }
}

/// Where access tokens come from. Asked again when less than three minutes of one remain (C7).
#[async_trait]
pub trait TokenProvider: Send + Sync + 'static {
    /// A token that is good now.
    ///
    /// # Errors
    /// Any [`Error`](crate::Error). One whose [`retry`](crate::Error::retry) is `Never` is final: the client goes on
    /// with the token it has until that expires.
    async fn token(&self) -> Result<Token>;
}

#[async_trait]
impl<P: TokenProvider + ?Sized> TokenProvider for Arc<P> {
    async fn token(&self) -> Result<Token> {
        (**self).token().await
    }
}

/// A fixed token: given again when asked again.
#[async_trait]
impl TokenProvider for Token {
    async fn token(&self) -> Result<Self> {
        Ok(self.clone())
    }
}
