//! Documents in one SQLite file that several processes on one machine may share.
//!
//! * **Durable** means on the disk: a write is answered after the fsync of the commit that holds it.
//! * **Group commit.** Writes that wait share one commit: many documents are as fast as the disk's
//!   fsync allows, and a lone write waits for nobody.
//! * **Several processes.** A read sees the newest commit of any process. Watchers in other processes are woken by a
//!   file notification within milliseconds, with a slow poll behind it.
//! * **Threads.** One writes, two read, and one follows the file while somebody watches. Nothing blocks the runtime,
//!   and any tokio runtime does. They end with the last handle; the last process to close empties the log.
//!
//! Files: the one that was named, SQLite's `-wal` and `-shm`, and `-bell`. Keep them together; to copy a store that is
//! in use, let SQLite do it (`.backup`). A network file system will not do.

mod clock;
mod failure;
mod files;
mod follower;
mod group;
mod hub;
mod options;
mod reader;
mod row;
mod schema;
mod still;
mod threads;
mod writer;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

pub use options::Options;

use super::{Backend, BackendError, Directory, Facts, Revision, Stored, Watch, Write, Written};
use crate::id::DocumentId;
use crate::limits::{EMBEDDED_READERS, EMBEDDED_READS_WAITING_MAX};
use clock::Clock;
use failure::Failure;
use files::Files;
use hub::Hub;
use reader::Request;
use row::Row;
use writer::Command;

/// Documents in one SQLite file, shared by every clone and by every process that opens the same file.
///
/// Durable means on the disk, fsync included. See [`Options`] for what can be set.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("sp-sync-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// use sp_sync::backend::{Backend, Embedded};
///
/// let store = Embedded::open(directory.join("exam.db")).await?;
/// assert!(store.read(&sp_sync::DocumentId::new("greeting")?).await?.is_none());
/// store.close().await;
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    files: Arc<Files>,
    options: Options,
    /// `None` in a read-only store.
    commands: Option<mpsc::Sender<Command>>,
    requests: mpsc::Sender<Request>,
    clock: Arc<Clock>,
    hub: Arc<Hub>,
    tally: Arc<Tally>,
    wake: std::sync::mpsc::SyncSender<()>,
    woken: Arc<Mutex<Receiver<()>>>,
    /// Every thread holds a clone of the sender; when the receiver finds it closed, all have ended.
    alive: mpsc::Sender<Infallible>,
    ended: Mutex<Option<mpsc::Receiver<Infallible>>>,
}

#[derive(Debug, Default)]
struct Tally {
    commits: AtomicU64,
    writes: AtomicU64,
    reads: AtomicU64,
}

/// What an [`Embedded`] store has done since it was opened, in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Commits, each with one fsync of the log.
    pub commits: u64,
    /// Documents written and removed by them.
    pub writes: u64,
    /// Reads and listings.
    pub reads: u64,
}

impl Embedded {
    /// Opens a store with the default settings, and makes it when the file is missing.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, BackendError> {
        Self::options().open(path).await
    }

    /// Settings to open a store with.
    pub fn options() -> Options {
        Options::default()
    }

    /// The file, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What this store has done so far; cheap.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let Tally { commits, writes, reads } = &*self.shared.tally;
        Counters { commits: commits.load(Relaxed), writes: writes.load(Relaxed), reads: reads.load(Relaxed) }
    }

    /// Gives back this handle and waits until the files are closed: until every other clone is dropped too, what was
    /// accepted is committed, and the threads have ended. Dropping the handles does the same without waiting.
    ///
    /// # Cancel safety
    /// Dropped, the store closes nevertheless.
    pub async fn close(self) {
        let ended = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(self);
        if let Some(mut ended) = ended {
            let _: Option<Infallible> = ended.recv().await;
        }
    }

    async fn open_with(given: &Path, options: Options) -> Result<Self, BackendError> {
        let waited = options.busy_timeout;
        let told = |failure: Failure| failure.told("opening the store", given, waited);
        let path = files::resolve(given).map_err(told)?;
        let (wake, woken) = sync_channel(1);
        let (requests, requested) = mpsc::channel(EMBEDDED_READS_WAITING_MAX);
        let (alive, ended) = mpsc::channel(1);
        let mut shared = Shared {
            files: Arc::new(Files::of(&path)),
            path,
            options,
            commands: None,
            requests,
            clock: Arc::new(Clock::start()),
            hub: Arc::new(Hub::new(wake.clone())),
            tally: Arc::default(),
            wake,
            woken: Arc::new(Mutex::new(woken)),
            alive,
            ended: Mutex::new(Some(ended)),
        };
        if !shared.options.read_only {
            shared.start_writer().await.map_err(told)?;
        }
        let requested = Arc::new(Mutex::new(requested));
        for _ in 0..EMBEDDED_READERS {
            shared.start_reader(requested.clone()).await.map_err(told)?;
        }
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl Shared {
    fn told(&self, failure: &Failure, doing: &str) -> BackendError {
        failure.told(doing, &self.path, self.options.busy_timeout)
    }

    async fn read(&self, id: &DocumentId) -> Result<Row, BackendError> {
        let (answer, answered) = oneshot::channel();
        let ended = || self.told(&Failure::Ended, &format!("reading `{id}`"));
        self.requests.send(Request::One { id: id.clone(), answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Hands a command to the writer and waits for its answer.
    async fn command<T: Send>(
        &self,
        doing: impl Fn() -> String + Send + Sync,
        command: impl FnOnce(oneshot::Sender<Result<T, BackendError>>) -> Command + Send,
    ) -> Result<T, BackendError> {
        let Some(commands) = &self.commands else { return Err(self.told(&Failure::ReadOnly, &doing())) };
        let (answer, answered) = oneshot::channel();
        commands.send(command(answer)).await.map_err(|_| self.told(&Failure::Ended, &doing()))?;
        // The thread took the command and ended before it answered: a defect, after which only this is honest.
        let lost = |_| BackendError::Unknown { why: format!("{}: the writing thread has ended", doing()) };
        answered.await.map_err(lost)?
    }
}

#[async_trait]
impl Backend for Embedded {
    fn facts(&self) -> Facts {
        Facts {
            document_bytes_max: self.shared.options.document_bytes_max,
            dense_revisions: true,
            ..Facts::new("embedded")
        }
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        Ok(self.shared.read(id).await?.stored)
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        // Made here once, so that the writing thread need not.
        let (size_bytes, limit_bytes) =
            (write.document.to_json().len(), self.shared.options.document_bytes_max);
        if size_bytes > limit_bytes {
            return Err(BackendError::TooLarge { size_bytes, limit_bytes });
        }
        let doing = || format!("writing `{id}`");
        self.shared.command(doing, |answer| Command::Write { id: id.clone(), write, answer }).await
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        let doing = || format!("removing `{id}`");
        self.shared.command(doing, |answer| Command::Remove { id: id.clone(), expect, answer }).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let watching = self.shared.hub.join(id);
        if self.shared.hub.needs_follower() {
            let told = |failure: Failure| self.shared.told(&failure, &format!("watching `{id}`"));
            self.shared.start_follower().await.map_err(told)?;
        }
        let row = self.shared.read(id).await?;
        self.shared.hub.tell(id, row);
        Ok(Box::pin(watching))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

#[async_trait]
impl Directory for Embedded {
    async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>, BackendError> {
        let (answer, answered) = oneshot::channel();
        let ended = || self.shared.told(&Failure::Ended, "listing documents");
        let request = Request::List { after: after.cloned(), limit, answer };
        self.shared.requests.send(request).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}
