use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::server::Limits;
use sp_sync::twilsock::message::Method;

use super::{Running, service};

fn entry(sid: &str, last_event_id: Value) -> Value {
    json!({ "object_sid": sid, "object_type": "document", "last_event_id": last_event_id })
}

#[tokio::test]
async fn what_was_missed_is_told_before_the_confirmation() {
    let (server, _) = Running::over_memory().await;
    let (mut alice, mut bob) = (server.join("alice").await, server.join("bob").await);
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    alice.set("seat", json!({ "n": 1 })).await;
    alice.set("seat", json!({ "n": 2 })).await;

    // JavaScript compares the number as a number: it comes back as it was.
    let told = bob.establish(&sid, json!(1), 1_780_301_400_125).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["event_type"], "document_updated");
    let event = &told[0]["events"][0];
    assert_eq!((&event["id"], &event["document_data"]), (&json!(3), &json!({ "n": 2 })));
    let confirmed = json!([{ "object_sid": sid, "object_type": "document", "replay_status": "completed",
        "last_event_id": 3 }]);
    assert_eq!(
        (&told[1]["event_type"], &told[1]["events"]),
        (&json!("subscription_established"), &confirmed)
    );

    // Nothing is missed by whoever knows the newest, knows something newer, or asks for nothing; asking again is normal.
    for (known, correlation) in [(json!(3), 2), (json!(99), 3), (Value::Null, 4), (json!(3), 5)] {
        assert_eq!(bob.establish(&sid, known, correlation).await.len(), 1);
    }
    assert_eq!(server.service.counters().subscriptions.get(), 1);
    alice.set("seat", json!({ "n": 3 })).await;
    assert_eq!(bob.told().await["event"]["id"], 4);
    bob.nothing_more().await;
}

#[tokio::test]
async fn what_is_gone_or_of_another_kind_fails_and_the_rest_of_the_batch_holds() {
    let (server, _) = Running::over_memory().await;
    let mut alice = server.join("alice").await;
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    let removed = alice.create("removed", json!({})).await["sid"].as_str().unwrap().to_owned();
    alice.call(Method::Delete, "/v3/Documents/removed", Value::Null).await;
    let never = "ET00000000000000000000000000000000";
    let map = json!({ "object_sid": "MP00000000000000000000000000000000", "object_type": "map", "last_event_id": 1 });
    let batch = vec![entry(never, json!(1)), entry(&removed, json!(1)), map, entry(&sid, json!(1))];
    let mut told = alice.subscribe("establish", batch, 9).await;
    told.sort_by_key(|message| message["events"][0]["object_sid"].as_str().unwrap().to_owned());
    let mut failed = 0;
    for message in &told {
        let event = &message["events"][0];
        if event["object_sid"] == json!(sid) {
            assert_eq!(message["event_type"], "subscription_established");
            continue;
        }
        failed += 1;
        assert_eq!(message["event_type"], "subscription_failed");
        assert_eq!(event["error"]["status"], 404, "{event}");
        let gone = event["object_type"] == "document";
        assert_eq!(event["error"]["code"], if gone { 54100 } else { 20404 });
    }
    assert_eq!(failed, 3);
}

#[tokio::test]
async fn a_cancelled_subscription_hears_no_more() {
    let (server, _) = Running::over_memory().await;
    let (mut alice, mut bob) = (server.join("alice").await, server.join("bob").await);
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    bob.establish(&sid, json!(1), 1).await;
    let told =
        bob.subscribe("cancel", vec![json!({ "object_sid": sid, "object_type": "document" })], 2).await;
    assert_eq!(told[0]["event_type"], "subscription_canceled");
    assert_eq!(told[0]["events"], json!([{ "object_sid": sid, "object_type": "document" }]));
    alice.set("seat", json!({ "n": 1 })).await;
    bob.nothing_more().await;
    // What was never subscribed to is confirmed too.
    let never = json!({ "object_sid": "ET00000000000000000000000000000000", "object_type": "document" });
    assert_eq!(bob.subscribe("cancel", vec![never], 3).await[0]["event_type"], "subscription_canceled");
    assert_eq!(server.service.counters().subscriptions.get(), 0);
}

/// A client that comes back knows SIDs, and a server that was started anew knows none: it finds them by their names.
#[tokio::test]
async fn sids_are_found_again_after_a_restart() {
    let store = Memory::new();
    let limits = Limits::default().requests_per_s(100_000);
    let first = Running::new(service(store.clone()).limits(limits)).await;
    let mut alice = first.join("alice").await;
    let mut sids = Vec::new();
    for n in 0..2_500 {
        sids.push(alice.create(&format!("d{n}"), json!({})).await["sid"].as_str().unwrap().to_owned());
    }
    let (_, unnamed) = alice.call(Method::Post, "/v3/Documents", json!({})).await;
    sids.push(unnamed["sid"].as_str().unwrap().to_owned());
    drop((alice, first));

    let second = Running::new(service(store)).await;
    let mut alice = second.join("alice").await;
    let (code, written) = alice
        .call(Method::Post, &format!("/v3/Documents/{}", sids[2_499]), json!({ "data": { "n": 1 } }))
        .await;
    assert_eq!((code, &written["unique_name"]), (200, &json!("d2499")));
    let batch = sids.iter().step_by(10).map(|sid| entry(sid, json!(1))).collect();
    let told = alice.subscribe("establish", batch, 1).await;
    assert!(told.iter().all(|message| message["event_type"] == "subscription_established"));
    let (code, _) = alice.call(Method::Get, &format!("/v3/Documents/{}", sids[2_500]), Value::Null).await;
    assert_eq!(code, 200);
}

#[tokio::test]
async fn one_connection_has_so_many_subscriptions_and_no_more() {
    let mut limits = Limits::default();
    limits.subscriptions_max = 2;
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let mut alice = server.join("alice").await;
    let mut sids = Vec::new();
    for name in ["a", "b", "c"] {
        sids.push(alice.create(name, json!({})).await["sid"].as_str().unwrap().to_owned());
    }
    for sid in &sids[..2] {
        assert_eq!(alice.establish(sid, json!(1), 1).await[0]["event_type"], "subscription_established");
    }
    let told = alice.establish(&sids[2], json!(1), 2).await;
    assert_eq!(told[0]["event_type"], "subscription_failed");
    assert_eq!(told[0]["events"][0]["error"]["code"], 54419);
    alice.subscribe("cancel", vec![entry(&sids[0], Value::Null)], 3).await;
    assert_eq!(alice.establish(&sids[2], json!(1), 4).await[0]["event_type"], "subscription_established");
}

/// A document is at hand only as long as somebody wants it.
#[tokio::test]
async fn what_nobody_wants_is_let_go() {
    let mut limits = Limits::default();
    limits.document_idle = std::time::Duration::from_millis(20);
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let mut alice = server.join("alice").await;
    let counters = server.service.counters().clone();
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    alice.establish(&sid, json!(1), 1).await;
    let mut bob = server.join("bob").await;
    bob.create("other", json!({})).await;
    super::until("the other goes", || counters.documents.get() == 1).await;
    drop(alice);
    super::until("all go", || counters.documents.get() == 0 && counters.subscriptions.get() == 0).await;
    super::until("the connection goes", || counters.connections.get() == 1).await;
    assert_eq!(bob.get("seat").await["revision"], "1");
}
