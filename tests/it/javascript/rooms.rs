//! One document, two languages: clients of this crate and of the helper through one server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::client::Settings;
use sp_sync::server::Limits;
use sp_sync::{Batch, Failure, Handlers, SyncClient, extension};
use tokio_stream::StreamExt as _;

use super::puppet;
use crate::remote::proxy::{Faults, Proxy};
use crate::remote::remote;
use crate::remote::served::Served;
use crate::server::puppet::Puppet;
use crate::server::{Running, service};
use crate::support::*;

/// Actions of one direction, and how many are added together.
const ACTIONS: usize = 1_000;
const BATCH: usize = 25;

/// One in so many pieces from the server is swallowed, and the connection cut. The SDK comes back after a second and
/// repeats what was not answered after four.
const SWALLOWED_ONE_IN: u64 = 45;

async fn connect(node: &mut Puppet, who: &str, uri: &str, options: Value) -> Value {
    node.tell("connect", json!({ "who": who, "uri": uri })).await;
    node.tell("open", json!({ "who": who, "name": document_id().as_str(), "options": options })).await
}

async fn rust_client(uri: &str, who: &str) -> SyncClient {
    // A long wait for answers under load is no failure here.
    let settings = Settings { write_within: Duration::from_secs(120), ..Settings::default() };
    builder(remote(uri), who).settings(settings).connect().await.unwrap()
}

/// Checks what an executor saw of numbered actions: each came, first attempts in the order in which they were added, and
/// whatever came again said so.
fn nothing_lost_nothing_doubled(seen: &[(String, u64)], label: &str, count: usize) {
    let mut attempts = BTreeMap::<usize, Vec<u64>>::new();
    let mut order = Vec::new();
    for (message, attempt) in seen {
        let Some(number) = message.strip_prefix(label) else { continue };
        let number = number.trim().parse().unwrap();
        let of = attempts.entry(number).or_default();
        if of.is_empty() {
            order.push(number);
        }
        assert!(of.last().is_none_or(|last| last < attempt), "{number} ran twice as attempt {attempt}");
        of.push(*attempt);
    }
    assert_eq!(order, (0..count).collect::<Vec<_>>());
}

/// C29, C36–C41, C47, C50: 1 000 actions of the helper's client, on a wire that is cut again and again, are carried out
/// by a client of this crate: all of them, in order, none twice without saying so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_helper_asks_and_this_crate_does() {
    let Some(mut node) = puppet() else { return };
    let served = Served::over(Memory::new()).await;
    let wire = Proxy::start(&served.uri, faults()).await;
    connect(&mut node, "page", &wire.uri, json!({})).await;
    let wire_of_crate = Proxy::start(&served.uri, faults()).await;
    let client = rust_client(&wire_of_crate.uri, "extension").await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut deliveries = client.executor("extension").subscribe();
    let noted = seen.clone();
    let doing = tokio::spawn(async move {
        while let Some(delivery) = deliveries.next().await {
            let action = delivery.action().clone();
            noted.lock().unwrap().push((text(&action), u64::from(delivery.attempt())));
            if action.name() == "getDisplayCount" {
                // An answer that was lost with its claim is asked for again by the next attempt.
                let _ = delivery.respond(json!({ "displayCount": 2 })).await;
            } else {
                delivery.done();
            }
        }
    });
    let campaign = json!({ "who": "page", "batches": ACTIONS / BATCH, "size": BATCH, "label": "n" });
    let asked = node.ask("campaign", campaign).await;
    assert_eq!(long_answer(&mut node, "page", asked).await, ACTIONS / BATCH);
    nothing_lost_nothing_doubled(&seen.lock().unwrap(), "n", ACTIONS);
    were_cut(&wire, &wire_of_crate);
    doing.abort();
}

/// The same the other way round: this crate asks and the helper does.
///
/// C29, C36–C41, C47, C50.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_crate_asks_and_the_helper_does() {
    let Some(mut node) = puppet() else { return };
    let served = Served::over(Memory::new()).await;
    let wire = Proxy::start(&served.uri, faults()).await;
    connect(&mut node, "extension", &wire.uri, json!({})).await;
    node.tell("serve", json!({ "who": "extension", "executor": "extension" })).await;
    let wire_of_crate = Proxy::start(&served.uri, faults()).await;
    let client = rust_client(&wire_of_crate.uri, "page").await;
    let asking = tokio::spawn(async move {
        for batch in 0..ACTIONS / BATCH {
            let numbers = batch * BATCH..(batch + 1) * BATCH;
            let actions = numbers.fold(Batch::new(), |batch, number| batch.then(note(format!("n {number}"))));
            add_patiently(&client, actions).await;
            let request = client.request(extension::GetDisplayCount {}).respond_to("onboarding");
            let response = request.within(Duration::from_secs(120)).await.unwrap();
            assert_eq!(response.display_count, 2);
        }
    });
    while !asking.is_finished() {
        // What it tells is read as it comes: a full pipe would stop it.
        hear(&mut node, "extension").await;
    }
    asking.await.unwrap();
    hear(&mut node, "extension").await;
    let began = node.so_far("extension", "began");
    let seen: Vec<_> =
        began.iter().map(|event| (text_of(&event["action"]), event["attempt"].as_u64().unwrap())).collect();
    nothing_lost_nothing_doubled(&seen, "n", ACTIONS);
    were_cut(&wire, &wire_of_crate);
}

/// What makes every test of a cut wire one: it was cut, on both sides.
fn were_cut(of_the_helper: &Proxy, of_this_crate: &Proxy) {
    let (helper, own) = (of_the_helper.cuts(), of_this_crate.cuts());
    assert!(helper >= 2 && own >= 1, "{helper} and {own} cuts");
    println!("{helper} and {own} cuts");
}

fn faults() -> Faults {
    Faults { swallow_one_in: SWALLOWED_ONE_IN, ..Faults::default() }
}

fn text_of(action: &Value) -> String {
    action["message"].as_str().unwrap_or_default().to_owned()
}

/// Reads what the process has told until now: its answer comes behind that.
async fn hear(node: &mut Puppet, who: &str) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    node.tell("getSync", json!({ "who": who })).await;
}

/// The answer to something that takes long, and is silent meanwhile.
async fn long_answer(node: &mut Puppet, who: &str, ask: u64) -> Value {
    loop {
        hear(node, who).await;
        if let Some(answer) = node.answered(ask) {
            return answer.unwrap();
        }
    }
}

/// What is asked in the name of `page`.
fn page(what: Value) -> Value {
    let mut asked = json!({ "who": "page" });
    asked.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    asked
}

/// C4, C13, C16, C24, C30, C50: data and refusals, and a request that nobody takes.
#[tokio::test]
async fn each_sees_what_the_other_writes() {
    let Some(mut node) = puppet() else { return };
    let served = Served::over(Memory::new()).await;
    let opened =
        connect(&mut node, "page", &served.uri, json!({ "initialData": { "step": "welcome" } })).await;
    assert_eq!(opened, json!({ "step": "welcome" }));
    let client = rust_client(&served.uri, "agent").await;
    assert_eq!(*client.get_sync().await.unwrap(), *json!({ "step": "welcome" }).as_object().unwrap());
    node.tell("updates", page(json!({}))).await;
    let mut updates = client.events().sp_sync_doc_updated();
    node.tell("setSync", page(json!({ "data": { "seat": 7 } }))).await;
    update_with(&mut updates, |data| data.get("seat") == Some(&json!(7))).await;
    client.set_sync(json!({ "step": "idCheck" })).await.unwrap();
    node.event("page", |event| event["data"]["step"] == "idCheck").await;

    // A mistake is told before anything is sent, and names no value.
    let refused =
        node.try_tell("add", page(json!({ "action": "openExam", "info": { "newWindow": true } }))).await;
    assert_eq!(refused.unwrap_err()["kind"], "MissingField");
    let refused = node.try_tell("setSync", page(json!({ "data": { "extensionActions": [] } }))).await;
    assert_eq!(refused.unwrap_err()["kind"], "Reserved");

    // Nobody is there yet: withdrawn, and nothing is left.
    let receipt =
        node.tell("add", page(json!({ "action": "lockScreen", "info": { "message": "never" } }))).await;
    assert_eq!(node.tell("withdraw", page(json!({ "id": receipt["id"] }))).await, true);
    assert_eq!(node.tell("withdraw", page(json!({ "id": receipt["id"] }))).await, false);
    let info = json!({ "respondTo": "onboarding", "timeoutMs": 50 });
    let timeout = node.try_tell("request", page(json!({ "action": "getDisplayCount", "info": info }))).await;
    assert_eq!(timeout.unwrap_err()["detail"]["withdrawn"], true);
}

/// C20, C42, C44, C52: failures travel both ways, and what a closed client gives back comes in order, its attempt counted.
#[tokio::test]
async fn each_hears_of_the_others_failures() {
    let Some(mut node) = puppet() else { return };
    let served = Served::over(Memory::new()).await;
    connect(&mut node, "page", &served.uri, json!({})).await;
    let client = rust_client(&served.uri, "agent").await;
    // A handler of this crate fails for good, and the helper hears its own code.
    let serving = client.clone();
    let handlers = Handlers::new().answer(async |_: extension::GetDisplayCount| {
        Err::<extension::GetDisplayCountResponse, _>(Failure::new("noDisplays", "there is none"))
    });
    let serving = tokio::spawn(async move { serving.executor("extension").serve(handlers).await });
    let info = json!({ "respondTo": "onboarding", "timeoutMs": 60_000 });
    let failed = node
        .try_tell("request", page(json!({ "action": "getDisplayCount", "info": info })))
        .await
        .unwrap_err();
    assert_eq!(
        (&failed["kind"], &failed["detail"]["code"]),
        (&json!("Failed"), &json!("noDisplays")),
        "{failed}"
    );
    serving.abort();
    let _ = serving.await;

    // And the other way round. The action keeps its place while it is tried again; the action after it then runs.
    node.tell("serve", page(json!({ "executor": "extension" }))).await;
    add(&client, &["fails", "after"]).await;
    for attempt in 1..=5 {
        let began = node.named("page", "began").await;
        assert_eq!((&began["action"]["message"], &began["attempt"]), (&json!("fails"), &json!(attempt)));
        assert_eq!(began["action"].get("_sp"), None);
    }
    let gave_up = node.event("page", |event| event["notice"]["kind"] == "ActionFailed").await;
    assert_eq!(
        (&gave_up["notice"]["failure"]["code"], &gave_up["notice"]["attempts"]),
        (&json!("busy"), &json!(5))
    );
    assert_eq!(node.named("page", "began").await["action"]["message"], "after");

    // Closed with one in hand, it gives everything back, in order and with the attempt counted.
    add(&client, &["waits", "second"]).await;
    node.event("page", |event| event["event"] == "began" && event["action"]["message"] == "waits").await;
    node.tell("close", page(json!({}))).await;
    let closed = node.try_tell("add", page(json!({ "action": "stopSession" }))).await.unwrap_err();
    assert_eq!(closed["kind"], "Closed");
    let mut deliveries = client.executor("extension").subscribe();
    for (message, attempt) in [("waits", 2), ("second", 1)] {
        let delivery = deliveries.next().await.unwrap();
        assert_eq!((text(delivery.action()).as_str(), delivery.attempt()), (message, attempt));
        delivery.finish().await.unwrap();
    }
}

/// C40, C41: each takes over what the other left behind, after a lease, as a further attempt; what may run at most once
/// is not run again.
#[tokio::test]
async fn each_takes_over_from_the_other() {
    let Some(mut node) = puppet() else { return };
    let store = Memory::new();
    let served = Served::over(store.clone()).await;
    let short = Settings { lease: Duration::from_secs(2), ..Settings::default() };
    let client = builder(remote(&served.uri), "agent").settings(short).connect().await.unwrap();
    // A page dies with an action in hand.
    let Some(mut dies) = puppet() else { return };
    connect(&mut dies, "first", &served.uri, json!({ "leaseMs": 2_000 })).await;
    dies.tell("serve", json!({ "who": "first", "executor": "extension" })).await;
    add(&client, &["waits", "next"]).await;
    dies.named("first", "began").await;
    drop(dies);
    connect(&mut node, "second", &served.uri, json!({ "leaseMs": 2_000 })).await;
    let mut deliveries = client.executor("extension").subscribe();
    let mut taken = Vec::new();
    for _ in 0..2 {
        let delivery = deliveries.next().await.unwrap();
        taken.push((text(delivery.action()), delivery.attempt()));
        delivery.finish().await.unwrap();
    }
    // Whether the one behind had begun cannot be told: it counts as begun too.
    assert_eq!(taken, [("waits".to_owned(), 2), ("next".to_owned(), 2)]);
    // A client of this crate died with claims, one of them started at most once.
    let mut content = (*client.get_sync().await.unwrap()).clone();
    content.insert(
        "_sp".into(),
        json!({ "v": 1, "claims": { "extension": [
            { "by": "agent#gone", "n": 1, "t": 3, "once": "started" },
            { "by": "agent#gone", "n": 1, "t": 3, "a": {
                "action": "lockScreen", "executor": "extension", "message": "left", "_sp": { "id": "left" } } },
        ] } }),
    );
    drop(deliveries);
    client.close().await.unwrap();
    overwrite(&store, content.into()).await;
    node.tell("serve", json!({ "who": "second", "executor": "extension" })).await;
    let lost = node.event("second", |event| event["notice"]["kind"] == "StartedOnceAndLost").await;
    assert_eq!(lost["notice"]["ids"], json!(["started"]));
    let began = node.named("second", "began").await;
    assert_eq!((&began["id"], &began["attempt"]), (&json!("left"), &json!(2)));
    until_worked_off(&store).await;
}

/// C7, C8: the page gives another token when the service warns; while it has none that is told, and what is written then
/// waits for the next.
#[tokio::test]
async fn a_page_gives_the_helper_another_token() {
    let Some(mut node) = puppet() else { return };
    let limits = Limits::default().token_warning(Duration::from_millis(1_500));
    let server = Running::new(service(Memory::new()).limits(limits)).await;
    let uri = format!("ws://{}/v3/wsconnect", server.at);
    node.tell("give", json!({ "given": ["page/2500"] })).await;
    node.tell("connect", page(json!({ "uri": uri, "token": "page/2000" }))).await;
    node.tell("open", page(json!({ "name": "seat", "options": {} }))).await;
    // The first is replaced in silence, the second ends.
    let told = node.named("page", "notice").await;
    assert_eq!(told["notice"], json!({ "kind": "TokenAboutToExpire", "message": "there is no other token" }));
    node.event("page", |event| event["notice"]["kind"] == "TokenExpired").await;
    let waiting = node.ask("setSync", page(json!({ "data": { "seat": 7 } }))).await;
    node.tell("give", json!({ "given": ["page"] })).await;
    node.answer(waiting).await.unwrap();
    assert_eq!(node.tell("getSync", page(json!({}))).await["seat"], 7);
}
