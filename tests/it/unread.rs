//! Responses that nobody reads, or that cannot be posted (C50, C51, C55, C56).

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::client::Deliveries;
use sp_sync::document::Dropped;
use sp_sync::{Error, Notice, SyncClient, extension, onboarding};

use crate::support::*;

/// Asks, gives up before the answer comes, and lets it come.
async fn answered_too_late(page: &SyncClient, deliveries: &mut Deliveries) {
    let asked = page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(SOON);
    let (asked, held) = tokio::join!(asked, next(deliveries));
    assert!(matches!(asked, Err(Error::Timeout { .. })));
    held.respond(json!({ "displayCount": 1 })).await.unwrap();
}

fn unread(notice: &Notice) -> bool {
    matches!(notice, Notice::ResponseDropped { why: Dropped::Unread, .. })
}

/// C50, C51, C56: a client that asked and gave up removes answers that come late, after others had time to take them.
#[tokio::test(start_paused = true)]
async fn late_answers_do_not_fill_an_array_that_nobody_reads() {
    let store = Memory::new();
    let (page, extension) = (open(store.clone(), "page").await, open(store.clone(), "extension").await);
    let mut deliveries = extension.executor("extension").subscribe();
    let mut notices = page.events().notices();
    for _ in 0..100 {
        answered_too_late(&page, &mut deliveries).await;
    }
    assert!(document(&store).await.waiting("onboarding").len() < 20, "they go while more come");
    until_worked_off(&store).await;
    let Notice::ResponseDropped { action, executor, .. } = notice(&mut notices, unread).await else {
        panic!()
    };
    assert_eq!((action.as_str(), executor.as_str()), ("getDisplayCount", "onboarding"));
}

/// C51: a subscriber of the executor gets them first, as ordinary actions, after one lease.
#[tokio::test(start_paused = true)]
async fn a_late_answer_is_an_action_for_whoever_subscribes() {
    let store = Memory::new();
    let (page, extension) = (open(store.clone(), "page").await, open(store.clone(), "extension").await);
    let mut deliveries = extension.executor("extension").subscribe();
    let tab = open(store.clone(), "tab").await;
    let mut actions = tab.executor("onboarding").subscribe();
    answered_too_late(&page, &mut deliveries).await;
    let taken = next(&mut actions).await;
    assert_eq!(taken.action().name(), "getDisplayCount");
    taken.finish().await.unwrap();
    until_worked_off(&store).await;
}

/// C56: what a client that is gone for good has left behind goes with the next write of any other.
#[tokio::test(start_paused = true)]
async fn answers_to_a_client_that_is_gone_do_not_stay_for_ever() {
    let store = Memory::new();
    let link = Link::new(&store);
    let (page, extension) = (open(link.clone(), "page").await, open(store.clone(), "extension").await);
    let mut deliveries = extension.executor("extension").subscribe();
    for _ in 0..5 {
        let asked = page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(SOON);
        let (_, held) = tokio::join!(asked, next(&mut deliveries));
        link.cut();
        held.respond(json!({ "displayCount": 1 })).await.unwrap();
        link.mend();
    }
    link.cut();
    let mut notices = extension.events().notices();
    tokio::time::sleep(9 * LEASE).await;
    extension.set_sync(json!({ "step": 1 })).await.unwrap();
    let waiting = document(&store).await.waiting("onboarding").len();
    assert!(waiting > 0, "it may still come back");
    tokio::time::sleep(2 * LEASE).await;
    extension.set_sync(json!({ "step": 2 })).await.unwrap();
    assert!(is_worked_off(&*document(&store).await));
    assert!(unread(&notice(&mut notices, unread).await));
}

/// C47, C56: a handler hears that its response could not be posted; the action is done all the same.
#[tokio::test(start_paused = true)]
async fn a_handler_hears_of_a_response_that_was_not_posted() {
    for lost in [false, true] {
        let store = Memory::new();
        let link = Link::new(&store);
        let (page, extension) = (open(store.clone(), "page").await, open(link.clone(), "extension").await);
        let mut notices = extension.events().notices();
        for number in 0..64 {
            page.add_action(onboarding::ShowNotice::new(number.to_string())).await.unwrap();
        }
        page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
        let held = next(&mut extension.executor("extension").subscribe()).await;
        if lost {
            link.script([Fate::LoseAnswer]);
        }
        let error = held.respond(json!({ "displayCount": 1 })).await.unwrap_err();
        let Error::ResponseDropped { action, executor, why } = &error else { panic!("{error}") };
        assert_eq!(
            (action.as_str(), executor.as_str(), *why),
            ("getDisplayCount", "onboarding", Dropped::Full)
        );
        assert!(error.to_string().contains("the requester will time out"), "{error}");
        let stored: Value = stored(&store).await;
        assert_eq!((&stored["extensionActions"], stored["_sp"].get("claims")), (&json!([]), None));
        if !lost {
            let told = |notice: &Notice| matches!(notice, Notice::ResponseDropped { why: Dropped::Full, .. });
            assert!(told(&notice(&mut notices, told).await));
        }
    }
}
