//! Responses and receipts: who may answer, who is answered, who is told.

use super::*;

/// C28, C60: a receipt without identities does not claim to know.
#[tokio::test(start_paused = true)]
async fn a_receipt_without_identities_does_not_claim_to_know() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    overwrite(&store, json!({ "_sp": { "v": 2 } })).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let receipt = add(&page, &["1"]).await;
    let finished = receipt.finished(SOON).await;
    assert_eq!(counts(&*document(&store).await, "extension").0, 1, "it still waits");
    assert!(finished.is_err(), "told finished while it waits");
}

/// C39: clones of a responder share the right to answer.
#[tokio::test(start_paused = true)]
async fn clones_of_a_responder_share_the_right_to_answer() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let extension = open(store.clone(), "extension").await;
    let mut deliveries = extension.executor("extension").subscribe();
    page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let responder = next(&mut deliveries).await.detach().await.unwrap().unwrap();
    responder.clone().respond(json!({ "displayCount": 1 })).await.unwrap();
    let second = responder.respond(json!({ "displayCount": 2 })).await;
    let waiting = document(&store).await.waiting("onboarding").len();
    assert!(second.is_err() && waiting == 1, "{waiting} responses");
}

/// C39: a listener and a handler share the right to answer.
#[tokio::test(start_paused = true)]
async fn a_listener_and_a_handler_share_the_right_to_answer() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let extension = open(store.clone(), "extension").await;
    let mut log = extension.events().extension_actions_added().unwrap();
    let mut deliveries = extension.executor("extension").subscribe();
    page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let event = next(&mut log).await;
    let held = next(&mut deliveries).await;
    let responder = event.into_responder().unwrap();
    let one = responder.respond(json!({ "displayCount": 1 })).await;
    let two = held.respond(json!({ "displayCount": 2 })).await;
    let waiting = document(&store).await.waiting("onboarding").len();
    assert_eq!(waiting, 1, "responses: {one:?} {two:?}");
}

/// C51: a response to somebody without an identity is for anybody.
#[tokio::test(start_paused = true)]
async fn a_response_to_somebody_without_an_identity_is_for_anybody() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut deliveries = page.executor("onboarding").subscribe();
    let item = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1,
        "_sp": { "re": "q", "to": "gone#gone" } });
    edit(&store, |document| drop(document.insert("onboardingActions".into(), json!([item])))).await;
    let came = tokio::time::timeout(LEASE * 20, deliveries.next()).await;
    assert!(came.is_ok(), "nobody ever gets it: {}", stored(&store).await);
}

/// C51: a response that was read is not reported as unread.
#[tokio::test(start_paused = true)]
async fn a_response_that_was_read_is_not_reported_as_unread() {
    let store = Memory::new();
    let backend = Odd { wait: Duration::from_secs(1), ..Odd::over(&store) };
    let page = open(backend.clone(), "page").await;
    let extension = open(store.clone(), "extension").await;
    let mut notices = page.events().notices();
    let mut deliveries = extension.executor("extension").subscribe();
    let asking = tokio::spawn({
        let page = page.clone();
        async move { page.request(extension::GetDisplayCount {}).respond_to("onboarding").await }
    });
    let held = next(&mut deliveries).await;
    backend.on.store(true, Ordering::SeqCst);
    held.respond(json!({ "displayCount": 1 })).await.unwrap();
    assert!(asking.await.unwrap().is_ok());
    tokio::time::sleep(LEASE * 3).await;
    backend.on.store(false, Ordering::SeqCst);
    until_worked_off(&store).await;
    tokio::time::sleep(SOON).await;
    while let Ok(Some(Ok(notice))) = tokio::time::timeout(Duration::from_millis(1), notices.next()).await {
        let lies = matches!(notice, Notice::ResponseDropped { why: Dropped::Unread, .. });
        assert!(!lies, "it was read: {notice:?}");
    }
}

/// C58: many responses to others do not slow a client down.
#[tokio::test]
async fn many_responses_to_others_do_not_slow_a_client_down() {
    let store = Memory::with_document_bytes_max(1 << 20);
    let page = open(store.clone(), "page").await;
    let items: Vec<Value> = (0..14_000)
        .map(|n| json!({ "action": "a", "_sp": { "id": format!("xxxxxxxxxxxxxxxxxxxx{n}"), "to": "y" } }))
        .collect();
    edit(&store, |document| drop(document.insert("onboardingActions".into(), json!(items)))).await;
    let began = tokio::time::Instant::now();
    page.set_sync(json!({ "a": 1 })).await.unwrap();
    page.set_sync(json!({ "a": 2 })).await.unwrap();
    let took = began.elapsed();
    // It was 21 seconds.
    assert!(took < Duration::from_secs(7), "two writes took {took:?}");
}

/// C51: two equal answers reach two requesters whatever happens to the answer.
#[tokio::test(start_paused = true)]
async fn two_equal_answers_reach_two_requesters_whatever_happens_to_the_answer() {
    let store = Memory::new();
    let link = Link::new(&store);
    let page = open(link.clone(), "page").await;
    let ask = |page: SyncClient| {
        tokio::spawn(async move {
            page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(LEASE).await
        })
    };
    let (one, two) = (ask(page.clone()), ask(page.clone()));
    until_stored(&store, |document| counts(document, "extension").0 == 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    link.script([Fate::LoseAnswer]);
    let answer = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1 });
    edit(&store, |document| {
        document.insert("extensionActions".into(), json!([]));
        document.insert("onboardingActions".into(), json!([answer, answer]));
    })
    .await;
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
}

async fn full_requester(store: &Memory, extension: &SyncClient) -> sp_sync::Delivery {
    let page = open(store.clone(), "filler").await;
    for number in 0..64 {
        page.add_action(sp_sync::onboarding::ShowNotice::new(number.to_string())).await.unwrap();
    }
    page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let held = next(&mut extension.executor("extension").subscribe()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    held
}

/// C39: a response that was posted in the end is told as posted.
#[tokio::test(start_paused = true)]
async fn a_response_that_was_posted_in_the_end_is_told_as_posted() {
    let store = Memory::new();
    let link = Link::new(&store);
    let extension = open(link.clone(), "extension").await;
    let held = full_requester(&store, &extension).await;
    link.script([Fate::LoseRequest, Fate::Slow(Duration::from_secs(1)), Fate::LoseAnswer]);
    let responding = tokio::spawn(held.respond(json!({ "displayCount": 1 })));
    tokio::time::sleep(Duration::from_millis(500)).await;
    edit(&store, |document| drop(document.insert("onboardingActions".into(), json!([])))).await;
    let told = responding.await.unwrap();
    let posted = document(&store).await.waiting("onboarding").len();
    assert!((posted == 1) == told.is_ok(), "{posted} posted, told {told:?}");
}

/// C39: a response that was left out is told though the watch was quicker.
#[tokio::test(start_paused = true)]
async fn a_response_that_was_left_out_is_told_though_the_watch_was_quicker() {
    let store = Memory::new();
    let extension = open(Odd::answering_late(&store), "extension").await;
    let held = full_requester(&store, &extension).await;
    let told = held.respond(json!({ "displayCount": 1 })).await;
    let posted = document(&store).await.waiting("onboarding").len() == 65;
    assert_eq!(posted, told.is_ok(), "told {told:?}");
}
