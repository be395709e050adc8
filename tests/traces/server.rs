//! What a server reports: connections, requests, and the way of each action through the documents it has at hand.

#[path = "../it/server/party.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod party;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sp_sync::Identity;
use sp_sync::backend::Memory;
use sp_sync::server::{self, Admitted, Gatekeeper, Refusal, Service};
use sp_sync::token::Token;
use sp_sync::twilsock::message::Method;
use tokio_stream::StreamExt as _;

use super::support::open;
use super::{Capture, SECRET};
use party::Party;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A token is an identity and a secret.
struct Trusting;

#[async_trait]
impl Gatekeeper for Trusting {
    async fn admit(&self, token: &Token) -> Result<Admitted, Refusal> {
        match token.secret().split_once('/') {
            Some((identity, SECRET)) => Ok(Admitted::new(Identity::new(identity).unwrap(), None)),
            _ => Err(Refusal::new(401, 20101, "Invalid Access Token")),
        }
    }
}

struct Running {
    service: Service,
    at: std::net::SocketAddr,
}

async fn serve(store: &Memory) -> Running {
    let (account, service) = ("AC00000000000000000000000000000000", "IS00000000000000000000000000000000");
    let service = Service::builder(account, service, store.clone(), Trusting).build().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, served) = (listener.local_addr().unwrap(), service.clone());
    tokio::spawn(async move { server::serve(&served, listener).await });
    Running { service, at }
}

/// Waits for one line that holds all of these.
async fn told(capture: &Capture, parts: &[&str]) {
    let waiting = async {
        while !capture.has(parts) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let told = tokio::time::timeout(LONG, waiting).await;
    told.unwrap_or_else(|_| panic!("{parts:?} in\n{}", capture.all()));
}

/// C64: an action is followed from its array to its end, and nothing of what it says is told.
#[tokio::test]
async fn a_server_follows_each_action_from_its_array_to_its_end() {
    let (capture, store) = (Capture::begin(), Memory::new());
    let running = serve(&store).await;
    let agent = open(store.clone(), "agent").await;
    agent.set_sync(json!({ "note": SECRET })).await.unwrap();
    let mut page = Party::join(running.at, &format!("page/{SECRET}")).await;
    let sid = page.get("Session_test").await["sid"].as_str().unwrap().to_owned();
    page.establish(&sid, json!(0), 1).await;

    let info = json!({ "roomURL": format!("https://{SECRET}.example.com/"), "token": SECRET });
    let receipt = agent.add_action_named("joinCall", info).await.unwrap();
    let id = format!("id={}", receipt.ids()[0]);
    let span =
        ["in action:", "document=Session_test", "executor=extension", "action=\"joinCall\"", id.as_str()];
    let seen = |says: &[&'static str]| [says, &span[..]].concat();
    told(&capture, &seen(&["DEBUG", "action waiting"])).await;
    let mut actions = agent.executor("extension").subscribe();
    let first = actions.next().await.unwrap();
    told(&capture, &seen(&["DEBUG", "action claimed", "attempt=1", "after_us=", "by=agent#"])).await;
    first.fail(sp_sync::Failure::new("busy", SECRET)).await.unwrap();
    let second = actions.next().await.unwrap();
    told(&capture, &seen(&["DEBUG", "action claimed", "attempt=2"])).await;
    second.finish().await.unwrap();
    told(&capture, &seen(&["DEBUG", "action gone", "claimed=true", "after_us="])).await;
    told(&capture, &seen(&["closed"])).await;
    // One that is withdrawn was never claimed.
    drop(actions);
    let receipt = agent.add_action_named("getDisplayCount", json!({})).await.unwrap();
    let id = format!("id={}", receipt.ids()[0]);
    told(&capture, &["action waiting", &id]).await;
    agent.withdraw(&receipt.ids()[0]).await.unwrap();
    told(&capture, &["action gone", "claimed=false", &id]).await;
    assert!(!capture.all().contains(SECRET), "{}", capture.all());
}

/// C64: connections and requests are told with their times and outcomes, never with tokens or data.
#[tokio::test]
async fn a_server_tells_of_connections_and_requests() {
    let (capture, store) = (Capture::begin(), Memory::new());
    let running = serve(&store).await;
    let mut stranger = Party::connect(running.at).await;
    stranger.init(&format!("{SECRET}/wrong"), None).await;
    told(&capture, &["INFO", "token refused", "status=401", "code=20101"]).await;
    let mut page = Party::join(running.at, &format!("page/{SECRET}")).await;
    told(&capture, &["DEBUG", "token accepted", "identity=\"page\""]).await;
    page.create("seat", json!({ "note": SECRET })).await;
    page.get("seat").await;
    page.call(Method::Get, "/v3/Documents/none", json!(null)).await;
    for (what, status) in [("create", 201), ("read", 200), ("read", 404)] {
        let (what, status) = (format!("what=\"{what}\""), format!("status={status}"));
        told(
            &capture,
            &["DEBUG", "answered", "latency_us=", "in request:", "in connection:", &what, &status],
        )
        .await;
    }
    assert!(running.service.shut_down().await);
    told(&capture, &["closed in connection:"]).await;
    assert!(!capture.all().contains(SECRET), "{}", capture.all());
}
