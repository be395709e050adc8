//! Reading and writing the document's own fields (C9–C15).

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sp_sync::backend::{Backend, Memory, Revision};
use sp_sync::{Error, Notice, Retry};
use tokio::time::sleep;
use tokio_stream::StreamExt as _;

use crate::support::{
    Call, Link, builder, document_id, notice_that, numbered, open, overwrite, revision, stored, told,
};

/// C9: the whole content, arrays included, bookkeeping left out.
#[tokio::test]
async fn get_sync_gives_the_whole_content_without_bookkeeping() {
    let store = Memory::new();
    let client = builder(store.clone(), "a")
        .initial_data(json!({ "reliableConnection": true }))
        .connect()
        .await
        .unwrap();
    client.add_action_named("openExam", numbered(1)).await.unwrap();
    let expected = json!({
        "reliableConnection": true,
        "extensionActions": [
            { "action": "openExam", "executor": "extension", "examURL": "https://example.com/1", "newWindow": false }
        ]
    });
    assert_eq!(client.get_sync().await.unwrap().to_value(), expected);
    assert!(stored(&store).await.get("_sp").is_some(), "the bookkeeping is there for those who look for it");
}

/// C10, C15: a write can be read by its writer as soon as it is answered, at the revision that was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_writer_reads_its_own_writes() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let client = client.clone();
        writers.spawn(async move {
            for number in 0..200 {
                let key = format!("key{writer}");
                let revision = client.set_sync(json!({ &*key: number })).await.unwrap();
                let content = client.get_sync().await.unwrap();
                assert!(content.revision() >= revision);
                assert_eq!(content[&key], number);
            }
        });
    }
    writers.join_all().await;
    assert_eq!(client.get_sync().await.unwrap().revision(), revision(&store).await);
}

/// C10: what an event has shown, reading shows too, or something newer; revisions never go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reading_is_never_older_than_what_was_seen() {
    let store = Memory::new();
    let (writer, reader) = (open(store.clone(), "a").await, open(store, "b").await);
    let mut updates = reader.events().sp_sync_doc_updated();
    let writing = tokio::spawn(async move {
        for number in 0..2_000 {
            writer.set_sync(json!({ "number": number })).await.unwrap();
        }
    });
    let mut newest = Revision(0);
    loop {
        let update = updates.next().await.unwrap().unwrap();
        let read = reader.get_sync().await.unwrap();
        assert!(read.revision() >= update.revision() && update.revision() > newest);
        newest = update.revision();
        if update["number"] == 1_999 {
            break;
        }
    }
    writing.await.unwrap();
}

/// C11, C12: each key given replaces that key whole; others stay; `null` is a value.
#[tokio::test]
async fn set_sync_is_a_shallow_merge() {
    let store = Memory::new();
    let client = builder(store.clone(), "a")
        .initial_data(json!({ "kept": 1, "nested": { "a": 1, "b": 2 }, "list": [1, 2] }))
        .connect()
        .await
        .unwrap();
    client.set_sync(json!({ "nested": { "a": 3 }, "list": [], "nothing": null })).await.unwrap();
    let expected = json!({ "kept": 1, "nested": { "a": 3 }, "list": [], "nothing": null });
    assert_eq!(client.get_sync().await.unwrap().to_value(), expected);

    client.unset(["nested", "nothing", "never there"]).await.unwrap();
    assert_eq!(client.get_sync().await.unwrap().to_value(), json!({ "kept": 1, "list": [] }));
    // What others see is the same.
    assert_eq!(open(store, "b").await.get_sync().await.unwrap().to_value(), json!({ "kept": 1, "list": [] }));
}

/// C12: two clients set different keys 500 times each at once: no key is lost, waiting actions are untouched.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_clients_never_overwrite_each_other() {
    let store = Memory::with_document_bytes_max(1_000_000);
    let (a, b) = (open(store.clone(), "a").await, open(store.clone(), "b").await);
    a.add_action_named("openExam", numbered(1)).await.unwrap();
    let actions = stored(&store).await["extensionActions"].clone();
    let setting = |client: sp_sync::SyncClient, who: &'static str| {
        tokio::spawn(async move {
            let mut revisions = HashSet::new();
            for number in 0..500 {
                let key = format!("{who}{number}");
                revisions.insert(client.set_sync(json!({ key: number, who: number })).await.unwrap());
            }
            revisions
        })
    };
    let (of_a, of_b) = (setting(a, "a"), setting(b, "b"));
    let (of_a, of_b) = (of_a.await.unwrap(), of_b.await.unwrap());
    assert_eq!((of_a.len(), of_b.len()), (500, 500), "calls one after the other have revisions of their own");
    assert!(of_a.is_disjoint(&of_b), "a revision has one writer");
    let content = stored(&store).await;
    for who in ["a", "b"] {
        assert_eq!(content[who], 499);
        for number in 0..500 {
            assert_eq!(content[format!("{who}{number}")], number);
        }
    }
    assert_eq!(content["extensionActions"], actions);
}

/// C12: the last of several calls wins, in call order, also when they share a write.
#[tokio::test]
async fn calls_for_one_key_hold_in_call_order() {
    let client = open(Memory::new(), "a").await;
    for _ in 0..50 {
        let calls: Vec<_> = (0..20).map(|number| client.set_sync(json!({ "number": number }))).collect();
        let mut waiting = Vec::new();
        for call in calls {
            let mut call = Box::pin(call);
            // Polled once, the call is accepted.
            let first =
                std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
            assert!(first.is_pending());
            waiting.push(call);
        }
        for call in waiting {
            call.await.unwrap();
        }
        assert_eq!(client.get_sync().await.unwrap()["number"], 19);
    }
}

/// C13: what is no object or names what is not the application's is refused before any request.
#[tokio::test]
async fn reserved_keys_are_refused_before_any_request() {
    let link = Link::new(&Memory::new());
    let client = open(link.clone(), "a").await;
    let (writes, reads) = (link.asked(Call::Write), link.asked(Call::Read));

    let error = client.set_sync(json!([1])).await.unwrap_err();
    assert_eq!(error.to_string(), "set_sync data must be a JSON object, not an array");
    let error = client.replace_sync(json!(null)).await.unwrap_err();
    assert_eq!(error.to_string(), "replace_sync data must be a JSON object, not null");
    let error = client.set_sync(json!({ "x": 1, "_sp": {} })).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "set_sync data may not contain the key `_sp`: it is this crate's bookkeeping"
    );
    let error = client.replace_sync(json!({ "onboardingActions": [] })).await.unwrap_err();
    assert!(matches!(&error, Error::Reserved { key, .. } if key == "onboardingActions"), "{error}");
    let error = client.unset(["x", "robotActions"]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "unset may not contain the key `robotActions`: keys that end in `Actions` hold what executors are to do: add_action adds to them, executors, withdraw and clear_actions remove"
    );
    let error = client.clear_actions("robot").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the catalogue has no executor `robot`; it knows `extension`, `onboarding`"
    );
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!((link.asked(Call::Write), link.asked(Call::Read)), (writes, reads));
}

/// C13: replacing keeps arrays and bookkeeping; clearing empties one array and says so to everybody.
#[tokio::test]
async fn replace_sync_keeps_actions_and_clear_actions_removes_them() {
    let store = Memory::new();
    let client =
        builder(store.clone(), "a").initial_data(json!({ "old": 1, "kept": 1 })).connect().await.unwrap();
    client.add_action_named("openExam", numbered(1)).await.unwrap();
    client.add_action_named("goToStep", json!({ "step": "welcome" })).await.unwrap();
    let before = stored(&store).await;
    client.replace_sync(json!({ "new": 2, "kept": 2 })).await.unwrap();
    let after = stored(&store).await;
    assert_eq!(after["extensionActions"], before["extensionActions"]);
    assert_eq!(after["onboardingActions"], before["onboardingActions"]);
    let content = client.get_sync().await.unwrap();
    assert_eq!((content.get("old"), &content["new"], &content["kept"]), (None, &json!(2), &json!(2)));

    client.clear_actions("extension").await.unwrap();
    let content = client.get_sync().await.unwrap();
    assert_eq!(content["extensionActions"], json!([]));
    assert_eq!(content["onboardingActions"].as_array().unwrap().len(), 1);
}

/// C14: what stands where an array should be is reported and left alone, and stops nobody else.
#[tokio::test(start_paused = true)]
async fn a_corrupt_array_is_reported_and_never_overwritten() {
    let store = Memory::new();
    overwrite(&store, json!({ "extensionActions": "broken", "x": 1 })).await;
    let client = open(store.clone(), "a").await;
    let mut notices = client.events().notices();
    let corrupt = |notice: &Notice| match notice {
        Notice::CorruptArray { executor, found } => Some((executor.to_string(), *found)),
        _ => None,
    };

    // It was there before anybody could listen: whoever subscribes hears of it.
    let _actions = client.events().extension_actions_added().unwrap();
    assert_eq!(notice_that(&mut notices, corrupt).await, ("extension".into(), "a string"));
    sleep(Duration::from_secs(1)).await;
    told(&mut notices).await;

    let error = client.add_action_named("openExam", numbered(1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`extensionActions` holds a string, not an array: clear_actions(\"extension\") empties it on purpose"
    );
    client.set_sync(json!({ "x": 2 })).await.unwrap();
    client.replace_sync(json!({ "y": 3 })).await.unwrap();
    client.add_action_named("goToStep", json!({ "step": "welcome" })).await.unwrap();
    let content = stored(&store).await;
    assert_eq!(content["extensionActions"], "broken");
    assert_eq!(content["onboardingActions"].as_array().unwrap().len(), 1);
    assert!(told(&mut notices).await.is_empty(), "not told again at every write");

    // It happens while the client looks on, too.
    overwrite(&store, json!({ "onboardingActions": { "no": "array" } })).await;
    assert_eq!(notice_that(&mut notices, corrupt).await, ("onboarding".into(), "an object"));

    client.clear_actions("onboarding").await.unwrap();
    client.add_action_named("goToStep", json!({ "step": "welcome" })).await.unwrap();
    // `null` is an empty array.
    overwrite(&store, json!({ "onboardingActions": null })).await;
    client.add_action_named("goToStep", json!({ "step": "welcome" })).await.unwrap();
}

/// C15: the revision that is answered is the one that holds the write.
#[tokio::test]
async fn the_answered_revision_is_durable() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    for number in 0..50 {
        let answered = client.set_sync(json!({ "number": number })).await.unwrap();
        let stored = store.read(&document_id()).await.unwrap().unwrap();
        assert_eq!(stored.revision, answered);
        assert_eq!(stored.document.field("number"), Some(&json!(number)));
    }
}

#[derive(Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Exam {
    reliable_connection: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
}

/// C12: a document read and written as a type of the application.
#[tokio::test]
async fn a_typed_document_touches_only_its_own_fields() {
    let client = builder(Memory::new(), "a")
        .initial_data(json!({ "reliableConnection": true, "other": 1 }))
        .connect()
        .await
        .unwrap();
    let exam = client.typed::<Exam>();
    assert_eq!(exam.get().await.unwrap(), Exam { reliable_connection: true, step: None });

    let mut updates = exam.updates();
    exam.set(&Exam { reliable_connection: false, step: Some("welcome".into()) }).await.unwrap();
    let expected = Exam { reliable_connection: false, step: Some("welcome".into()) };
    assert_eq!(updates.next().await.unwrap().unwrap(), expected);
    // What a struct leaves out stays as it is.
    exam.set(&Exam { reliable_connection: true, step: None }).await.unwrap();
    assert_eq!(updates.next().await.unwrap().unwrap().step.as_deref(), Some("welcome"));
    assert_eq!(client.get_sync().await.unwrap()["other"], 1);

    // What does not fit is said, and the stream goes on.
    client.set_sync(json!({ "reliableConnection": "perhaps" })).await.unwrap();
    let error = updates.next().await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "field `reliableConnection` of the document does not fit the type asked for: it should be a boolean"
    );
    client.set_sync(json!({ "reliableConnection": true })).await.unwrap();
    assert!(updates.next().await.unwrap().unwrap().reliable_connection);

    let error = exam.set(&vec![1]).await.unwrap_err();
    assert_eq!(error.to_string(), "set_sync data must be a JSON object, not an array");
}

/// C15: a document lives as long as it was last told to, and ends with every stream saying why.
#[tokio::test(start_paused = true)]
async fn a_time_to_live_is_set_changed_and_kept_by_other_writes() {
    let store = Memory::new();
    let client = builder(store.clone(), "a").ttl(Duration::from_secs(10)).connect().await.unwrap();
    client.set_ttl(Some(Duration::from_secs(100))).await.unwrap();
    sleep(Duration::from_secs(99)).await;
    client.set_sync(json!({ "x": 1 })).await.unwrap();
    client.set_ttl(None).await.unwrap();
    sleep(Duration::from_secs(100_000)).await;
    assert_eq!(client.get_sync().await.unwrap()["x"], 1);
    for ttl in [Duration::ZERO, Duration::from_secs(31_536_001)] {
        assert!(matches!(client.set_ttl(Some(ttl)).await, Err(Error::Invalid { what: "time to live", .. })));
    }

    client.set_ttl(Some(Duration::from_millis(1_001))).await.unwrap();
    let mut updates = client.events().sp_sync_doc_updated();
    let mut actions = client.events().extension_actions_added().unwrap();
    let mut notices = client.events().notices();
    sleep(Duration::from_millis(1_999)).await;
    assert!(client.get_sync().await.is_ok(), "whole seconds, rounded up");
    sleep(Duration::from_millis(2)).await;
    assert_gone(&client.get_sync().await.unwrap_err());
    assert_gone(&client.set_sync(json!({})).await.unwrap_err());
    assert_gone(&updates.next().await.unwrap().unwrap_err());
    assert!(updates.next().await.is_none());
    assert!(actions.next().await.is_none());
    assert!(matches!(notices.next().await, Some(Ok(Notice::Removed))));
}

fn assert_gone(error: &Error) {
    let message =
        "document `Session_test` does not exist: it was removed or has expired; connect again to create it";
    assert_eq!(error.to_string(), message);
    assert!(matches!(error, Error::NotFound { .. }));
    assert_eq!(error.retry(), Retry::Never);
}

/// C15: removing a document ends every client of it; connecting again makes a new one.
#[tokio::test(start_paused = true)]
async fn removing_the_document_ends_all_of_its_clients() {
    let store = Memory::new();
    let (a, b) = (open(store.clone(), "a").await, open(store.clone(), "b").await);
    let receipt = b.add_action_named("openExam", numbered(1)).await.unwrap();
    let before = revision(&store).await;
    let mut updates = b.events().sp_sync_doc_updated();
    let mut keys = b.events().key_updated("x");
    let (gone, taken) = tokio::join!(a.remove_document(), receipt.taken(Duration::from_secs(60)));
    assert!(gone.unwrap());
    assert_gone(&taken.unwrap_err());
    assert_gone(&updates.next().await.unwrap().unwrap_err());
    assert_gone(&keys.next().await.unwrap().unwrap_err());
    assert!(keys.next().await.is_none());
    for client in [&a, &b] {
        assert_gone(&client.get_sync().await.unwrap_err());
        assert_gone(&client.add_action_named("openExam", numbered(2)).await.unwrap_err());
        assert_gone(&client.withdraw(receipt.id().unwrap()).await.unwrap_err());
    }
    assert!(!a.remove_document().await.unwrap(), "there is nothing left to remove");

    let again = open(store.clone(), "a").await;
    assert_eq!(again.get_sync().await.unwrap().to_value(), json!({}));
    assert!(revision(&store).await > before);
}

/// C12: what nobody asked to change is written by nobody.
#[tokio::test]
async fn values_that_are_asked_for_again_still_answer_a_revision() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    let first = client.set_sync(json!({ "x": 1 })).await.unwrap();
    let second = client.set_sync(json!({ "x": 1 })).await.unwrap();
    assert!(second >= first);
    let third = client.set_sync(json!({})).await.unwrap();
    assert!(third >= second);
    assert_eq!(client.get_sync().await.unwrap().to_value(), json!({ "x": 1 }));
    assert!(matches!(stored(&store).await["x"], Value::Number(_)));
}
