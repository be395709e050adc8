//! What every promise works with: a backend, names of its own, and calls that a patient client would make.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::Subject;
use super::watcher::Watcher;
use crate::backend::{Backend, BackendError, Expect, Revision, Stored, Ttl, Write, Written};
use crate::document::Document;
use crate::id::DocumentId;

/// Why a promise counts as not kept.
#[derive(Debug)]
pub(super) enum Broken {
    Promise(String),
    NotApplicable(String),
}

pub(super) type Outcome<T = ()> = Result<T, Broken>;

/// An error that the promise did not provide for breaks it.
impl From<BackendError> for Broken {
    fn from(error: BackendError) -> Self {
        Self::Promise(format!("unexpected error: {error}"))
    }
}

impl From<crate::error::Error> for Broken {
    fn from(error: crate::error::Error) -> Self {
        Self::Promise(format!("unexpected error: {error}"))
    }
}

/// Repetitions of a call that was refused for now.
const PATIENCE: usize = 200;

pub(super) struct Bench {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) subject: Arc<dyn Subject>,
    /// What tells the names of this run from all others.
    pub(super) run: String,
    named: AtomicUsize,
}

impl Bench {
    pub(super) async fn new(subject: Arc<dyn Subject>) -> Self {
        let backend = subject.open().await;
        let run = format!("conformance-{}", uuid::Uuid::new_v4().simple());
        Self { backend, subject, run, named: AtomicUsize::new(0) }
    }

    /// A name that nobody used before.
    pub(super) fn name(&self) -> Outcome<DocumentId> {
        let number = self.named.fetch_add(1, Ordering::Relaxed);
        Ok(DocumentId::new(format!("{}-{number}", self.run))?)
    }

    pub(super) async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        patiently(|| self.backend.read(id)).await
    }

    /// The document, which must be there.
    pub(super) async fn found(&self, id: &DocumentId) -> Outcome<Stored> {
        match self.read(id).await? {
            Some(stored) => Ok(stored),
            None => Err(Broken::Promise("a document that was written cannot be read".into())),
        }
    }

    pub(super) async fn write(
        &self,
        id: &DocumentId,
        document: &Arc<Document>,
        expect: Expect,
        ttl: Ttl,
    ) -> Result<Written, BackendError> {
        patiently(|| self.backend.write(id, Write { document: document.clone(), expect, ttl })).await
    }

    pub(super) async fn create(&self, id: &DocumentId, value: Value) -> Result<Written, BackendError> {
        self.write(id, &document(value), Expect::Absent, Ttl::Keep).await
    }

    pub(super) async fn update(
        &self,
        id: &DocumentId,
        before: Revision,
        value: Value,
    ) -> Result<Written, BackendError> {
        self.write(id, &document(value), Expect::Revision(before), Ttl::Keep).await
    }

    pub(super) async fn remove(
        &self,
        id: &DocumentId,
        expect: Option<Revision>,
    ) -> Result<bool, BackendError> {
        patiently(|| self.backend.remove(id, expect)).await
    }

    pub(super) async fn watch(&self, id: &DocumentId) -> Outcome<Watcher> {
        Watcher::begin(self.backend.clone(), id.clone()).await
    }

    /// That the document has this revision and content.
    pub(super) async fn holds(&self, id: &DocumentId, revision: Revision, value: &Value) -> Outcome {
        let stored = self.found(id).await?;
        super::ensure!(
            stored.revision == revision,
            "revision {} is read where {} was written last",
            stored.revision.0,
            revision.0
        );
        let (found, expected) = (stored.document.to_json(), value.to_string());
        super::ensure!(*found == *expected, "{found} is read where {expected} was written");
        Ok(())
    }

    /// That there is no such document.
    pub(super) async fn is_absent(&self, id: &DocumentId) -> Outcome {
        match self.read(id).await? {
            None => Ok(()),
            Some(stored) => {
                let revision = stored.revision.0;
                Err(Broken::Promise(format!("revision {revision} is read where nothing should be")))
            }
        }
    }
}

/// A document with this content.
pub(super) fn document(value: Value) -> Arc<Document> {
    Arc::new(match value {
        Value::Object(object) => Document::from_object(object),
        other => Document::from_object([("value".to_owned(), other)].into_iter().collect()),
    })
}

/// A small document with a number.
pub(super) fn numbered(number: usize) -> Value {
    json!({ "number": number })
}

/// That a call was refused with a conflict.
pub(super) fn conflicts<T>(result: Result<T, BackendError>, what: &str) -> Outcome {
    match result {
        Err(BackendError::Conflict) => Ok(()),
        Err(other) => Err(Broken::Promise(format!("{what} failed, but not as a conflict: {other}"))),
        Ok(_) => Err(Broken::Promise(format!("{what} held"))),
    }
}

/// Repeats a call that stored nothing and may succeed later.
pub(super) async fn patiently<T, F, Fut>(mut call: F) -> Result<T, BackendError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, BackendError>>,
{
    let mut left = PATIENCE;
    loop {
        let pause = match call().await {
            Err(BackendError::RateLimited { retry_after }) if left > 0 => {
                retry_after.unwrap_or(Duration::from_millis(20)).min(Duration::from_secs(2))
            }
            Err(BackendError::Unavailable { .. }) if left > 0 => Duration::from_millis(10),
            settled => return settled,
        };
        left -= 1;
        tokio::time::sleep(pause).await;
    }
}
