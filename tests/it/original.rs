//! Living with the original client, which knows nothing of `_sp` (C59–C62).

use serde_json::{Map, Value, json};
use sp_sync::backend::{Backend as _, Change, Memory};
use sp_sync::{Error, Failure, Handlers, Notice, extension};
use tokio_stream::StreamExt as _;

use crate::support::*;

fn lock(text: &str) -> Value {
    json!({ "action": "lockScreen", "executor": "extension", "message": text })
}

async fn push(store: &Memory, action: &Value) {
    edit(store, |document| {
        let array = document.entry("extensionActions").or_insert_with(|| json!([]));
        array.as_array_mut().unwrap().push(action.clone());
    })
    .await;
}

/// Whether a reader that passes over `_sp` finds a document of contract 1.1 to 1.3.
fn is_of_the_original_form(document: &Map<String, Value>) -> bool {
    let is_action = |action: &Value| {
        action["action"].is_string()
            && action["executor"].is_string()
            && action.get("respondTo").is_none_or(Value::is_string)
    };
    document
        .iter()
        .filter(|(key, _)| key.ends_with("Actions"))
        .all(|(_, array)| array.as_array().is_some_and(|array| array.iter().all(is_action)))
}

/// C59: after every write of this client a reader that ignores `_sp` finds the original's form.
#[tokio::test(start_paused = true)]
async fn every_write_leaves_the_originals_form() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut watch = store.watch(&document_id()).await.unwrap();
    let looking = tokio::spawn(async move {
        let mut seen = 0;
        while let Some(Ok(Change::Updated(stored))) = watch.next().await {
            let Ok(Value::Object(mut object)) = serde_json::from_str(&stored.document.to_json()) else {
                panic!("not an object")
            };
            object.remove("_sp");
            assert!(is_of_the_original_form(&object), "{object:?}");
            let array = object.get("extensionActions").and_then(Value::as_array);
            for action in array.into_iter().flatten() {
                let mut action = action.clone();
                action.as_object_mut().unwrap().remove("_sp");
                let respond_to = action.as_object_mut().unwrap().remove("respondTo");
                assert!(respond_to.is_none_or(|to| to == "onboarding"));
            }
            seen += 1;
        }
        seen
    });
    let extension = open(store.clone(), "extension").await;
    let handlers = Handlers::new()
        .on(async |action: extension::LockScreen| match action.message.as_str() {
            "fails" => Err(Failure::new("busy", "not now")),
            _ => Ok(()),
        })
        .answer(async |_: extension::GetDisplayCount| Ok(extension::GetDisplayCountResponse::new(2)));
    let serving = extension.clone();
    let serving = tokio::spawn(async move { serving.executor("extension").serve(handlers).await });
    for round in 0..5 {
        add(&page, &["runs", "fails", "runs"]).await;
        page.set_sync(json!({ "round": round })).await.unwrap();
        page.request(extension::GetDisplayCount {}).respond_to("onboarding").await.unwrap();
    }
    until_worked_off(&store).await;
    serving.abort();
    extension.close().await.unwrap();
    page.remove_document().await.unwrap();
    assert!(looking.await.unwrap() > 20);
}

/// C18, C59: an original writer's actions are taken like any other, in the array's order.
#[tokio::test(start_paused = true)]
async fn an_original_writers_actions_are_taken_in_order() {
    let store = Memory::new();
    let reader = open(store.clone(), "page").await;
    push(&store, &lock("1")).await;
    add(&reader, &["2"]).await;
    push(&store, &lock("3")).await;
    let mut deliveries = reader.executor("extension").subscribe();
    let first = next(&mut deliveries).await;
    assert_eq!(first.action().to_value(), lock("1"));
    assert!(!first.id().as_str().is_empty());
    first.finish().await.unwrap();
    assert_eq!(texts(&carry_out(&mut deliveries, 2).await), ["2", "3"]);
    until_worked_off(&store).await;
}

/// C60: claims that vanish are treated as finished by somebody else: the handler is cancelled, the next one starts.
#[tokio::test(start_paused = true)]
async fn claims_that_vanish_are_over() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2"]).await;
    let held = next(&mut deliveries).await;
    overwrite(&store, json!({ "step": 1, "extensionActions": [lock("3")] })).await;
    held.cancelled().await;
    assert!(matches!(held.finish().await, Err(Error::NotHeld { .. })));
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["3"]);
}

/// C60: so are they when an action waits for its next attempt.
#[tokio::test(start_paused = true)]
async fn an_action_that_vanishes_between_attempts_is_over() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1"]).await;
    next(&mut deliveries).await.fail(Failure::new("busy", "not now")).await.unwrap();
    overwrite(&store, json!({ "extensionActions": [lock("2")] })).await;
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["2"]);
    until_worked_off(&store).await;
}

/// C60: bookkeeping of an unknown version means plain mode for this document, and is left as it is.
#[tokio::test(start_paused = true)]
async fn bookkeeping_of_an_unknown_version_means_plain_mode() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let foreign = json!({ "v": 99, "queue": { "of": ["another", "kind"] } });
    edit(&store, |document| drop(document.insert("_sp".into(), foreign.clone()))).await;
    add(&client, &["1", "2"]).await;
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 2).await), ["1", "2"]);
    client.set_sync(json!({ "step": 1 })).await.unwrap();
    let expected = json!({ "_sp": foreign, "extensionActions": [], "step": 1 });
    assert_eq!(stored(&store).await, expected);
}

/// C60: the version may change while an action is in hand, in either direction: nothing is stuck, nothing is answered
/// twice.
#[tokio::test(start_paused = true)]
async fn the_version_may_change_while_an_action_is_in_hand() {
    for respond in [false, true] {
        let store = Memory::new();
        let client = open(store.clone(), "page").await;
        let mut deliveries = client.executor("extension").subscribe();
        client.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
        let held = next(&mut deliveries).await;
        edit(&store, |document| drop(document.insert("_sp".into(), json!({ "v": 99 })))).await;
        held.cancelled().await;
        let ended =
            if respond { held.respond(json!({ "displayCount": 1 })).await } else { held.finish().await };
        assert!(matches!(ended, Err(Error::NotHeld { .. })));

        // Taken by removing three; then the bookkeeping is gone, and this crate's own begins.
        for text in ["1", "2", "3"] {
            push(&store, &lock(text)).await;
        }
        let held = next(&mut deliveries).await;
        edit(&store, |document| drop(document.remove("_sp"))).await;
        push(&store, &lock("4")).await;
        client.set_sync(json!({ "step": 1 })).await.unwrap();
        assert!(!held.is_cancelled(), "it was removed: nobody else can have it");
        held.finish().await.unwrap();
        assert_eq!(texts(&carry_out(&mut deliveries, 3).await), ["2", "3", "4"]);
        until_worked_off(&store).await;
        let document = document(&store).await;
        assert!(document.waiting("onboarding").is_empty());
    }
}

/// C60: the same at the moment between a handler's end and its recording.
#[tokio::test(start_paused = true)]
async fn the_version_may_change_before_an_end_is_recorded() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = open(link.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    client.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let held = next(&mut deliveries).await;
    link.script([Fate::Unavailable; 3]);
    let ending = tokio::spawn(held.respond(json!({ "displayCount": 1 })));
    tokio::task::yield_now().await;
    edit(&store, |document| drop(document.insert("_sp".into(), json!({ "v": 99 })))).await;
    assert!(ending.await.unwrap().is_err());
    let settled = revision(&store).await.0;
    tokio::time::sleep(AGES).await;
    assert_eq!(revision(&store).await.0, settled);
    assert!(document(&store).await.waiting("onboarding").len() <= 1);
    client.close().await.unwrap();
}

/// C60: whatever `_sp` holds, nothing panics and the queue goes on.
#[tokio::test(start_paused = true)]
async fn whatever_the_bookkeeping_holds_the_queue_goes_on() {
    let held_by_nobody = json!({ "by": "nobody#x", "n": 1, "t": 0, "a": lock("claimed") });
    for sp in [
        json!(null),
        json!("text"),
        json!([]),
        json!({}),
        json!({ "v": "1" }),
        json!({ "v": 1, "claims": [] }),
        json!({ "v": 1, "claims": { "extension": 7 } }),
        json!({ "v": 1, "claims": { "extension": [{}, 7, { "by": 3 }, { "by": "x", "a": {} }] } }),
        json!({ "v": 1, "claims": { "extension": [{ "by": "x#y", "n": -1, "t": "z", "once": 5 }] } }),
        json!({ "v": 1, "claims": { "extension": [held_by_nobody] }, "w": "x" }),
        json!({ "v": 1, "claims": { "unheardOf": [held_by_nobody] }, "w": [[1, 2, 3], ["a"], ["b", -1]] }),
    ] {
        let store = Memory::new();
        let client = open(store.clone(), "page").await;
        let mut deliveries = client.executor("extension").subscribe();
        let content = json!({ "_sp": sp, "extensionActions": [lock("1")] });
        overwrite(&store, content).await;
        let mut done = carry_out(&mut deliveries, 1).await;
        if done[0].0 == "claimed" {
            done = carry_out(&mut deliveries, 1).await;
        }
        assert_eq!(texts(&done), ["1"], "{sp}");
        add(&client, &["2"]).await;
        assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["2"], "{sp}");
    }
}

/// C60: an original-style writer replaces the whole document at random moments: no panic, no stuck queue.
#[tokio::test(start_paused = true)]
async fn an_original_writer_that_replaces_the_document_leaves_no_queue_stuck() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let store = Memory::new();
        let (one, two) = (open(store.clone(), "one").await, open(store.clone(), "two").await);
        let mut tasks = Vec::new();
        for client in [&one, &two] {
            let mut deliveries = client.executor("extension").subscribe();
            let mut dice = Dice::new(seed + 100);
            tasks.push(tokio::spawn(async move {
                while let Some(delivery) = deliveries.next().await {
                    tokio::time::sleep(std::time::Duration::from_millis(dice.roll(40))).await;
                    match dice.roll(8) {
                        0 => drop(delivery),
                        1 => drop(delivery.fail(Failure::new("busy", "not now")).await),
                        2 => drop(delivery.detach().await),
                        _ => drop(delivery.finish().await),
                    }
                }
            }));
        }
        let mut copy = stored(&store).await;
        for number in 0..150 {
            tokio::time::sleep(std::time::Duration::from_millis(dice.roll(30))).await;
            match dice.roll(8) {
                0 => copy = stored(&store).await,
                1 => overwrite(&store, copy.clone()).await,
                2 => overwrite(&store, json!({ "step": number })).await,
                3 => {
                    overwrite(&store, json!({ "extensionActions": [lock("original")], "step": number })).await
                }
                4 => edit(&store, |document| drop(document.remove("_sp"))).await,
                5 => {
                    let version = json!({ "v": dice.roll(3) });
                    edit(&store, |document| drop(document.insert("_sp".into(), version.clone()))).await;
                }
                6 => push(&store, &lock("pushed")).await,
                _ => drop(one.add_action(note(number)).await),
            }
        }
        // Claims of the two that came back with an old copy are resumed; those of nobody are taken over.
        tokio::time::timeout(AGES, until_worked_off(&store))
            .await
            .unwrap_or_else(|_| panic!("stuck: seed {seed}"));
        add(&two, &["last"]).await;
        until_worked_off(&store).await;
        assert!(tasks.iter().all(|task| !task.is_finished()), "a panic, seed {seed}");
        let (first, second) = tokio::join!(one.close(), two.close());
        first.and(second).unwrap();
    }
}

/// C61: an action that was finished here and reappears, since an original writer stored an old copy of the array, is
/// removed without running.
#[tokio::test(start_paused = true)]
async fn a_finished_action_that_reappears_is_removed_without_running() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let receipt = add(&client, &["1", "2"]).await;
    let old = stored(&store).await["extensionActions"].clone();
    let mut deliveries = client.executor("extension").subscribe();
    carry_out(&mut deliveries, 2).await;
    edit(&store, |document| drop(document.insert("extensionActions".into(), old.clone()))).await;
    push(&store, &lock("3")).await;
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["3"]);
    for expected in receipt.ids() {
        notice(
            &mut notices,
            |notice| matches!(notice, Notice::DuplicateRemoved { id, .. } if id == expected),
        )
        .await;
    }
    until_worked_off(&store).await;
}

/// C61: also when the copy was stored while the action was in hand.
#[tokio::test(start_paused = true)]
async fn an_action_in_hand_that_reappears_is_not_run_twice() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    add(&client, &["1"]).await;
    let old = stored(&store).await["extensionActions"].clone();
    let mut deliveries = client.executor("extension").subscribe();
    let held = next(&mut deliveries).await;
    edit(&store, |document| drop(document.insert("extensionActions".into(), old.clone()))).await;
    held.finish().await.unwrap();
    none_within(&mut deliveries, AGES).await;
    assert!(is_worked_off(&*document(&store).await));
}

/// C61: 256 finished actions are remembered.
#[tokio::test(start_paused = true)]
async fn the_last_256_finished_actions_are_remembered() {
    let store = roomy_store();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    let mut copies = Vec::new();
    for number in 0..257 {
        add(&client, &[&number.to_string()]).await;
        let delivery = next(&mut deliveries).await;
        copies.push(json!({ "action": "lockScreen", "executor": "extension", "message": number.to_string(),
                            "_sp": { "id": delivery.id().as_str() } }));
        delivery.finish().await.unwrap();
    }
    for copy in copies.iter().rev() {
        push(&store, copy).await;
    }
    // Only the oldest is unknown by now.
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["0"]);
    until_worked_off(&store).await;
}

/// C63: two clients with one identity work and share the work: each action runs once.
#[tokio::test(start_paused = true)]
async fn two_clients_with_one_identity_share_the_work() {
    let store = Memory::new();
    let (one, two) = (open(store.clone(), "student").await, open(store.clone(), "student").await);
    assert_ne!(one.instance(), two.instance());
    let (sender, mut ran) = tokio::sync::mpsc::channel(100);
    for client in [&one, &two] {
        let (mut deliveries, sender) = (client.executor("extension").subscribe(), sender.clone());
        tokio::spawn(async move {
            while let Some(delivery) = deliveries.next().await {
                sender.send((text(delivery.action()), delivery.attempt())).await.unwrap();
                delivery.finish().await.unwrap();
            }
        });
    }
    for number in 0..50 {
        let writer = if number % 2 == 0 { &one } else { &two };
        add(writer, &[&number.to_string()]).await;
    }
    for number in 0..50 {
        assert_eq!(ran.recv().await.unwrap(), (number.to_string(), 1));
    }
    until_worked_off(&store).await;
}
