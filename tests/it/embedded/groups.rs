//! Group commit: writes that wait share one fsync.

use std::time::Duration;

use sp_sync::backend::{Backend as _, BackendError, Embedded, Expect, Ttl, Write};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Scratch, id, numbered, present, write};

/// Writes per second of so many documents, each with one write in flight, and writes per commit.
async fn rate(store: &Embedded, documents: usize, time: Duration) -> (f64, f64) {
    let before = store.counters();
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for document in 0..documents {
        let store = store.clone();
        writers.spawn(async move {
            let id = id(&format!("rate-{documents}-{document}"));
            let (mut revision, mut writes) = (present(&store, &id).await.map(|found| found.1), 0_u32);
            while began.elapsed() < time {
                revision =
                    Some(write(&store, &id, numbered(writes.into()), revision).await.unwrap().revision);
                writes += 1;
            }
            writes
        });
    }
    let writes: u32 = writers.join_all().await.into_iter().sum();
    let commits = u32::try_from(store.counters().commits - before.commits).unwrap();
    (f64::from(writes) / began.elapsed().as_secs_f64(), f64::from(writes) / f64::from(commits))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_documents_share_a_commit() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let (alone, alone_per_commit) = rate(&store, 1, Duration::from_millis(500)).await;
    let (together, per_commit) = rate(&store, 200, Duration::from_millis(500)).await;
    println!(
        "1 document: {alone:.0} writes/s; 200 documents: {together:.0} writes/s in groups of {per_commit:.0}; ratio {:.1}",
        together / alone
    );
    assert!((alone_per_commit - 1.0).abs() < 0.01, "a lone writer needs one commit per write");
    assert!(per_commit > 20.0, "only {per_commit:.1} writes shared a commit");
}

#[tokio::test]
async fn a_conflict_in_a_group_fails_only_that_write() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 0..100 {
        let store = store.clone();
        writers.spawn(async move {
            let id = id(&format!("document-{}", number % 50));
            let write = Write { document: numbered(number), expect: Expect::Absent, ttl: Ttl::Keep };
            store.write(&id, write).await
        });
    }
    let answers = writers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 50);
    let conflicts = answers.iter().filter(|answer| matches!(answer, Err(BackendError::Conflict)));
    assert_eq!(conflicts.count(), 50);
    assert!(store.counters().commits < 50, "{:?}", store.counters());
}

#[tokio::test]
async fn a_dropped_call_harms_no_other() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 0..200 {
        let store = store.clone();
        writers.spawn(async move {
            let id = id(&format!("document-{number}"));
            let writing = write(&store, &id, numbered(number), None);
            match number % 2 {
                0 => writing.await.map(|_| ()),
                _ => {
                    let _ = tokio::time::timeout(Duration::from_micros(number), writing).await;
                    Ok(())
                }
            }
        });
    }
    assert!(writers.join_all().await.iter().all(Result::is_ok));
    for number in (0..200).step_by(2) {
        assert_eq!(present(&store, &id(&format!("document-{number}"))).await.unwrap().0, number);
    }
}
