use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::server::{Access, Permissions};
use sp_sync::twilsock::message::Method;

use super::party::plain;
use super::puppet::Puppet;
use super::{Running, service};

/// An identity says what it may do; with documents that begin with its name it may do everything.
struct BySpelling;

impl Access for BySpelling {
    fn may(&self, identity: &str, document: &str) -> Permissions {
        if document.starts_with(identity) {
            return Permissions::ALL;
        }
        let has = |right| identity.contains(right);
        Permissions { read: has('r'), write: has('w'), manage: has('m') }
    }
}

#[tokio::test]
async fn every_path_asks_for_its_right() {
    let server = Running::new(service(Memory::new()).access(BySpelling)).await;
    let mut owner = server.join("x").await;
    let paths = |name: &str, sid: &str| {
        [
            format!("/v3/Documents/{name}"),
            format!("/v3/Documents/{sid}"),
            format!("/v3/Services/{}/Documents/{sid}", super::SERVICE),
        ]
    };
    for rights in ["-", "r", "w", "m", "rw", "rm", "wm", "rwm"] {
        let (reads, writes, manages) = (rights.contains('r'), rights.contains('w'), rights.contains('m'));
        let mut guest = server.join(rights).await;
        let name = format!("x_{}", rights.len());
        let sid = owner.create(&name, json!({})).await["sid"].as_str().unwrap().to_owned();
        for path in paths(&name, &sid) {
            let mut expect = async |method, body: Value, allowed: bool| {
                let (code, said) = guest.call(method, &path, body.clone()).await;
                // Whoever may do nothing with it does not find out by its SID that it is there.
                let (status, number) =
                    if rights == "-" && path.contains(&sid) { (404, 54100) } else { (403, 54007) };
                let expected = if allowed { 200 } else { status };
                assert_eq!(code, expected, "{rights}: {method} {path} {body}: {said}");
                assert!(allowed || (said["code"] == number && said["status"] == status));
            };
            expect(Method::Get, Value::Null, reads).await;
            expect(Method::Post, json!({ "data": {} }), writes).await;
            expect(Method::Post, json!({ "ttl": 1000 }), manages).await;
            expect(Method::Post, json!({ "data": {}, "ttl": 1000 }), writes && manages).await;
        }
        let told = guest.establish(&sid, json!(0), 1).await;
        let last = told.last().unwrap();
        let expected = if reads { "subscription_established" } else { "subscription_failed" };
        assert_eq!(last["event_type"], expected, "{rights}");
        let status = if rights == "-" { 404 } else { 403 };
        assert!(reads || (told.len() == 1 && last["events"][0]["error"]["status"] == status));
        owner.set(&name, json!({ "secret": rights })).await;
        if reads {
            assert_eq!(guest.told().await["event"]["document_data"]["secret"], rights);
        } else {
            guest.nothing_more().await;
        }
        let (code, _) =
            guest.call(Method::Post, "/v3/Documents", json!({ "unique_name": format!("y{rights}") })).await;
        assert_eq!(code, if writes { 201 } else { 403 }, "{rights}");
        let (code, _) = guest.call(Method::Delete, &format!("/v3/Documents/{sid}"), Value::Null).await;
        assert_eq!(code, if manages { 204 } else { status }, "{rights}");
        if !manages {
            owner.call(Method::Delete, &format!("/v3/Documents/{sid}"), Value::Null).await;
        }
    }
}

/// By name nobody finds out whether there is a document that is not theirs.
#[tokio::test]
async fn a_strangers_document_looks_the_same_whether_or_not_it_is_there() {
    let server = Running::new(service(Memory::new()).access(BySpelling)).await;
    let (mut owner, mut stranger) = (server.join("x").await, server.join("-").await);
    owner.create("x1", json!({})).await;
    for (method, body) in
        [(Method::Get, Value::Null), (Method::Post, json!({ "data": {} })), (Method::Delete, Value::Null)]
    {
        let there = stranger.call(method, "/v3/Documents/x1", body.clone()).await;
        let not = stranger.call(method, "/v3/Documents/x2", body).await;
        assert_eq!(there, not);
        assert_eq!(there.0, 403);
    }
    let create = |name: &str| json!({ "unique_name": name });
    let there = stranger.call(Method::Post, "/v3/Documents", create("x1")).await;
    assert_eq!(there, stranger.call(Method::Post, "/v3/Documents", create("x2")).await);
}

/// SIDs are derived from names, so whoever knows a name knows the SID: it must tell no more than the name does.
#[tokio::test]
async fn by_its_sid_a_strangers_document_is_as_if_it_were_not_there() {
    let store = Memory::new();
    let server = Running::new(service(store.clone()).access(BySpelling)).await;
    let sid = server.join("x").await.create("x1", json!({})).await["sid"].as_str().unwrap().to_owned();
    let none = format!("ET{}", "f".repeat(32));
    // One that has met the SID, and one that has to look for it.
    for server in [server, Running::new(service(store).access(BySpelling)).await] {
        let mut asking = tokio::task::JoinSet::new();
        for (method, body) in [
            (Method::Get, Value::Null),
            (Method::Post, json!({ "data": {} })),
            (Method::Post, json!({ "ttl": 1000 })),
            (Method::Post, json!({ "data": 1 })),
            (Method::Delete, Value::Null),
        ] {
            for folder in ["/v3".to_owned(), format!("/v3/Services/{}", super::SERVICE)] {
                let [there, not] =
                    [&sid, &none].map(|sid| plain(method, &format!("{folder}/Documents/{sid}"), &body, None));
                let (mut stranger, mut other) = (server.join("-").await, server.join("-").await);
                asking.spawn(async move {
                    let answers = tokio::join!(stranger.request(&there), other.request(&not));
                    assert_eq!(answers.0, answers.1, "{there:?}");
                    assert!(answers.0.code >= 400);
                });
            }
        }
        for (action, kind) in [
            ("establish", json!("document")),
            ("establish", json!("list")),
            ("cancel", json!("document")),
            ("cancel", json!("list")),
            ("cancel", Value::Null),
        ] {
            let (mut stranger, sids) = (server.join("-").await, [sid.clone(), none.clone()]);
            asking.spawn(async move {
                let mut told = Vec::new();
                for sid in sids {
                    let entry = json!({ "object_sid": sid, "object_type": kind, "last_event_id": 1 });
                    let said = stranger.subscribe(action, vec![entry], 1).await;
                    told.push(json!(said).to_string().replace(&sid, "SID"));
                }
                assert_eq!(told[0], told[1], "{action} {kind}");
            });
        }
        asking.join_all().await;
    }
}

/// Whoever is on the list may do nothing.
#[derive(Clone, Default)]
struct Banished(Arc<Mutex<Vec<String>>>);

impl Banished {
    fn banish(&self, identity: &str) {
        self.0.lock().unwrap().push(identity.to_owned());
    }
}

impl Access for Banished {
    fn may(&self, identity: &str, _: &str) -> Permissions {
        let banished = self.0.lock().unwrap().iter().any(|banished| banished == identity);
        if banished { Permissions::NONE } else { Permissions::ALL }
    }
}

/// What happens after a right is taken away is not told to those who had it, and they hear that it is over.
#[tokio::test]
async fn a_right_that_is_taken_away_ends_subscriptions_before_the_next_change() {
    let banished = Banished::default();
    let server = Running::new(service(Memory::new()).access(banished.clone())).await;
    let (mut owner, mut guest) = (server.join("owner").await, server.join("guest").await);
    let sid = owner.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    guest.establish(&sid, json!(0), 1).await;
    owner.set("seat", json!({ "open": 1 })).await;
    assert_eq!(guest.told().await["event"]["document_data"]["open"], 1);
    banished.banish("guest");
    owner.set("seat", json!({ "secret": 1 })).await;
    let told = guest.told().await;
    assert_eq!(
        (&told["event_type"], &told["correlation_id"]),
        (&json!("subscription_canceled"), &Value::Null)
    );
    assert_eq!(told["events"], json!([{ "object_sid": sid, "object_type": "document" }]));
    owner.set("seat", json!({ "secret": 2 })).await;
    guest.nothing_more().await;
    assert_eq!(server.service.counters().subscriptions.get(), 0);
    // Asking anew says why, and neither removal nor a new document of the name is told.
    let refused = guest.establish(&sid, json!(1), 2).await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["events"][0]["error"]["code"], 54007);
    owner.call(Method::Delete, "/v3/Documents/seat", Value::Null).await;
    owner.create("seat", json!({ "secret": 3 })).await;
    guest.nothing_more().await;
}

/// The official SDK asks anew when it is told of the end, and then reports the refusal.
#[tokio::test]
async fn the_official_sdk_hears_that_a_right_was_taken_away() {
    let Some(mut node) = Puppet::new() else { return };
    let banished = Banished::default();
    let server = Running::new(service(Memory::new()).access(banished.clone())).await;
    node.connect("guest", "guest", server.at).await;
    node.open("guest", "seat").await;
    super::until("it hears", || server.service.counters().subscriptions.get() == 1).await;
    let mut owner = server.join("owner").await;
    owner.set("seat", json!({ "open": 1 })).await;
    assert_eq!(node.named("guest", "updated").await["data"], json!({ "open": 1 }));
    banished.banish("guest");
    for secret in 0..3 {
        owner.set("seat", json!({ "secret": secret })).await;
    }
    let failed = node.named("guest", "failure").await;
    assert!(failed["detail"].to_string().contains("403"), "{failed}");
    assert!(node.so_far("guest", "updated").is_empty());
    let shown = node.tell("show", json!({ "who": "guest", "as": "seat" })).await;
    assert_eq!(shown["data"], json!({ "open": 1 }));
    // It knows the document, so it is told why.
    let refused = node.try_tell("update", json!({ "who": "guest", "as": "seat", "data": { "n": 1 } })).await;
    let refused = refused.unwrap_err();
    assert_eq!((&refused["status"], &refused["code"]), (&json!(403), &json!(54007)));
}

/// A connection that is new has never been shown the document: to the SDK it is gone, and by its name it is refused.
#[tokio::test]
async fn the_official_sdk_that_comes_back_without_its_right_hears_that_the_document_is_gone() {
    let Some(mut node) = Puppet::new() else { return };
    let (store, banished) = (Memory::new(), Banished::default());
    let server = Running::new(service(store.clone()).access(banished.clone())).await;
    node.connect("guest", "guest", server.at).await;
    node.open("guest", "seat").await;
    super::until("it hears", || server.service.counters().subscriptions.get() == 1).await;
    banished.banish("guest");
    server.service.shut_down().await;
    let at = server.at;
    drop(server);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let _server = Running::at(service(store).access(banished), at).await;
    node.named("guest", "removed").await;
    let options = json!({ "who": "guest", "as": "again", "options": "seat" });
    let refused = node.try_tell("open", options).await.unwrap_err();
    assert_eq!((&refused["status"], &refused["code"]), (&json!(403), &json!(54007)));
}

/// A backend of this crate ends its watch with the refusal.
#[cfg(feature = "remote")]
#[tokio::test]
async fn a_remote_backend_hears_that_a_right_was_taken_away() {
    use sp_sync::backend::{Backend as _, BackendError, Change, Remote};
    use tokio_stream::StreamExt as _;

    let banished = Banished::default();
    let server = Running::new(service(Memory::new()).access(banished.clone())).await;
    let mut owner = server.join("owner").await;
    owner.create("seat", json!({ "n": 0 })).await;
    let uri = format!("ws://{}/v3/wsconnect", server.at);
    let remote = Remote::builder().uri(uri).token(sp_sync::token::Token::new("guest")).build().unwrap();
    let mut watch = remote.watch(&sp_sync::DocumentId::new("seat").unwrap()).await.unwrap();
    super::until("it hears", || server.service.counters().subscriptions.get() == 1).await;
    banished.banish("guest");
    owner.set("seat", json!({ "n": 1 })).await;
    loop {
        match tokio::time::timeout(super::LONG, watch.next()).await.unwrap().unwrap() {
            Ok(Change::Updated(stored)) => assert_eq!(&*stored.document.to_json(), "{\"n\":0}"),
            Err(BackendError::Refused { code: 54007, .. }) => return,
            other => panic!("{other:?}"),
        }
    }
}
