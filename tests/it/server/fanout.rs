use std::sync::Arc;

use serde_json::json;
use sp_sync::backend::{Backend as _, Expect, Memory, Ttl, Write};
use sp_sync::document::Document;
use sp_sync::twilsock::message::Method;
use sp_sync::{DocumentId, Identity, SyncClient};
use tokio_stream::StreamExt as _;

use super::party::plain;
use super::{Running, service};

#[tokio::test]
async fn everybody_but_the_author_is_told_and_the_author_is_answered() {
    let (server, _) = Running::over_memory().await;
    let (mut alice, mut bob) = (server.join("alice").await, server.join("bob").await);
    // Another connection of the author's identity is somebody else.
    let mut alice_too = server.join("alice").await;
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    for party in [&mut alice, &mut bob, &mut alice_too] {
        party.establish(&sid, json!(1), 1).await;
    }
    let written = alice.set("seat", json!({ "n": 1 })).await;
    for party in [&mut bob, &mut alice_too] {
        let told = party.told().await;
        assert_eq!(told["message_type"], "com.twilio.rtd.cds.document");
        assert_eq!(told["event_type"], "document_updated");
        assert!(told.get("correlation_id").is_none());
        let expected = json!({ "id": 2, "document_sid": sid, "document_unique_name": "seat",
            "document_revision": "2", "date_created": written["date_updated"], "date_expires": null,
            "document_data": { "n": 1 } });
        assert_eq!(told["event"], expected);
    }
    alice.nothing_more().await;
    // Whoever is not subscribed hears nothing.
    let mut carol = server.join("carol").await;
    alice.set("seat", json!({ "n": 2 })).await;
    bob.told().await;
    carol.nothing_more().await;
}

#[tokio::test]
async fn answers_come_before_what_others_do_next() {
    let (server, _) = Running::over_memory().await;
    let (mut alice, mut bob) = (server.join("alice").await, server.join("bob").await);
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    alice.establish(&sid, json!(1), 1).await;
    bob.establish(&sid, json!(1), 1).await;
    // Both write at once, over and over. What each hears is in order, its own answers among it.
    let mut asked = Vec::new();
    for n in 0..50 {
        let write =
            |who: &str| plain(Method::Post, "/v3/Documents/seat", &json!({ "data": { who: n } }), None);
        asked.push(alice.ask(&write("alice")).await);
        bob.ask(&write("bob")).await;
    }
    let mut last = 1;
    for id in &asked {
        let answer: serde_json::Value = alice.answer(id).await.body.parse().unwrap();
        let own = answer["last_event_id"].as_u64().unwrap();
        assert!(own > last);
        last = own;
    }
    let mut seen = 1;
    for _ in 0..50 {
        let id = alice.told().await["event"]["id"].as_u64().unwrap();
        assert!(id > seen, "{id} after {seen}");
        seen = id;
    }
    assert_eq!(seen.max(last), 101);
    alice.nothing_more().await;
}

#[tokio::test]
async fn a_removal_is_told_to_the_others_and_ends_every_subscription() {
    let (server, _) = Running::over_memory().await;
    let (mut alice, mut bob) = (server.join("alice").await, server.join("bob").await);
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    alice.establish(&sid, json!(1), 1).await;
    bob.establish(&sid, json!(1), 1).await;
    assert_eq!(server.service.counters().subscriptions.get(), 2);
    assert_eq!(alice.call(Method::Delete, "/v3/Documents/seat", json!(null)).await.0, 204);
    let told = bob.told().await;
    assert_eq!(
        (&told["event_type"], &told["message_type"]),
        (&json!("document_removed"), &json!("com.twilio.rtd.cds.document"))
    );
    assert_eq!(server.service.counters().subscriptions.get(), 0);
    // Made anew and written: nobody subscribes to that.
    alice.create("seat", json!({})).await;
    alice.set("seat", json!({ "n": 1 })).await;
    bob.nothing_more().await;
    alice.nothing_more().await;
}

/// Two servers before one store, and a client of this crate on it: all are one room.
#[tokio::test]
async fn writes_from_elsewhere_are_told_to_all() {
    let store = Memory::new();
    let (one, two) = (Running::new(service(store.clone())).await, Running::new(service(store.clone())).await);
    let (mut alice, mut bob) = (one.join("alice").await, two.join("bob").await);
    let made = alice.create("Session_mixed", json!({ "step": "a" })).await;
    let sid = made["sid"].as_str().unwrap().to_owned();
    assert_eq!(bob.get("Session_mixed").await["sid"], made["sid"]);
    alice.establish(&sid, json!(1), 1).await;
    bob.establish(&sid, json!(1), 1).await;

    let client = SyncClient::builder()
        .backend(store.clone())
        .document_id(DocumentId::new("Session_mixed").unwrap())
        .identity(Identity::new("carol").unwrap())
        .connect()
        .await
        .unwrap();
    let mut updates = client.events().key_updated("step");
    client.set_sync(json!({ "step": "b" })).await.unwrap();
    for party in [&mut alice, &mut bob] {
        loop {
            let told = party.told().await;
            if told["event"]["document_data"]["step"] == "b" {
                break;
            }
        }
    }
    let mut data = bob.get("Session_mixed").await["data"].clone();
    data["step"] = json!("c");
    bob.set("Session_mixed", data).await;
    let heard = async { while updates.next().await.unwrap().unwrap() != Some(json!("c")) {} };
    tokio::time::timeout(super::LONG, heard).await.unwrap();
    loop {
        if alice.told().await["event"]["document_data"]["step"] == "c" {
            break;
        }
    }
    client.close().await.unwrap();
}

/// A write that comes from elsewhere is seen before anything is refused or confirmed.
#[tokio::test]
async fn what_this_server_believes_is_checked_before_anybody_is_refused() {
    let (server, store) = Running::over_memory().await;
    let mut alice = server.join("alice").await;
    alice.create("seat", json!({})).await;
    let id = DocumentId::new("seat").unwrap();
    let elsewhere = async || {
        let revision = store.read(&id).await.unwrap().unwrap().revision;
        let document = Arc::new(Document::from_json(r#"{"else":1}"#).unwrap());
        let write = Write { document, expect: Expect::Revision(revision), ttl: Ttl::Keep };
        store.write(&id, write).await.unwrap();
    };
    elsewhere().await;
    let (code, _) = alice.call_if(Method::Post, "/v3/Documents/seat", json!({ "data": {} }), Some("2")).await;
    assert_eq!(code, 200);
    elsewhere().await;
    let (code, _) = alice.call_if(Method::Post, "/v3/Documents/seat", json!({ "data": {} }), Some("3")).await;
    assert_eq!(code, 412);
    // Without a condition it goes over whatever is there.
    assert_eq!(alice.set("seat", json!({ "n": 1 })).await["revision"], "5");
    assert_eq!(server.service.counters().writes_stale.get(), 1);
    elsewhere().await;
    store.remove(&id, None).await.unwrap();
    let (code, said) = alice.call(Method::Post, "/v3/Documents/seat", json!({ "data": {} })).await;
    assert_eq!((code, &said["code"]), (404, &json!(54300)));
}
