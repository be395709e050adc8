//! What `/metrics` shows, scraped from a server over its socket.

use std::time::Duration;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::server::{Attempts, Durations, Operations, Serve, Service, router};
use sp_sync::{DocumentId, Identity, SyncClient};
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;

use super::Site;
use super::exposition::Exposition;

const DOCUMENTS: &str = "/v1/Services/default/Documents";

async fn scrape(site: &Site) -> Exposition {
    let reply = site.client().await.ask("GET", "/metrics", &[], "").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    Exposition::read(&reply.body)
}

/// Scrapes until something shows that only other tasks bring about.
async fn until(site: &Site, what: &str, shows: impl Fn(&Exposition) -> bool + Sync) -> Exposition {
    let scraping = async {
        loop {
            let shown = scrape(site).await;
            if shows(&shown) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), scraping).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// A page of the official form's bearer, subscribed to a document.
async fn subscribed(site: &Site, name: &str) -> crate::server::Party {
    let bearer = [("authorization", "Bearer token of bert")];
    let given = site.client().await.ask("POST", "/sync/tokens", &bearer, "{}").await.json();
    let mut party = crate::server::Party::join(site.address, given["token"].as_str().unwrap()).await;
    let sid = party.get(name).await["sid"].as_str().unwrap().to_owned();
    party.establish(&sid, json!(0), 1).await;
    party
}

#[tokio::test]
async fn queues_and_claims_are_shown_by_executor_and_others_together() {
    let store = Memory::new();
    let site = Site::with(store.clone(), Attempts::default()).await;
    let client =
        SyncClient::builder().backend(store.clone()).document_id(DocumentId::new("Session_a").unwrap());
    let client = client.identity(Identity::new("agent").unwrap()).connect().await.unwrap();
    let _page = subscribed(&site, "Session_a").await;
    let of = |shown: &Exposition, name: &str, executor: &str| shown.value(name, Some(("executor", executor)));
    let shown = scrape(&site).await;
    for executor in ["extension", "onboarding", "_others"] {
        assert_eq!(of(&shown, "sp_sync_actions_waiting", executor), 0.0);
        assert_eq!(of(&shown, "sp_sync_claim_age_seconds", executor), 0.0);
    }
    for _ in 0..3 {
        client.add_action_named("stopSession", json!({})).await.unwrap();
    }
    until(&site, "three that wait", |shown| of(shown, "sp_sync_actions_waiting", "extension") == 3.0).await;
    let mut actions = client.executor("extension").subscribe();
    let first = actions.next().await.unwrap();
    let aged = |shown: &Exposition| of(shown, "sp_sync_claim_age_seconds", "extension") > 0.2;
    let shown = until(&site, "a claim with an age", aged).await;
    assert_eq!(of(&shown, "sp_sync_actions_claimed", "extension"), 3.0);
    assert_eq!(of(&shown, "sp_sync_actions_waiting", "extension"), 0.0);
    assert_eq!(shown.value("sp_sync_claim_seconds_count", None), 0.0);
    first.finish().await.unwrap();
    for _ in 0..2 {
        actions.next().await.unwrap().finish().await.unwrap();
    }
    let shown =
        until(&site, "ended claims", |shown| shown.value("sp_sync_claim_seconds_count", None) == 3.0).await;
    assert_eq!(of(&shown, "sp_sync_claim_age_seconds", "extension"), 0.0);
    assert!(shown.value("sp_sync_claim_seconds_sum", None) > 0.2);
    // However many executors documents name, the page does not grow.
    let lines = shown.samples.len();
    let many: serde_json::Map<_, _> = (0..200).map(|n| (format!("x{n}Actions"), json!([1, 2]))).collect();
    let data = json!(many).to_string().replace('"', "%22");
    let reply = site.rest("POST", &format!("{DOCUMENTS}/Session_a"), &format!("Data={data}")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let shown =
        until(&site, "others", |shown| of(shown, "sp_sync_actions_waiting", "_others") == 400.0).await;
    assert_eq!(shown.samples.len(), lines);
    client.close().await.unwrap();
    site.stop().await;
}

#[tokio::test]
async fn the_way_of_a_notification_is_timed() {
    let site = Site::new().await;
    site.rest("POST", DOCUMENTS, "UniqueName=Session_a&Data=%7B%7D").await;
    let mut page = subscribed(&site, "Session_a").await;
    for n in 1..=5 {
        site.rest("POST", &format!("{DOCUMENTS}/Session_a"), &format!("Data=%7B%22n%22%3A{n}%7D")).await;
        assert_eq!(page.told().await["event"]["document_data"]["n"], n);
    }
    let shown = scrape(&site).await;
    assert_eq!(shown.value("sp_sync_notification_lag_seconds_count", None), 5.0);
    assert!(shown.value("sp_sync_notification_lag_seconds_sum", None) < 300.0);
    drop(page);
    assert!(site.service.shut_down().await);
    site.stop().await;
}

/// The store's own time is that of its commits, of which one may hold many writes.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn commits_of_an_embedded_store_are_timed() {
    use sp_sync::backend::Embedded;
    use sp_sync::server::{Rest, Timed};
    let scratch = crate::embedded::Scratch::new();
    let commits = Durations::default();
    let heard = commits.clone();
    let store =
        Embedded::options().on_commit(move |took| heard.add(took)).open(scratch.file()).await.unwrap();
    let timed = Timed::new(store.clone());
    let (writes, keys) = (timed.writes(), super::keys());
    let gatekeeper = sp_sync::server::JwtGatekeeper::new(keys.verifier());
    let service = Service::builder(super::ACCOUNT, super::SERVICE, timed, gatekeeper).build().unwrap();
    let operations = Operations::new(&service).writes(writes).commits(commits);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = router(&service).merge(operations.router());
    let routes = routes.merge(Rest::new(&service, keys, Attempts::default()).router());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(Serve::new().run(listener, routes, async move { drop(stopped.await) }));
    let site = Site { address, service, operations, stop: Some(stop), serving };
    for n in 0..5 {
        let made = site.rest("POST", DOCUMENTS, &format!("UniqueName=d{n}&Data=%7B%7D")).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }
    let shown = scrape(&site).await;
    let commits = shown.value("sp_sync_store_commit_seconds_count", None);
    assert_eq!(commits, f64::from(u32::try_from(store.counters().commits).unwrap()));
    assert!((1.0..=5.0).contains(&commits));
    assert!(shown.value("sp_sync_store_commit_seconds_sum", None) > 0.0);
    assert_eq!(shown.value("sp_sync_store_write_seconds_count", None), 5.0);
    site.stop().await;
    store.close().await;
}
