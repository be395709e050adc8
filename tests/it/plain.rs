//! Plain mode: no bookkeeping at all, and what that gives up (C46).

use std::future::IntoFuture as _;
use std::time::Duration;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::{Batch, Error, Failure, Notice, Settings, SyncClient};

use crate::support::*;

async fn plain(backend: impl sp_sync::backend::Backend, who: &str) -> SyncClient {
    builder(backend, who).plain().connect().await.unwrap()
}

/// C46: no `_sp` is ever written, whatever a client does.
#[tokio::test(start_paused = true)]
async fn no_bookkeeping_is_ever_written() {
    let store = Memory::new();
    let client = plain(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    client.set_sync(json!({ "step": 1 })).await.unwrap();
    let receipt = add(&client, &["1", "2", "3", "4"]).await;
    assert_eq!((receipt.ids(), receipt.id()), (&[][..], None));
    assert!(matches!(receipt.taken(SOON).await, Err(Error::Invalid { .. })));
    client.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let is_plain = async || assert!(!document(&store).await.to_json().contains("_sp"));

    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["1"]);
    is_plain().await;
    next(&mut deliveries).await.fail(Failure::new("busy", "not now")).await.unwrap();
    is_plain().await;
    drop(next(&mut deliveries).await);
    is_plain().await;
    assert_eq!(texts(&carry_out(&mut deliveries, 3).await), ["2", "3", "4"]);
    next(&mut deliveries).await.respond(json!({ "displayCount": 1 })).await.unwrap();
    client.close().await.unwrap();
    let response = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1 });
    let expected = json!({ "step": 1, "extensionActions": [], "onboardingActions": [response] });
    assert_eq!(stored(&store).await, expected);
}

/// C46: taking means removing: a crash after it loses the action.
#[tokio::test(start_paused = true)]
async fn taking_means_removing() {
    let store = Memory::new();
    let link = Link::new(&store);
    let dying = plain(link.clone(), "dying").await;
    let heir = plain(store.clone(), "heir").await;
    let mut deliveries = dying.executor("extension").subscribe();
    add(&heir, &["1"]).await;
    let _held = next(&mut deliveries).await;
    assert_eq!(stored(&store).await, json!({ "extensionActions": [] }));
    link.cut();
    let mut inherited = heir.executor("extension").subscribe();
    none_within(&mut inherited, 10 * LEASE).await;
}

/// C46: when the answer to a removal is lost, it is unknown who has the action, and it is not run.
#[tokio::test(start_paused = true)]
async fn an_action_whose_removal_is_in_doubt_is_not_run() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = plain(link.clone(), "page").await;
    add(&client, &["1"]).await;
    link.script([Fate::LoseAnswer]);
    let mut deliveries = client.executor("extension").subscribe();
    none_within(&mut deliveries, SOON).await;
    add(&client, &["2"]).await;
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["2"]);
}

/// C42, C46: a failing action is given up after its attempts here too.
#[tokio::test(start_paused = true)]
async fn a_failing_action_is_tried_five_times_and_no_more() {
    let store = Memory::new();
    let client = plain(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2"]).await;
    let mut ids = Vec::new();
    for attempt in 1..=5 {
        let delivery = next(&mut deliveries).await;
        assert_eq!((text(delivery.action()), delivery.attempt()), ("1".into(), attempt));
        ids.push(delivery.id().clone());
        delivery.fail(Failure::new("busy", "not now")).await.unwrap();
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "it is one action");
    let failed = notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    assert!(matches!(failed, Notice::ActionFailed { attempts: 5, .. }));
    assert_eq!(carry_out(&mut deliveries, 1).await, [("2".into(), 1)]);
}

/// C44, C46: what was taken and not started is put back to the front when the last subscriber goes.
#[tokio::test(start_paused = true)]
async fn what_was_not_started_is_put_back_when_the_last_subscriber_goes() {
    let store = Memory::new();
    let client = plain(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2", "3"]).await;
    let held = next(&mut deliveries).await;
    add(&client, &["4"]).await;
    drop(deliveries);
    held.finish().await.unwrap();
    until_stored(&store, |document| counts(document, "extension") == (3, 0)).await;
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 3).await), ["2", "3", "4"]);
}

/// C44, C46: and when the client closes, whether an action is in hand, waits for its next attempt, or neither.
#[tokio::test(start_paused = true)]
async fn what_was_not_started_is_put_back_when_the_client_closes() {
    for how in ["held", "failed", "unread"] {
        let store = Memory::new();
        let client = plain(store.clone(), "page").await;
        let mut deliveries = client.executor("extension").subscribe();
        add(&client, &["1", "2"]).await;
        until_stored(&store, |document| counts(document, "extension") == (0, 0)).await;
        let mut held = None;
        match how {
            "held" => held = Some(next(&mut deliveries).await),
            "failed" => next(&mut deliveries).await.fail(Failure::new("busy", "not now")).await.unwrap(),
            _ => {}
        }
        client.close().await.unwrap();
        drop(held);
        assert_eq!(counts(&*document(&store).await, "extension"), (2, 0), "{how}");
    }
}

/// C46: with several readers each action goes to one of them, in order within each.
#[tokio::test(start_paused = true)]
async fn several_readers_share_the_actions() {
    let store = Memory::new();
    let (sender, mut ran) = tokio::sync::mpsc::channel(1_000);
    for number in 0..3 {
        let client = plain(store.clone(), &format!("reader{number}")).await;
        let mut deliveries = client.executor("extension").subscribe();
        let sender = sender.clone();
        tokio::spawn(async move {
            loop {
                let (done, _) = carry_out(&mut deliveries, 1).await.remove(0);
                sender.send((number, done.parse::<u32>().unwrap())).await.unwrap();
            }
        });
    }
    let writer = plain(store.clone(), "writer").await;
    for start in (0..200).step_by(10) {
        let batch = (start..start + 10).fold(Batch::new(), |batch, number| batch.then(note(number)));
        add_patiently(&writer, batch).await;
    }
    let mut all = Vec::new();
    let mut last = [None; 3];
    for _ in 0..200 {
        let (reader, number) = tokio::time::timeout(SOON, ran.recv()).await.unwrap().unwrap();
        assert!(last[reader] < Some(number), "order within one reader");
        last[reader] = Some(number);
        all.push(number);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..200));
}

/// C46: a plain reader takes also where another client's claims lie; it knows nothing of them.
#[tokio::test(start_paused = true)]
async fn a_plain_reader_does_not_wait_for_claims() {
    let store = Memory::new();
    let other = open(store.clone(), "other").await;
    let mut held = other.executor("extension").subscribe();
    add(&other, &["1"]).await;
    let in_hand = next(&mut held).await;
    let reader = builder(store.clone(), "page").plain().instance("kept").connect().await.unwrap();
    let mut deliveries = reader.executor("extension").subscribe();
    add(&other, &["2"]).await;
    let done = tokio::time::timeout(SOON, carry_out(&mut deliveries, 1)).await.unwrap();
    assert_eq!(texts(&done), ["2"]);
    in_hand.finish().await.unwrap();
}

/// C44, C46: nor is anything lost when the backend is away just then, or the answer to putting back is lost.
#[tokio::test(start_paused = true)]
async fn what_was_not_started_is_put_back_whatever_happens_to_the_write() {
    for fault in [Fate::Unavailable, RATE_LIMITED, Fate::Conflict, Fate::LoseAnswer, Fate::LoseRequest] {
        let store = Memory::new();
        let link = Link::new(&store);
        let settings = Settings { write_within: Duration::from_millis(1), ..Settings::default() };
        let client = builder(link.clone(), "page").plain().settings(settings).connect().await.unwrap();
        let mut deliveries = client.executor("extension").subscribe();
        add(&client, &["1", "2", "3"]).await;
        let held = next(&mut deliveries).await;
        link.script([fault; 3]);
        drop((held, deliveries));
        until_stored(&store, |document| counts(document, "extension") == (3, 0)).await;
        tokio::time::sleep(AGES).await;
        link.script([]);
        let mut deliveries = client.executor("extension").subscribe();
        assert_eq!(texts(&carry_out(&mut deliveries, 3).await), ["1", "2", "3"], "{fault:?}");
        none_within(&mut deliveries, SOON).await;
    }
}

/// C46, C47: a response is answered for when it is written, here too.
#[tokio::test(start_paused = true)]
async fn a_handler_hears_what_became_of_its_response() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = plain(link.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    let ask = async || {
        client.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    };
    ask().await;
    let held = next(&mut deliveries).await;
    link.script([Fate::LoseAnswer]);
    let result = held.respond(json!({ "displayCount": 1 })).await;
    assert!(matches!(result, Err(Error::MaybeApplied { .. })), "{result:?}");
    ask().await;
    next(&mut deliveries).await.respond(json!({ "displayCount": 1 })).await.unwrap();
    assert_eq!(document(&store).await.waiting("onboarding").len(), 2);
    for number in 0..62 {
        client.add_action(sp_sync::onboarding::ShowNotice::new(number.to_string())).await.unwrap();
    }
    let mut notices = client.events().notices();
    ask().await;
    let result = next(&mut deliveries).await.respond(json!({ "displayCount": 1 })).await;
    assert!(matches!(result, Err(Error::Full { .. })), "{result:?}");
    notice(&mut notices, |notice| matches!(notice, Notice::ResponseDropped { .. })).await;
}

/// C50, C46: a request that nobody took is withdrawn here too: one that reads the same is as good.
#[tokio::test(start_paused = true)]
async fn a_request_that_times_out_is_withdrawn() {
    let store = Memory::new();
    let page = plain(store.clone(), "page").await;
    add(&page, &["1"]).await;
    let asked = page.request(sp_sync::extension::GetDisplayCount {}).respond_to("onboarding");
    assert!(matches!(asked.await, Err(Error::Timeout { .. })));
    assert_eq!(counts(&*document(&store).await, "extension"), (1, 0));
}

/// C50, C46: requests work without bookkeeping: matched by name.
#[tokio::test(start_paused = true)]
async fn requests_are_matched_by_name() {
    let store = Memory::new();
    let (page, extension) = (plain(store.clone(), "page").await, plain(store.clone(), "extension").await);
    let mut deliveries = extension.executor("extension").subscribe();
    let answering = tokio::spawn(async move {
        for count in [1, 2] {
            next(&mut deliveries).await.respond(json!({ "displayCount": count })).await.unwrap();
        }
    });
    let ask = || page.request(sp_sync::extension::GetDisplayCount {}).respond_to("onboarding").into_future();
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!((first.unwrap().display_count, second.unwrap().display_count), (1, 2));
    answering.await.unwrap();
    until_worked_off(&store).await;
    assert!(!document(&store).await.to_json().contains("_sp"));
}

/// C46, C40: attempts wait the same growing delays.
#[tokio::test(start_paused = true)]
async fn delays_between_attempts_are_settings() {
    let settings =
        Settings { retry_delay_min: Duration::from_secs(2), attempts_max: 3, ..Settings::default() };
    let client = builder(Memory::new(), "page").plain().settings(settings).connect().await.unwrap();
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1"]).await;
    let mut delays = Vec::new();
    for _ in 0..3 {
        let before = tokio::time::Instant::now();
        next(&mut deliveries).await.fail(Failure::new("busy", "not now")).await.unwrap();
        delays.push(before.elapsed().as_secs());
    }
    assert_eq!(delays, [0, 2, 4]);
    none_within(&mut deliveries, AGES).await;
}
