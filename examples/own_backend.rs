//! A backend of one's own: one JSON file per document, in a directory, for one process. It passes the suite.
//!
//! `cargo run --example own_backend --features conformance`

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::*;
use sp_sync::conformance::{Subject, check};
use sp_sync::document::Document;
use tokio::sync::watch;
use tokio_stream::{StreamExt as _, wrappers::WatchStream};

/// The directory, and a bell per name that rings when its file has changed. The lock makes writes atomic.
#[derive(Clone)]
struct Folder(PathBuf, Arc<Mutex<HashMap<DocumentId, watch::Sender<()>>>>);

/// A file holds `{ "revision", "expires", "text" }`. A removed document leaves its revision, so that it goes on growing.
type Found = (u64, Option<Stored>);

fn failed(error: impl std::fmt::Display) -> BackendError {
    BackendError::Fatal { doing: "using the folder".into(), why: error.to_string(), source: None }
}

fn now() -> BackendTime {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    BackendTime(u64::try_from(ms).unwrap_or(u64::MAX))
}

impl Folder {
    fn file(&self, id: &DocumentId) -> PathBuf {
        let hash = id
            .as_str()
            .bytes()
            .fold(7_u128, |hash, byte| hash.wrapping_mul(0x10f_2c5d_97a3).wrapping_add(byte.into()));
        self.0.join(format!("{hash:032x}.json"))
    }

    fn find(&self, id: &DocumentId) -> Result<Found, BackendError> {
        let Ok(text) = std::fs::read_to_string(self.file(id)) else { return Ok((0, None)) };
        let file: Value = serde_json::from_str(&text).map_err(failed)?;
        let revision = file["revision"].as_u64().unwrap_or(0);
        let (at, expires) = (now(), file["expires"].as_u64().map(BackendTime));
        let Some(text) = file["text"].as_str().filter(|_| expires.is_none_or(|end| end > at)) else {
            return Ok((revision, None));
        };
        let document = Arc::new(Document::from_json(text).map_err(failed)?);
        Ok((revision, Some(Stored { revision: Revision(revision), document, expires, at })))
    }

    /// Writes beside and renames, so that a crash leaves the old file or the new one; then rings.
    fn put(
        &self,
        id: &DocumentId,
        file: &Value,
        bells: &HashMap<DocumentId, watch::Sender<()>>,
    ) -> Result<(), BackendError> {
        let beside = self.file(id).with_extension("new");
        std::fs::write(&beside, file.to_string()).map_err(failed)?;
        std::fs::File::open(&beside).and_then(|file| file.sync_all()).map_err(failed)?;
        std::fs::rename(&beside, self.file(id)).map_err(failed)?;
        bells.get(id).inspect(|bell| bell.send_replace(()));
        Ok(())
    }
}

#[async_trait]
impl Backend for Folder {
    fn facts(&self) -> Facts {
        Facts::new("folder")
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        Ok(self.find(id)?.1)
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let (size_bytes, limit_bytes) = (write.document.size_bytes(), self.facts().document_bytes_max);
        if size_bytes > limit_bytes {
            return Err(BackendError::TooLarge { size_bytes, limit_bytes });
        }
        let bells = self.1.lock().map_err(failed)?;
        let (newest, found) = self.find(id)?;
        if write.expect != found.as_ref().map_or(Expect::Absent, |found| Expect::Revision(found.revision)) {
            return Err(BackendError::Conflict);
        }
        let at = now();
        let expires = match write.ttl {
            Ttl::Keep => found.and_then(|found| found.expires),
            Ttl::Never => None,
            Ttl::After(ttl) => {
                Some(BackendTime(at.0 + 1_000 * (ttl + Duration::from_nanos(999_999_999)).as_secs()))
            }
        };
        let file = json!({ "revision": newest + 1, "expires": expires.map(|end| end.0), "text": *write.document.to_json() });
        self.put(id, &file, &bells)?;
        Ok(Written { revision: Revision(newest + 1), expires, at })
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        let bells = self.1.lock().map_err(failed)?;
        match self.find(id)? {
            (_, None) => Ok(false),
            (_, Some(found)) if expect.is_some_and(|expect| expect != found.revision) => {
                Err(BackendError::Conflict)
            }
            (newest, _) => self.put(id, &json!({ "revision": newest }), &bells).map(|()| true),
        }
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let mut bells = self.1.lock().map_err(failed)?;
        let bell = bells.entry(id.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        let (folder, id) = (self.clone(), id.clone());
        // The slow tick behind the bell notices expiry.
        let ticks = tokio_stream::iter(std::iter::repeat(())).throttle(Duration::from_millis(500));
        let looks = WatchStream::new(bell).merge(ticks).map(move |()| folder.find(&id));
        Ok(Box::pin(looks.map(|found| Ok(found?.1.map_or(Change::Removed, Change::Updated)))))
    }
}

/// Where the suite gets the backend from, and what it finds after a restart.
#[async_trait]
impl Subject for PathBuf {
    async fn open(&self) -> Arc<dyn Backend> {
        Arc::new(Folder(self.clone(), Arc::default()))
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let path = std::env::temp_dir().join(format!("own-backend-{}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    std::fs::remove_dir_all(path)
}
