//! The official JavaScript SDK, unmodified, in Node.

use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::server::Limits;
use sp_sync::{DocumentId, Identity, SyncClient, extension};
use tokio_stream::StreamExt as _;

use super::proxy::Proxy;
use super::puppet::Puppet;
use super::{Running, service};

#[tokio::test]
async fn it_opens_documents_in_every_way() {
    let Some(mut node) = Puppet::new() else { return };
    let (server, _) = Running::over_memory().await;
    assert_eq!(node.connect("alice", "alice", server.at).await, "connected");
    node.connect("bob", "bob", server.at).await;
    let open = |who: &str, name: &str, options: Value| json!({ "who": who, "as": name, "options": options });

    let made = node
        .tell("open", open("alice", "a", json!({ "id": "a/b č?", "data": { "n": 1 }, "ttl": 1000 })))
        .await;
    assert_eq!((&made["data"], &made["uniqueName"]), (&json!({ "n": 1 }), &json!("a/b č?")));
    assert!(made["dateExpires"].is_string());
    let sid = made["sid"].clone();
    // Opening what is there: by name, by SID, and in the mode that does not create.
    for (name, options) in [
        ("by name", json!("a/b č?")),
        ("by sid", sid.clone()),
        ("existing", json!({ "id": "a/b č?", "mode": "open_existing" })),
        ("existing by sid", json!({ "id": sid, "mode": "open_existing", "data": { "no": 1 } })),
    ] {
        let opened = node.tell("open", open("bob", name, options)).await;
        assert_eq!((&opened["sid"], &opened["data"]), (&sid, &json!({ "n": 1 })), "{name}");
    }
    let refused = |status: u64, code: u64| {
        move |error: Value| {
            assert_eq!((&error["status"], &error["code"]), (&json!(status), &json!(code)), "{error}");
        }
    };
    let absent = "ET00000000000000000000000000000000";
    for (options, error) in [
        (json!({ "id": "a/b č?", "mode": "create_new" }), (409, 54301)),
        (json!({ "id": "none", "mode": "open_existing" }), (404, 54300)),
        (json!({ "id": absent, "mode": "open_existing" }), (404, 54100)),
        (json!(absent), (400, 54302)),
        (json!({ "id": "x".repeat(257), "mode": "create_new" }), (400, 54302)),
    ] {
        node.try_tell("open", open("bob", "x", options))
            .await
            .map_err(refused(error.0, error.1))
            .unwrap_err();
    }
    // Without a name.
    let unnamed = node.tell("open", json!({ "who": "alice", "as": "unnamed" })).await;
    assert_eq!(unnamed["uniqueName"], Value::Null);
    let opened = node.tell("open", open("bob", "unnamed", unnamed["sid"].clone())).await;
    assert_eq!(opened["sid"], unnamed["sid"]);
    // Other kinds are refused, and the client goes on.
    let error = node.try_tell("list", json!({ "who": "alice" })).await.unwrap_err();
    assert_eq!(error["status"], 404);
    node.open("alice", "after").await;
}

#[tokio::test]
async fn two_clients_write_and_hear_of_each_other() {
    let Some(mut node) = Puppet::new() else { return };
    let (server, _) = Running::over_memory().await;
    for who in ["alice", "bob"] {
        node.connect(who, who, server.at).await;
        node.open(who, "seat").await;
    }
    super::until("both hear", || server.service.counters().subscriptions.get() == 2).await;
    let of = |who: &str, what: Value| {
        let mut asked = json!({ "who": who, "as": "seat" });
        asked.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        asked
    };
    let set = node.tell("set", of("alice", json!({ "data": { "a": 1, "b": { "c": [1, null] } } }))).await;
    assert_eq!(set, json!({ "a": 1, "b": { "c": [1, null] } }));
    let own = node.named("alice", "updated").await;
    assert_eq!((&own["isLocal"], &own["previousData"]), (&json!(true), &json!({})));
    let heard = node.named("bob", "updated").await;
    assert_eq!((&heard["isLocal"], &heard["data"]), (&json!(false), &set));

    let updated = node.tell("update", of("bob", json!({ "data": { "d": 2 } }))).await;
    assert_eq!(updated, json!({ "a": 1, "b": { "c": [1, null] }, "d": 2 }));
    assert_eq!(node.named("alice", "updated").await["data"], updated);

    // Both add at once: every addition counts, whoever has to begin again.
    let mut asked = Vec::new();
    for _ in 0..20 {
        asked.push(node.ask("add", of("alice", json!({ "key": "sum" }))).await);
        asked.push(node.ask("add", of("bob", json!({ "key": "sum" }))).await);
    }
    for ask in asked {
        node.answer(ask).await.unwrap();
    }
    for who in ["alice", "bob"] {
        // The last is heard of by the one who did not write it.
        while node.tell("show", of(who, json!({}))).await["data"]["sum"] != 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert!(server.service.counters().writes_stale.get() > 0, "they met");
    // Own writes are heard of as own ones, each once. Of the others' some are passed over, because whoever has to begin
    // again reads the newest.
    for (who, own) in [("alice", 20), ("bob", 21)] {
        let heard = node.so_far(who, "updated");
        let local = heard.iter().filter(|event| event["isLocal"] == true).count();
        assert_eq!(local, own, "{who}: of {}", heard.len());
        assert!(heard.len() > local);
    }

    node.tell("setTtl", of("alice", json!({ "ttl": 500 }))).await;
    // The SDK keeps the new end of whoever set it only.
    assert!(node.tell("show", of("alice", json!({}))).await["dateExpires"].is_string());
    node.tell("setTtl", of("alice", json!({ "ttl": 1 }))).await;
    for who in ["alice", "bob"] {
        assert_eq!(node.named(who, "removed").await["isLocal"], false);
    }
    // Made anew, and removed by one of them.
    for who in ["alice", "bob"] {
        node.open(who, "seat").await;
    }
    super::until("both hear", || server.service.counters().subscriptions.get() == 2).await;
    node.tell("remove", of("bob", json!({}))).await;
    assert_eq!(node.named("bob", "removed").await["isLocal"], true);
    assert_eq!(node.named("alice", "removed").await["isLocal"], false);
    let error = node.try_tell("set", of("alice", json!({ "data": {} }))).await.unwrap_err();
    assert_eq!(error["status"], 404);
}

#[tokio::test]
async fn what_is_missed_while_the_connection_is_cut_is_told_afterwards() {
    let Some(mut node) = Puppet::new() else { return };
    let (server, _) = Running::over_memory().await;
    let proxy = Proxy::to(server.at).await;
    node.connect("alice", "alice", proxy.at).await;
    node.connect("bob", "bob", server.at).await;
    for name in ["kept", "changed", "gone"] {
        node.open("alice", name).await;
        node.open("bob", name).await;
    }
    let subscriptions = || server.service.counters().subscriptions.get();
    super::until("all are heard of", || subscriptions() == 6).await;
    proxy.cut();
    super::until("she is gone", || subscriptions() == 3).await;
    node.tell("set", json!({ "who": "bob", "as": "changed", "data": { "n": 1 } })).await;
    node.tell("set", json!({ "who": "bob", "as": "changed", "data": { "n": 2 } })).await;
    node.tell("remove", json!({ "who": "bob", "as": "gone" })).await;
    proxy.mend();
    let heard = node.event("alice", |event| event["event"] == "updated").await;
    assert_eq!(
        (&heard["as"], &heard["data"], &heard["isLocal"]),
        (&json!("changed"), &json!({ "n": 2 }), &json!(false))
    );
    super::until("she is back", || subscriptions() >= 4).await;
    node.tell("set", json!({ "who": "bob", "as": "kept", "data": { "n": 3 } })).await;
    let heard = node.event("alice", |event| event["as"] == "kept").await;
    assert_eq!(heard["data"], json!({ "n": 3 }));
    let error = node.try_tell("set", json!({ "who": "alice", "as": "gone", "data": {} })).await.unwrap_err();
    assert_eq!(error["status"], 404);
}

#[tokio::test]
async fn a_restart_is_invisible() {
    let Some(mut node) = Puppet::new() else { return };
    let store = Memory::new();
    let server = Running::new(service(store.clone())).await;
    let at = server.at;
    node.connect("alice", "alice", at).await;
    node.connect("bob", "bob", at).await;
    let sid = node.open("alice", "seat").await["sid"].clone();
    node.open("bob", "seat").await;
    super::until("both hear", || server.service.counters().subscriptions.get() == 2).await;
    assert!(server.service.shut_down().await);
    drop(server);
    node.state("alice", "disconnecting").await;
    let server = Running::at(service(store), at).await;
    super::until("both are back", || server.service.counters().subscriptions.get() == 2).await;
    node.tell("set", json!({ "who": "alice", "as": "seat", "data": { "n": 1 } })).await;
    assert_eq!(node.event("bob", |event| event["event"] == "updated").await["data"], json!({ "n": 1 }));
    let shown = node.tell("show", json!({ "who": "bob", "as": "seat" })).await;
    assert_eq!((&shown["sid"], &shown["revision"]), (&sid, &json!("2")));
    assert!(node.so_far("alice", "connectionError").is_empty());
}

/// The same with a store that is closed with the server and opened again from its file.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn a_restart_over_a_file_is_invisible() {
    use sp_sync::backend::Embedded;

    let Some(mut node) = Puppet::new() else { return };
    let scratch = crate::embedded::Scratch::new();
    let open = async || service(Embedded::open(scratch.file()).await.unwrap());
    let mut server = Running::new(open().await).await;
    let at = server.at;
    for who in ["alice", "bob"] {
        node.connect(who, who, at).await;
        node.open(who, "seat").await;
    }
    for round in 1..=3 {
        super::until("both hear", || server.service.counters().subscriptions.get() == 2).await;
        node.tell("set", json!({ "who": "alice", "as": "seat", "data": { "round": round } })).await;
        let heard = node.event("bob", |event| event["event"] == "updated").await;
        assert_eq!(heard["data"], json!({ "round": round }));
        // What is asked while it is away waits for it.
        assert!(server.service.shut_down().await);
        drop(server);
        let asked =
            node.ask("update", json!({ "who": "alice", "as": "seat", "data": { "away": round } })).await;
        server = Running::at(open().await, at).await;
        assert_eq!(node.answer(asked).await.unwrap()["away"], round);
        node.event("bob", |event| event["data"]["away"] == round).await;
    }
    for who in ["alice", "bob"] {
        let shown = node.tell("show", json!({ "who": who, "as": "seat" })).await;
        assert_eq!((&shown["data"], &shown["revision"]), (&json!({ "round": 3, "away": 3 }), &json!("7")));
        assert!(node.so_far(who, "connectionError").is_empty());
        assert!(node.so_far(who, "failure").is_empty() && node.so_far(who, "removed").is_empty());
    }
}

#[tokio::test]
async fn tokens_are_warned_of_renewed_and_end() {
    let Some(mut node) = Puppet::new() else { return };
    let limits = Limits::default().token_warning(Duration::from_millis(1_500));
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    node.connect("alice", "alice/2000", server.at).await;
    node.open("alice", "seat").await;
    node.named("alice", "tokenAboutToExpire").await;
    node.tell("updateToken", json!({ "who": "alice", "token": "alice/2500" })).await;
    node.named("alice", "tokenAboutToExpire").await;
    node.named("alice", "tokenExpired").await;
    node.state("alice", "disconnected").await;
    // With a new one it is there again, and so are its documents.
    node.tell("updateToken", json!({ "who": "alice", "token": "alice" })).await;
    node.state("alice", "connected").await;
    node.tell("set", json!({ "who": "alice", "as": "seat", "data": { "n": 1 } })).await;

    assert_eq!(node.connect("mallory", "bad", server.at).await, "denied");
    let error = node.named("mallory", "connectionError").await;
    assert_eq!((&error["detail"]["terminal"], &error["detail"]["errorCode"]), (&json!(true), &json!(20101)));
    assert_eq!(node.connect("late", "expired", server.at).await, "denied");
    node.named("late", "tokenExpired").await;
}

/// C59–C62 with the official SDK on the other side: one document, actions both ways, each heard by the other.
#[tokio::test]
async fn a_rust_client_on_the_store_and_a_javascript_client_share_one_room() {
    let Some(mut node) = Puppet::new() else { return };
    let (server, store) = Running::over_memory().await;
    let client = SyncClient::builder()
        .backend(store)
        .document_id(DocumentId::new("Session_mixed").unwrap())
        .identity(Identity::new("agent").unwrap())
        .connect()
        .await
        .unwrap();
    node.connect("page", "page", server.at).await;
    node.open("page", "Session_mixed").await;
    super::until("the page hears", || server.service.counters().subscriptions.get() == 1).await;
    let of = |what: Value| {
        let mut asked = json!({ "who": "page", "as": "Session_mixed" });
        asked.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        asked
    };
    client.set_sync(json!({ "step": "systemCheck" })).await.unwrap();
    node.event("page", |event| event["data"]["step"] == "systemCheck" && event["isLocal"] == false).await;

    // The page tells the agent; the agent serves while the page goes on adding.
    let mut actions = client.executor("extension").subscribe();
    let asked =
        json!({ "key": "extensionActions", "value": { "action": "stopSession", "executor": "extension" } });
    for _ in 0..20 {
        node.ask("push", of(asked.clone())).await;
    }
    for _ in 0..20 {
        let action = tokio::time::timeout(super::LONG, actions.next()).await.unwrap().unwrap();
        assert_eq!(action.action().name(), "stopSession");
        action.finish().await.unwrap();
    }
    // And the agent tells the page.
    client.add_action(extension::OpenExam::new("https://exam.example.com/")).await.unwrap();
    node.event("page", |event| {
        event["data"]["extensionActions"]
            .as_array()
            .is_some_and(|actions| actions.iter().any(|action| action["action"] == "openExam"))
            || event["data"]["_sp"].to_string().contains("openExam")
    })
    .await;
    client.close().await.unwrap();
}
