//! A backend of one's own: one JSON file per document in a directory, for one process. It passes the suite:
//! `cargo run --example own_backend --features conformance`
use std::{collections::HashMap, fmt::Display, fs, path::PathBuf, sync::Arc, time::*};

use async_trait::async_trait;
use serde_json::{Value, json};
use sp_sync::{DocumentId, backend::*, conformance, document::Document};
use tokio::sync::{Mutex, watch};
use tokio_stream::{StreamExt as _, wrappers::WatchStream};

/// The directory, and a bell for each watched name that rings when its file may have changed. The lock is for writers.
#[derive(Clone)]
struct Folder(PathBuf, Arc<Mutex<HashMap<DocumentId, watch::Sender<()>>>>);

fn failed(error: impl Display) -> BackendError {
    BackendError::Fatal { doing: "using the folder".into(), why: error.to_string(), source: None }
}

#[expect(clippy::disallowed_methods, reason = "a backend owns its time")]
fn now() -> BackendTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    BackendTime(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

impl Folder {
    /// A name may be longer than a file's and have any character, so the file is named by its hash (FNV-1a).
    fn path(&self, id: &DocumentId) -> PathBuf {
        let mix = |hash: u128, byte| (hash ^ u128::from(byte)).wrapping_mul(0x100_0000_0000_0000_0000_013b);
        self.0.join(format!("{:x}", id.as_str().bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, mix)))
    }

    /// The last revision, and the document if it is alive. A removed one leaves its revision, which goes on growing.
    fn find(&self, id: &DocumentId) -> Result<(u64, Option<Stored>), BackendError> {
        let Ok(text) = fs::read_to_string(self.path(id)) else { return Ok((0, None)) };
        let file: Value = serde_json::from_str(&text).map_err(failed)?;
        let (at, revision) = (now(), file["revision"].as_u64().unwrap_or(0));
        let expires = file["expires"].as_u64().map(BackendTime);
        let alive = file["text"].as_str().filter(|_| expires.is_none_or(|end| end > at));
        let Some(text) = alive else { return Ok((revision, None)) };
        let document = Arc::new(Document::from_json(text).map_err(failed)?);
        let (created, updated) = (at, at);
        Ok((revision, Some(Stored { revision: Revision(revision), document, expires, created, updated, at })))
    }

    /// Writes beside and renames, so that a crash leaves the old file or the new one.
    fn put(&self, id: &DocumentId, file: &Value) -> Result<(), BackendError> {
        let beside = self.path(id).with_extension("new");
        let written = fs::write(&beside, file.to_string()).and_then(|()| fs::File::open(&beside)?.sync_all());
        written.and_then(|()| fs::rename(&beside, self.path(id))).map_err(failed)
    }

    fn ring_at(&self, id: &DocumentId, moment: BackendTime) {
        let (bells, id, wait) = (self.1.clone(), id.clone(), moment.0.saturating_sub(now().0));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            bells.lock().await.get(&id).inspect(|bell| _ = bell.send(()));
        });
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
        let _writer = self.1.lock().await;
        let (newest, found) = self.find(id)?;
        if write.expect != found.as_ref().map_or(Expect::Absent, |found| Expect::Revision(found.revision)) {
            return Err(BackendError::Conflict);
        }
        let at = now();
        let expires = match write.ttl {
            Ttl::Keep => found.and_then(|found| found.expires),
            Ttl::Never => None,
            Ttl::After(ttl) => Some(at.after_whole_seconds(ttl)),
        };
        let (revision, end, text) = (newest + 1, expires.map(|end| end.0), &*write.document.to_json());
        self.put(id, &json!({ "revision": revision, "expires": end, "text": text }))?;
        expires.into_iter().chain([at]).for_each(|moment| self.ring_at(id, moment));
        Ok(Written { revision: Revision(revision), expires, at })
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        let _writer = self.1.lock().await;
        let (revision, Some(found)) = self.find(id)? else { return Ok(false) };
        if expect.is_some_and(|expect| expect != found.revision) {
            return Err(BackendError::Conflict);
        }
        self.ring_at(id, found.at);
        self.put(id, &json!({ "revision": revision })).map(|()| true)
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let bell = self.1.lock().await.entry(id.clone()).or_default().subscribe();
        let (folder, id) = (self.clone(), id.clone());
        let look = move |()| Ok(folder.find(&id)?.1.map_or(Change::Removed, Change::Updated));
        Ok(Box::pin(WatchStream::new(bell).map(look)))
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let path = std::env::temp_dir().join(format!("own-backend-{}", std::process::id()));
    fs::create_dir_all(&path)?;
    let folder = Folder(path.clone(), Arc::default());
    let report = conformance::check(move || std::future::ready(folder.clone())).await;
    println!("{report}");
    report.assert_ok();
    fs::remove_dir_all(path)
}
