//! What the story has shown, checked against the reopened store and what the extension's processes said.

use sp_sync::backend::{Backend as _, BackendUrl, Revision};

use crate::stage::{Deed, Outcome, Session, Stage};

pub(crate) async fn show(stage: &Stage, session: &Session, seen: &[Revision]) -> Outcome {
    println!("\n── Proof, from the store opened once more and from what the processes did");
    let store = session.store.open().await?;
    let stored = store.read(&session.document).await?.ok_or("the document is gone")?;
    let deeds = stage.deeds();

    let expected = serde_json::json!({
        "reliableConnection": true, "displays": 2, "openPage": "https://exam.example.com/",
        "screenLocked": true, "status": "finished", "extensionActions": [], "onboardingActions": []
    });
    let found = serde_json::Value::Object((*stored.document.view()).clone());
    check("the document holds what everybody wrote, and nobody's key was lost", found == expected);
    let claims = stored.document.ledger().map_or(0, |ledger| ledger.claimed().count());
    check("nothing waits and nothing is held: both queues are empty", claims == 0);

    let done: Vec<&str> = ends(&deeds, "done").map(|deed| deed.action.as_str()).collect();
    let sent = [
        "getDisplayCount",
        "startSession",
        "openExam",
        "showMessage",
        "lockScreen",
        "showMessage",
        "stopSession",
    ];
    check(
        "every command but the password (below) ended exactly once, in the order in which it was sent",
        done == sent,
    );
    check("openExam failed once and was done with attempt 2", attempts(&deeds, "openExam") == [1, 2]);
    let lock: Vec<(&str, u32)> =
        of(&deeds, "lockScreen", "begun").map(|deed| (&*deed.who, deed.attempt)).collect();
    check(
        "lockScreen outlived its process: extension 2 did it with attempt 2",
        lock == [("extension 1", 1), ("extension 2", 2)],
    );
    check("injectPassword was begun once and never again", attempts(&deeds, "injectPassword") == [1]);
    check(
        "… and its loss was reported to the next extension",
        of(&deeds, "injectPassword", "lost").all(|deed| deed.who == "extension 3")
            && of(&deeds, "injectPassword", "lost").count() == 1,
    );
    check("the proctor never saw a revision go back", seen.is_sorted());
    check("the proctor saw the newest one", seen.last() == Some(&stored.revision));
    drop(store);
    if let BackendUrl::File(path) = &session.store {
        let file = rusqlite::Connection::open(path)?;
        let integrity: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        check("the file is whole, after two kills (SQLite's integrity check)", integrity == "ok");
    }
    Ok(())
}

fn check(what: &str, holds: bool) {
    println!("  {} {what}", if holds { "✓" } else { "✗" });
    assert!(holds, "this was not proven: {what}");
}

fn ends<'a>(deeds: &'a [Deed], end: &'a str) -> impl Iterator<Item = &'a Deed> {
    deeds.iter().filter(move |deed| deed.end == end)
}

fn of<'a>(deeds: &'a [Deed], action: &'a str, end: &'a str) -> impl Iterator<Item = &'a Deed> {
    ends(deeds, end).filter(move |deed| deed.action == action)
}

fn attempts(deeds: &[Deed], action: &str) -> Vec<u32> {
    of(deeds, action, "begun").map(|deed| deed.attempt).collect()
}
