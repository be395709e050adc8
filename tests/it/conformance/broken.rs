//! Backends with one defect each: the suite must name the promise that it breaks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::DocumentId;
use sp_sync::backend::{
    Backend, BackendError, Change, Directory, Expect, Facts, Memory, Revision, Stored, Watch, Write, Written,
};
use sp_sync::conformance::{Report, check_only};
use tokio_stream::StreamExt as _;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    IgnoresExpect,
    RestartsRevisions,
    WatchMissesTheNewest,
    WatchBeginsLater,
    WatchGoesBack,
    ReadsExpired,
    CutsAtTheLimit,
    CountsCharacters,
    ListsUnsorted,
    RemovesWhateverIsThere,
    ForgetsTtlOnKeep,
}

/// A memory backend that has a defect.
struct Broken {
    memory: Memory,
    defect: Defect,
    /// The greatest revision at the last removal, and what was read last, by name.
    offsets: Mutex<HashMap<DocumentId, u64>>,
    seen: Mutex<HashMap<DocumentId, Stored>>,
}

impl Broken {
    fn new(defect: Defect) -> Self {
        Self { memory: Memory::new(), defect, offsets: Mutex::default(), seen: Mutex::default() }
    }

    fn offset(&self, id: &DocumentId) -> u64 {
        self.offsets.lock().unwrap().get(id).copied().unwrap_or(0)
    }
}

#[async_trait]
impl Backend for Broken {
    fn facts(&self) -> Facts {
        self.memory.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        let found = self.memory.read(id).await?;
        if self.defect == Defect::ReadsExpired {
            let mut seen = self.seen.lock().unwrap();
            match found {
                Some(found) => seen.insert(id.clone(), found),
                None => None,
            };
            return Ok(seen.get(id).cloned());
        }
        let offset = self.offset(id);
        Ok(found.map(|found| Stored { revision: Revision(found.revision.0 - offset), ..found }))
    }

    async fn write(&self, id: &DocumentId, mut write: Write) -> Result<Written, BackendError> {
        let present = self.memory.read(id).await?;
        match self.defect {
            Defect::IgnoresExpect => {
                write.expect = present.map_or(Expect::Absent, |found| Expect::Revision(found.revision));
            }
            Defect::CutsAtTheLimit if write.document.size_bytes() > self.facts().document_bytes_max => {
                write.document = Arc::default();
            }
            Defect::CountsCharacters if write.document.to_json().chars().count() > 16_384 => {
                return Err(BackendError::TooLarge { size_bytes: 16_385, limit_bytes: 16_384 });
            }
            Defect::ForgetsTtlOnKeep if write.ttl == sp_sync::backend::Ttl::Keep => {
                write.ttl = sp_sync::backend::Ttl::Never;
            }
            Defect::RestartsRevisions => {
                if let Expect::Revision(revision) = write.expect {
                    write.expect = Expect::Revision(Revision(revision.0 + self.offset(id)));
                }
            }
            _ => {}
        }
        let was_absent = write.expect == Expect::Absent;
        let written = self.memory.write(id, write).await?;
        if self.defect == Defect::RestartsRevisions && was_absent {
            self.offsets.lock().unwrap().insert(id.clone(), written.revision.0 - 1);
        }
        if self.defect == Defect::ReadsExpired {
            self.read(id).await?;
        }
        Ok(Written { revision: Revision(written.revision.0 - self.offset(id)), ..written })
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.seen.lock().unwrap().remove(id);
        let offset = self.offset(id);
        let expect = expect.map(|revision| Revision(revision.0 + offset));
        self.memory.remove(id, expect.filter(|_| self.defect != Defect::RemovesWhateverIsThere)).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let changes = self.memory.watch(id).await?;
        let offset = self.offset(id);
        let changes = changes.map(move |change| match change {
            Ok(Change::Updated(stored)) => {
                Ok(Change::Updated(Stored { revision: Revision(stored.revision.0 - offset), ..stored }))
            }
            other => other,
        });
        let mut earlier: Option<Stored> = None;
        Ok(match self.defect {
            // Every fifth state is kept back until the next comes.
            Defect::WatchMissesTheNewest => Box::pin(changes.filter(
                |change| !matches!(change, Ok(Change::Updated(stored)) if stored.revision.0 % 5 == 0),
            )),
            Defect::WatchBeginsLater => Box::pin(changes.skip(1)),
            Defect::WatchGoesBack => Box::pin(changes.map(move |change| {
                let Ok(Change::Updated(stored)) = change else { return change };
                let before = earlier.replace(stored.clone());
                match before {
                    Some(before) if stored.revision.0 % 7 == 0 => {
                        earlier = None;
                        Ok(Change::Updated(Stored { revision: Revision(before.revision.0 - 1), ..before }))
                    }
                    _ => Ok(Change::Updated(stored)),
                }
            })),
            _ => Box::pin(changes),
        })
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

#[async_trait]
impl Directory for Broken {
    async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>, BackendError> {
        let mut names = self.memory.list(after, limit).await?;
        if self.defect == Defect::ListsUnsorted && names.len() > 2 {
            names.swap(0, 1);
        }
        Ok(names)
    }
}

async fn checked(defect: Defect, topics: &'static [&'static str]) -> Report {
    let is_wanted = |name: &str| topics.iter().any(|topic| name.starts_with(topic));
    let check = check_only(move || std::future::ready(Broken::new(defect)), is_wanted);
    tokio::time::timeout(Duration::from_secs(120), check).await.expect("the suite itself must not hang")
}

#[tokio::test]
async fn without_a_defect_every_promise_is_kept() {
    checked(Defect::None, &["writes", "revisions", "watching", "sizes", "directory", "ttl"])
        .await
        .assert_ok();
}

#[tokio::test]
async fn each_defect_is_found_by_its_promise() {
    let cases: [(Defect, &[&str], &str); 11] = [
        (Defect::IgnoresExpect, &["writes"], "writes::update_needs_the_revision"),
        (Defect::IgnoresExpect, &["concurrency"], "concurrency::one_of_fifty_creates_holds"),
        (Defect::RestartsRevisions, &["revisions"], "revisions::grow_after_removal"),
        (Defect::WatchMissesTheNewest, &["watching::follows"], "watching::follows_each_write"),
        (Defect::WatchBeginsLater, &["watching::begins_with_the"], "watching::begins_with_the_present_state"),
        (Defect::WatchGoesBack, &["watching::never"], "watching::never_goes_back"),
        (Defect::ReadsExpired, &["ttl::expired_means"], "ttl::expired_means_gone"),
        (Defect::CutsAtTheLimit, &["sizes"], "sizes::one_byte_more_is_too_large"),
        (Defect::ListsUnsorted, &["directory"], "directory::lists_in_byte_order"),
        (Defect::RemovesWhateverIsThere, &["writes"], "writes::remove_needs_the_revision"),
        (Defect::ForgetsTtlOnKeep, &["ttl::keep"], "ttl::keep_leaves_it"),
    ];
    let checks = cases.map(|(defect, topics, promise)| async move {
        let report = checked(defect, topics).await;
        let found: Vec<_> = report.broken().map(|broken| broken.name).collect();
        assert!(found.contains(&promise), "{defect:?} should break {promise}, but broke {found:?}");
    });
    for check in checks.map(tokio::spawn) {
        check.await.unwrap();
    }
    let report = checked(Defect::CountsCharacters, &["sizes::bytes"]).await;
    report.assert_ok();
}
