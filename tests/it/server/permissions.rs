//! Rows of permissions: set over REST, asked for on every path, heard of by running subscriptions.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::{Backend, Expect, Memory, Ttl, Write};
use sp_sync::document::Document;
use sp_sync::server::{Access, Attempts, Builder, Limits, Nobody, Permissions, Rest, Serve, Service, router};
use sp_sync::twilsock::message::Method;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::party::Party;
use super::service;
use crate::server_doors::http::{Client, Reply, base64};
use crate::server_doors::{KEY, SECRET, keys};
#[cfg(feature = "remote")]
use {
    super::LONG,
    sp_sync::backend::Remote,
    sp_sync::token::Token,
    sp_sync::{Identity, Notice, Settings, SyncClient},
    tokio::time::timeout,
    tokio_stream::StreamExt as _,
};

/// A server where rows count, with the REST doors beside it.
struct Site {
    service: Service,
    at: SocketAddr,
    task: JoinHandle<()>,
}

impl Site {
    /// Over a store; without rows nobody may do anything.
    async fn over(store: impl Backend) -> Self {
        Self::of(service(store).access(Nobody)).await
    }

    async fn of(builder: Builder) -> Self {
        let service = builder.acl_enabled(true).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let rest = Rest::new(&service, keys(), Attempts::default());
        let routes = router(&service).merge(rest.router());
        let task = tokio::spawn(Serve::new().run(listener, routes, std::future::pending()));
        Self { service, at, task }
    }

    async fn join(&self, identity: &str) -> Party {
        Party::join(self.at, identity).await
    }

    async fn rest(&self, method: &str, path: &str, form: &str) -> Reply {
        let login = format!("Basic {}", base64(&format!("{KEY}:{SECRET}")));
        let path = format!("/v1/Services/default/Documents{path}");
        Client::to(self.at).await.ask(method, &path, &[("authorization", &login)], form).await
    }

    /// Makes a document; its SID.
    async fn make(&self, name: &str) -> String {
        let reply = self.rest("POST", "", &format!("UniqueName={name}&Data=%7B%7D")).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.json()["sid"].as_str().unwrap().to_owned()
    }

    async fn write(&self, name: &str, n: u64) {
        assert_eq!(
            self.rest("POST", &format!("/{name}"), &format!("Data=%7B%22n%22%3A{n}%7D")).await.status,
            200
        );
    }

    /// Gives a row with the rights that these letters say.
    async fn allow(&self, name: &str, identity: &str, letters: &str) {
        let reply = self.rest("POST", &format!("/{name}/Permissions/{identity}"), &form(letters)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn form(letters: &str) -> String {
    let has = |letter| letters.contains(letter);
    format!("Read={}&Write={}&Manage={}", has('r'), has('w'), has('m'))
}

fn established(told: &[Value]) -> bool {
    told.last().unwrap()["event_type"] == "subscription_established"
}

/// What somebody may do by asking: read by name and SID, subscribe, write, change the time to live.
async fn rights_of(party: &mut Party, name: &str, sid: &str) -> String {
    let (by_name, by_sid) = (format!("/v3/Documents/{name}"), format!("/v3/Documents/{sid}"));
    let mut allowed = async |method, path: &str, body: Value| {
        let (code, said) = party.call(method, path, body).await;
        let refused = [(403, json!(54007)), (404, json!(54100))].contains(&(code, said["code"].clone()));
        assert!(code == 200 || refused, "{code} {said}");
        code == 200
    };
    let mut letters = String::new();
    let reads = allowed(Method::Get, &by_name, Value::Null).await;
    assert_eq!(reads, allowed(Method::Get, &by_sid, Value::Null).await);
    let writes = allowed(Method::Post, &by_name, json!({ "data": {} })).await;
    assert_eq!(writes, allowed(Method::Post, &by_sid, json!({ "data": {} })).await);
    let manages = allowed(Method::Post, &by_sid, json!({ "ttl": 1000 })).await;
    assert_eq!(reads, established(&party.establish(sid, Value::Null, 7).await));
    for (has, letter) in [(reads, 'r'), (writes, 'w'), (manages, 'm')] {
        letters.extend(has.then_some(letter));
    }
    letters
}

#[tokio::test]
async fn a_row_says_on_every_path_what_its_identity_may_do() {
    let site = Site::over(Memory::new()).await;
    let sid = site.make("seat").await;
    let mut guest = site.join("guest").await;
    assert_eq!(rights_of(&mut guest, "seat", &sid).await, "");
    for letters in ["r", "w", "m", "rw", "rm", "wm", "rwm", ""] {
        site.allow("seat", "guest", letters).await;
        let mut guest = site.join("guest").await;
        assert_eq!(rights_of(&mut guest, "seat", &sid).await, letters);
    }
    // Of this document only, and of this identity only.
    site.allow("seat", "guest", "rwm").await;
    let (other, mut stranger) = (site.make("other").await, site.join("Guest").await);
    assert_eq!(rights_of(&mut guest, "other", &other).await, "");
    assert_eq!(rights_of(&mut stranger, "seat", &sid).await, "");
    let (code, _) = guest.call(Method::Delete, &format!("/v3/Documents/{sid}"), Value::Null).await;
    assert_eq!(code, 204);
    let (code, _) = guest.call(Method::Post, "/v3/Documents", json!({ "unique_name": "seat" })).await;
    assert_eq!(code, 403, "who may make documents is for the rules to say");
}

/// Rules that let everybody read and write.
struct Open;

impl Access for Open {
    fn may(&self, _: &str, _: &str) -> Permissions {
        Permissions::WRITE
    }
}

#[tokio::test]
async fn a_row_may_say_less_than_the_rules_and_without_one_they_hold() {
    let site = Site::of(service(Memory::new()).access(Open)).await;
    let sid = site.make("seat").await;
    let (mut ana, mut eve) = (site.join("ana").await, site.join("eve").await);
    site.allow("seat", "eve", "").await;
    assert_eq!(rights_of(&mut ana, "seat", &sid).await, "rw");
    assert_eq!(rights_of(&mut eve, "seat", &sid).await, "");
    assert_eq!(site.rest("DELETE", "/seat/Permissions/eve", "").await.status, 204);
    assert_eq!(rights_of(&mut eve, "seat", &sid).await, "rw");
}

/// Whoever loses the right to read is told nothing more: on the server that took it at once, on another one that shares
/// the store as soon as the store says so.
#[tokio::test]
async fn a_running_subscription_ends_when_its_row_says_so() {
    let store = Memory::new();
    let (here, there) = (Site::over(store.clone()).await, Site::over(store).await);
    let sid = here.make("seat").await;
    for identity in ["ana", "eve"] {
        here.allow("seat", identity, "r").await;
    }
    let (mut ana, mut eve) = (here.join("ana").await, here.join("eve").await);
    let mut far = there.join("eve").await;
    for party in [&mut ana, &mut eve, &mut far] {
        assert!(established(&party.establish(&sid, Value::Null, 1).await));
    }
    here.write("seat", 1).await;
    for party in [&mut ana, &mut eve, &mut far] {
        assert_eq!(party.told().await["event"]["document_data"]["n"], 1);
    }
    here.allow("seat", "eve", "wm").await;
    let ended = |message: &Value| {
        assert_eq!(
            (&message["event_type"], &message["correlation_id"]),
            (&json!("subscription_canceled"), &Value::Null)
        );
        assert!(message.as_object().unwrap().contains_key("correlation_id"), "{message}");
    };
    ended(&far.told().await);
    here.write("seat", 2).await;
    ended(&eve.told().await);
    assert_eq!(ana.told().await["event"]["document_data"]["n"], 2);
    for party in [&mut eve, &mut far] {
        party.nothing_more().await;
        let told = party.establish(&sid, Value::Null, 2).await;
        assert_eq!((told.len(), &told[0]["events"][0]["error"]["status"]), (1, &json!(403)));
    }
    here.allow("seat", "eve", "r").await;
    assert!(established(&far.establish(&sid, Value::Null, 3).await));
    assert_eq!(here.service.counters().subscriptions.get(), 1);
}

/// Rows are taken and given while others subscribe: whatever the order, who may not read at the end hears nothing.
#[tokio::test]
async fn nobody_slips_in_while_rows_change() {
    let site = Site::over(Memory::new()).await;
    let sid = site.make("seat").await;
    for round in 0..40 {
        site.allow("seat", "eve", "r").await;
        let mut eve = site.join("eve").await;
        let (_, told) = tokio::join!(site.allow("seat", "eve", ""), eve.establish(&sid, Value::Null, 1));
        site.write("seat", round).await;
        if established(&told) {
            assert_eq!(eve.told().await["event_type"], "subscription_canceled");
        }
        eve.nothing_more().await;
    }
}

#[tokio::test]
async fn rows_are_made_replaced_listed_and_removed() {
    let site = Site::over(Memory::new()).await;
    let sid = site.make("seat").await;
    let url = format!("https://sync.example.com/v1/Services/{}/Documents/{sid}/Permissions", super::SERVICE);
    let made = site.rest("POST", "/seat/Permissions/a%2Fb%20%C5%BE", &form("rw")).await.json();
    assert_eq!(
        made,
        json!({ "account_sid": super::ACCOUNT, "service_sid": super::SERVICE, "document_sid": sid,
            "identity": "a/b ž", "read": true, "write": true, "manage": false, "url": format!("{url}/a%2Fb%20%C5%BE") })
    );
    assert_eq!(site.rest("GET", &format!("/{sid}/Permissions/a%2Fb%20%C5%BE"), "").await.json(), made);
    for n in 0..6 {
        site.allow("seat", &format!("i{n}"), "r").await;
    }
    let (mut identities, mut query) = (Vec::new(), "PageSize=3".to_owned());
    loop {
        let page = site.rest("GET", &format!("/seat/Permissions?{query}"), "").await.json();
        assert_eq!(page["meta"]["key"], "permissions");
        let rows = page["permissions"].as_array().unwrap();
        identities.extend(rows.iter().map(|row| row["identity"].as_str().unwrap().to_owned()));
        let Some(next) = page["meta"]["next_page_url"].as_str() else { break };
        let (before, rest) = next.split_once('?').unwrap();
        assert_eq!(before, url);
        query = rest.to_owned();
    }
    assert_eq!(identities, ["a/b ž", "i0", "i1", "i2", "i3", "i4", "i5"]);
    for (method, path, form, refusal) in [
        ("GET", "/seat/Permissions/nobody", "", (404, 20404)),
        ("DELETE", "/seat/Permissions/nobody", "", (404, 20404)),
        ("GET", "/none/Permissions", "", (404, 20404)),
        ("POST", "/none/Permissions/i0", "Read=true&Write=true&Manage=true", (404, 20404)),
        ("POST", "/seat/Permissions/i0", "Read=true&Write=true", (400, 20001)),
        ("POST", "/seat/Permissions/i0", "Read=true&Write=true&Manage=perhaps", (400, 20422)),
        ("POST", "/seat/Permissions/%0A", "Read=true&Write=true&Manage=true", (400, 20422)),
        ("POST", "/seat/Permissions", "Read=true&Write=true&Manage=true", (405, 20004)),
        ("PUT", "/seat/Permissions/i0", "", (405, 20004)),
    ] {
        assert_eq!(site.rest(method, path, form).await.refusal(), refusal, "{method} {path} {form}");
    }
    assert_eq!(site.rest("DELETE", "/seat/Permissions/i0", "").await.status, 204);
    assert_eq!(site.rest("GET", "/seat/Permissions/i0", "").await.refusal(), (404, 20404));
    let service = site.rest("GET", "/../../default", "").await;
    assert_eq!(service.status, 404);
}

/// Where rows do not count there are none, and whoever asks for them is told so.
#[tokio::test]
async fn without_an_acl_there_are_no_rows() {
    let site = Site::of(service(Memory::new())).await;
    assert!(site.rest("GET", "/x/Permissions", "").await.status == 404);
    drop(site);
    let service = service(Memory::new()).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let routes = Rest::new(&service, keys(), Attempts::default()).router();
    let task = tokio::spawn(Serve::new().run(listener, routes, std::future::pending()));
    let site = Site { service, at, task };
    site.make("seat").await;
    for (method, path) in [("GET", "/seat/Permissions"), ("POST", "/seat/Permissions/ana")] {
        assert_eq!(site.rest(method, path, &form("r")).await.refusal(), (501, 20500));
    }
}

/// Who could open the document of rows would say who may do what.
#[tokio::test]
async fn the_rows_are_reached_as_a_document_by_nobody() {
    let store = Memory::new();
    let site = Site::of(service(store.clone()).access(sp_sync::server::Everything)).await;
    let sid = site.make("seat").await;
    site.allow("seat", "ana", "r").await;
    let rows = format!("Permissions_{sid}");
    let names = store.directory().unwrap().list(None, 10).await.unwrap();
    assert!(names.iter().any(|name| name.as_str() == rows), "{names:?}");
    // Derived as the server derives SIDs of documents.
    let namespace = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, super::SERVICE.as_bytes());
    let derived = uuid::Uuid::new_v5(&namespace, format!("Documents/{rows}").as_bytes());
    let derived = format!("ET{}", derived.simple());
    let mut ana = site.join("eve").await;
    for path in [format!("/v3/Documents/{rows}"), format!("/v3/Documents/{derived}")] {
        for (method, body) in
            [(Method::Get, Value::Null), (Method::Post, json!({ "data": {} })), (Method::Delete, Value::Null)]
        {
            let (code, said) = ana.call(method, &path, body).await;
            assert!(matches!(code, 400 | 404), "{method:?} {path}: {code} {said}");
        }
    }
    let (code, _) = ana.call(Method::Post, "/v3/Documents", json!({ "unique_name": rows })).await;
    assert_eq!(code, 400);
    assert!(!established(&ana.establish(&derived, Value::Null, 1).await));
    for path in [format!("/{rows}"), format!("/{derived}"), format!("/{derived}/Permissions")] {
        assert_eq!(site.rest("GET", &path, "").await.refusal(), (404, 20404));
    }
    let listed = site.rest("GET", "", "").await.json();
    assert_eq!(listed["documents"].as_array().unwrap().len(), 1, "{listed}");
}

/// A document that is made anew is another one: nobody has rights from its earlier life.
#[tokio::test]
async fn rows_go_when_their_document_goes() {
    let store = Memory::new();
    let site = Site::over(store.clone()).await;
    for ends in ["removed", "expired"] {
        let sid = site.make(ends).await;
        site.allow(ends, "ana", "rwm").await;
        let mut ana = site.join("ana").await;
        if ends == "removed" {
            assert_eq!(site.rest("DELETE", "/removed", "").await.status, 204);
        } else {
            assert_eq!(site.rest("POST", "/expired", "Ttl=1").await.status, 200);
            while site.rest("GET", "/expired", "").await.status == 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        assert_eq!(site.rest("GET", &format!("/{ends}/Permissions"), "").await.status, 404);
        site.make(ends).await;
        assert_eq!(rights_of(&mut ana, ends, &sid).await, "", "{ends}");
        let rows = site.rest("GET", &format!("/{ends}/Permissions"), "").await.json();
        assert_eq!(rows["permissions"], json!([]), "{ends}");
    }
    let left = store.directory().unwrap().list(None, 10).await.unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// Nobody asks for the document any more, and its rows go all the same; those of documents that are there stay, and so do
/// those of another service.
#[tokio::test]
async fn rows_of_a_document_that_expired_do_not_stay() {
    let store = Memory::new();
    let mut limits = Limits::default();
    limits.rows_swept_every = Duration::from_millis(50);
    let site = Site::of(service(store.clone()).access(Nobody).limits(limits)).await;
    let (gone, stays) = (site.make("gone").await, site.make("stays").await);
    for name in ["gone", "stays"] {
        site.allow(name, "ana", "r").await;
    }
    let foreign = DocumentId::new(format!("Permissions_ET{}", "0".repeat(32))).unwrap();
    let document = Document::from_json(r#"{"of":"nobody's","rows":{}}"#).unwrap();
    let write = Write { document: document.into(), expect: Expect::Absent, ttl: Ttl::Never };
    store.write(&foreign, write).await.unwrap();
    assert_eq!(site.rest("POST", "/gone", "Ttl=1").await.status, 200);
    let names = async || {
        let names = store.directory().unwrap().list(None, 10).await.unwrap();
        names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    let swept = async {
        while names().await.contains(&format!("Permissions_{gone}")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(super::LONG, swept).await.expect("its rows go");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(names().await, [foreign.as_str(), &format!("Permissions_{stays}"), "stays"]);
}

/// Rows are as durable as documents.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn rows_outlive_their_server() {
    use sp_sync::backend::Embedded;
    let scratch = crate::embedded::Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let site = Site::over(store.clone()).await;
    let sid = site.make("seat").await;
    site.allow("seat", "ana", "rw").await;
    assert!(site.service.shut_down().await);
    drop(site);
    store.close().await;
    let store = Embedded::open(scratch.file()).await.unwrap();
    let site = Site::over(store).await;
    let mut ana = site.join("ana").await;
    assert_eq!(rights_of(&mut ana, "seat", &sid).await, "rw");
}

/// Many back ends set rows of one document at a time: none is lost.
#[tokio::test]
async fn rows_set_at_the_same_time_are_all_kept() {
    let site = std::sync::Arc::new(Site::over(Memory::new()).await);
    site.make("seat").await;
    let set = (0..32).map(|n| {
        let site = site.clone();
        tokio::spawn(async move { site.allow("seat", &format!("i{n:02}"), "r").await })
    });
    for set in set.collect::<Vec<_>>() {
        set.await.unwrap();
    }
    let listed = site.rest("GET", "/seat/Permissions", "").await.json();
    assert_eq!(listed["permissions"].as_array().unwrap().len(), 32);
}

/// A Rust client tells of a right that was taken away, and goes on by itself when it is given back (C63).
#[cfg(feature = "remote")]
#[tokio::test]
async fn a_client_goes_on_when_a_right_that_was_taken_away_is_given_back() {
    let site = Site::over(Memory::new()).await;
    site.make("seat").await;
    site.allow("seat", "ana", "rw").await;
    let uri = format!("ws://{}/v3/wsconnect", site.at);
    let short = Duration::from_millis(50);
    let settings =
        Settings { refused_backoff_min: short, refused_backoff_max: 2 * short, ..Settings::default() };
    let client = SyncClient::builder()
        .backend(Remote::builder().uri(uri).token(Token::new("ana")).unpaced().build().unwrap())
        .document_id(DocumentId::new("seat").unwrap())
        .identity(Identity::new("ana").unwrap())
        .settings(settings)
        .connect()
        .await
        .unwrap();
    let (mut notices, mut updates) = (client.events().notices(), client.events().sp_sync_doc_updated());
    let mut told = async || timeout(LONG, notices.next()).await.expect("a notice").unwrap().unwrap();
    let mut until = async |n: u64| {
        while updates.next().await.unwrap().unwrap().data().get("n") != Some(&json!(n)) {}
    };
    site.allow("seat", "ana", "").await;
    assert!(matches!(told().await, Notice::Refused { code: 54_007, .. }));
    // Several tries are refused.
    tokio::time::sleep(6 * short).await;
    site.write("seat", 7).await;
    assert!(!client.get_sync().await.unwrap().data().contains_key("n"));
    site.allow("seat", "ana", "rw").await;
    assert!(matches!(told().await, Notice::BackendWorking));
    timeout(LONG, until(7)).await.expect("what was missed is told");
    client.set_sync(json!({ "mine": 1 })).await.unwrap();
    site.write("seat", 8).await;
    timeout(LONG, until(8)).await.expect("the stream goes on");
}
