//! A store in memory behind a link that delays, loses, refuses or hangs, as a test plans or at random.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::DocumentId;
use sp_sync::backend::{
    Backend, BackendError, BackendTime, Change, Directory, Facts, Memory, Revision, Stored, Watch, Write,
    Written,
};
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::Dice;

/// What a client asks of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Write,
    Remove,
    Watch,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Pass,
    /// It is carried out; the answer never comes.
    LoseAnswer,
    /// It is never carried out, and the client cannot know.
    LoseRequest,
    /// The answer is lost at once, the request arrives later, if its revision is still there.
    LandAfter(Duration),
    /// It is carried out and answered after this time.
    Slow(Duration),
    /// Refused before anything is done, as by the next three.
    Conflict,
    RateLimited(Option<Duration>),
    Unavailable,
    Fail(fn() -> BackendError),
    /// Neither carried out nor ever answered.
    Hang,
    /// The client is cut off before the request arrives.
    CutBefore,
    /// The client is cut off when the request has arrived.
    CutAfter,
}

/// Too many requests, to be tried again soon.
pub(crate) const RATE_LIMITED: Fate = Fate::RateLimited(Some(Duration::from_millis(50)));

/// What is to come: of writes first the script; then what the test decides, or chance.
struct Plan {
    script: VecDeque<Fate>,
    decides: Option<Box<dyn FnMut(Call) -> Fate + Send>>,
    dice: Dice,
    /// Of a thousand calls this many fail.
    per_mille: u64,
}

/// One client's way to a shared store, which can fail in every way the contract of backends allows. Clones share the
/// store, the plan and the counts.
#[derive(Clone)]
pub(crate) struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    store: Memory,
    plan: Mutex<Plan>,
    asked: [AtomicU64; 4],
    cut_watches: broadcast::Sender<BackendError>,
    is_cut: AtomicBool,
    mended: Notify,
    /// How far this link's clock is ahead of the store's.
    ahead_ms: AtomicU64,
    writes_per_second: Option<f64>,
}

impl Link {
    /// Lets everything pass.
    pub(crate) fn new(store: &Memory) -> Self {
        Self::limited(store, None)
    }

    /// States a rate, as a hosted service does.
    pub(crate) fn limited(store: &Memory, writes_per_second: Option<f64>) -> Self {
        let plan = Plan { script: VecDeque::new(), decides: None, dice: Dice::new(1), per_mille: 0 };
        let inner = Inner {
            store: store.clone(),
            plan: Mutex::new(plan),
            asked: Default::default(),
            cut_watches: broadcast::Sender::new(16),
            is_cut: AtomicBool::new(false),
            mended: Notify::new(),
            ahead_ms: AtomicU64::new(0),
            writes_per_second,
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn planned(store: &Memory, plan: impl FnMut(Call) -> Fate + Send + 'static) -> Self {
        let link = Self::new(store);
        link.plan(plan);
        link
    }

    /// Fails at random.
    pub(crate) fn faulty(store: &Memory, seed: u64, per_mille: u64) -> Self {
        let link = Self::new(store);
        let mut plan = link.plans();
        (plan.dice, plan.per_mille) = (Dice::new(seed), per_mille);
        drop(plan);
        link
    }

    /// From now on this is what becomes of calls.
    pub(crate) fn plan(&self, plan: impl FnMut(Call) -> Fate + Send + 'static) {
        self.plans().decides = Some(Box::new(plan));
    }

    pub(crate) fn heal(&self) {
        self.plan(|_| Fate::Pass);
    }

    /// What becomes of the next writes, one after the other.
    pub(crate) fn script(&self, fates: impl IntoIterator<Item = Fate>) {
        self.plans().script = fates.into_iter().collect();
    }

    /// Ends every watch with this.
    pub(crate) fn cut_watches(&self, error: BackendError) {
        let _ = self.inner.cut_watches.send(error);
    }

    /// Nothing goes through any more, in either direction, and nothing is answered: to all others the client behind
    /// it has crashed.
    pub(crate) fn cut(&self) {
        self.inner.is_cut.store(true, Ordering::Release);
    }

    /// What hung goes on.
    pub(crate) fn mend(&self) {
        self.inner.is_cut.store(false, Ordering::Release);
        self.inner.mended.notify_waiters();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.inner.is_cut.load(Ordering::Acquire)
    }

    pub(crate) fn set_clock_ahead(&self, by: Duration) {
        self.inner.ahead_ms.store(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// How often this was asked, whatever became of it.
    pub(crate) fn asked(&self, call: Call) -> u64 {
        self.inner.asked[call as usize].load(Ordering::SeqCst)
    }

    /// Writes that were tried.
    pub(crate) fn writes(&self) -> u64 {
        self.asked(Call::Write)
    }

    fn plans(&self) -> MutexGuard<'_, Plan> {
        self.inner.plan.lock().unwrap()
    }

    async fn passable(&self) {
        loop {
            let mended = self.inner.mended.notified();
            if !self.is_cut() {
                return;
            }
            mended.await;
        }
    }

    async fn fate(&self, call: Call) -> Fate {
        self.passable().await;
        self.inner.asked[call as usize].fetch_add(1, Ordering::SeqCst);
        self.plans().fate(call)
    }

    fn at(&self, at: BackendTime) -> BackendTime {
        BackendTime(at.0 + self.inner.ahead_ms.load(Ordering::Relaxed))
    }

    fn seen(&self, stored: Stored) -> Stored {
        let expires = stored.expires.map(|expires| self.at(expires));
        Stored { at: self.at(stored.at), expires, ..stored }
    }

    /// A change on its way to the watcher.
    async fn carry(self, change: Result<Change, BackendError>) -> Result<Change, BackendError> {
        self.passable().await;
        let late = self.plans().late_by();
        if let Some(late) = late {
            sleep(late).await;
        }
        if self.plans().stumbles() {
            return Err(unavailable());
        }
        change.map(|change| match change {
            Change::Updated(stored) => Change::Updated(self.seen(stored)),
            Change::Removed => Change::Removed,
        })
    }
}

impl Plan {
    fn fate(&mut self, call: Call) -> Fate {
        if call == Call::Write
            && let Some(fate) = self.script.pop_front()
        {
            return fate;
        }
        if let Some(decides) = &mut self.decides {
            return decides(call);
        }
        match call {
            Call::Remove => Fate::Pass,
            _ if !self.stumbles() => Fate::Pass,
            Call::Read | Call::Watch => Fate::Unavailable,
            Call::Write => self.any(),
        }
    }

    fn any(&mut self) -> Fate {
        let wait = Duration::from_millis(self.dice.roll(400));
        match self.dice.roll(7) {
            0 => Fate::LoseAnswer,
            1 => Fate::LoseRequest,
            2 => Fate::LandAfter(wait),
            3 => Fate::Slow(wait),
            4 => Fate::Conflict,
            5 => RATE_LIMITED,
            _ => Fate::Unavailable,
        }
    }

    fn stumbles(&mut self) -> bool {
        self.dice.roll(1_000) < self.per_mille
    }

    fn late_by(&mut self) -> Option<Duration> {
        self.stumbles().then(|| Duration::from_millis(self.dice.roll(2_000)))
    }
}

impl Fate {
    /// What is answered to a request that is not carried out.
    async fn refusal(self) -> BackendError {
        match self {
            Self::Conflict => BackendError::Conflict,
            Self::RateLimited(retry_after) => BackendError::RateLimited { retry_after },
            Self::Unavailable => unavailable(),
            Self::Fail(error) => error(),
            Self::Hang => std::future::pending().await,
            _ => BackendError::Unknown { why: "the link broke".into() },
        }
    }

    /// The same for a request that changes nothing, about which nothing can be unknown.
    async fn refusal_to_tell(self) -> BackendError {
        match self.refusal().await {
            BackendError::Conflict | BackendError::Unknown { .. } => unavailable(),
            refusal => refusal,
        }
    }
}

pub(crate) fn unavailable() -> BackendError {
    let (doing, why) = ("asking the store".into(), "the link is down: wait for it".into());
    BackendError::Unavailable { doing, why, source: None }
}

#[async_trait]
impl Backend for Link {
    fn facts(&self) -> Facts {
        let mut facts = self.inner.store.facts();
        facts.writes_per_second = self.inner.writes_per_second;
        facts
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        match self.fate(Call::Read).await {
            Fate::Pass => {
                let found = self.inner.store.read(id).await?;
                self.passable().await;
                Ok(found.map(|stored| self.seen(stored)))
            }
            fate => Err(fate.refusal_to_tell().await),
        }
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let store = &self.inner.store;
        let fate = self.fate(Call::Write).await;
        let answer = match fate {
            Fate::Pass => store.write(id, write).await,
            Fate::Slow(wait) => {
                sleep(wait).await;
                store.write(id, write).await
            }
            Fate::LoseAnswer => {
                let _ = store.write(id, write).await;
                Err(fate.refusal().await)
            }
            Fate::LandAfter(delay) => {
                let (store, id) = (store.clone(), id.clone());
                tokio::spawn(async move {
                    sleep(delay).await;
                    let _ = store.write(&id, write).await;
                });
                Err(fate.refusal().await)
            }
            Fate::CutBefore => {
                self.cut();
                Err(fate.refusal().await)
            }
            Fate::CutAfter => {
                let _ = store.write(id, write).await;
                self.cut();
                Err(fate.refusal().await)
            }
            fate => Err(fate.refusal().await),
        };
        self.passable().await;
        answer.map(|written| Written { at: self.at(written.at), ..written })
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        match self.fate(Call::Remove).await {
            Fate::Pass => self.inner.store.remove(id, expect).await,
            fate => Err(fate.refusal().await),
        }
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        match self.fate(Call::Watch).await {
            Fate::Pass => {
                let cuts = BroadcastStream::new(self.inner.cut_watches.subscribe());
                let cuts = cuts.filter_map(|cut| cut.ok().map(Err));
                let link = self.clone();
                let changes =
                    self.inner.store.watch(id).await?.then(move |change| link.clone().carry(change));
                Ok(Box::pin(changes.merge(cuts)))
            }
            fate => Err(fate.refusal_to_tell().await),
        }
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.inner.store.directory()
    }
}
