//! What a backend may answer when it cannot do as asked, and how that looks to an application.

use std::fmt::Display;
use std::time::Duration;

use super::Facts;
use crate::error::{Error, Retry, Source};
use crate::id::DocumentId;

/// A failure of a backend. Clients branch on the variants; messages are for people.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The document has another revision than expected, or exists, or does not. Nothing was stored.
    #[error("the document has another revision than expected")]
    Conflict,
    /// The answer was lost: the write may have held, or may still hold.
    #[error("the answer was lost: {why}")]
    Unknown {
        /// What happened.
        why: String,
    },
    /// Too many requests. Nothing was stored; it may be tried again (C57).
    #[error("too many requests")]
    RateLimited {
        /// What the backend asks to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// The document is longer than the backend stores (C55). Nothing was stored.
    #[error("the document is {size_bytes} bytes of JSON, the limit is {limit_bytes}")]
    TooLarge {
        /// Bytes of the refused document.
        size_bytes: usize,
        /// Bytes the backend stores.
        limit_bytes: usize,
    },
    /// The backend cannot be reached or is busy. Nothing was stored; it may be tried again.
    #[error("{doing} failed: {why}")]
    Unavailable {
        /// What was attempted, on what.
        doing: String,
        /// What happened, and the next step.
        why: String,
        /// The original cause.
        #[source]
        source: Option<Source>,
    },
    /// This identity may not do this. Nothing was stored.
    #[error("refused ({code}): {message}")]
    Refused {
        /// The backend's code.
        code: i64,
        /// The backend's words.
        message: String,
    },
    /// The access token is no longer accepted. Nothing was stored (C8).
    #[error("the access token has expired")]
    TokenExpired,
    /// The backend cannot go on until somebody repairs it: a full disk, a damaged file. Nothing was stored.
    #[error("{doing} failed: {why}")]
    Fatal {
        /// What was attempted, on what.
        doing: String,
        /// What happened, and the next step.
        why: String,
        /// The original cause.
        #[source]
        source: Option<Source>,
    },
}

impl BackendError {
    /// Whether the same call may succeed later without anybody's doing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Unknown { .. } | Self::RateLimited { .. } | Self::Unavailable { .. }
        )
    }

    /// The failure as an application sees it.
    #[must_use]
    pub fn into_error(self, facts: &Facts, id: &DocumentId) -> Error {
        self.into_error_of(facts.name, &format_args!("writing `{id}`"))
    }

    /// The same of something that is not about one document.
    pub(super) fn into_error_of(self, backend: &'static str, doing: &dyn Display) -> Error {
        match self {
            Self::Conflict | Self::Unknown { .. } => Error::MaybeApplied { what: "the write" },
            Self::RateLimited { retry_after } => Error::Backend {
                backend,
                doing: doing.to_string(),
                why: "too many requests: wait before trying again".into(),
                retry: retry_after.map_or(Retry::Now, Retry::After),
                source: None,
            },
            Self::TooLarge { size_bytes, limit_bytes } => Error::TooLarge { size_bytes, limit_bytes },
            Self::Unavailable { doing, why, source } => {
                Error::Backend { backend, doing, why, retry: Retry::After(Duration::from_secs(1)), source }
            }
            Self::Refused { code, message } => Error::Refused { code, message },
            Self::TokenExpired => Error::TokenExpired,
            Self::Fatal { doing, why, source } => {
                Error::Backend { backend, doing, why, retry: Retry::Never, source }
            }
        }
    }
}
