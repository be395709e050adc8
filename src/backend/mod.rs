//! Where documents live: one narrow contract, and one file or folder per backend.
//!
//! # Contract
//!
//! A backend keeps one JSON object per name, with a revision. A stranger can write one from this page alone; the
//! function `conformance::check` (feature `conformance`) tells whether it keeps these promises, and
//! `examples/own_backend.rs` is one in 120 lines. The traits are those of the `async-trait` crate: an implementation
//! needs it among its dependencies, and `#[async_trait]` above each `impl`.
//!
//! * **Atomic, conditional writes.** [`Backend::write`] stores the whole document when [`Expect`] holds and nothing
//!   otherwise. Of two writes that expect the same revision at most one holds.
//! * **Too large is refused here.** A write of more bytes of compact JSON than [`Facts::document_bytes_max`] fails with
//!   [`BackendError::TooLarge`], naming both numbers, and stores nothing: clients reckon with the limit, the backend
//!   keeps it.
//! * **Revisions grow.** Each write of a name gives a [`Revision`] greater than every one that name had before, also
//!   after it was removed and made anew.
//! * **Durable means durable.** When `write` answers, the document survives whatever the backend says it survives.
//!   A reader that starts after the answer sees that revision or a newer one.
//! * **An error is honest.** Every failure but [`BackendError::Unknown`] means that nothing was stored, then or later.
//! * **A watcher ends at the newest.** [`Backend::watch`] yields the present state, then later ones, never going back.
//!   Where no document is, the present state is [`Change::Removed`]: a watch always begins with something. It may skip
//!   states when the watcher is slow; never the newest. It ends or yields an error when it can no longer promise that;
//!   the client then watches anew.
//! * **Expiry is removal.** From the moment a document expires nobody reads it, and watchers are told
//!   [`Change::Removed`] soon after.
//! * **One clock.** `at` in answers is the backend's own time; clients compare it only with itself.
//!
//! All methods are cancel safe in this sense: a dropped `write` or `remove` either holds or does not, as if its
//! answer had been lost; dropping the others has no effect.

#[cfg(feature = "embedded")]
pub mod embedded;
mod error;
mod memory;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "remote")]
pub mod remote;
mod url;

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio_stream::Stream;

#[cfg(feature = "embedded")]
pub use embedded::Embedded;
pub use error::BackendError;
pub use memory::Memory;
#[cfg(feature = "nats")]
pub use nats::{Nats, NatsOptions};
#[cfg(feature = "remote")]
pub use remote::Remote;
#[cfg(feature = "remote")]
pub(crate) use url::endpoint_behind;
pub use url::{BackendUrl, NatsUrl, ServiceUrl, from_url};

use crate::document::Document;
use crate::id::DocumentId;
use crate::limits::DOCUMENT_BYTES_MAX;

/// Number of one state of one document. Greater means newer; nothing else can be read from it, unless
/// [`Facts::dense_revisions`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment of a backend's clock: milliseconds since 1970 as that clock believes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackendTime(pub u64);

/// One state of a document.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its revision.
    pub revision: Revision,
    /// Its content, shared and immutable.
    pub document: Arc<Document>,
    /// When it expires, if ever.
    pub expires: Option<BackendTime>,
    /// When it was made, and when this state was written. Shown to people and to peers of the Sync protocol; nothing
    /// here depends on them. A backend that does not keep them says `at`.
    pub created: BackendTime,
    /// See [`created`](Self::created).
    pub updated: BackendTime,
    /// The backend's time when it gave this answer.
    pub at: BackendTime,
}

/// What a write needs to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No document of this name.
    Absent,
    /// This revision.
    Revision(Revision),
}

/// What a write does to the time to live. Counted from the moment the write is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl {
    /// Leaves it; a new document never expires.
    #[default]
    Keep,
    /// The document never expires.
    Never,
    /// The document expires after this time, in whole seconds rounded up.
    After(Duration),
}

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// The whole next document.
    pub document: Arc<Document>,
    /// What must be there for it to hold.
    pub expect: Expect,
    /// What becomes of the time to live.
    pub ttl: Ttl,
}

/// The answer to a write that held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The revision it made.
    pub revision: Revision,
    /// When the document now expires, if ever.
    pub expires: Option<BackendTime>,
    /// The backend's time when it gave this answer.
    pub at: BackendTime,
}

/// What a watcher is told.
#[derive(Clone, Debug)]
pub enum Change {
    /// The document has this state.
    Updated(Stored),
    /// The document is not there: removed, expired, or never made.
    Removed,
}

/// A stream of changes; see [`Backend::watch`].
pub type Watch = Pin<Box<dyn Stream<Item = Result<Change, BackendError>> + Send>>;

/// What a backend says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Facts {
    /// Its name in errors and logs.
    pub name: &'static str,
    /// Bytes of compact JSON it stores per document (C55).
    pub document_bytes_max: usize,
    /// Writes per second and document it accepts, `None` for as many as it can (C57).
    pub writes_per_second: Option<f64>,
    /// Whether the revisions of one document are consecutive numbers, so that skipped ones can be counted (C17).
    pub dense_revisions: bool,
}

impl Facts {
    /// Facts of a backend with the default limit of 16 384 bytes, no limit of rate and sparse revisions.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, document_bytes_max: DOCUMENT_BYTES_MAX, writes_per_second: None, dense_revisions: false }
    }
}

/// A store of documents. See the [contract](self#contract).
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Name, limits and habits of this backend. Constant for its lifetime.
    fn facts(&self) -> Facts;

    /// The present state, or `None` when there is no such document.
    ///
    /// # Errors
    /// Any [`BackendError`] but `Conflict` and `Unknown`.
    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError>;

    /// Stores a document if `expect` holds.
    ///
    /// # Errors
    /// [`BackendError::Conflict`] when it does not hold; [`BackendError::TooLarge`] above
    /// [`Facts::document_bytes_max`]; [`BackendError::Unknown`] when the answer was lost; with any but that, nothing
    /// was stored.
    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError>;

    /// Removes a document if it has this revision, or whatever it has with `None`. Answers whether there was one:
    /// `false`, not a conflict, also when a revision is expected and no document is there.
    ///
    /// # Errors
    /// As [`Backend::write`].
    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError>;

    /// Tells the present state at once, [`Change::Removed`] where no document is, and then every later one; see the
    /// contract for what may be skipped.
    ///
    /// # Errors
    /// When watching cannot begin. Later failures come through the stream, which ends after the first.
    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError>;

    /// The list of documents, where the backend can give one.
    fn directory(&self) -> Option<&dyn Directory> {
        None
    }

    /// Where new access tokens go, where the backend needs them (C7).
    fn authenticated(&self) -> Option<&dyn Authenticated> {
        None
    }
}

/// A backend that can list its documents.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Names after `after` in byte order, at most `limit` of them. Expired documents are left out.
    ///
    /// # Errors
    /// Any [`BackendError`] but `Conflict` and `Unknown`.
    async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>, BackendError>;
}

/// A backend that asks for access tokens.
#[async_trait]
pub trait Authenticated: Send + Sync {
    /// Uses this token from now on, without dropping watches or writes that wait (C7).
    ///
    /// # Errors
    /// [`BackendError::Refused`] or [`BackendError::TokenExpired`] when the token is not accepted.
    async fn install_token(&self, token: &crate::token::Token) -> Result<(), BackendError>;

    /// Returns when the backend has said that the token in use is about to end, and no other was installed since; at
    /// once when it has said so before. A backend that never says so never returns, as this default.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    async fn token_about_to_end(&self) {
        std::future::pending().await
    }
}

#[async_trait]
impl<B: Backend + ?Sized> Backend for Arc<B> {
    fn facts(&self) -> Facts {
        (**self).facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        (**self).read(id).await
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        (**self).write(id, write).await
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        (**self).remove(id, expect).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        (**self).watch(id).await
    }

    fn directory(&self) -> Option<&dyn Directory> {
        (**self).directory()
    }

    fn authenticated(&self) -> Option<&dyn Authenticated> {
        (**self).authenticated()
    }
}
