//! The suite over a wire that cuts and swallows answers.
//!
//! Over such a wire a backend answers `Unknown`, as the contract allows, and the suite cannot see through that: it knows
//! nothing of what its own documents mean. [`Careful`] does what a client of this crate does (C29): each write leaves its
//! mark in the document, so that whoever reads can tell whether it held. With that every promise holds but those about times
//! to live of a second or two ([`is_timed`]): they pass while a connection is being made anew, which takes up to 5 s, and
//! with them what a look-up would find and what a watcher would be told in time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::{
    Backend, BackendError, Change, Expect, Facts, Memory, Remote, Revision, Stored, Watch, Write, Written,
};
use sp_sync::conformance::{Subject, check_only};
use sp_sync::document::Document;
use tokio_stream::StreamExt as _;

use crate::remote::proxy::{Faults, Proxy};
use crate::remote::remote;
use crate::remote::served::Served;

/// Whether a promise is about times to live.
fn is_timed(name: &str) -> bool {
    name.starts_with("ttl::") || name == "durability::times_to_live_survive"
}

/// The key under which marks are kept, and how many: more than writers who may come between a write and its look-up.
const MARKS: &str = "\u{1}marks";
const MARKS_KEPT: usize = 60;
/// What marks take of a document's length.
const MARKS_BYTES: usize = 1_024;

/// The greatest pause that a look-up waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A backend that is never in doubt.
struct Careful {
    remote: Remote,
    /// Marks of the newest states seen, oldest first.
    seen: Mutex<HashMap<DocumentId, (Revision, Vec<u64>)>>,
    resolved: Arc<AtomicU64>,
}

static NEXT_MARK: AtomicU64 = AtomicU64::new(1);

/// Of one word the JSON library makes something else where an object begins with it: here another stands for it.
const WORD: [&str; 2] = ["$serde_json::", "§serde_json::"];

fn members(document: &Document) -> Map<String, Value> {
    serde_json::from_str(&document.to_json().replace(WORD[0], WORD[1])).unwrap()
}

fn whole(members: Map<String, Value>) -> Arc<Document> {
    Arc::new(Document::from_json(&Value::Object(members).to_string().replace(WORD[1], WORD[0])).unwrap())
}

impl Careful {
    fn new(remote: Remote, resolved: Arc<AtomicU64>) -> Self {
        Self { remote, seen: Mutex::default(), resolved }
    }

    /// The state as it was written, and its marks.
    fn unmarked(mut stored: Stored) -> (Stored, Vec<u64>) {
        let mut object = members(&stored.document);
        let marks = object.shift_remove(MARKS).unwrap_or_default();
        let marks = marks.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        stored.document = whole(object);
        (stored, marks)
    }

    async fn read_marks(&self, id: &DocumentId) -> Result<Option<(Stored, Vec<u64>)>, BackendError> {
        let found = patiently(|| self.remote.read(id)).await?.map(Self::unmarked);
        if let Some((stored, marks)) = &found {
            self.seen.lock().unwrap().insert(id.clone(), (stored.revision, marks.clone()));
        }
        Ok(found)
    }

    /// The marks of the state that is to be written over, or that there is another.
    async fn marks_of(&self, id: &DocumentId, expected: Revision) -> Result<Vec<u64>, BackendError> {
        let seen = self.seen.lock().unwrap().get(id).cloned();
        match seen {
            Some((revision, marks)) if revision == expected => Ok(marks),
            _ => match self.read_marks(id).await? {
                Some((stored, marks)) if stored.revision == expected => Ok(marks),
                _ => Err(BackendError::Conflict),
            },
        }
    }
}

/// Repeats what passes, as the suite does, but also while a connection is being made anew.
async fn patiently<T, F: Future<Output = Result<T, BackendError>>>(
    call: impl Fn() -> F,
) -> Result<T, BackendError> {
    let began = tokio::time::Instant::now();
    loop {
        match call().await {
            Err(BackendError::Unavailable { .. }) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}

#[async_trait]
impl Backend for Careful {
    fn facts(&self) -> Facts {
        let mut facts = self.remote.facts();
        facts.document_bytes_max -= MARKS_BYTES;
        facts
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        Ok(self.read_marks(id).await?.map(|(stored, _)| stored))
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let (size_bytes, limit_bytes) = (write.document.size_bytes(), self.facts().document_bytes_max);
        if size_bytes > limit_bytes {
            return Err(BackendError::TooLarge { size_bytes, limit_bytes });
        }
        let mut marks = match write.expect {
            Expect::Absent => Vec::new(),
            Expect::Revision(revision) => self.marks_of(id, revision).await?,
        };
        let own = NEXT_MARK.fetch_add(1, Ordering::SeqCst);
        marks.push(own);
        marks.drain(..marks.len().saturating_sub(MARKS_KEPT));
        let mut object = members(&write.document);
        object.insert(MARKS.to_owned(), json!(marks));
        let marked = Write { document: whole(object), ..write };
        let mut in_doubt = false;
        loop {
            match patiently(|| self.remote.write(id, marked.clone())).await {
                Ok(written) => {
                    self.seen.lock().unwrap().insert(id.clone(), (written.revision, marks));
                    return Ok(written);
                }
                Err(BackendError::Unknown { .. }) => in_doubt = true,
                Err(BackendError::Conflict) if in_doubt => {}
                Err(other) => return Err(other),
            }
            let found = self.read_marks(id).await?;
            let held = found.as_ref().and_then(|(stored, marks)| {
                let behind = marks.iter().rev().position(|mark| *mark == own)?;
                Some((stored, u64::try_from(behind).unwrap()))
            });
            self.resolved.fetch_add(1, Ordering::SeqCst);
            if let Some((stored, behind)) = held {
                // Of this server, whose revisions are consecutive.
                let revision = Revision(stored.revision.0 - behind);
                return Ok(Written { revision, expires: stored.expires, at: stored.at });
            }
            let present = found.map(|(stored, _)| stored.revision);
            let still = match write.expect {
                Expect::Absent => present.is_none(),
                Expect::Revision(revision) => present == Some(revision),
            };
            if !still {
                return Err(BackendError::Conflict);
            }
        }
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        let mut in_doubt = false;
        loop {
            match patiently(|| self.remote.remove(id, expect)).await {
                Err(BackendError::Unknown { .. }) => in_doubt = true,
                // There was one when it began, or the first answer would have been this.
                Ok(false) if in_doubt => return Ok(true),
                other => return other,
            }
            self.resolved.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let watch = patiently(|| self.remote.watch(id)).await?;
        Ok(Box::pin(watch.map(|change| match change? {
            Change::Updated(stored) => Ok(Change::Updated(Self::unmarked(stored).0)),
            Change::Removed => Ok(Change::Removed),
        })))
    }
}

/// Connections of their own through one wire.
struct BadWire {
    uri: String,
    resolved: Arc<AtomicU64>,
}

#[async_trait]
impl Subject for BadWire {
    async fn open(&self) -> Arc<dyn Backend> {
        Arc::new(Careful::new(remote(&self.uri), self.resolved.clone()))
    }

    async fn reopen(&self, closed: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        drop(closed);
        Some(self.open().await)
    }
}

async fn holds_over_a_bad_wire(served: &Served) {
    let faults = Faults {
        delay_max: Duration::from_millis(2),
        swallow_one_in: 100,
        cut_after: Duration::from_secs(4),
    };
    let proxy = Proxy::start(&served.uri, faults).await;
    let resolved = Arc::new(AtomicU64::new(0));
    let subject = BadWire { uri: proxy.uri.clone(), resolved: resolved.clone() };
    let report = check_only(subject, |name| !is_timed(name)).await;
    println!("{report}\n{} cuts, {} writes in doubt", proxy.cuts(), resolved.load(Ordering::SeqCst));
    report.assert_ok();
    assert!(report.checked.len() >= 40, "the suite has shrunk");
    assert!(resolved.load(Ordering::SeqCst) > 3, "the wire was good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_bad_wire_to_a_server_over_memory_nothing_is_lost_or_repeated() {
    holds_over_a_bad_wire(&Served::over(Memory::new()).await).await;
}

#[cfg(feature = "embedded")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_bad_wire_to_a_server_over_embedded_nothing_is_lost_or_repeated() {
    let scratch = crate::embedded::Scratch::new();
    let store = sp_sync::backend::Embedded::open(scratch.file()).await.unwrap();
    holds_over_a_bad_wire(&Served::over(store).await).await;
}
