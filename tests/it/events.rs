//! The event emitter (C16–C20).

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::{Backend, Memory, Revision};
use sp_sync::{Executor, SyncClient};
use tokio_stream::StreamExt as _;

use crate::support::{AGES, document_id, number_of, numbered, open, revision, stored};

/// C16: every update, by this client or another, with the whole document.
#[tokio::test(start_paused = true)]
async fn updates_come_from_this_client_and_from_others() {
    let store = Memory::new();
    let (a, b) = (open(store.clone(), "a").await, open(store, "b").await);
    let mut updates = a.events().sp_sync_doc_updated();
    a.set_sync(json!({ "own": 1 })).await.unwrap();
    let update = updates.next().await.unwrap().unwrap();
    assert_eq!((update.to_value(), update.skipped), (json!({ "own": 1 }), Some(0)));
    b.set_sync(json!({ "other": 2 })).await.unwrap();
    let update = updates.next().await.unwrap().unwrap();
    assert_eq!((update.to_value(), update.skipped), (json!({ "own": 1, "other": 2 }), Some(0)));
    // Nothing else happened, so nothing else is told.
    assert!(tokio::time::timeout(AGES, updates.next()).await.is_err());
}

/// C16: what was there before the subscription is no update.
#[tokio::test(start_paused = true)]
async fn a_subscriber_is_not_told_of_the_past() {
    let client = open(Memory::new(), "a").await;
    client.set_sync(json!({ "x": 1 })).await.unwrap();
    let mut updates = client.events().sp_sync_doc_updated();
    assert!(tokio::time::timeout(AGES, updates.next()).await.is_err());
}

/// C16: taking, renewing and finishing change only bookkeeping, and are no updates of the document.
#[tokio::test(start_paused = true)]
async fn changes_of_the_bookkeeping_alone_are_no_updates() {
    let store = Memory::new();
    let (worker, observer) = (open(store.clone(), "a").await, open(store.clone(), "b").await);
    worker.add_action_named("openExam", numbered(1)).await.unwrap();
    let mut deliveries = worker.executor("extension").subscribe();
    let delivery = deliveries.next().await.unwrap();
    let mut quiet = [worker.events().sp_sync_doc_updated(), observer.events().sp_sync_doc_updated()];
    // The action has left the array; this is the update that shows it to a client that is behind.
    let _ = tokio::time::timeout(Duration::from_millis(1), quiet[1].next()).await;
    let before = revision(&store).await;
    // Renewed several times, then finished: all of it in `_sp`.
    tokio::time::sleep(Duration::from_secs(60)).await;
    delivery.finish().await.unwrap();
    assert!(revision(&store).await.0 > before.0 + 3);
    for updates in &mut quiet {
        assert!(tokio::time::timeout(AGES, updates.next()).await.is_err());
    }
}

/// C17: 10 000 fast writes and a slow reader: revisions only grow, the last arrives, what was skipped adds up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_skips_and_ends_at_the_newest() {
    let store = Memory::new();
    let (writer, reader) = (open(store.clone(), "a").await, open(store.clone(), "b").await);
    let mut updates = reader.events().sp_sync_doc_updated();
    let first = revision(&store).await;
    let writing = tokio::spawn(async move {
        for number in 1..=10_000 {
            writer.set_sync(json!({ "number": number })).await.unwrap();
        }
    });
    let (mut newest, mut given, mut skipped) = (Revision(0), 0, 0);
    loop {
        let update = updates.next().await.unwrap().unwrap();
        assert!(update.revision() > newest, "revisions never go back");
        newest = update.revision();
        given += 1;
        skipped += update.skipped.expect("revisions in memory are dense");
        assert_eq!(given + skipped, newest.0 - first.0, "every state was given or counted");
        if update["number"] == 10_000 {
            break;
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    writing.await.unwrap();
    assert_eq!(newest, revision(&store).await);
    assert!(given < 10_000 && skipped > 0, "the reader was slow: {given} given, {skipped} skipped");
}

/// C17: a reader that looks only once more finds the newest.
#[tokio::test(start_paused = true)]
async fn the_newest_state_waits_for_a_reader_that_slept() {
    let client = open(Memory::new(), "a").await;
    let mut updates = client.events().sp_sync_doc_updated();
    for number in 0..1_000 {
        client.set_sync(json!({ "number": number })).await.unwrap();
    }
    let update = updates.next().await.unwrap().unwrap();
    assert_eq!((&update["number"], update.skipped), (&json!(999), Some(999)));
}

/// One key at a time: its new value, or that it is gone, and nothing when others change.
#[tokio::test(start_paused = true)]
async fn changes_of_one_key_are_told_alone() {
    let store = Memory::new();
    let (a, b) = (open(store.clone(), "a").await, open(store, "b").await);
    let mut steps = a.events().key_updated("step");
    b.set_sync(json!({ "other": 1 })).await.unwrap();
    b.set_sync(json!({ "step": "welcome" })).await.unwrap();
    assert_eq!(steps.next().await.unwrap().unwrap(), Some(json!("welcome")));
    b.set_sync(json!({ "step": "welcome", "other": 2 })).await.unwrap();
    b.set_sync(json!({ "step": null })).await.unwrap();
    assert_eq!(steps.next().await.unwrap().unwrap(), Some(Value::Null));
    b.unset(["step"]).await.unwrap();
    assert_eq!(steps.next().await.unwrap().unwrap(), None);
    let mut arrays = a.events().key_updated("extensionActions");
    b.add_action_named("leaveCall", Value::Null).await.unwrap();
    let expected = json!([{ "action": "leaveCall", "executor": "extension" }]);
    assert_eq!(arrays.next().await.unwrap().unwrap(), Some(expected));
    assert!(tokio::time::timeout(AGES, steps.next()).await.is_err());
}

/// C18, C19: one action at a time, in order, under the name that the executor's rule gives.
#[tokio::test(start_paused = true)]
async fn each_executor_has_its_event() {
    let client = open(Memory::new(), "a").await;
    let mut extension = client.events().extension_actions_added().unwrap();
    let mut onboarding = client.events().onboarding_actions_added().unwrap();
    let mut by_name = client.events().actions_added("extension").unwrap();
    for number in 0..3 {
        client.add_action_named("openExam", numbered(number)).await.unwrap();
    }
    client.add_action_named("goToStep", json!({ "step": "welcome" })).await.unwrap();
    for number in 0..3 {
        let (first, second) = (extension.next().await.unwrap(), by_name.next().await.unwrap());
        assert_eq!(number_of(&first.action.to_value()), number);
        assert_eq!((&first.action, &first.id, first.attempt), (&second.action, &second.id, 1));
    }
    assert_eq!(onboarding.next().await.unwrap().action.name(), "goToStep");

    let error = client.events().actions_added("robot").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the catalogue has no executor `robot`; it knows `extension`, `onboarding`"
    );
}

/// C20: an event gives what the original would give; identity and attempt are beside it.
#[tokio::test(start_paused = true)]
async fn an_action_is_given_without_bookkeeping() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    let receipt = client
        .add_actions(
            sp_sync::Batch::new().then_named("getDisplayCount", Value::Null).respond_to("onboarding"),
        )
        .await
        .unwrap();
    assert!(stored(&store).await["extensionActions"][0].get("_sp").is_some());
    let mut extension = client.events().extension_actions_added().unwrap();
    let event = extension.next().await.unwrap();
    let literal = json!({ "action": "getDisplayCount", "executor": "extension", "respondTo": "onboarding" });
    assert_eq!(event.action.to_value(), literal);
    assert_eq!((Some(&event.id), event.attempt), (receipt.id(), 1));

    // The response of contract 1.3, to the letter.
    let mut onboarding = client.events().onboarding_actions_added().unwrap();
    let responder = event.into_responder().unwrap();
    assert_eq!(responder.respond_to().as_str(), "onboarding");
    responder.respond(json!({ "displayCount": 0 })).await.unwrap();
    let response = onboarding.next().await.unwrap();
    let literal = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 0 });
    assert_eq!(response.action.to_value(), literal);
    assert!(response.into_responder().is_none());
}

fn callback() -> (impl FnMut(Value) + Send + 'static, Receiver<Value>) {
    let (sender, receiver) = mpsc::channel();
    (move |value| sender.send(value).unwrap(), receiver)
}

/// C16, C18: callbacks under the original's names, until the guard is dropped.
#[tokio::test(start_paused = true)]
async fn callbacks_come_under_the_original_names() {
    let client = open(Memory::new(), "a").await;
    let (call, documents) = callback();
    let on_document = client.events().on("spSyncDocUpdated", call).unwrap();
    let (call, actions) = callback();
    let on_action = client.events().on("onboardingActionsAdded", call).unwrap();

    client.set_sync(json!({ "x": 1 })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(documents.try_recv().unwrap(), json!({ "x": 1 }));
    let receipt = client.add_action_named("goToStep", json!({ "step": "welcome" })).await.unwrap();
    receipt.finished(AGES).await.unwrap();
    let literal = json!({ "action": "goToStep", "executor": "onboarding", "step": "welcome" });
    let action = actions.try_recv().unwrap();
    assert!(literal.as_object().unwrap().iter().all(|(key, value)| action[key] == *value), "{action}");

    drop(on_action);
    drop(on_document);
    tokio::time::sleep(Duration::from_millis(1)).await;
    while documents.try_recv().is_ok() {}
    let receipt = client.add_action_named("goToStep", json!({ "step": "welcome" })).await.unwrap();
    assert!(receipt.taken(AGES).await.is_err(), "nobody takes actions any more");
    assert!(documents.try_recv().is_err() && actions.try_recv().is_err());

    for unknown in ["spSyncDocUpdate", "robotActionsAdded", "ActionsAdded", ""] {
        let error = client.events().on(unknown, |_| {}).unwrap_err().to_string();
        let expected = format!(
            "invalid event: there is no event `{unknown}`: there are spSyncDocUpdated, extensionActionsAdded, onboardingActionsAdded"
        );
        assert_eq!(error, expected);
    }
}

/// The guard keeps the client alive: events come although every other handle is gone.
#[tokio::test(start_paused = true)]
async fn a_subscription_keeps_the_client_alive() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    let (call, documents) = callback();
    let _guard = client.events().on("spSyncDocUpdated", call).unwrap();
    drop(client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    open(store, "b").await.set_sync(json!({ "x": 1 })).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(documents.try_recv().unwrap(), json!({ "x": 1 }));
}

/// A client whose last handle is dropped gives back and ends; it leaves no task behind.
#[tokio::test(start_paused = true)]
async fn a_client_ends_with_its_last_handle() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    client.add_action_named("openExam", numbered(1)).await.unwrap();
    let updates = client.events().sp_sync_doc_updated();
    let mut deliveries = client.executor(Executor::from("extension")).subscribe();
    let delivery = deliveries.next().await.unwrap();
    drop((client, updates, deliveries, delivery));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    let content = stored(&store).await;
    assert_eq!(content["extensionActions"].as_array().unwrap().len(), 1, "given back");
    assert!(content["_sp"].get("claims").is_none());
}

/// C16: closing ends the streams without an error; calls then say what to do.
#[tokio::test(start_paused = true)]
async fn closing_ends_all_streams() {
    let client = open(Memory::new(), "a").await;
    let mut updates = client.events().sp_sync_doc_updated();
    let mut actions = client.events().extension_actions_added().unwrap();
    let other: SyncClient = client.clone();
    client.close().await.unwrap();
    assert!(updates.next().await.is_none());
    assert!(actions.next().await.is_none());
    for error in [other.get_sync().await.unwrap_err(), other.set_sync(json!({})).await.unwrap_err()] {
        assert_eq!(error.to_string(), "the client is closed: connect a new one");
    }
    other.close().await.unwrap();
}

/// C20: the reader of the store sees the bookkeeping where contract 1.4 puts it, and nowhere else.
#[tokio::test]
async fn bookkeeping_lies_under_one_key() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    client.add_action_named("leaveCall", Value::Null).await.unwrap();
    let stored = stored(&store).await;
    assert_eq!(stored["_sp"], json!({ "v": 1, "w": [[client.instance(), 1]] }));
    let action = &stored["extensionActions"][0];
    let id = action["_sp"]["id"].as_str().unwrap();
    assert!(!id.is_empty() && id.len() <= 36);
    assert_eq!(*action, json!({ "action": "leaveCall", "executor": "extension", "_sp": { "id": id } }));
    assert!(store.read(&document_id()).await.unwrap().unwrap().document.view().get("_sp").is_none());
}
