//! Whatever happens to the file is told with its name and the next step; nothing panics and nothing is lost silently.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use sp_sync::backend::{Backend as _, BackendError, Embedded};
use tokio_stream::StreamExt as _;

use super::{Scratch, child, filled, id, number, numbered, present, write};

/// A store with twenty documents, closed in good order.
async fn made(path: &Path) {
    let store = Embedded::open(path).await.unwrap();
    for number in 0..20 {
        write(&store, &id(&format!("kept-{number}")), filled(number, 6_000), None).await.unwrap();
    }
    store.close().await;
}

fn overwrite(path: &Path, from: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(bytes).unwrap();
}

/// A way to harm a file.
type Harm = fn(&Path);

#[tokio::test]
async fn what_cannot_be_opened_is_told_and_left_alone() {
    let cases: [(&str, bool, Harm, &[&str]); 9] = [
        (
            "no directory",
            false,
            |path| fs::remove_dir(path.parent().unwrap()).unwrap(),
            &["directory", "make it"],
        ),
        ("a directory", false, |path| fs::create_dir(path).unwrap(), &["directory", "path of a file"]),
        (
            "no database",
            false,
            |path| fs::write(path, "Dear diary, ".repeat(500)).unwrap(),
            &["not a database"],
        ),
        (
            "garbage in the header",
            true,
            |path| overwrite(path, 0, &[0xa5; 100]),
            &["not a database", "backup"],
        ),
        (
            "another application",
            false,
            |path| Connection::open(path).unwrap().execute_batch("CREATE TABLE diary(day)").unwrap(),
            &["another application", "another path"],
        ),
        (
            "another application's id",
            false,
            |path| Connection::open(path).unwrap().execute_batch("PRAGMA application_id = 7").unwrap(),
            &["another application", "another path"],
        ),
        (
            "a newer schema",
            true,
            |path| Connection::open(path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap(),
            &["version 99", "newer program"],
        ),
        (
            "cut off",
            true,
            |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(9_000).unwrap(),
            &["malformed", "backup"],
        ),
        (
            "cut off within the header",
            true,
            |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(50).unwrap(),
            &["malformed", "backup"],
        ),
    ];
    for (name, is_made, harm, words) in cases {
        let scratch = Scratch::new();
        let path = scratch.file();
        if is_made {
            made(&path).await;
        }
        let _ = fs::remove_file(scratch.path().join("exam.db-bell"));
        harm(&path);
        let before = fs::read(&path).ok();
        let failure = Embedded::open(&path).await.unwrap_err();
        let text = failure.to_string();
        assert!(matches!(failure, BackendError::Fatal { .. }), "{name}: {failure:?}");
        assert!(text.contains("exam.db"), "{name}: the file is not named: {text}");
        assert!(words.iter().all(|word| text.contains(word)), "{name}: {text}");
        assert_eq!(before, fs::read(&path).ok(), "{name}: the file was changed");
        println!("{name}: {text}");
    }
}

#[tokio::test]
async fn a_missing_file_is_made_only_on_demand() {
    let scratch = Scratch::new();
    for options in [Embedded::options().create(false), Embedded::options().read_only(true)] {
        let failure = options.open(scratch.file()).await.unwrap_err().to_string();
        assert!(failure.contains("does not exist") && failure.contains("exam.db"), "{failure}");
    }
    assert!(!scratch.file().exists());
}

#[tokio::test]
async fn a_path_that_cannot_be_one_is_told() {
    let failure = Embedded::open("").await.unwrap_err().to_string();
    assert!(failure.contains("the path is empty; give the path of a file"), "{failure}");
    let scratch = Scratch::new();
    made(&scratch.file()).await;
    for below in ["x.db", "deep/x.db"] {
        let failure = Embedded::open(scratch.file().join(below)).await.unwrap_err().to_string();
        let file = scratch.file();
        let expected = format!("`{}` is a file, not a directory", file.display());
        assert!(failure.contains(&expected), "{failure}");
    }
}

#[tokio::test]
async fn an_empty_file_is_told_to_readers_and_made_a_store_by_writers() {
    let scratch = Scratch::new();
    fs::write(scratch.file(), "").unwrap();
    let read_only = || Embedded::options().read_only(true).open(scratch.file());
    let failure = read_only().await.unwrap_err();
    assert!(matches!(failure, BackendError::Fatal { .. }), "{failure:?}");
    let text = failure.to_string();
    assert!(
        text.contains("exam.db") && text.contains("the file is empty; open it once for writing"),
        "{text}"
    );
    Embedded::options().create(false).open(scratch.file()).await.unwrap().close().await;
    read_only().await.unwrap().close().await;
}

#[tokio::test]
async fn garbage_in_the_middle_is_told_and_the_rest_stays_readable() {
    let scratch = Scratch::new();
    made(&scratch.file()).await;
    let pages = fs::metadata(scratch.file()).unwrap().len() / 4_096;
    let mut file = Vec::new();
    fs::File::open(scratch.file()).unwrap().read_to_end(&mut file).unwrap();
    let (mut read, mut told) = (0, 0);
    for page in 1..pages {
        fs::write(scratch.file(), &file).unwrap();
        overwrite(&scratch.file(), page * 4_096, &[0xa5; 4_096]);
        let store = match Embedded::open(scratch.file()).await {
            Ok(store) => store,
            Err(failure) => {
                assert!(failure.to_string().contains("exam.db"), "page {page}: {failure}");
                told += 1;
                continue;
            }
        };
        for kept in 0..20 {
            match store.read(&id(&format!("kept-{kept}"))).await {
                Ok(Some(stored)) => {
                    assert_eq!(stored.document.to_json(), filled(kept, 6_000).to_json(), "page {page}");
                    read += 1;
                }
                Ok(None) => panic!("page {page}: document {kept} is lost without a word"),
                Err(failure) => {
                    assert!(matches!(failure, BackendError::Fatal { .. }), "page {page}: {failure:?}");
                    assert!(failure.to_string().contains("exam.db"), "page {page}: {failure}");
                    told += 1;
                }
            }
        }
        // Neither may a write harm more, nor the end.
        let _ = write(&store, &id("new"), numbered(1), None).await;
        store.close().await;
    }
    println!("{pages} pages damaged one at a time: {read} reads fine, {told} failures told");
    assert!(read > 0 && told > 0);
}

#[tokio::test]
async fn a_lock_held_elsewhere_is_waited_for_and_then_told() {
    let scratch = Scratch::new();
    let patience = Duration::from_millis(200);
    let store = Embedded::options().busy_timeout(patience).open(scratch.file()).await.unwrap();
    let holder = Connection::open(scratch.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = tokio::time::Instant::now();
    let failure = write(&store, &id("x"), numbered(1), None).await.unwrap_err();
    assert!(began.elapsed() >= patience, "it did not wait");
    let text = failure.to_string();
    assert!(matches!(failure, BackendError::Unavailable { .. }), "{failure:?}");
    assert!(text.contains("exam.db") && text.contains("another process") && text.contains("fuser"), "{text}");
    assert_eq!(present(&store, &id("x")).await, None, "reading goes on");
    let x = id("x");
    let waiting = write(&store, &x, numbered(1), None);
    let (written, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(patience / 4).await;
        holder.execute_batch("COMMIT").unwrap();
    });
    written.expect("a lock that is given back in time is only waited for");
}

#[tokio::test]
async fn a_file_deleted_or_replaced_under_the_store_is_told() {
    let cases: [(&str, Harm); 4] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("replaced", |path| {
            fs::copy(path, path.with_extension("copy")).unwrap();
            fs::rename(path.with_extension("copy"), path).unwrap();
        }),
        ("without its log", |path| fs::remove_file(path.with_extension("db-wal")).unwrap()),
        ("without its coordination", |path| fs::remove_file(path.with_extension("db-shm")).unwrap()),
    ];
    for (name, harm) in cases {
        let scratch = Scratch::new();
        let options = Embedded::options().poll_interval(Duration::from_millis(20));
        let store = options.open(scratch.file()).await.unwrap();
        let made = write(&store, &id("x"), numbered(1), None).await.unwrap();
        let mut watch = store.watch(&id("x")).await.unwrap();
        watch.next().await.unwrap().unwrap();
        harm(&scratch.file());
        for failure in [
            write(&store, &id("x"), numbered(2), Some(made.revision)).await.unwrap_err(),
            store.read(&id("x")).await.unwrap_err(),
        ] {
            let text = failure.to_string();
            assert!(matches!(failure, BackendError::Fatal { .. }), "{name}: {failure:?}");
            assert!(text.contains("deleted or replaced") && text.contains("exam.db"), "{name}: {text}");
        }
        let told = tokio::time::timeout(Duration::from_secs(5), watch.next()).await.unwrap();
        assert!(matches!(told, Some(Err(BackendError::Fatal { .. }))), "{name}: {told:?}");
        assert!(watch.next().await.is_none(), "{name}: a watch ends after a failure");
    }
}

#[tokio::test]
async fn a_damaged_document_is_told_and_can_be_removed() {
    let scratch = Scratch::new();
    made(&scratch.file()).await;
    let file = Connection::open(scratch.file()).unwrap();
    file.execute("UPDATE documents SET data = '{\"cut' WHERE name = CAST('kept-3' AS BLOB)", []).unwrap();
    drop(file);
    let store = Embedded::open(scratch.file()).await.unwrap();
    let failure = store.read(&id("kept-3")).await.unwrap_err().to_string();
    assert!(failure.contains("kept-3") && failure.contains("damaged"), "{failure}");
    assert!(store.watch(&id("kept-3")).await.is_err());
    assert!(store.remove(&id("kept-3"), None).await.unwrap());
    assert_eq!(number(&store.read(&id("kept-4")).await.unwrap().unwrap().document), 4);
}

#[test]
fn a_full_disk_is_told_and_room_makes_it_go_on() {
    let scratch = Scratch::new();
    let mounts = "mount -t tmpfs -o size=1m tmpfs \"$SP_SYNC_DIR\"";
    let Some(child) = child::start_with_mounts("fill", &scratch.file(), mounts) else { return };
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("full after"), "{text}");
}

#[test]
#[cfg(unix)]
fn a_commit_that_the_disk_interrupts_is_unknown() {
    let scratch = Scratch::new();
    let output = child::start_with_small_files("break", &scratch.file()).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("broke down after"), "{text}");
    let file = Connection::open(scratch.file()).unwrap();
    let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_file_system_without_writing_is_told_and_can_be_read() {
    let scratch = Scratch::new();
    made(&scratch.file()).await;
    let mounts =
        "mount --bind \"$SP_SYNC_DIR\" \"$SP_SYNC_DIR\" && mount -o remount,ro,bind \"$SP_SYNC_DIR\"";
    let Some(mut child) = child::start_with_mounts("read only", &scratch.file(), mounts) else { return };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "told 3"), "the child ended early");
    // Here the same directory may be written: the reader notices that the file is no longer left alone.
    let store = Embedded::open(scratch.file()).await.unwrap();
    let mut revision = store.read(&id("kept-3")).await.unwrap().unwrap().revision;
    for number in 100..103 {
        revision = write(&store, &id("kept-3"), numbered(number), Some(revision)).await.unwrap().revision;
        assert!(lines.any(|line| line == format!("told {number}")), "{number} was not told");
    }
    store.remove(&id("kept-3"), None).await.unwrap();
    assert!(lines.any(|line| line.starts_with("refused: ")));
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn an_unreadable_log_is_not_passed_over() {
    let scratch = Scratch::new();
    made(&scratch.file()).await;
    // What a crash leaves: commits in the log, and nobody who may write to put them into the file.
    let store = Embedded::open(scratch.file()).await.unwrap();
    write(&store, &id("new"), numbered(1), None).await.unwrap();
    let copy = Scratch::new();
    for name in ["exam.db", "exam.db-wal"] {
        fs::copy(scratch.path().join(name), copy.path().join(name)).unwrap();
    }
    let mounts =
        "mount --bind \"$SP_SYNC_DIR\" \"$SP_SYNC_DIR\" && mount -o remount,ro,bind \"$SP_SYNC_DIR\"";
    let Some(child) = child::start_with_mounts("crashed", &copy.file(), mounts) else { return };
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("refused"), "{text}");
}
