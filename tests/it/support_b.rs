//! What the tests of taking and responding share: short names, a store with faults, and original-style writers.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use sp_sync::backend::{
    Backend, BackendError, BackendTime, Change, Expect, Facts, Memory, Revision, Stored, Ttl, Watch, Write,
    Written,
};
use sp_sync::client::{Builder, Notices, Receipt};
use sp_sync::document::Document;
use sp_sync::{
    Action, Batch, Delivery, DocumentId, Error, Identity, Notice, Settings, SyncClient, extension,
};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};

/// Longer than anything that comes at all takes to come. Time is paused in most tests, so waiting it out costs nothing.
pub const AGES: Duration = Duration::from_secs(3_600);

/// Longer than anything that is due takes, shorter than a lease.
pub const SOON: Duration = Duration::from_secs(5);

/// The default lease (C40).
pub const LEASE: Duration = Duration::from_secs(30);

pub fn session() -> DocumentId {
    DocumentId::new("Session_demo").unwrap()
}

pub fn builder(backend: impl Backend, who: &str) -> Builder {
    let identity = Identity::new(who).unwrap();
    SyncClient::builder().backend(backend).document_id(session()).identity(identity)
}

pub async fn client(backend: impl Backend, who: &str) -> SyncClient {
    builder(backend, who).connect().await.unwrap()
}

/// Settings for many actions at once.
pub fn roomy() -> Settings {
    Settings { waiting_max: 1_000, ..Settings::default() }
}

/// A store for many actions at once.
pub fn roomy_store() -> Memory {
    Memory::with_document_bytes_max(1 << 20)
}

/// An action of `extension` that is told from others by its text.
pub fn note(text: impl Display) -> extension::LockScreen {
    extension::LockScreen::new(text.to_string())
}

/// What [`note`] was given.
pub fn text(action: &Action) -> String {
    let field = action.get("message").or_else(|| action.get("text"));
    field.and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub async fn add(client: &SyncClient, texts: &[&str]) -> Receipt {
    let batch = texts.iter().fold(Batch::new(), |batch, text| batch.then(note(text)));
    client.add_actions(batch).await.unwrap()
}

/// Adds a batch, waiting for room as long as there is none.
pub async fn add_patiently(client: &SyncClient, batch: Batch) -> Receipt {
    let mut updates = client.events().sp_sync_doc_updated();
    loop {
        match client.add_actions(batch.clone()).await {
            Ok(receipt) => return receipt,
            Err(Error::Full { .. } | Error::TooLarge { .. }) => {
                updates.next().await.unwrap().unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The next item, which must come.
pub async fn next<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    tokio::time::timeout(AGES, stream.next()).await.expect("something comes").expect("the stream goes on")
}

/// The next item, or the end, one of which must come.
pub async fn next_or_end<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    tokio::time::timeout(AGES, stream.next()).await.expect("something comes or it ends")
}

/// Nothing comes within this time.
pub async fn none_within<S: Stream + Unpin>(stream: &mut S, within: Duration) {
    let came = tokio::time::timeout(within, stream.next()).await;
    assert!(came.is_err(), "nothing should have come");
}

/// Takes and finishes this many actions, and gives their texts and attempts.
pub async fn carry_out<S: Stream<Item = Delivery> + Unpin>(
    deliveries: &mut S,
    count: usize,
) -> Vec<(String, u32)> {
    let mut done = Vec::new();
    for _ in 0..count {
        let delivery = next(deliveries).await;
        done.push((text(delivery.action()), delivery.attempt()));
        delivery.finish().await.unwrap();
    }
    done
}

pub fn texts(done: &[(String, u32)]) -> Vec<&str> {
    done.iter().map(|(text, _)| text.as_str()).collect()
}

/// The first notice that `matches`.
pub async fn notice(notices: &mut Notices, matches: impl Fn(&Notice) -> bool) -> Notice {
    loop {
        if let Ok(notice) = next(notices).await
            && matches(&notice)
        {
            return notice;
        }
    }
}

/// The stored document.
pub async fn document(backend: &impl Backend) -> Arc<Document> {
    backend.read(&session()).await.unwrap().expect("there is a document").document
}

/// The whole stored document as JSON, bookkeeping included.
pub async fn stored(backend: &impl Backend) -> Value {
    serde_json::from_str(&document(backend).await.to_json()).unwrap()
}

pub async fn revision(backend: &impl Backend) -> u64 {
    backend.read(&session()).await.unwrap().expect("there is a document").revision.0
}

/// Waits until the stored document is so.
pub async fn until_stored(backend: &impl Backend, is_so: impl Fn(&Document) -> bool) {
    let mut watch = backend.watch(&session()).await.unwrap();
    loop {
        if let Change::Updated(stored) = next(&mut watch).await.unwrap()
            && is_so(&stored.document)
        {
            return;
        }
    }
}

/// Waits until nothing waits and nothing is claimed.
pub async fn until_worked_off(backend: &impl Backend) {
    until_stored(backend, is_worked_off).await;
}

pub fn is_worked_off(document: &Document) -> bool {
    let claimed = document.ledger().is_some_and(|ledger| ledger.claimed().next().is_some());
    !claimed && document.queues().all(|(_, items)| items.is_empty())
}

/// How many actions an executor's array and its claims hold.
pub fn counts(document: &Document, executor: &str) -> (usize, usize) {
    (document.waiting(executor).len(), document.claims(executor).len())
}

/// An original-style writer: reads the whole document, changes it without a thought for `_sp`, writes it back.
pub async fn edit(backend: &impl Backend, change: impl Fn(&mut Map<String, Value>)) {
    loop {
        let found = backend.read(&session()).await.unwrap().expect("there is a document");
        let Value::Object(mut object) = serde_json::from_str(&found.document.to_json()).unwrap() else {
            unreachable!()
        };
        change(&mut object);
        let write = Write {
            document: Arc::new(Document::from_object(object)),
            expect: Expect::Revision(found.revision),
            ttl: Ttl::Keep,
        };
        match backend.write(&session(), write).await {
            Ok(_) => return,
            Err(BackendError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Replaces the whole document, as a writer does that holds an old copy.
pub async fn overwrite(backend: &impl Backend, content: Value) {
    edit(backend, |object| *object = content.as_object().unwrap().clone()).await;
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// What befalls one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It holds, the answer is lost.
    LostHeld,
    /// It never arrives, and nobody says so.
    LostNotHeld,
    /// The answer is lost and the write arrives later, if its revision is still there.
    LandsLate(Duration),
    /// It is answered after this time.
    Slow(Duration),
    Conflict,
    RateLimited,
    Unavailable,
    /// The client is cut off for good before the write arrives.
    KilledBefore,
    /// The client is cut off for good when the write has arrived.
    KilledAfter,
}

/// One client's way to a shared store, which can fail in every way the contract of backends allows.
#[derive(Clone)]
pub struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    store: Memory,
    plan: Mutex<Plan>,
    cut: AtomicBool,
    changed: Notify,
    /// How far this link's clock is ahead of the store's.
    ahead_ms: AtomicU64,
    writes: AtomicUsize,
    writes_per_second: Option<f64>,
}

/// Faults to come: first those of the script, then random ones.
struct Plan {
    script: VecDeque<Option<Fault>>,
    dice: Dice,
    /// Of a thousand calls this many fail.
    per_mille: u64,
}

impl Link {
    pub fn new(store: &Memory) -> Self {
        Self::limited(store, None)
    }

    /// States a rate, as a hosted service does.
    pub fn limited(store: &Memory, writes_per_second: Option<f64>) -> Self {
        let plan = Plan { script: VecDeque::new(), dice: Dice::new(1), per_mille: 0 };
        Self {
            inner: Arc::new(Inner {
                store: store.clone(),
                plan: Mutex::new(plan),
                cut: AtomicBool::new(false),
                changed: Notify::new(),
                ahead_ms: AtomicU64::new(0),
                writes: AtomicUsize::new(0),
                writes_per_second,
            }),
        }
    }

    /// Fails at random.
    pub fn faulty(store: &Memory, seed: u64, per_mille: u64) -> Self {
        let link = Self::new(store);
        *link.plan() = Plan { script: VecDeque::new(), dice: Dice::new(seed), per_mille };
        link
    }

    /// What befalls the next writes, one after the other.
    pub fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.plan().script = faults.into_iter().collect();
    }

    pub fn set_clock_ahead(&self, by: Duration) {
        self.inner.ahead_ms.store(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Nothing goes through any more, in either direction, and nothing is answered: to all others the client behind
    /// it has crashed.
    pub fn cut(&self) {
        self.inner.cut.store(true, Ordering::Release);
    }

    /// What hung goes on.
    pub fn mend(&self) {
        self.inner.cut.store(false, Ordering::Release);
        self.inner.changed.notify_waiters();
    }

    pub fn is_cut(&self) -> bool {
        self.inner.cut.load(Ordering::Acquire)
    }

    /// Writes that were tried.
    pub fn writes(&self) -> usize {
        self.inner.writes.load(Ordering::Relaxed)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.inner.plan.lock().unwrap()
    }

    async fn passable(&self) {
        loop {
            let changed = self.inner.changed.notified();
            if !self.is_cut() {
                return;
            }
            changed.await;
        }
    }

    fn at(&self, at: BackendTime) -> BackendTime {
        BackendTime(at.0 + self.inner.ahead_ms.load(Ordering::Relaxed))
    }

    fn seen(&self, stored: Stored) -> Stored {
        let expires = stored.expires.map(|expires| self.at(expires));
        Stored { at: self.at(stored.at), expires, ..stored }
    }

    fn next_write_fault(&self) -> Option<Fault> {
        let mut plan = self.plan();
        if let Some(fault) = plan.script.pop_front() {
            return fault;
        }
        if plan.dice.roll(1_000) >= plan.per_mille {
            return None;
        }
        let wait = Duration::from_millis(plan.dice.roll(400));
        Some(match plan.dice.roll(7) {
            0 => Fault::LostHeld,
            1 => Fault::LostNotHeld,
            2 => Fault::LandsLate(wait),
            3 => Fault::Slow(wait),
            4 => Fault::Conflict,
            5 => Fault::RateLimited,
            _ => Fault::Unavailable,
        })
    }

    /// Whether this read or this piece of a watch fails.
    fn stumbles(&self) -> bool {
        let mut plan = self.plan();
        let per_mille = plan.per_mille;
        plan.dice.roll(1_000) < per_mille
    }

    fn late_by(&self) -> Option<Duration> {
        let mut plan = self.plan();
        let per_mille = plan.per_mille;
        (plan.dice.roll(1_000) < per_mille).then(|| Duration::from_millis(plan.dice.roll(2_000)))
    }

    async fn forward(self, mut from: Watch, to: mpsc::Sender<Result<Change, BackendError>>) {
        while let Some(change) = from.next().await {
            self.passable().await;
            if let Some(late) = self.late_by() {
                tokio::time::sleep(late).await;
            }
            let broken = self.stumbles();
            let change = change.map(|change| match change {
                Change::Updated(stored) => Change::Updated(self.seen(stored)),
                Change::Removed => Change::Removed,
            });
            let sent = if broken { to.send(Err(unavailable())).await } else { to.send(change).await };
            if broken || sent.is_err() {
                return;
            }
        }
    }
}

fn unavailable() -> BackendError {
    BackendError::Unavailable { doing: "a call".into(), why: "the link is down".into(), source: None }
}

fn lost() -> BackendError {
    BackendError::Unknown { why: "the link broke".into() }
}

#[async_trait]
impl Backend for Link {
    fn facts(&self) -> Facts {
        let mut facts = self.inner.store.facts();
        facts.writes_per_second = self.inner.writes_per_second;
        facts
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.passable().await;
        if self.stumbles() {
            return Err(unavailable());
        }
        let found = self.inner.store.read(id).await?;
        self.passable().await;
        Ok(found.map(|stored| self.seen(stored)))
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        self.passable().await;
        self.inner.writes.fetch_add(1, Ordering::Relaxed);
        let store = &self.inner.store;
        let answer = match self.next_write_fault() {
            None => store.write(id, write).await,
            Some(Fault::Slow(wait)) => {
                tokio::time::sleep(wait).await;
                store.write(id, write).await
            }
            Some(Fault::LostHeld) => {
                let _ = store.write(id, write).await;
                Err(lost())
            }
            Some(Fault::LostNotHeld) => Err(lost()),
            Some(Fault::LandsLate(wait)) => {
                let (store, id) = (store.clone(), id.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    let _ = store.write(&id, write).await;
                });
                Err(lost())
            }
            Some(Fault::Conflict) => Err(BackendError::Conflict),
            Some(Fault::RateLimited) => {
                Err(BackendError::RateLimited { retry_after: Some(Duration::from_millis(50)) })
            }
            Some(Fault::Unavailable) => Err(unavailable()),
            Some(Fault::KilledBefore) => {
                self.cut();
                Err(lost())
            }
            Some(Fault::KilledAfter) => {
                let _ = store.write(id, write).await;
                self.cut();
                Err(lost())
            }
        };
        self.passable().await;
        answer.map(|written| Written { at: self.at(written.at), ..written })
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.passable().await;
        self.inner.store.remove(id, expect).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.passable().await;
        if self.stumbles() {
            return Err(unavailable());
        }
        let from = self.inner.store.watch(id).await?;
        let (to, changes) = mpsc::channel(1);
        tokio::spawn(self.clone().forward(from, to));
        Ok(Box::pin(ReceiverStream::new(changes)))
    }
}
