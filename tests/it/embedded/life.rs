//! Opening, closing, expiry and removal over time, and several stores at one file.

use std::time::Duration;

use sp_sync::backend::{Backend as _, BackendError, Change, Embedded, Expect, Revision, Ttl, Write};
use tokio_stream::StreamExt as _;

use super::{Scratch, id, number, numbered, present, write};

#[tokio::test]
async fn closing_empties_the_log_and_ends_watches() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    write(&store, &id("x"), numbered(1), None).await.unwrap();
    let mut watch = store.watch(&id("x")).await.unwrap();
    assert!(scratch.path().join("exam.db-wal").exists());
    tokio::time::timeout(Duration::from_secs(5), store.close()).await.expect("every thread ends");
    let log = std::fs::metadata(scratch.path().join("exam.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "closing empties the log");
    assert!(matches!(watch.next().await, Some(Ok(Change::Updated(_)))));
    assert!(watch.next().await.is_none(), "a watch ends with its store");
}

#[tokio::test]
async fn a_dropped_store_commits_what_it_accepted() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let other = store.clone();
    let writing = tokio::spawn(async move { write(&other, &id("x"), numbered(1), None).await });
    drop(store);
    writing.await.unwrap().unwrap();
    let store = Embedded::open(scratch.file()).await.unwrap();
    assert_eq!(present(&store, &id("x")).await.unwrap().0, 1);
}

#[tokio::test]
async fn two_stores_at_one_file_are_one_store() {
    let scratch = Scratch::new();
    let one = Embedded::open(scratch.file()).await.unwrap();
    let other = Embedded::open(scratch.file()).await.unwrap();
    let mut watch = other.watch(&id("x")).await.unwrap();
    assert!(matches!(watch.next().await, Some(Ok(Change::Removed))));
    let mut revision = None;
    for written in 0..50 {
        revision = Some(write(&one, &id("x"), numbered(written), revision).await.unwrap().revision);
        assert_eq!(present(&other, &id("x")).await, Some((written, revision.unwrap())), "seen at once");
    }
    while let Some(change) = watch.next().await {
        if matches!(change, Ok(Change::Updated(stored)) if number(&stored.document) == 49) {
            break;
        }
    }
    other.remove(&id("x"), revision).await.unwrap();
    assert_eq!(present(&one, &id("x")).await, None);
    let conflict = write(&one, &id("x"), numbered(9), revision).await;
    assert!(matches!(conflict, Err(BackendError::Conflict)), "{conflict:?}");
}

#[tokio::test]
async fn revisions_grow_when_the_traces_of_removals_are_gone() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let mut watch = store.watch(&id("early")).await.unwrap();
    let mut revision = None;
    for number in 0..10 {
        revision = Some(write(&store, &id("early"), numbered(number), revision).await.unwrap().revision);
    }
    store.remove(&id("early"), None).await.unwrap();
    // Far more changes than traces are kept for, in large groups.
    for round in 0..30 {
        let mut passing = tokio::task::JoinSet::new();
        for number in 0..100 {
            let store = store.clone();
            passing.spawn(async move {
                let id = id(&format!("passing-{round}-{number}"));
                write(&store, &id, numbered(1), None).await.unwrap();
                store.remove(&id, None).await.unwrap();
            });
        }
        passing.join_all().await;
    }
    let file = rusqlite::Connection::open(scratch.file()).unwrap();
    let traces: i64 =
        file.query_row("SELECT count(*) FROM documents WHERE data IS NULL", [], |row| row.get(0)).unwrap();
    assert!(traces < 2_500, "{traces} traces of 3001 removals are kept");
    let purged: i64 = file.query_row("SELECT purged_seq FROM meta", [], |row| row.get(0)).unwrap();
    assert!(purged > 0);
    let anew = write(&store, &id("early"), numbered(1), None).await.unwrap();
    assert!(anew.revision > Revision(10), "{:?}", anew.revision);
    loop {
        if matches!(watch.next().await, Some(Ok(Change::Updated(stored))) if stored.revision == anew.revision)
        {
            break;
        }
    }
}

#[tokio::test]
async fn expired_documents_leave_the_file() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let _watch = store.watch(&id("other")).await.unwrap();
    let passing =
        Write { document: numbered(1), expect: Expect::Absent, ttl: Ttl::After(Duration::from_secs(1)) };
    store.write(&id("x"), passing).await.unwrap();
    let file = rusqlite::Connection::open(scratch.file()).unwrap();
    let count = || -> i64 {
        file.query_row("SELECT count(*) FROM documents WHERE data IS NOT NULL", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(), 1);
    for _ in 0..60 {
        if count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody swept the expired document");
}

#[tokio::test]
async fn a_clock_that_was_set_back_resurrects_nothing() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let passing =
        Write { document: numbered(1), expect: Expect::Absent, ttl: Ttl::After(Duration::from_secs(60)) };
    let written = store.write(&id("x"), passing).await.unwrap();
    store.close().await;
    // As if the last write had been made an hour later by a clock that was then set back.
    let file = rusqlite::Connection::open(scratch.file()).unwrap();
    file.execute("UPDATE meta SET clock_ms = clock_ms + 3600000", []).unwrap();
    drop(file);
    let store = Embedded::open(scratch.file()).await.unwrap();
    assert_eq!(present(&store, &id("x")).await, None, "it had expired by the clock of the last write");
    let anew = write(&store, &id("x"), numbered(2), None).await.unwrap();
    assert!(anew.revision > written.revision && anew.at > written.at);
}

#[tokio::test]
async fn a_read_only_store_reads_and_follows_but_does_not_write() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let made = write(&store, &id("x"), numbered(1), None).await.unwrap();
    let reader = Embedded::options().read_only(true).open(scratch.file()).await.unwrap();
    assert_eq!(present(&reader, &id("x")).await, Some((1, made.revision)));
    let refused = write(&reader, &id("x"), numbered(2), Some(made.revision)).await.unwrap_err().to_string();
    assert!(refused.contains("read-only") && refused.contains("exam.db"), "{refused}");
    let mut watch = reader.watch(&id("x")).await.unwrap();
    write(&store, &id("x"), numbered(2), Some(made.revision)).await.unwrap();
    loop {
        if matches!(watch.next().await, Some(Ok(Change::Updated(stored))) if number(&stored.document) == 2) {
            break;
        }
    }
}

#[tokio::test]
async fn the_limit_of_length_is_a_setting() {
    let scratch = Scratch::new();
    let store = Embedded::options().document_bytes_max(100).open(scratch.file()).await.unwrap();
    assert_eq!(store.facts().document_bytes_max, 100);
    let refused = write(&store, &id("x"), super::filled(1, 100), None).await;
    assert!(matches!(refused, Err(BackendError::TooLarge { limit_bytes: 100, .. })), "{refused:?}");
}

#[test]
fn a_store_serves_more_than_one_runtime() {
    let scratch = Scratch::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let store = runtime().block_on(Embedded::open(scratch.file())).unwrap();
    runtime().block_on(write(&store, &id("x"), numbered(1), None)).unwrap();
    assert_eq!(runtime().block_on(present(&store, &id("x"))).unwrap().0, 1);
}

#[tokio::test]
async fn without_a_bell_changes_elsewhere_are_found_by_polling() {
    let scratch = Scratch::new();
    let one = Embedded::open(scratch.file()).await.unwrap();
    let other = Embedded::open(scratch.file()).await.unwrap();
    std::fs::remove_file(scratch.path().join("exam.db-bell")).unwrap();
    let mut watch = other.watch(&id("x")).await.unwrap();
    assert!(matches!(watch.next().await, Some(Ok(Change::Removed))));
    write(&one, &id("x"), numbered(1), None).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), watch.next()).await.unwrap();
    assert!(matches!(told, Some(Ok(Change::Updated(_)))), "{told:?}");
}

#[tokio::test]
async fn an_absence_that_lasts_is_told_once() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let mut first = store.watch(&id("x")).await.unwrap();
    assert!(matches!(first.next().await, Some(Ok(Change::Removed))));
    for number in 0..5 {
        write(&store, &id(&format!("other-{number}")), numbered(1), None).await.unwrap();
        let mut later = store.watch(&id("x")).await.unwrap();
        assert!(matches!(later.next().await, Some(Ok(Change::Removed))));
    }
    let again = tokio::time::timeout(Duration::from_millis(50), first.next()).await;
    assert!(again.is_err(), "{again:?}");
}

/// A store is made in steps, and a second process that opens the file in between must not take it for a stranger's.
#[test]
fn many_may_open_a_file_that_is_not_there_yet() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    start.wait();
                    runtime.block_on(async { Embedded::open(scratch.file()).await.unwrap().close().await });
                });
            }
        });
    }
}

/// The connections of a store close at the same time; one of them merges the log, whichever comes last.
#[tokio::test]
async fn closing_leaves_everything_in_the_one_file() {
    for round in 0..20 {
        let scratch = Scratch::new();
        let store = Embedded::open(scratch.file()).await.unwrap();
        write(&store, &id("kept"), numbered(round), None).await.unwrap();
        store.close().await;
        let log = std::fs::metadata(scratch.path().join("exam.db-wal")).map_or(0, |log| log.len());
        assert_eq!(log, 0, "round {round}: the log was not merged");
    }
}

/// What exams say is for the server's user alone. Whoever has given a file another mode meant it.
#[cfg(unix)]
#[tokio::test]
async fn a_new_file_and_its_companions_are_for_their_owner_alone_and_one_that_is_there_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let modes = || {
        ["", "-wal", "-shm"].map(|companion| {
            let path = format!("{}{companion}", scratch.file().display());
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777
        })
    };
    let store = Embedded::open(scratch.file()).await.unwrap();
    let written = write(&store, &id("x"), numbered(1), None).await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
    store.close().await;
    std::fs::set_permissions(scratch.file(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let store = Embedded::open(scratch.file()).await.unwrap();
    write(&store, &id("x"), numbered(2), Some(written.revision)).await.unwrap();
    assert_eq!(modes(), [0o640; 3]);
    store.close().await;
}
