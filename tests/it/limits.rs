//! Bounds: length, waiting actions, rate (C55–C58).

use std::time::Duration;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::{Batch, Error, Notice, Settings, extension};
use tokio::time::Instant;

use crate::support::*;

/// C55: a write that would make the document too long fails, names size and limit, writes nothing and trims nothing.
#[tokio::test(start_paused = true)]
async fn a_document_never_grows_beyond_the_backends_limit() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    add(&client, &["1"]).await;
    let before = stored(&store).await;
    let result = client.set_sync(json!({ "notes": "x".repeat(16_384) })).await;
    let Err(Error::TooLarge { size_bytes, limit_bytes }) = result else { panic!("{result:?}") };
    assert!(size_bytes > 16_384 && limit_bytes <= 16_384, "{size_bytes} of {limit_bytes}");
    let result = client.add_action(note("y".repeat(500))).await;
    assert!(result.is_ok());
    let long = (0..40).fold(Batch::new(), |batch, _| batch.then(note("z".repeat(500))));
    assert!(matches!(client.add_actions(long).await, Err(Error::TooLarge { .. })));
    let after = stored(&store).await;
    assert_eq!(after["extensionActions"][0], before["extensionActions"][0]);
    assert_eq!(after["extensionActions"].as_array().unwrap().len(), 2);
    assert_eq!(after.get("notes"), None);
}

/// C55: a document that this crate's writers have filled to the brim can still be worked off, by a client with the
/// longest of identities.
#[tokio::test(start_paused = true)]
async fn a_full_document_can_be_worked_off() {
    let store = Memory::new();
    let writer = open(store.clone(), &"w".repeat(256)).await;
    let mut added = 0;
    while writer.add_action(note(format!("{added} {}", "x".repeat(300)))).await.is_ok() {
        added += 1;
    }
    assert!(added > 20);
    let mut length = 4_096;
    while length > 0 {
        if writer.set_sync(json!({ "notes": "x".repeat(length) })).await.is_err() {
            length /= 2;
        } else {
            break;
        }
    }
    let reader = open(store.clone(), &"r".repeat(256)).await;
    let mut deliveries = reader.executor("extension").subscribe();
    for number in 0..added {
        let delivery = next(&mut deliveries).await;
        assert!(text(delivery.action()).starts_with(&format!("{number} ")));
        delivery.finish().await.unwrap();
    }
    until_worked_off(&store).await;
}

/// C55, C60: an original writer knows no reserve. A document that it fills to the last byte has no room for a claim:
/// its actions wait, and are taken as soon as there is room.
#[tokio::test(start_paused = true)]
async fn actions_in_a_document_filled_to_the_last_byte_wait_for_room() {
    let store = Memory::new();
    let link = Link::new(&store);
    let reader = open(link.clone(), "page").await;
    let actions = json!([{ "action": "lockScreen", "executor": "extension", "message": "1" },
                         { "action": "lockScreen", "executor": "extension", "message": "2" }]);
    let length = serde_json::to_string(&json!({ "extensionActions": actions, "notes": "" })).unwrap().len();
    let notes = "x".repeat(16_384 - length);
    overwrite(&store, json!({ "extensionActions": actions, "notes": notes })).await;
    assert_eq!(document(&store).await.size_bytes(), 16_384);
    let mut deliveries = reader.executor("extension").subscribe();
    let before = link.writes();
    none_within(&mut deliveries, AGES).await;
    assert!(link.writes() - before < 200, "{} writes in an hour", link.writes() - before);
    edit(&store, |document| drop(document.insert("notes".into(), json!("")))).await;
    assert_eq!(texts(&carry_out(&mut deliveries, 2).await), ["1", "2"]);
}

/// C55: a response that does not fit is dropped and reported; the action is done.
#[tokio::test(start_paused = true)]
async fn a_response_that_does_not_fit_is_dropped_and_reported() {
    let store = Memory::with_document_bytes_max(2_048);
    let client = open(store.clone(), "page").await;
    let mut notices = client.events().notices();
    client.add_action_named("getMediaDevices", json!({ "respondTo": "onboarding" })).await.unwrap();
    let mut deliveries = client.executor("extension").subscribe();
    let labels: Vec<String> = (0..16).map(|_| "x".repeat(60)).collect();
    let response = extension::GetMediaDevicesResponse::new(labels.clone(), labels.clone(), labels);
    let error = next(&mut deliveries).await.respond(response).await.unwrap_err();
    assert!(matches!(error, Error::ResponseDropped { .. }), "{error}");
    notice(&mut notices, |notice| matches!(notice, Notice::ResponseDropped { .. })).await;
    assert!(is_worked_off(&*document(&store).await));
}

/// C56: at most 64 actions wait per executor; more fail, and a batch fails whole. Another executor's are not counted.
#[tokio::test(start_paused = true)]
async fn at_most_64_actions_wait_for_an_executor() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let batch = (0..60).fold(Batch::new(), |batch, number| batch.then(note(number)));
    client.add_actions(batch.clone()).await.unwrap();
    assert!(matches!(client.add_actions(batch).await, Err(Error::Full { .. })));
    add(&client, &["60", "61", "62", "63"]).await;
    let result = client.add_action(note("64")).await;
    let Err(Error::Full { executor, waiting, limit }) = result else { panic!("{result:?}") };
    assert_eq!((executor.as_str(), waiting, limit), ("extension", 64, 64));
    client.add_action(sp_sync::onboarding::ShowNotice::new("a")).await.unwrap();

    let mut deliveries = client.executor("extension").subscribe();
    let done = carry_out(&mut deliveries, 64).await;
    assert_eq!(done[63].0, "63");
    assert!(client.add_action(note("64")).await.is_ok());
}

/// C57: writes keep within the rate the backend states, however many are asked for.
#[tokio::test(start_paused = true)]
async fn writes_keep_within_the_backends_rate() {
    let store = roomy_store();
    let link = Link::limited(&store, Some(20.0));
    let client = builder(link.clone(), "page").settings(roomy()).connect().await.unwrap();
    let mut deliveries = client.executor("extension").subscribe();
    let started = Instant::now();
    let before = link.writes();
    for number in 0..100 {
        client.add_action(note(number)).await.unwrap();
        next(&mut deliveries).await.finish().await.unwrap();
    }
    let (writes, seconds) = (link.writes() - before, started.elapsed().as_secs_f64());
    assert!(writes as f64 <= 20.0 * seconds + 1.0, "{writes} writes in {seconds} s");
    assert!(writes as f64 >= 19.0 * seconds, "{writes} writes in {seconds} s: slower than need be");
}

/// C57: a refusal for rate is waited out and not reported.
#[tokio::test(start_paused = true)]
async fn a_refusal_for_rate_is_waited_out() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = open(link.clone(), "page").await;
    let mut notices = client.events().notices();
    link.script([RATE_LIMITED; 5]);
    client.set_sync(json!({ "step": 1 })).await.unwrap();
    none_within(&mut notices, SOON).await;
}

/// C57: unless the caller's deadline passes.
#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_for_too_long_is_reported() {
    let store = Memory::new();
    let link = Link::new(&store);
    let settings = Settings { write_within: Duration::from_secs(2), ..Settings::default() };
    let client = builder(link.clone(), "page").settings(settings).connect().await.unwrap();
    link.script([RATE_LIMITED; 1_000]);
    let started = Instant::now();
    let result = client.set_sync(json!({ "step": 1 })).await;
    assert!(matches!(result, Err(Error::Backend { .. })), "{result:?}");
    assert!(started.elapsed() >= Duration::from_secs(2) && started.elapsed() < Duration::from_secs(3));
}

/// C58: a listener that never reads costs a bounded number of notices and of actions in memory.
#[tokio::test(start_paused = true)]
async fn a_subscriber_that_never_reads_is_told_how_much_it_lost() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let mut deliveries = client.executor("extension").subscribe();
    for number in 0..300 {
        add(&client, &[&number.to_string()]).await;
        let failure = sp_sync::Failure::new("never", "no");
        next(&mut deliveries).await.reject(failure).await.unwrap();
    }
    let lost = next(&mut notices).await.expect_err("some were lost");
    assert_eq!(lost, 300 - 256);
    assert!(next(&mut notices).await.is_ok());
}

/// C58: however many calls come while the backend is away, a bounded number of them is kept in memory; the others wait
/// for a place, and all are carried out in the end.
#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_place_while_the_backend_is_away() {
    let store = roomy_store();
    let link = Link::new(&store);
    let settings = Settings { write_within: AGES, ..Settings::default() };
    let client = builder(link.clone(), "page").settings(settings).connect().await.unwrap();
    link.cut();
    let calls: Vec<_> = (0..10_000)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.set_sync(json!({ "last": number })).await })
        })
        .collect();
    tokio::time::sleep(SOON).await;
    let waiting = client.operations_waiting();
    assert_eq!(waiting, sp_sync::limits::OPERATIONS_WAITING_MAX);
    link.mend();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(client.operations_waiting(), 0);
}

/// C58: the same for requests that wait for their response.
#[tokio::test(start_paused = true)]
async fn requests_wait_for_a_place() {
    let store = roomy_store();
    let settings = Settings { waiting_max: 10_000, ..Settings::default() };
    let page = builder(store.clone(), "page").settings(settings).connect().await.unwrap();
    let asked: Vec<_> = (0..1_100)
        .map(|_| {
            let page = page.clone();
            let ask = sp_sync::extension::GetDisplayCount {};
            tokio::spawn(async move { page.request(ask).respond_to("onboarding").within(LEASE).await })
        })
        .collect();
    tokio::time::sleep(SOON).await;
    assert_eq!(document(&store).await.waiting("extension").len(), sp_sync::limits::REQUESTS_WAITING_MAX);
    for asked in asked {
        assert!(matches!(asked.await.unwrap(), Err(Error::Timeout { .. })));
    }
    assert!(is_worked_off(&*document(&store).await));
}
