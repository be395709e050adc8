//! Documents in a map of this process. Nothing survives the process; nothing is serialised.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;

use super::{
    Backend, BackendError, BackendTime, Change, Directory, Expect, Facts, Revision, Stored, Ttl, Watch,
    Write, Written,
};
use crate::id::DocumentId;
use crate::limits::DOCUMENT_BYTES_MAX;

/// Documents in memory, shared by every clone. Durable means: until the last clone is dropped.
///
/// Time is the runtime's clock, so tests may pause it.
#[derive(Clone, Debug)]
pub struct Memory {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    document_bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    documents: BTreeMap<DocumentId, Slot>,
    /// No removed document had a greater revision: one made anew starts above it.
    removed_revision_max: u64,
    /// Where this backend's clock starts; set at first use, inside a runtime.
    epoch: Option<Epoch>,
    /// Names at the last sweep of those that nobody has written or watches any more.
    swept_len: usize,
}

/// The system's time when the clock was started; from then on the runtime's clock counts.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    started: Instant,
    unix_ms: u64,
}

/// A name somebody wrote or watches.
#[derive(Debug)]
struct Slot {
    /// The document itself, which watchers look at.
    sender: watch::Sender<Option<Stored>>,
    /// The task that tells watchers of the expiry.
    expiry: Option<AbortHandle>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// An empty store that takes documents of up to 16 384 bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_document_bytes_max(DOCUMENT_BYTES_MAX)
    }

    /// An empty store that takes documents of up to this many bytes of compact JSON.
    #[must_use]
    pub fn with_document_bytes_max(document_bytes_max: usize) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), document_bytes_max }) }
    }
}

impl Shared {
    /// A poisoned lock is taken over: every change below is made in one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&mut self) -> BackendTime {
        let epoch = *self.epoch.get_or_insert_with(Epoch::start);
        let elapsed = u64::try_from(epoch.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        BackendTime(epoch.unix_ms.saturating_add(elapsed))
    }

    /// Forgets names without document and watcher, whenever their number may have doubled.
    fn sweep(&mut self) {
        if self.documents.len() > 2 * self.swept_len + 64 {
            self.documents.retain(|_, slot| slot.revision().is_some() || slot.sender.receiver_count() > 0);
            self.swept_len = self.documents.len();
        }
    }

    /// The slot of a name, without a document that has expired.
    fn slot(&mut self, id: &DocumentId, now: BackendTime) -> Option<&mut Slot> {
        let expired = self.documents.get(id).is_some_and(|slot| slot.expires().is_some_and(|end| end <= now));
        if expired {
            self.remove(id);
        }
        self.documents.get_mut(id)
    }

    fn remove(&mut self, id: &DocumentId) -> bool {
        let Some(slot) = self.documents.get_mut(id) else { return false };
        let Some(revision) = slot.revision() else { return false };
        self.removed_revision_max = self.removed_revision_max.max(revision.0);
        slot.stop_expiry();
        if slot.sender.receiver_count() == 0 {
            self.documents.remove(id);
        } else {
            slot.sender.send_replace(None);
        }
        true
    }
}

impl Slot {
    fn revision(&self) -> Option<Revision> {
        self.sender.borrow().as_ref().map(|stored| stored.revision)
    }

    fn expires(&self) -> Option<BackendTime> {
        self.sender.borrow().as_ref().and_then(|stored| stored.expires)
    }

    fn created(&self) -> Option<BackendTime> {
        self.sender.borrow().as_ref().map(|stored| stored.created)
    }
}

#[async_trait]
impl Backend for Memory {
    fn facts(&self) -> Facts {
        Facts {
            document_bytes_max: self.shared.document_bytes_max,
            dense_revisions: true,
            ..Facts::new("memory")
        }
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        let mut state = self.shared.lock();
        let at = state.now();
        let stored = state.slot(id, at).and_then(|slot| slot.sender.borrow().clone());
        Ok(stored.map(|stored| Stored { at, ..stored }))
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let (size_bytes, limit_bytes) = (write.document.size_bytes(), self.shared.document_bytes_max);
        if size_bytes > limit_bytes {
            return Err(BackendError::TooLarge { size_bytes, limit_bytes });
        }
        let mut state = self.shared.lock();
        let at = state.now();
        let before = state.slot(id, at).map(|slot| (slot.revision(), slot.expires(), slot.created()));
        let (revision, expires, created) = before.unwrap_or_default();
        let revision = match (write.expect, revision) {
            (Expect::Absent, None) => Revision(state.removed_revision_max + 1),
            (Expect::Revision(expected), Some(found)) if expected == found => Revision(found.0 + 1),
            _ => return Err(BackendError::Conflict),
        };
        let expires = match write.ttl {
            Ttl::Keep => expires,
            Ttl::Never => None,
            Ttl::After(ttl) => Some(at.after_whole_seconds(ttl)),
        };
        let (document, created) = (write.document, created.unwrap_or(at));
        let stored = Stored { revision, document, expires, created, updated: at, at };
        let slot = state.documents.entry(id.clone()).or_insert_with(Slot::vacant);
        slot.sender.send_replace(Some(stored));
        if write.ttl != Ttl::Keep {
            slot.stop_expiry();
            slot.expiry = expires.map(|expires| {
                let wait = Duration::from_millis(expires.0.saturating_sub(at.0));
                tokio::spawn(expire(Arc::downgrade(&self.shared), id.clone(), wait)).abort_handle()
            });
        }
        Ok(Written { revision, expires, at })
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        let mut state = self.shared.lock();
        let at = state.now();
        let found = state.slot(id, at).and_then(|slot| slot.revision());
        match (expect, found) {
            (_, None) => Ok(false),
            (Some(expected), Some(found)) if expected != found => Err(BackendError::Conflict),
            _ => Ok(state.remove(id)),
        }
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let mut state = self.shared.lock();
        let at = state.now();
        state.slot(id, at);
        state.sweep();
        let receiver = state.documents.entry(id.clone()).or_insert_with(Slot::vacant).sender.subscribe();
        let changes =
            WatchStream::new(receiver).map(|stored| Ok(stored.map_or(Change::Removed, Change::Updated)));
        Ok(Box::pin(changes))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

#[async_trait]
impl Directory for Memory {
    async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>, BackendError> {
        let mut state = self.shared.lock();
        let now = state.now();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let alive = |slot: &Slot| slot.revision().is_some() && slot.expires().is_none_or(|end| end > now);
        let names = state.documents.range((from, Bound::Unbounded)).filter(|(_, slot)| alive(slot));
        Ok(names.take(limit).map(|(id, _)| id.clone()).collect())
    }
}

impl Epoch {
    #[expect(clippy::disallowed_methods, reason = "this backend owns its time")]
    fn start() -> Self {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl Slot {
    fn vacant() -> Self {
        Self { sender: watch::Sender::new(None), expiry: None }
    }

    fn stop_expiry(&mut self) {
        if let Some(task) = self.expiry.take() {
            task.abort();
        }
    }
}

impl BackendTime {
    /// This moment and a time to live in whole seconds, rounded up.
    #[must_use]
    pub fn after_whole_seconds(self, ttl: Duration) -> Self {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        Self(self.0.saturating_add(seconds.saturating_mul(1_000)))
    }
}

/// Tells watchers of an expiry when it comes. Reading hides expired documents without it.
async fn expire(shared: Weak<Shared>, id: DocumentId, wait: Duration) {
    tokio::time::sleep(wait).await;
    if let Some(shared) = shared.upgrade() {
        let mut state = shared.lock();
        let now = state.now();
        state.slot(&id, now);
    }
}
