//! How a store is opened.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Embedded;
use crate::backend::BackendError;
use crate::limits::{DOCUMENT_BYTES_MAX, EMBEDDED_BUSY_TIMEOUT, EMBEDDED_POLL_INTERVAL};

/// Settings of an [`Embedded`] store, from [`Embedded::options`]. Every process may have its own.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until open is called"]
pub struct Options {
    pub(super) document_bytes_max: usize,
    pub(super) busy_timeout: Duration,
    pub(super) poll_interval: Duration,
    pub(super) read_only: bool,
    pub(super) create: bool,
    pub(super) on_commit: Option<OnCommit>,
}

/// Hears how long a commit took.
#[derive(Clone)]
pub(super) struct OnCommit(pub(super) Arc<dyn Fn(Duration) + Send + Sync>);

impl fmt::Debug for OnCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnCommit")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            document_bytes_max: DOCUMENT_BYTES_MAX,
            busy_timeout: EMBEDDED_BUSY_TIMEOUT,
            poll_interval: EMBEDDED_POLL_INTERVAL,
            read_only: false,
            create: true,
            on_commit: None,
        }
    }
}

impl Options {
    /// Bytes of compact JSON a document may have: 16 384 unless told, at most 256 MiB. Every write rewrites the whole
    /// document, so large ones are slow; documents that are already longer stay readable.
    pub const fn document_bytes_max(mut self, bytes: usize) -> Self {
        const MOST: usize = 256 * 1024 * 1024;
        self.document_bytes_max = if bytes < MOST { bytes } else { MOST };
        self
    }

    /// How long a call waits for a lock of another process: 5 s unless told. Too short and a burst elsewhere fails
    /// calls here with [`BackendError::Unavailable`]; too long and a stuck process is noticed late.
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How often watchers look for changes of other processes of which no notice came, and for deleted files: 1 s
    /// unless told, at least 1 ms. Notices come within milliseconds; the poll only stands behind them.
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = if interval.as_millis() == 0 { Duration::from_millis(1) } else { interval };
        self
    }

    /// Whether writes are refused. A read-only store is never made, and expired documents are hidden but not removed.
    /// On Unix the right to read the file is enough; only when a process died while it used the store, somebody who
    /// may write the directory has to open it once.
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether a missing file is made; `true` unless told.
    pub const fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Calls this with the time that each commit took, fsync included. It is called on the writing thread, which writes
    /// nothing meanwhile: count, and return.
    pub fn on_commit(mut self, hear: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.on_commit = Some(OnCommit(Arc::new(hear)));
        self
    }

    /// Opens the store. The work is done on threads of the store, not on the runtime's.
    ///
    /// # Errors
    /// [`BackendError::Fatal`] when there is no such directory, the file is not a database, belongs to another
    /// application, was written by a newer version of this crate, is damaged, or may not be read or written;
    /// [`BackendError::Unavailable`] when another process holds its lock for longer than the busy timeout.
    /// Both name the file and the next step, and leave the file as it was.
    ///
    /// # Cancel safety
    /// Dropped, it closes again what it has opened; a new file may remain.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<Embedded, BackendError> {
        Embedded::open_with(path.as_ref(), self).await
    }
}
