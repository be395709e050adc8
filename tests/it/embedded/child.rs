//! What this binary does when another test starts it anew as a second process.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sp_sync::backend::{Backend as _, BackendError, Change, Embedded};
use tokio_stream::StreamExt as _;

use super::{filled, id, number, numbered, present, write};

/// A second process in a role, its output piped.
pub(super) fn start(role: &str, path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    in_role(&mut command, role, path);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// A second process that may mount file systems of its own: `mounts` is a shell script, run before it. `None` where
/// the system does not allow that.
pub(super) fn start_with_mounts(role: &str, path: &Path, mounts: &str) -> Option<Child> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command
    };
    let allowed = unshare().arg(mounts).env("SP_SYNC_DIR", path.parent()?).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        println!("skipped: this system does not let tests mount a file system");
        return None;
    }
    let mut command = unshare();
    command.arg(format!("{mounts} && exec \"$0\" \"$@\"")).arg(std::env::current_exe().unwrap());
    in_role(&mut command, role, path);
    Some(command.env("SP_SYNC_DIR", path.parent()?).stdout(Stdio::piped()).spawn().unwrap())
}

/// A second process whose files may not grow beyond a megabyte: writing further fails with an error that is not
/// `disk full`.
pub(super) fn start_with_small_files(role: &str, path: &Path) -> Child {
    let mut command = Command::new("sh");
    command.arg("-c").arg("trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"");
    command.arg(std::env::current_exe().unwrap());
    in_role(&mut command, role, path);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn in_role(command: &mut Command, role: &str, path: &Path) {
    command.args(["--exact", "embedded::child::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("SP_SYNC_ROLE", role).env("SP_SYNC_PATH", path);
}

#[tokio::test]
#[ignore = "other tests start it as a process of its own"]
async fn child() {
    let Ok(role) = std::env::var("SP_SYNC_ROLE") else { return };
    let path = PathBuf::from(std::env::var_os("SP_SYNC_PATH").unwrap());
    match role.as_str() {
        "count" => count(&path).await,
        "echo" => echo(&path).await,
        "race" => race(&path).await,
        "fill" => fill(&path).await,
        "break" => break_down(&path).await,
        "read only" => read_only(&path).await,
        "crashed" => crashed(&path).await,
        other => panic!("no such role: {other}"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

/// Writes growing numbers to eight documents and says which were acknowledged, until it is killed.
async fn count(path: &Path) {
    let store = Embedded::open(path).await.unwrap();
    let mut counting = tokio::task::JoinSet::new();
    for document in 0..8 {
        let store = store.clone();
        counting.spawn(async move {
            let id = id(&format!("count-{document}"));
            let found = present(&store, &id).await;
            let (mut number, mut revision) = (found.map_or(0, |found| found.0), found.map(|found| found.1));
            loop {
                number += 1;
                let size = usize::try_from(number % 5).unwrap() * 3_000;
                revision = Some(write(&store, &id, filled(number, size), revision).await.unwrap().revision);
                say(&format!("held {document} {number}"));
            }
        });
    }
    counting.join_all().await;
}

/// Says each number it is told of the document `ping`, until that is removed.
async fn echo(path: &Path) {
    let store = Embedded::open(path).await.unwrap();
    let mut changes = store.watch(&id("ping")).await.unwrap();
    let mut began = false;
    while let Some(change) = changes.next().await {
        match change.unwrap() {
            Change::Updated(stored) => say(&format!("told {}", number(&stored.document))),
            Change::Removed if began => break,
            Change::Removed => say("ready"),
        }
        began = true;
    }
    say("done");
}

/// Writes as fast as it can for a second and says how often it could.
async fn race(path: &Path) {
    let store = Embedded::open(path).await.unwrap();
    say("ready");
    let id = id("child");
    let began = tokio::time::Instant::now();
    let (mut revision, mut writes) = (None, 0);
    while began.elapsed() < Duration::from_secs(1) {
        revision = Some(write(&store, &id, numbered(writes), revision).await.unwrap().revision);
        writes += 1;
    }
    say(&format!("wrote {writes}"));
}

/// Fills a small disk: every failure is told as such, what held is there, and room makes it go on.
async fn fill(path: &Path) {
    let ballast = path.with_extension("ballast");
    std::fs::write(&ballast, vec![7; 200 * 1024]).unwrap();
    let store = Embedded::open(path).await.unwrap();
    let mut held = 0;
    let failure = loop {
        match write(&store, &id(&format!("fill-{held}")), filled(held, 15_000), None).await {
            Ok(_) => held += 1,
            Err(failure) => break failure,
        }
        assert!(held < 1_000, "the disk is not small");
    };
    let text = failure.to_string();
    assert!(matches!(failure, BackendError::Fatal { .. }), "{failure:?}");
    assert!(text.contains("disk is full") && text.contains("exam.db"), "{text}");
    for kept in 0..held {
        assert_eq!(present(&store, &id(&format!("fill-{kept}"))).await.unwrap().0, kept);
    }
    assert!(present(&store, &id(&format!("fill-{held}"))).await.is_none(), "a failed write was stored");
    std::fs::remove_file(ballast).unwrap();
    write(&store, &id("again"), filled(1, 15_000), None).await.unwrap();
    store.close().await;
    let store = Embedded::open(path).await.unwrap();
    assert!(present(&store, &id("again")).await.is_some());
    say(&format!("full after {held}"));
}

/// Writes until the log cannot be written: whether that write holds is not known, all before it do.
async fn break_down(path: &Path) {
    let store = Embedded::open(path).await.unwrap();
    let mut held = 0;
    let failure = loop {
        match write(&store, &id(&format!("break-{held}")), filled(held, 15_000), None).await {
            Ok(_) => held += 1,
            Err(failure) => break failure,
        }
        assert!(held < 1_000, "files may grow");
    };
    let text = failure.to_string();
    assert!(matches!(failure, BackendError::Unknown { .. }), "{failure:?}");
    assert!(text.contains("exam.db") && text.contains("disk"), "{text}");
    for kept in 0..held {
        assert_eq!(present(&store, &id(&format!("break-{kept}"))).await.unwrap().0, kept);
    }
    say(&format!("broke down after {held}"));
}

/// Meets a file system that allows no writing: a store that only reads is opened nevertheless, and follows when
/// another process, which may write there, does.
async fn read_only(path: &Path) {
    let failure = Embedded::open(path).await.unwrap_err().to_string();
    assert!(failure.contains("exam.db") && failure.contains("read"), "{failure}");
    let store = Embedded::options().read_only(true).open(path).await.unwrap();
    assert_eq!(present(&store, &id("kept-4")).await.unwrap().0, 4);
    let names = store.directory().unwrap().list(None, 100).await.unwrap();
    assert_eq!(names.len(), 20);
    let mut changes = store.watch(&id("kept-3")).await.unwrap();
    while let Some(change) = changes.next().await {
        match change.unwrap() {
            Change::Updated(stored) => say(&format!("told {}", number(&stored.document))),
            Change::Removed => break,
        }
    }
    assert!(present(&store, &id("kept-3")).await.is_none());
    assert_eq!(present(&store, &id("kept-4")).await.unwrap().0, 4);
    store.close().await;
    say(&format!("refused: {failure}"));
}

/// Meets a log that holds commits, and may not write: to leave them out would be a lie.
async fn crashed(path: &Path) {
    let failure = Embedded::options().read_only(true).open(path).await.unwrap_err().to_string();
    assert!(failure.contains("exam.db") && failure.contains("its log holds changes"), "{failure}");
    say(&format!("refused: {failure}"));
}
