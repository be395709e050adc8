//! The helper beside an original client that stores whole documents blindly, through the official SDK (C59–C62).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::Batch;
use sp_sync::backend::Memory;
use tokio_stream::StreamExt as _;

use super::puppet;
use crate::remote::remote;
use crate::remote::served::Served;
use crate::server::puppet::Puppet;
use crate::support::*;

async fn everybody(node: &mut Puppet, uri: &str) {
    for who in ["page", "extension", "original"] {
        node.tell("connect", json!({ "who": who, "uri": uri })).await;
    }
    for who in ["page", "extension"] {
        node.tell("open", json!({ "who": who, "name": document_id().as_str(), "options": {} })).await;
    }
    node.tell("original", json!({ "who": "original", "name": document_id().as_str() })).await;
}

fn lock(message: &str) -> Value {
    json!({ "action": "lockScreen", "executor": "extension", "message": message })
}

async fn put(node: &mut Puppet, data: Value) {
    node.tell("put", json!({ "who": "original", "data": data })).await;
}

/// Waits until the original sees what is asked for.
async fn original_sees(node: &mut Puppet, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let data = node.tell("read", json!({ "who": "original" })).await;
        if wanted(&data) {
            return data;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the helper's executor has been told all of this, in whatever order.
async fn told(node: &mut Puppet, mut wanted: Vec<Value>) {
    while !wanted.is_empty() {
        let event = node.event("extension", |_| true).await;
        wanted.retain(|wanted| *wanted != event["notice"]["kind"] && *wanted != event["action"]["message"]);
    }
}

async fn began(node: &mut Puppet, message: &str) {
    let event = node.named("extension", "began").await;
    assert_eq!(event["action"]["message"], message, "{event}");
}

fn is_empty(data: &Value) -> bool {
    data["extensionActions"].as_array().is_none_or(Vec::is_empty)
}

fn worked_off(data: &Value) -> bool {
    is_empty(data) && data["_sp"]["claims"].is_null()
}

/// C46, C59–C61: an old copy of the array brings nothing back, a wiped `_sp` stops nothing, bookkeeping of another version
/// means taking by removing, and what is left is always of the original's form.
#[tokio::test]
async fn an_original_that_overwrites_does_no_harm_to_the_helper() {
    let Some(mut node) = puppet() else { return };
    let store = Memory::new();
    let served = Served::over(store.clone()).await;
    everybody(&mut node, &served.uri).await;
    node.tell("add", json!({ "who": "page", "action": "lockScreen", "info": { "message": "one" } })).await;
    let old = original_sees(&mut node, |data| !is_empty(data)).await;
    assert_eq!(old["extensionActions"][0]["message"], "one");
    node.tell("serve", json!({ "who": "extension", "executor": "extension" })).await;
    began(&mut node, "one").await;
    original_sees(&mut node, worked_off).await;

    // C61: it stores the copy it has kept, and one more.
    let mut copy = old.clone();
    copy["extensionActions"].as_array_mut().unwrap().push(lock("two"));
    put(&mut node, copy).await;
    told(&mut node, vec![json!("DuplicateRemoved"), json!("two")]).await;
    original_sees(&mut node, worked_off).await;

    // C60: everything is replaced while an action is carried out. Its claim is gone, and so is the claim of the one behind.
    node.tell("addMany", json!({ "who": "page", "batch": [["lockScreen", { "message": "waits" }], ["lockScreen", { "message": "x" }]] }))
        .await;
    began(&mut node, "waits").await;
    put(&mut node, json!({ "step": "wiped", "extensionActions": [lock("three")] })).await;
    // The handler hears of it first.
    node.event("extension", |event| event["event"] == "ended" && event["cancelled"] == true).await;
    node.event("extension", |event| event["notice"]["kind"] == "ClaimLost").await;
    began(&mut node, "three").await;
    original_sees(&mut node, worked_off).await;

    // C60, C46: bookkeeping of another version stays as it is, and taking means removing.
    let foreign = json!({ "v": 2, "claims": "otherwise" });
    put(&mut node, json!({ "extensionActions": [lock("four"), lock("five")], "_sp": foreign })).await;
    began(&mut node, "four").await;
    began(&mut node, "five").await;
    node.tell("add", json!({ "who": "page", "action": "lockScreen", "info": { "message": "six" } })).await;
    began(&mut node, "six").await;
    let data = original_sees(&mut node, is_empty).await;
    assert_eq!(data["_sp"], foreign);

    // C14, C45: what is no array stays, what is no action goes; both are told.
    put(&mut node, json!({ "extensionActions": "none", "onboardingActions": [] })).await;
    node.event("extension", |event| event["notice"]["kind"] == "CorruptArray").await;
    put(&mut node, json!({ "extensionActions": [7, lock("seven")] })).await;
    told(&mut node, vec![json!("MalformedAction"), json!("seven")]).await;
    original_sees(&mut node, worked_off).await;
}

/// How often the original overwrites what is there.
const ROUNDS: usize = 40;

/// Of so many actions a client knows that it has begun or finished them (C61).
const REMEMBERED: usize = 256;

/// C59–C61: while an original stores old copies and wipes bookkeeping again and again, clients of both kinds add, and one
/// of them carries out. The original can always read what is there; nothing runs twice without saying so; and when it has
/// had enough, the queue goes on.
#[tokio::test]
async fn in_a_storm_of_overwrites_the_queue_goes_on() {
    for helper_does in [true, false] {
        let Some(mut node) = puppet() else { return };
        let store = Memory::new();
        let served = Served::over(store.clone()).await;
        everybody(&mut node, &served.uri).await;
        let client = builder(remote(&served.uri), "agent").connect().await.unwrap();
        let (told, mut heard) = tokio::sync::mpsc::channel(10_000);
        if helper_does {
            node.tell("serve", json!({ "who": "extension", "executor": "extension" })).await;
        } else {
            let mut deliveries = client.executor("extension").subscribe();
            tokio::spawn(async move {
                while let Some(delivery) = deliveries.next().await {
                    let (id, attempt) = (delivery.id().to_string(), u64::from(delivery.attempt()));
                    told.send((id, attempt, text(delivery.action()))).await.unwrap();
                    delivery.done();
                }
            });
        }
        let storm = json!({ "who": "original", "rounds": ROUNDS, "pauseMs": 10, "wipe": true });
        let storm = node.ask("overwrite", storm).await;
        let mut number = 0;
        let rounds = loop {
            number += 1;
            let batch =
                Batch::new().then(note(format!("rust {number}"))).then(note(format!("rust {number} too")));
            // A wiped list of writers cannot tell what became of a write that met one.
            let _ = client.add_actions(batch).await;
            let info = json!({ "message": format!("page {number}") });
            let _ =
                node.try_tell("add", json!({ "who": "page", "action": "lockScreen", "info": info })).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Some(rounds) = node.answered(storm) {
                break rounds.unwrap();
            }
        };
        assert_eq!(rounds, ROUNDS);
        add_patiently(&client, Batch::new().then(note("last of rust"))).await;
        let batch = json!([["lockScreen", { "message": "last of page" }]]);
        node.tell("addMany", json!({ "who": "page", "batch": batch })).await;
        until_worked_off(&store).await;
        // Its answer comes behind all that was told.
        node.tell("getSync", json!({ "who": "extension" })).await;
        // Of each action when it ran, and as which attempt.
        let mut runs = BTreeMap::<String, Vec<(usize, u64)>>::new();
        let mut messages = Vec::new();
        let mut note_run = |id: String, attempt: u64, message: String| {
            runs.entry(id).or_default().push((messages.len(), attempt));
            messages.push(message);
        };
        if helper_does {
            for event in node.so_far("extension", "began") {
                let (id, attempt) = (event["id"].as_str().unwrap(), event["attempt"].as_u64().unwrap());
                note_run(id.into(), attempt, event["action"]["message"].as_str().unwrap().into());
            }
        } else {
            while let Ok((id, attempt, message)) = heard.try_recv() {
                note_run(id, attempt, message);
            }
        }
        for (id, attempts) in &runs {
            for (earlier, later) in attempts.iter().zip(&attempts[1..]) {
                let forgotten = later.0 - earlier.0 > REMEMBERED;
                assert!(earlier.1 < later.1 || forgotten, "{id}: {attempts:?} of {}", messages.len());
            }
        }
        for last in ["last of rust", "last of page"] {
            assert_eq!(messages.iter().filter(|message| *message == last).count(), 1, "{last}");
        }
        let ran = |who: &str| messages.iter().filter(|message| message.starts_with(who)).count();
        let counts = (ran("rust"), ran("page"), ran("original"));
        assert!(counts.0 > 0 && counts.1 > 0 && counts.2 > 0, "{counts:?}");
    }
}
