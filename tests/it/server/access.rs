use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::server::{Access, Permissions};
use sp_sync::twilsock::message::Method;

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
                let expected = if allowed { 200 } else { 403 };
                assert_eq!(code, expected, "{rights}: {method} {path} {body}: {said}");
                assert!(allowed || (said["code"] == 54007 && said["status"] == 403));
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
        assert!(reads || (told.len() == 1 && last["events"][0]["error"]["status"] == 403));
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
        assert_eq!(code, if manages { 204 } else { 403 }, "{rights}");
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
