//! A store in memory behind a link that delays, loses, refuses or hangs, as a test plans.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::DocumentId;
use sp_sync::backend::{
    Authenticated, Backend, BackendError, Directory, Facts, Memory, Revision, Stored, Watch, Write, Written,
};
use tokio::sync::broadcast;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

/// What a client asks of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Write,
    Remove,
    Watch,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Pass,
    /// It is carried out; the answer never comes.
    LoseAnswer,
    /// It is never carried out, and the client cannot know.
    LoseRequest,
    /// The answer is lost at once, the request arrives later.
    LandAfter(Duration),
    /// Refused before anything is done.
    Fail(BackendError),
    /// Neither carried out nor ever answered.
    Hang,
}

type Plan = Box<dyn FnMut(Call) -> Fate + Send>;

/// Clones share the store, the plan and the counts.
#[derive(Clone)]
pub(crate) struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    store: Memory,
    plan: Mutex<Plan>,
    asked: [AtomicU64; 4],
    cut: broadcast::Sender<BackendError>,
}

impl Link {
    pub(crate) fn new(store: Memory, plan: impl FnMut(Call) -> Fate + Send + 'static) -> Self {
        let inner = Inner {
            store,
            plan: Mutex::new(Box::new(plan)),
            asked: Default::default(),
            cut: broadcast::Sender::new(16),
        };
        Self { inner: Arc::new(inner) }
    }

    /// From now on this is what becomes of calls.
    pub(crate) fn plan(&self, plan: impl FnMut(Call) -> Fate + Send + 'static) {
        *self.inner.plan.lock().unwrap() = Box::new(plan);
    }

    pub(crate) fn heal(&self) {
        self.plan(|_| Fate::Pass);
    }

    /// Ends every watch with this.
    pub(crate) fn cut_watches(&self, error: BackendError) {
        let _ = self.inner.cut.send(error);
    }

    /// How often this was asked, whatever became of it.
    pub(crate) fn asked(&self, call: Call) -> u64 {
        self.inner.asked[call as usize].load(Ordering::SeqCst)
    }

    fn fate(&self, call: Call) -> Fate {
        self.inner.asked[call as usize].fetch_add(1, Ordering::SeqCst);
        (self.inner.plan.lock().unwrap())(call)
    }
}

fn lost() -> BackendError {
    BackendError::Unknown { why: "the link was cut".into() }
}

pub(crate) fn unavailable() -> BackendError {
    let (doing, why) = ("asking the store".into(), "the link is down: wait for it".into());
    BackendError::Unavailable { doing, why, source: None }
}

#[async_trait]
impl Backend for Link {
    fn facts(&self) -> Facts {
        self.inner.store.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        match self.fate(Call::Read) {
            Fate::Pass => self.inner.store.read(id).await,
            Fate::Fail(error) => Err(error),
            Fate::Hang => std::future::pending().await,
            _ => Err(unavailable()),
        }
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let store = &self.inner.store;
        match self.fate(Call::Write) {
            Fate::Pass => store.write(id, write).await,
            Fate::LoseAnswer => {
                let _ = store.write(id, write).await;
                Err(lost())
            }
            Fate::LoseRequest => Err(lost()),
            Fate::LandAfter(delay) => {
                let (store, id) = (store.clone(), id.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = store.write(&id, write).await;
                });
                Err(lost())
            }
            Fate::Fail(error) => Err(error),
            Fate::Hang => std::future::pending().await,
        }
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        match self.fate(Call::Remove) {
            Fate::Pass => self.inner.store.remove(id, expect).await,
            Fate::Fail(error) => Err(error),
            Fate::Hang => std::future::pending().await,
            _ => Err(lost()),
        }
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        match self.fate(Call::Watch) {
            Fate::Pass => {
                let cuts = BroadcastStream::new(self.inner.cut.subscribe());
                let cuts = cuts.filter_map(|cut| cut.ok().map(Err));
                Ok(Box::pin(self.inner.store.watch(id).await?.merge(cuts)))
            }
            Fate::Fail(error) => Err(error),
            Fate::Hang => std::future::pending().await,
            _ => Err(unavailable()),
        }
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.inner.store.directory()
    }

    fn authenticated(&self) -> Option<&dyn Authenticated> {
        None
    }
}

/// Numbers that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
