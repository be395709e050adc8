//! Application data survives a round trip (C32).

use serde_json::{Value, json};
use sp_sync::backend::{Backend, Memory};
use sp_sync::document::Document;
use tokio_stream::StreamExt as _;

use crate::support::{document_id, open, overwrite, stored};

fn awkward() -> Value {
    serde_json::from_str(
        r#"{
            "z": 9007199254740992, "a": -9007199254740991, "zero": 0, "tiny": 5e-324, "huge": 1.7976931348623157e308,
            "third": 0.1, "precise": 0.30000000000000004, "negative": -0.0, "big": 18446744073709551615,
            "empty": "", "text": "ünïcode ☃ 𝄞 \u0000 \u001f \"\\ / \u2028 \ud83d\ude00", "": "no key",
            "nested": { "b": { "a": [ [], {}, null, [null, true, false] ] }, "a": 1 },
            "constructor": { "prototype": 1 }, "toString": "x"
        }"#,
    )
    .unwrap()
}

/// C32: numbers, strings and key order come back as they were given.
#[tokio::test]
async fn values_and_key_order_survive_a_round_trip() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    client.set_sync(awkward()).await.unwrap();
    client.add_action_named("leaveCall", Value::Null).await.unwrap();
    client.set_sync(json!({ "later": 1 })).await.unwrap();

    let stored = store.read(&document_id()).await.unwrap().unwrap().document;
    // Through text, as any other backend would keep it.
    let reread = Document::from_json(&stored.to_json()).unwrap();
    for document in [&*stored, &reread] {
        let view = document.view();
        for (key, value) in awkward().as_object().unwrap() {
            assert_eq!(view[key].to_string(), value.to_string(), "`{key}`");
        }
        let mut keys: Vec<_> = awkward().as_object().unwrap().keys().cloned().collect();
        keys.extend(["extensionActions".to_owned(), "later".to_owned()]);
        assert_eq!(view.keys().cloned().collect::<Vec<_>>(), keys);
    }
    assert_eq!(client.get_sync().await.unwrap()["z"], 9_007_199_254_740_992_u64);
}

/// C32: what another writer put there and this client does not know is never dropped: at the top, in actions, in `_sp`.
#[tokio::test(start_paused = true)]
async fn unknown_keys_of_other_writers_are_kept() {
    let store = Memory::new();
    let foreign = json!({
        "future": { "anything": [1, 2] },
        "extensionActions": [
            { "action": "openExam", "executor": "extension", "examURL": "https://example.com", "invented": { "x": 1 },
              "_sp": { "id": "abc", "invented": 7 } },
            { "action": "fromTheFuture", "executor": "extension", "field": null }
        ],
        "robotActions": [{ "action": "beep", "executor": "robot" }],
        "_sp": { "v": 1, "invented": { "y": 2 } }
    });
    overwrite(&store, foreign.clone()).await;
    let client = open(store.clone(), "a").await;
    client.set_sync(json!({ "own": 1 })).await.unwrap();
    client.replace_sync(json!({ "own": 2, "future": foreign["future"] })).await.unwrap();
    client.add_action_named("leaveCall", Value::Null).await.unwrap();
    client.unset(["own"]).await.unwrap();
    let whole = stored(&store).await;
    assert_eq!(whole["future"], foreign["future"]);
    assert_eq!(whole["robotActions"], foreign["robotActions"]);
    assert_eq!(whole["_sp"]["invented"], foreign["_sp"]["invented"]);
    for place in 0..2 {
        assert_eq!(whole["extensionActions"][place], foreign["extensionActions"][place]);
    }

    // Taken and given back, an action is still the same.
    let mut deliveries = client.executor("extension").subscribe();
    let delivery = deliveries.next().await.unwrap();
    assert_eq!(delivery.action().get("invented"), Some(&json!({ "x": 1 })));
    let claimed = stored(&store).await["_sp"]["claims"]["extension"][0]["a"].clone();
    assert_eq!(claimed, foreign["extensionActions"][0]);
    drop((delivery, deliveries));
    client.close().await.unwrap();
    let whole = stored(&store).await;
    let back = &whole["extensionActions"][0];
    assert_eq!((&back["invented"], &back["_sp"]["invented"]), (&json!({ "x": 1 }), &json!(7)));
}

/// C32: an event gives unknown fields and unknown actions as they are.
#[tokio::test(start_paused = true)]
async fn an_action_of_a_newer_peer_reaches_the_listener_whole() {
    let store = Memory::new();
    let literal = json!({ "action": "fromTheFuture", "executor": "extension", "n": 9_007_199_254_740_992_u64, "z": null, "a": [] });
    overwrite(&store, json!({ "extensionActions": [literal] })).await;
    let client = open(store, "a").await;
    let mut events = client.events().extension_actions_added().unwrap();
    let event = events.next().await.unwrap();
    assert_eq!(event.action.to_value().to_string(), literal.to_string());
}
