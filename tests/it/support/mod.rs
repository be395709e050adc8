//! What the tests of the client share: short ways to open documents, and a backend behind a link that can fail.

mod link;
mod tokens;

use std::time::Duration;

use serde_json::{Map, Value, json};
use sp_sync::backend::{Backend, Expect, Memory, Revision, Ttl, Write};
use sp_sync::client::{Builder, Notices, Updates};
use sp_sync::document::Document;
use sp_sync::{DocumentId, Identity, Notice, SyncClient};
use tokio_stream::StreamExt as _;

pub(crate) use link::{Call, Fate, Link, Random, unavailable};
pub(crate) use tokens::{Door, Mint};

/// Longer than anything a test waits for: a test that reaches it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(600);

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

/// What is stored, bookkeeping included, as every other program sees it.
pub(crate) async fn raw(store: &Memory) -> Value {
    let stored = store.read(&document_id()).await.unwrap().expect("the document is there");
    serde_json::from_str(&stored.document.to_json()).unwrap()
}

/// What is stored, to a reader that ignores bookkeeping.
pub(crate) async fn shown(store: &Memory) -> Value {
    let stored = store.read(&document_id()).await.unwrap().expect("the document is there");
    Value::Object((*stored.document.view()).clone())
}

pub(crate) async fn revision(store: &Memory) -> Revision {
    store.read(&document_id()).await.unwrap().expect("the document is there").revision
}

/// Writes a whole document the way the original client does: without regard for what was there.
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
