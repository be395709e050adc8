//! The embedded backend, beyond what the suite checks.

mod child;
mod failures;
mod groups;
mod life;
mod processes;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use sp_sync::DocumentId;
use sp_sync::backend::{Backend, BackendError, Expect, Revision, Ttl, Write, Written};
use sp_sync::document::Document;

/// A directory that is deleted at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sp-sync-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("exam.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn id(name: &str) -> DocumentId {
    DocumentId::new(name).unwrap()
}

fn numbered(number: u64) -> Arc<Document> {
    filled(number, 0)
}

/// A document with a number and so many bytes of filling.
fn filled(number: u64, bytes: usize) -> Arc<Document> {
    let text = json!({ "number": number, "filling": "x".repeat(bytes) }).to_string();
    Arc::new(Document::from_json(&text).unwrap())
}

fn number(document: &Document) -> u64 {
    document.field("number").and_then(serde_json::Value::as_u64).unwrap()
}

async fn write(
    store: &dyn Backend,
    id: &DocumentId,
    document: Arc<Document>,
    before: Option<Revision>,
) -> Result<Written, BackendError> {
    let expect = before.map_or(Expect::Absent, Expect::Revision);
    store.write(id, Write { document, expect, ttl: Ttl::Keep }).await
}

/// The number a document holds, and its revision.
async fn present(store: &dyn Backend, id: &DocumentId) -> Option<(u64, Revision)> {
    store.read(id).await.unwrap().map(|stored| (number(&stored.document), stored.revision))
}
