//! What the tests of the client share: short names, the store behind a link that can fail, and original-style writers.

mod link;
#[cfg(feature = "nats")]
pub(crate) mod nats;
mod tokens;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sp_sync::backend::{Backend, BackendError, Change, Expect, Memory, Revision, Ttl, Write};
use sp_sync::client::{Builder, Notices, Receipt, Updates};
use sp_sync::document::Document;
use sp_sync::{
    Action, Batch, Delivery, DocumentId, Error, Identity, Notice, Settings, SyncClient, extension,
};
use tokio_stream::{Stream, StreamExt as _};

pub(crate) use link::{Call, Fate, Link, RATE_LIMITED, unavailable};
pub(crate) use tokens::{Door, Mint};

/// Longer than anything that comes at all takes to come. Time is paused in most tests, so waiting it out costs nothing.
pub(crate) const AGES: Duration = Duration::from_secs(3_600);

/// Longer than anything that is due takes, shorter than a lease.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// The default lease (C40).
pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn document_id() -> DocumentId {
    DocumentId::new("Session_test").unwrap()
}

/// A builder for the document that all clients of a test share.
pub(crate) fn builder(backend: impl Backend, who: &str) -> Builder {
    SyncClient::builder().backend(backend).document_id(document_id()).identity(Identity::new(who).unwrap())
}

pub(crate) async fn open(backend: impl Backend, who: &str) -> SyncClient {
    builder(backend, who).connect().await.unwrap()
}

/// What is stored, to a reader that ignores bookkeeping.
pub(crate) async fn shown(store: &Memory) -> Value {
    let stored = store.read(&document_id()).await.unwrap().expect("the document is there");
    Value::Object((*stored.document.view()).clone())
}

pub(crate) async fn revision(store: &Memory) -> Revision {
    store.read(&document_id()).await.unwrap().expect("the document is there").revision
}

/// Writes a whole document the way the original client does, and one that holds an old copy: without regard for what
/// was there.
pub(crate) async fn overwrite(store: &Memory, content: Value) {
    let Value::Object(content) = content else { panic!("a document is an object") };
    let expect = match store.read(&document_id()).await.unwrap() {
        Some(stored) => Expect::Revision(stored.revision),
        None => Expect::Absent,
    };
    let document = Document::from_object(content).into();
    store.write(&document_id(), Write { document, expect, ttl: Ttl::Keep }).await.unwrap();
}

/// The array of an executor without bookkeeping.
pub(crate) fn actions(content: &Map<String, Value>, array: &str) -> Vec<Value> {
    content.get(array).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// An `openExam` that can be told from others.
pub(crate) fn numbered(number: usize) -> Value {
    json!({ "examURL": format!("https://example.com/{number}") })
}

/// The number of a [`numbered`] action.
pub(crate) fn number_of(action: &Value) -> usize {
    let url = action["examURL"].as_str().expect("a numbered action");
    url.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a numbered action")
}

/// Waits for the first update that shows what is asked for.
pub(crate) async fn update_with(updates: &mut Updates, wanted: impl Fn(&Map<String, Value>) -> bool) {
    loop {
        let update = updates.next().await.expect("the stream goes on").expect("the document is there");
        if wanted(&update) {
            return;
        }
    }
}

/// Waits for the first notice of a kind.
pub(crate) async fn notice_that<T>(notices: &mut Notices, is: impl Fn(&Notice) -> Option<T>) -> T {
    loop {
        let notice = notices.next().await.expect("the client lives").expect("few notices");
        if let Some(found) = is(&notice) {
            return found;
        }
    }
}

/// Everything that was told until now.
pub(crate) async fn told(notices: &mut Notices) -> Vec<Notice> {
    let mut all = Vec::new();
    while let Ok(Some(Ok(notice))) = tokio::time::timeout(Duration::ZERO, notices.next()).await {
        all.push(notice);
    }
    all
}

/// Settings for many actions at once.
pub(crate) fn roomy() -> Settings {
    Settings { waiting_max: 1_000, ..Settings::default() }
}

/// A store for many actions at once.
pub(crate) fn roomy_store() -> Memory {
    Memory::with_document_bytes_max(1 << 20)
}

/// An action of `extension` that is told from others by its text.
pub(crate) fn note(text: impl Display) -> extension::LockScreen {
    extension::LockScreen::new(text.to_string())
}

/// What [`note`] was given.
pub(crate) fn text(action: &Action) -> String {
    let field = action.get("message").or_else(|| action.get("text"));
    field.and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(crate) async fn add(client: &SyncClient, texts: &[&str]) -> Receipt {
    let batch = texts.iter().fold(Batch::new(), |batch, text| batch.then(note(text)));
    client.add_actions(batch).await.unwrap()
}

/// Adds a batch, waiting for room as long as there is none.
pub(crate) async fn add_patiently(client: &SyncClient, batch: Batch) -> Receipt {
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
pub(crate) async fn next<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    tokio::time::timeout(AGES, stream.next()).await.expect("something comes").expect("the stream goes on")
}

/// The next item, or the end, one of which must come.
pub(crate) async fn next_or_end<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    tokio::time::timeout(AGES, stream.next()).await.expect("something comes or it ends")
}

/// Nothing comes within this time.
pub(crate) async fn none_within<S: Stream + Unpin>(stream: &mut S, within: Duration) {
    let came = tokio::time::timeout(within, stream.next()).await;
    assert!(came.is_err(), "nothing should have come");
}

/// Takes and finishes this many actions, and gives their texts and attempts.
pub(crate) async fn carry_out<S: Stream<Item = Delivery> + Unpin>(
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

pub(crate) fn texts(done: &[(String, u32)]) -> Vec<&str> {
    done.iter().map(|(text, _)| text.as_str()).collect()
}

/// The first notice that `matches`.
pub(crate) async fn notice(notices: &mut Notices, matches: impl Fn(&Notice) -> bool) -> Notice {
    loop {
        if let Ok(notice) = next(notices).await
            && matches(&notice)
        {
            return notice;
        }
    }
}

/// The stored document.
pub(crate) async fn document(backend: &impl Backend) -> Arc<Document> {
    backend.read(&document_id()).await.unwrap().expect("there is a document").document
}

/// The whole stored document as JSON, bookkeeping included.
pub(crate) async fn stored(backend: &impl Backend) -> Value {
    serde_json::from_str(&document(backend).await.to_json()).unwrap()
}

/// Waits until the stored document is so.
pub(crate) async fn until_stored(backend: &impl Backend, is_so: impl Fn(&Document) -> bool) {
    let mut watch = backend.watch(&document_id()).await.unwrap();
    loop {
        if let Change::Updated(stored) = next(&mut watch).await.unwrap()
            && is_so(&stored.document)
        {
            return;
        }
    }
}

/// Waits until nothing waits and nothing is claimed.
pub(crate) async fn until_worked_off(backend: &impl Backend) {
    until_stored(backend, is_worked_off).await;
}

pub(crate) fn is_worked_off(document: &Document) -> bool {
    let claimed = document.ledger().is_some_and(|ledger| ledger.claimed().next().is_some());
    !claimed && document.queues().all(|(_, items)| items.is_empty())
}

/// How many actions an executor's array and its claims hold.
pub(crate) fn counts(document: &Document, executor: &str) -> (usize, usize) {
    (document.waiting(executor).len(), document.claims(executor).len())
}

/// An original-style writer: reads the whole document, changes it without a thought for `_sp`, writes it back.
pub(crate) async fn edit(backend: &impl Backend, change: impl Fn(&mut Map<String, Value>)) {
    loop {
        let found = backend.read(&document_id()).await.unwrap().expect("there is a document");
        let Value::Object(mut object) = serde_json::from_str(&found.document.to_json()).unwrap() else {
            unreachable!()
        };
        change(&mut object);
        let write = Write {
            document: Arc::new(Document::from_object(object)),
            expect: Expect::Revision(found.revision),
            ttl: Ttl::Keep,
        };
        match backend.write(&document_id(), write).await {
            Ok(_) => return,
            Err(BackendError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}
