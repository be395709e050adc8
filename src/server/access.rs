//! Who comes in, and who may do what: two questions that whoever runs a server answers.

use std::time::Duration;

use async_trait::async_trait;

use crate::id::Identity;
use crate::token::Token;

/// Decides who comes in.
///
/// Asked once for every connection and again for every new token of one. Checks everything about the token: its form,
/// its signature, its times, and that it is for this account and this service.
#[async_trait]
pub trait Gatekeeper: Send + Sync + 'static {
    /// Whose token this is.
    ///
    /// # Errors
    /// [`Refusal`], as the client is to hear it.
    async fn admit(&self, token: &Token) -> Result<Admitted, Refusal>;
}

/// Somebody with a good token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// Who it is.
    pub identity: Identity,
    /// How long the token is good from now on; `None` when it does not end.
    pub lasts: Option<Duration>,
}

impl Admitted {
    /// Somebody whose token lasts so long.
    #[must_use]
    pub fn new(identity: Identity, lasts: Option<Duration>) -> Self {
        Self { identity, lasts }
    }
}

/// Why somebody does not come in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({status}, code {code})")]
#[non_exhaustive]
pub struct Refusal {
    /// As in HTTP: 401 for a token that is not good, 403 for somebody who may not come in, 429 for too many attempts,
    /// 503 when it cannot be found out now. Clients give up after the first two until they have another token.
    pub status: u16,
    /// The exact reason in the service's dictionary: 20101 for an invalid token, 20104 for an expired one, and so on.
    pub code: u32,
    /// For people. Never the token or a part of it.
    pub message: String,
    /// When to come back, where that is worth trying.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal without a time to come back.
    #[must_use]
    pub fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// The same with a time to come back.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

/// What an identity may do with one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Read it and hear of its changes.
    pub read: bool,
    /// Make it, and write its data.
    pub write: bool,
    /// Remove it, and change how long it lives.
    pub manage: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self { read: true, write: true, manage: true };
    /// Nothing.
    pub const NONE: Self = Self { read: false, write: false, manage: false };
    /// Looking only.
    pub const READ: Self = Self { read: true, write: false, manage: false };
    /// Looking and writing.
    pub const WRITE: Self = Self { read: true, write: true, manage: false };
}

/// Decides who may do what, where no row of permissions says otherwise (see
/// [`Builder::acl_enabled`](crate::server::Builder::acl_enabled)). Asked for every request about a document, and for every
/// subscriber before a change is told, so it answers at once, from memory. A right that is taken away ends with the next
/// request, and a subscription before the next change: nothing that happens after it is told.
pub trait Access: Send + Sync + 'static {
    /// What this identity may do with the document of this name, whether or not there is one. A document without a
    /// unique name has the name `Unnamed_` and its SID.
    fn may(&self, identity: &str, document: &str) -> Permissions;
}

/// Everybody who is let in may do everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everything;

impl Access for Everything {
    fn may(&self, _: &str, _: &str) -> Permissions {
        Permissions::ALL
    }
}

/// Nobody may do anything, but by a row of permissions or over REST.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Access for Nobody {
    fn may(&self, _: &str, _: &str) -> Permissions {
        Permissions::NONE
    }
}
