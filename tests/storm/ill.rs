//! The checkers catch a store that is ill: the same parties over a store that breaks its contract in one way at a time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::DocumentId;
use sp_sync::backend::{
    Authenticated, Backend, BackendError, Change, Directory, Expect, Facts, Memory, Revision, Stored, Watch,
    Write, Written,
};
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt as _;

use crate::arena::end;
use crate::fields::{self, Fields};
use crate::history::actions::{self, History};
use crate::history::random::Random;
use crate::history::{log, reading};
use crate::party::{LEASE, Party, Writer};
use crate::record;

const DOCUMENTS: usize = 6;
const WRITERS: u64 = 4;
const EXECUTORS: usize = 2;

/// How long is written, and how long is waited for the rest. An ill store may never settle.
const WRITTEN_FOR: Duration = Duration::from_secs(3);
const SETTLED_WITHIN: Duration = Duration::from_secs(8);

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Illness {
    None,
    /// Some writes are acknowledged and not stored.
    LosesWrites,
    /// Writes are acknowledged first and stored after a while, when their time may be over.
    AnswersEarly,
    /// Writes hold whatever they expect.
    Blind,
    /// Some writes are done a second time, later, over what came between.
    Repeats,
    /// Watchers are told of an older state after a newer one.
    GoesBack,
    /// Watchers are told of a state when the next one comes: never of the last.
    DropsLast,
    /// Watchers are told that a document is gone when it is not.
    Forgets,
}

#[derive(Clone)]
struct Ill {
    illness: Illness,
    store: Memory,
    calls: Arc<AtomicU64>,
}

impl Ill {
    /// True for one in so many calls.
    fn one_in(&self, many: u64) -> bool {
        self.calls.fetch_add(1, Ordering::SeqCst) % many == many - 1
    }

    /// Stores a document over whatever is there.
    async fn overwrite(&self, id: &DocumentId, write: &Write) -> Result<Written, BackendError> {
        loop {
            let present = self.store.read(id).await?;
            let expect = present.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
            match self.store.write(id, Write { expect, ..write.clone() }).await {
                Err(BackendError::Conflict) => {}
                other => return other,
            }
        }
    }

    /// The answer to a write, as if it had held.
    async fn pretend(&self, id: &DocumentId, write: &Write) -> Option<Written> {
        let present = self.store.read(id).await.ok()??;
        let next =
            Written { revision: Revision(present.revision.0 + 1), expires: present.expires, at: present.at };
        (write.expect == Expect::Revision(present.revision)).then_some(next)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backend for Ill {
    fn facts(&self) -> Facts {
        self.store.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.store.read(id).await
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        match self.illness {
            Illness::LosesWrites if self.one_in(20) => {
                if let Some(pretended) = self.pretend(id, &write).await {
                    return Ok(pretended);
                }
            }
            Illness::AnswersEarly if self.one_in(4) => {
                if let Some(pretended) = self.pretend(id, &write).await {
                    let (store, id) = (self.store.clone(), id.clone());
                    tokio::spawn(async move {
                        sleep(Duration::from_millis(20)).await;
                        // Nobody is there any more to hear that it did not hold.
                        let _ = store.write(&id, write).await;
                    });
                    return Ok(pretended);
                }
            }
            Illness::Blind => return self.overwrite(id, &write).await,
            Illness::Repeats if self.one_in(20) => {
                let (ill, id, again) = (self.clone(), id.clone(), write.clone());
                tokio::spawn(async move {
                    sleep(Duration::from_millis(200)).await;
                    let _ = ill.overwrite(&id, &again).await;
                });
            }
            _ => {}
        }
        self.store.write(id, write).await
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.store.remove(id, expect).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let watch = self.store.watch(id).await?;
        let ill = self.clone();
        match self.illness {
            Illness::GoesBack => {
                let (mut last, mut last_but_one) = (None, None);
                Ok(Box::pin(watch.map(move |change| {
                    let old = std::mem::replace(&mut last_but_one, last.replace(change.clone()));
                    old.filter(|_| ill.one_in(10)).unwrap_or(change)
                })))
            }
            Illness::DropsLast => {
                let mut last = None;
                // The first is told at once, and once more with the next.
                Ok(Box::pin(watch.map(move |change| last.replace(change.clone()).unwrap_or(change))))
            }
            Illness::Forgets => Ok(Box::pin(watch.map(move |change| match ill.one_in(40) {
                true => Ok(Change::Removed),
                false => change,
            }))),
            _ => Ok(watch),
        }
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.store.directory()
    }

    fn authenticated(&self) -> Option<&dyn Authenticated> {
        self.store.authenticated()
    }
}

/// What the checkers say.
#[derive(Debug)]
struct Found {
    run: BTreeSet<String>,
    set: BTreeSet<String>,
}

impl Found {
    fn has(&self, one: &str) -> bool {
        self.run.contains(one) || self.set.contains(one)
    }
}

/// Lets the parties work over a store with this illness, and judges what they wrote down.
async fn found_over(illness: Illness) -> Found {
    let directory = std::env::temp_dir().join(format!("sp-sync-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&directory).unwrap();
    let ill = Ill { illness, store: Memory::new(), calls: Arc::default() };
    let healthy: Arc<dyn Backend> = Arc::new(ill.store.clone());
    let ill: Arc<dyn Backend> = Arc::new(ill);
    // What ails watches is noticed by who watches; the others do their work.
    let of_watches = matches!(illness, Illness::GoesBack | Illness::DropsLast | Illness::Forgets);
    let store = if of_watches { &healthy } else { &ill };
    let party = |slot: usize| Party {
        store: store.clone(),
        directory: directory.clone(),
        documents: DOCUMENTS,
        slot,
        life: 0,
        ahead: 0,
    };
    // Made before anybody watches.
    drop(Party { store: healthy.clone(), ..party(0) }.clients("maker").await);
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = Party { store: ill.clone(), ..party(0) };
    let mut others = vec![tokio::spawn(watcher.watch()).abort_handle()];
    for slot in 0..EXECUTORS {
        others.push(tokio::spawn(party(slot).execute(Random(slot as u64))).abort_handle());
    }
    let mut writing = Vec::new();
    for number in 0..WRITERS {
        let clients = Arc::new(party(usize::try_from(number).unwrap()).clients("writer").await);
        let (writer, stop) = (Writer::new(&directory, number, 0, Random(number)), stop.clone());
        writing.push(tokio::spawn(writer.write(clients, move || stop.load(Ordering::SeqCst))));
    }
    sleep(WRITTEN_FOR).await;
    stop.store(true, Ordering::SeqCst);
    let settled = async {
        for writer in &mut writing {
            // A writer that an ill store has driven mad is a dead one.
            let _ = writer.await;
        }
        while end(&*healthy, DOCUMENTS).await.is_none_or(|(_, left)| left) {
            sleep(Duration::from_millis(50)).await;
        }
        // What was recorded may still have to be told.
        sleep(Duration::from_millis(500)).await;
    };
    let _ = timeout(SETTLED_WITHIN, settled).await;
    writing.iter().for_each(tokio::task::JoinHandle::abort);
    others.iter().for_each(tokio::task::AbortHandle::abort);
    let (end, _) = end(&*healthy, DOCUMENTS).await.unwrap();
    let found = judge(&directory, Fields { end, ..Fields::default() });
    std::fs::remove_dir_all(&directory).unwrap();
    found
}

fn judge(directory: &Path, mut fields: Fields) -> Found {
    let lease = u64::try_from(LEASE.as_micros()).unwrap();
    let mut history = History { lease, ..History::default() };
    for number in 0..WRITERS {
        let path = log::path(directory, "writer", usize::try_from(number).unwrap());
        reading::adds(&path, number, false, &mut history);
        record::puts(&path, number, &mut fields);
    }
    for slot in 0..EXECUTORS {
        reading::runs(&log::path(directory, "executor", slot), slot, &mut history);
    }
    record::watched(&log::path(directory, "watcher", 0), 0, true, &mut fields);
    let (run, set) = (actions::check(&history), fields::check(&fields));
    assert!(run.acknowledged > 20 && set.held > 10, "too little to judge: {run:?} {set:?}");
    let names = |faults: Vec<String>| faults.into_iter().collect();
    Found {
        run: names(run.faults.into_iter().map(|(fault, _)| format!("run {fault:?}")).collect()),
        set: names(set.faults.into_iter().map(|(fault, _)| format!("set {fault:?}")).collect()),
    }
}

#[tokio::test]
async fn over_a_store_in_good_health_nothing_is_found() {
    let found = found_over(Illness::None).await;
    assert!(found.run.is_empty() && found.set.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_store_that_loses_writes_is_found() {
    let found = found_over(Illness::LosesWrites).await;
    assert!(found.has("set Lost") || found.has("run Lost"), "{found:?}");
}

#[tokio::test]
async fn a_store_that_answers_before_it_stores_is_found() {
    let found = found_over(Illness::AnswersEarly).await;
    assert!(found.has("set Lost") || found.has("run Lost"), "{found:?}");
}

#[tokio::test]
async fn a_store_that_overwrites_what_it_should_not_is_found() {
    let found = found_over(Illness::Blind).await;
    assert!(found.has("set Lost") || found.has("run Lost"), "{found:?}");
}

#[tokio::test]
async fn a_store_that_repeats_writes_is_found() {
    let found = found_over(Illness::Repeats).await;
    // An old state over a new one: what it brings back may run again, and what was added or set since is gone.
    let signs = ["run AfterEnd", "run Attempt", "run Early", "run Lost", "set Lost", "set Unexplained"];
    assert!(signs.into_iter().any(|sign| found.has(sign)), "{found:?}");
}

#[tokio::test]
async fn a_store_whose_watches_go_back_is_found() {
    let found = found_over(Illness::GoesBack).await;
    assert!(found.has("set Back"), "{found:?}");
}

#[tokio::test]
async fn a_store_whose_watches_drop_the_last_state_is_found() {
    let found = found_over(Illness::DropsLast).await;
    assert!(found.has("set Behind"), "{found:?}");
}

#[tokio::test]
async fn a_store_that_says_a_document_is_gone_is_found() {
    let found = found_over(Illness::Forgets).await;
    assert!(found.has("set Gone"), "{found:?}");
}
