use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::server::Limits;
use sp_sync::twilsock::message::{ClientUpdateKind, InitReply, Method};

use super::party::{Party, plain};
use super::{ACCOUNT, Running, SERVICE, service, until};

fn refused(reply: InitReply) -> (u16, Option<u32>, bool) {
    match reply {
        InitReply::Refused(refusal) => {
            (refusal.status.code, refusal.status.error_code, refusal.backoff.is_some())
        }
        InitReply::Accepted(accepted) => panic!("{accepted:?}"),
    }
}

#[tokio::test]
async fn a_session_opens_with_all_that_the_sdks_want_to_know() {
    let (server, _) = Running::over_memory().await;
    let open = async |token: &str, continuation: Option<&str>| match Party::connect(server.at)
        .await
        .init(token, continuation)
        .await
    {
        InitReply::Accepted(accepted) => accepted,
        InitReply::Refused(refusal) => panic!("{refusal:?}"),
    };
    let first = open("alice", None).await;
    let account = first.account.unwrap();
    assert_eq!((account.account_sid.as_str(), account.identity.as_str()), (ACCOUNT, "alice"));
    assert_eq!(account.service_sid(), Some(SERVICE));
    assert!(first.capabilities.contains(&"client_update".to_owned()));
    let token = first.continuation_token.unwrap();
    assert!(first.continuation_status.unwrap().reissued);

    let second = open("alice", Some(&token)).await;
    assert_eq!(second.continuation_token.as_deref(), Some(token.as_str()));
    assert!(!second.continuation_status.unwrap().reissued);
    assert_eq!(second.storage_ids, first.storage_ids);

    let other = open("bob", Some(&token)).await;
    assert_ne!(other.continuation_token, Some(token));
    assert_ne!(other.storage_ids, first.storage_ids);
}

#[tokio::test]
async fn who_has_no_good_token_hears_why() {
    let (server, _) = Running::over_memory().await;
    for (token, code) in [("bad", 20101), ("expired", 20104), ("", 20101)] {
        let mut party = Party::connect(server.at).await;
        assert_eq!(refused(party.init(token, None).await), (401, Some(code), false));
        party.ended().await;
    }
    assert_eq!(server.service.counters().tokens_refused.get(), 3);
    // A request before the first frame is answered with the end.
    let mut party = Party::connect(server.at).await;
    party.ask(&plain(Method::Get, "/v3/Documents/x", &Value::Null, None)).await;
    assert_eq!(party.closed().await.why.unwrap().status.code, 406);
    party.ended().await;
    until("all are gone", || server.service.counters().connections.get() == 0).await;
}

#[tokio::test]
async fn a_token_is_warned_of_renewed_and_ends() {
    let limits = Limits::default().token_warning(Duration::from_millis(400));
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let mut alice = server.join("alice/700").await;
    assert_eq!(alice.client_update().await.kind, ClientUpdateKind::TokenAboutToExpire);
    assert_eq!(alice.update_token("alice/900").await.status.code, 200);
    // Of somebody else, or not good: the session goes on with the one it has.
    assert_eq!(alice.update_token("bob").await.status.error_code, Some(51215));
    assert_eq!(alice.update_token("expired").await.status.error_code, Some(20104));
    alice.create("seat", json!({})).await;
    assert_eq!(alice.client_update().await.kind, ClientUpdateKind::TokenAboutToExpire);
    let why = alice.closed().await.why.unwrap().status;
    assert_eq!((why.code, why.error_code), (410, Some(51207)));
    alice.ended().await;

    let limits = Limits::default().cut_at_expiry(true);
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let mut alice = server.join("alice/100").await;
    alice.ended().await;
}

#[tokio::test]
async fn too_many_connections_are_told_to_come_back() {
    let mut limits = Limits::default();
    limits.connections_max = 2;
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let (_one, two) = (server.join("alice").await, server.join("alice").await);
    let mut three = Party::connect(server.at).await;
    assert_eq!(refused(three.init("alice", None).await), (429, Some(51001), true));
    // Those who do not even listen to that are turned away at the door.
    let _three = three;
    assert!(Party::try_connect(server.at).await.is_err());
    drop(two);
    until("places are free", || server.service.counters().connections.get() == 1).await;
    server.join("alice").await;
}

#[tokio::test]
async fn what_is_no_frame_is_refused_and_the_server_goes_on() {
    let (server, _) = Running::over_memory().await;
    let long = format!("TWILSOCK V3.0 99999999\r\n{}", "x".repeat(100));
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), Vec::new(), long.into_bytes(), vec![0xff; 70_000]] {
        let mut party = server.join("alice").await;
        party.send_bytes(bytes).await;
        let why = party.closed().await.why.unwrap().status;
        assert_eq!((why.code, why.error_code), (406, Some(51214)));
        party.ended().await;
    }
    // Much too long: it is not even read.
    let limits = Limits::default().frame_bytes_max(1_000);
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let mut party = server.join("alice").await;
    party.send_bytes(vec![b'x'; 1_001]).await;
    assert_eq!(party.closed().await.why.unwrap().status.code, 406);
    let mut party = server.join("alice").await;
    party.send_bytes(vec![b'x'; 1_000_000]).await;
    party.ended().await;
    server.join("alice").await.create("seat", json!({})).await;
}

#[tokio::test]
async fn too_many_requests_are_refused_one_by_one() {
    let limits = Limits::default().requests_per_s(10);
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let mut alice = server.join("alice").await;
    let mut codes = Vec::new();
    for _ in 0..30 {
        codes.push(alice.call(Method::Get, "/v3/Configuration", Value::Null).await);
    }
    assert!(codes[..10].iter().all(|(code, _)| *code == 200));
    assert!(codes.iter().any(|(code, body)| *code == 429 && body["code"] == 54009));
}

/// Whoever does not come to the point, does not acknowledge, or does not read is cut off; nobody else notices.
#[tokio::test]
async fn clients_that_do_not_keep_up_are_cut_off() {
    let mut limits = Limits::default()
        .init_within(Duration::from_millis(100))
        .acknowledge_within(Duration::from_millis(300));
    limits.queue_max = 64;
    limits.send_within = Duration::from_millis(500);
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let counters = server.service.counters().clone();
    Party::connect(server.at).await.ended().await;

    let (mut alice, mut bob) = (server.join("alice").await, server.join("bob").await);
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    bob.acknowledges = false;
    bob.establish(&sid, json!(1), 1).await;
    bob.ended().await;
    assert_eq!(counters.clients_cut.get(), 1);

    let mut carol = server.join("carol").await;
    carol.establish(&sid, json!(1), 1).await;
    // From now on nobody reads for her; what is sent piles up until it does not go on.
    let mut writes = 0_u64;
    while counters.clients_cut.get() < 2 {
        alice.set("seat", json!({ "n": writes, "x": "x".repeat(16_000) })).await;
        writes += 1;
        assert!(writes < 100_000);
    }
    until("she is gone", || counters.connections.get() == 1).await;
    assert_eq!(counters.subscriptions.get(), 0);
    alice.set("seat", json!({})).await;
}

/// C64's other half: what was acknowledged is stored, and nobody is left without an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_answers_what_was_begun_and_sends_everybody_elsewhere() {
    let store = Memory::new();
    let mut limits = Limits::default();
    limits.document_idle = Duration::from_secs(3_600);
    let server = Running::new(service(store.clone()).limits(limits)).await;
    let (mut alice, mut idle) = (server.join("alice").await, server.join("idle").await);
    alice.create("seat", json!({ "n": -1 })).await;
    let mut asked = Vec::new();
    for n in 0..200 {
        asked.push(
            alice.ask(&plain(Method::Post, "/v3/Documents/seat", &json!({ "data": { "n": n } }), None)).await,
        );
    }
    let service = server.service.clone();
    let down = tokio::spawn(async move { service.shut_down().await });
    let mut held = -1;
    for (n, id) in (0..).zip(&asked) {
        let response = alice.answer_or_end(id).await;
        match response.map(|response| response.code) {
            Some(200) => held = n,
            Some(503) => {}
            None => break,
            Some(other) => panic!("{other}"),
        }
    }
    idle.closed_with_308().await;
    alice.closed_with_308().await;
    assert!(down.await.unwrap(), "all went in time");
    assert!(!server.service.is_open());
    // Whatever holds the store keeps it open.
    until("documents are let go of", || server.service.counters().documents.get() == 0).await;
    assert!(Party::try_connect(server.at).await.is_err());
    let id = sp_sync::DocumentId::new("seat").unwrap();
    let stored = sp_sync::backend::Backend::read(&store, &id).await.unwrap().unwrap();
    let stored: Value = serde_json::from_str(&stored.document.to_json()).unwrap();
    assert!(stored["n"].as_i64().unwrap() >= held, "{stored} {held}");
}
