//! Requests and responses (C47–C54).

use std::future::IntoFuture as _;
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::client::Deliveries;
use sp_sync::{Action, Error, Failure, Handlers, Notice, SyncClient, extension};
use tokio::time::Instant;

use crate::support::*;

/// A page that asks and an extension that answers.
async fn pair(store: &Memory) -> (SyncClient, SyncClient) {
    (open(store.clone(), "page").await, open(store.clone(), "extension").await)
}

async fn ask(page: &SyncClient) -> sp_sync::Result<i64> {
    let request = page.request(extension::GetDisplayCount {}).respond_to("onboarding");
    request.await.map(|response| response.display_count)
}

/// An original-style page's request: no `_sp`.
fn original_request(respond_to: &str) -> Value {
    json!({ "action": "getDisplayCount", "executor": "extension", "respondTo": respond_to })
}

async fn put(store: &Memory, executor: &str, action: Value) {
    edit(store, |document| {
        let array = document.entry(format!("{executor}Actions")).or_insert_with(|| json!([]));
        array.as_array_mut().unwrap().push(action.clone());
    })
    .await;
}

async fn answer(deliveries: &mut Deliveries, count: i64) {
    next(deliveries).await.respond(json!({ "displayCount": count })).await.unwrap();
}

/// C47, C49: a request that names `respondTo` gets its response at the end of that executor's array, flat, with the
/// request's name and the requester's executor.
#[tokio::test(start_paused = true)]
async fn a_response_is_posted_at_the_end_of_the_requesters_array() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    put(&store, "onboarding", json!({ "action": "beginExam", "executor": "onboarding" })).await;
    put(&store, "extension", original_request("onboarding")).await;
    let mut deliveries = extension.executor("extension").subscribe();
    answer(&mut deliveries, 0).await;
    let expected = json!({
        "onboardingActions": [
            { "action": "beginExam", "executor": "onboarding" },
            { "action": "getDisplayCount", "executor": "onboarding", "displayCount": 0 },
        ],
        "extensionActions": [],
    });
    assert_eq!(page.get_sync().await.unwrap().to_value(), expected);
}

/// C39, C47: the response and the end of the request are one write.
#[tokio::test(start_paused = true)]
async fn a_response_and_the_end_of_its_request_share_a_write() {
    let store = Memory::new();
    let link = Link::new(&store);
    let extension = open(link.clone(), "extension").await;
    put(&store, "extension", original_request("onboarding")).await;
    let mut deliveries = extension.executor("extension").subscribe();
    let delivery = next(&mut deliveries).await;
    let before = link.writes();
    delivery.respond(json!({ "displayCount": 2 })).await.unwrap();
    assert_eq!(link.writes() - before, 1);
    let document = document(&store).await;
    assert_eq!((counts(&document, "extension"), counts(&document, "onboarding")), ((0, 0), (1, 0)));
}

/// C48: without `respondTo` nothing is posted.
#[tokio::test(start_paused = true)]
async fn without_respond_to_nothing_is_posted() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    page.add_action(extension::GetDisplayCount {}).await.unwrap();
    let mut deliveries = extension.executor("extension").subscribe();
    answer(&mut deliveries, 3).await;
    assert_eq!(page.get_sync().await.unwrap().to_value(), json!({ "extensionActions": [] }));
}

/// C49: an executor may ask another and be answered in its own array, even when both are the same.
#[tokio::test(start_paused = true)]
async fn respond_to_may_be_the_executor_itself() {
    let store = Memory::new();
    let (_page, extension) = pair(&store).await;
    put(&store, "extension", original_request("extension")).await;
    let mut deliveries = extension.executor("extension").subscribe();
    answer(&mut deliveries, 1).await;
    let response = next(&mut deliveries).await;
    let expected = json!({ "action": "getDisplayCount", "executor": "extension", "displayCount": 1 });
    assert_eq!(response.action().to_value(), expected);
    response.finish().await.unwrap();
    until_worked_off(&store).await;
}

/// C50: a typed request and one by name are answered, and leave nothing behind.
#[tokio::test(start_paused = true)]
async fn a_request_is_answered_and_leaves_nothing_behind() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let handlers = Handlers::new()
        .answer(async |_: extension::GetDisplayCount| Ok(extension::GetDisplayCountResponse::new(2)))
        .answer(async |_: extension::CheckNetwork| Ok(extension::CheckNetworkResponse::new(9, 8, 7)));
    tokio::spawn(async move { extension.executor("extension").serve(handlers).await });
    assert_eq!(ask(&page).await.unwrap(), 2);
    let request = page.request_named("checkNetwork", json!({ "seconds": 2 })).respond_to("onboarding");
    let response: Action = request.await.unwrap();
    let expected = json!({ "action": "checkNetwork", "executor": "onboarding",
                           "downloadKbps": 9, "uploadKbps": 8, "latencyMs": 7 });
    assert_eq!(response.to_value(), expected);
    until_worked_off(&store).await;
}

/// C50: what a request needs is checked before anything is written.
#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_or_an_address_is_refused() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let before = revision(&store).await.0;
    let unaddressed = page.request(extension::GetDisplayCount {}).await;
    assert!(matches!(unaddressed, Err(Error::Invalid { .. })));
    let mute = page.request_named("unlockScreen", Value::Null).respond_to("onboarding").await;
    assert!(matches!(mute, Err(Error::Invalid { .. })));
    let nowhere = page.request(extension::GetDisplayCount {}).respond_to("onbording").await;
    assert!(matches!(nowhere, Err(Error::UnknownExecutor { .. })));
    assert_eq!(revision(&store).await.0, before);
}

/// C50: nobody subscribed: a timeout after the type's reply time, and the array is empty again.
#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_takes_times_out_and_is_withdrawn() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let asked_at = Instant::now();
    let result = ask(&page).await;
    let reply_within = Duration::from_secs(10);
    assert!(matches!(result, Err(Error::Timeout { after, .. }) if after == reply_within), "{result:?}");
    assert_eq!(asked_at.elapsed(), reply_within);
    assert!(is_worked_off(&*document(&store).await));
}

/// C50: also when the backend was too slow to say that the request was added.
#[tokio::test(start_paused = true)]
async fn a_request_that_was_added_too_late_is_withdrawn() {
    let store = Memory::new();
    let link = Link::new(&store);
    let page = open(link.clone(), "page").await;
    link.script([Fate::Slow(Duration::from_secs(12))]);
    assert!(matches!(ask(&page).await, Err(Error::Timeout { .. })));
    until_worked_off(&store).await;
    assert!(link.writes() >= 2, "it was added and withdrawn");
}

/// C50: a request that was taken in time is not withdrawn; its late response is an ordinary action.
#[tokio::test(start_paused = true)]
async fn a_late_response_is_an_ordinary_action() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut deliveries = extension.executor("extension").subscribe();
    let asking = tokio::spawn({
        let page = page.clone();
        async move { ask(&page).await }
    });
    let delivery = next(&mut deliveries).await;
    assert!(matches!(asking.await.unwrap(), Err(Error::Timeout { .. })));
    delivery.respond(json!({ "displayCount": 1 })).await.unwrap();
    let mut responses = page.events().onboarding_actions_added().unwrap();
    let late = next(&mut responses).await;
    let expected = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1 });
    assert_eq!(late.action.to_value(), expected);
    until_worked_off(&store).await;
}

/// C50: `within` shortens the wait.
#[tokio::test(start_paused = true)]
async fn a_request_may_wait_less() {
    let page = open(Memory::new(), "page").await;
    let within = Duration::from_millis(300);
    let request = page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(within);
    assert!(matches!(request.await, Err(Error::Timeout { after, .. }) if after == within));
}

/// C51: a response goes to its waiter only, also when the client has listeners for that executor.
#[tokio::test(start_paused = true)]
async fn a_matched_response_goes_to_its_waiter_only() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut listener = page.events().onboarding_actions_added().unwrap();
    let mut deliveries = extension.executor("extension").subscribe();
    let (asked, ()) = tokio::join!(ask(&page), answer(&mut deliveries, 2));
    assert_eq!(asked.unwrap(), 2);
    none_within(&mut listener, 10 * LEASE).await;
    until_worked_off(&store).await;
}

/// C51: responses are matched by `re`, so the order in which they come does not matter.
#[tokio::test(start_paused = true)]
async fn responses_in_another_order_reach_their_requests() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut deliveries = extension.executor("extension").subscribe();
    let answering = async {
        let first = next(&mut deliveries).await.detach().await.unwrap().unwrap();
        let second = next(&mut deliveries).await.detach().await.unwrap().unwrap();
        second.respond(json!({ "displayCount": 2 })).await.unwrap();
        first.respond(json!({ "displayCount": 1 })).await.unwrap();
    };
    let (first, second, ()) = tokio::join!(ask(&page), ask(&page), answering);
    assert_eq!((first.unwrap(), second.unwrap()), (1, 2));
}

/// C51: a response of an original executor, without `_sp`, goes to the oldest request of its name.
#[tokio::test(start_paused = true)]
async fn unaddressed_responses_go_to_the_oldest_request_of_their_name() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let original = async {
        until_stored(&store, |document| counts(document, "extension").0 == 2).await;
        edit(&store, |document| drop(document.insert("extensionActions".into(), json!([])))).await;
        for count in [1, 2] {
            let response =
                json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": count });
            put(&store, "onboarding", response).await;
        }
    };
    let (first, second, ()) = tokio::join!(ask(&page), ask(&page), original);
    assert_eq!((first.unwrap(), second.unwrap()), (1, 2));
    until_worked_off(&store).await;
}

/// C51: the same when the requesting client also subscribes, and takes the response as an action first.
#[tokio::test(start_paused = true)]
async fn an_unaddressed_response_reaches_its_waiter_past_a_subscriber() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut listener = page.events().onboarding_actions_added().unwrap();
    let original = async {
        until_stored(&store, |document| counts(document, "extension").0 == 1).await;
        let response = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 4 });
        put(&store, "onboarding", response).await;
    };
    let (asked, ()) = tokio::join!(ask(&page), original);
    assert_eq!(asked.unwrap(), 4);
    none_within(&mut listener, SOON).await;
}

/// C51: an unmatched response is an ordinary action of its executor.
#[tokio::test(start_paused = true)]
async fn an_unmatched_response_is_an_ordinary_action() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut listener = page.events().onboarding_actions_added().unwrap();
    let response = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 4 });
    put(&store, "onboarding", response.clone()).await;
    assert_eq!(next(&mut listener).await.action.to_value(), response);
}

/// C51: a response is taken out of turn: a slow action before it does not hold it up, nor does it hold up others.
#[tokio::test(start_paused = true)]
async fn a_response_is_taken_out_of_turn() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut slow = page.executor("onboarding").subscribe();
    for text in ["1", "2"] {
        page.add_action(sp_sync::onboarding::ShowNotice::new(text)).await.unwrap();
    }
    let held = next(&mut slow).await;
    let mut deliveries = extension.executor("extension").subscribe();
    let (asked, ()) = tokio::join!(ask(&page), answer(&mut deliveries, 2));
    assert_eq!(asked.unwrap(), 2);
    held.finish().await.unwrap();
    assert_eq!(texts(&carry_out(&mut slow, 1).await), ["2"]);
}

/// C51: a response to another client holds up nothing behind it and is left to that client.
#[tokio::test(start_paused = true)]
async fn a_response_to_another_client_holds_up_nothing() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let link = Link::new(&store);
    let asker = open(link.clone(), "asker").await;
    let mut deliveries = extension.executor("extension").subscribe();
    let asking = tokio::spawn(async move { ask(&asker).await });
    let delivery = next(&mut deliveries).await;
    link.cut();
    delivery.respond(json!({ "displayCount": 2 })).await.unwrap();
    page.add_action(sp_sync::onboarding::ShowNotice::new("behind")).await.unwrap();
    let mut listener = page.events().onboarding_actions_added().unwrap();
    let event = tokio::time::timeout(SOON, next(&mut listener)).await.unwrap();
    assert_eq!(text(&event.action), "behind");
    assert_eq!(counts(&*document(&store).await, "onboarding").0, 1);
    link.mend();
    assert!(asking.await.unwrap().is_ok());
    none_within(&mut listener, 10 * LEASE).await;
}

/// C51: when nobody takes it for a lease, any subscriber of that executor may.
#[tokio::test(start_paused = true)]
async fn a_response_to_a_dead_requester_is_taken_by_another_after_a_lease() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let link = Link::new(&store);
    let asker = open(link.clone(), "asker").await;
    let mut deliveries = extension.executor("extension").subscribe();
    let asking = tokio::spawn(async move { ask(&asker).await });
    let delivery = next(&mut deliveries).await;
    link.cut();
    asking.abort();
    let mut listener = page.events().onboarding_actions_added().unwrap();
    delivery.respond(json!({ "displayCount": 2 })).await.unwrap();
    let answered_at = Instant::now();
    let response = next(&mut listener).await;
    let waited = answered_at.elapsed();
    assert!(waited >= LEASE && waited <= LEASE + SOON, "{waited:?}");
    assert_eq!(response.action.get("displayCount"), Some(&json!(2)));
    until_worked_off(&store).await;
}

/// C50, C51: a requester that closes as soon as it has its response leaves none behind.
#[tokio::test(start_paused = true)]
async fn a_requester_that_closes_at_once_leaves_no_response_behind() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut deliveries = extension.executor("extension").subscribe();
    let (asked, ()) = tokio::join!(ask(&page), answer(&mut deliveries, 2));
    assert_eq!(asked.unwrap(), 2);
    page.close().await.unwrap();
    assert!(is_worked_off(&*document(&store).await), "{}", stored(&store).await);
}

/// C52: a failure is answered to a requester that knows bookkeeping.
#[tokio::test(start_paused = true)]
async fn a_failure_is_answered_to_a_requester_that_can_read_it() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut deliveries = extension.executor("extension").subscribe();
    let failing = async {
        next(&mut deliveries).await.reject(Failure::new("denied", "the student said no")).await.unwrap();
    };
    let (asked, ()) = tokio::join!(ask(&page), failing);
    let Err(Error::Failed { action, code, message }) = asked else { panic!("{asked:?}") };
    let expected = ("getDisplayCount", "denied", "the student said no");
    assert_eq!((action.as_str(), code.as_str(), message.as_str()), expected);
    until_worked_off(&store).await;
}

/// C52: a failure response carries no response fields; a requester without `_sp.from` gets none at all.
#[tokio::test(start_paused = true)]
async fn a_failure_is_not_answered_to_a_requester_that_cannot_read_it() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut notices = extension.events().notices();
    let mut deliveries = extension.executor("extension").subscribe();
    put(&store, "extension", original_request("onboarding")).await;
    next(&mut deliveries).await.reject(Failure::new("denied", "no")).await.unwrap();
    notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    assert!(is_worked_off(&*document(&store).await));

    // Added, not requested: nobody waits.
    page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    next(&mut deliveries).await.reject(Failure::new("denied", "no")).await.unwrap();
    assert!(is_worked_off(&*document(&store).await));

    let asking = tokio::spawn(async move { ask(&page).await });
    let delivery = next(&mut deliveries).await;
    asking.abort();
    delivery.reject(Failure::new("denied", "no")).await.unwrap();
    let mut response = stored(&store).await["onboardingActions"][0].clone();
    let sp = response.as_object_mut().unwrap().remove("_sp").unwrap();
    assert_eq!(sp["error"], json!({ "code": "denied", "message": "no" }));
    assert_eq!(response, json!({ "action": "getDisplayCount", "executor": "onboarding" }));
}

/// C53: a response that does not fit the catalogue is the handler's failure; nothing of it is posted, and the handler,
/// which has done its work, is not asked to do it again.
#[tokio::test(start_paused = true)]
async fn an_unfit_response_is_the_handlers_failure() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut deliveries = extension.executor("extension").subscribe();
    for (response, refused) in [
        (json!({}), "mandatory field `response.displayCount` is missing"),
        (json!({ "displayCount": -1 }), "field `response.displayCount` must be at least"),
        (json!({ "displayCount": "two" }), "field `response.displayCount` must be an integer, not a string"),
        (json!(7), "response must be a JSON object, not a number"),
        (json!({ "displayCount": 1, "colour": "red" }), "there is no field `response.colour`"),
    ] {
        let answering = async {
            let delivery = next(&mut deliveries).await;
            assert_eq!(delivery.attempt(), 1);
            delivery.respond(response).await.unwrap_err()
        };
        let (asked, unfit) = tokio::join!(ask(&page), answering);
        assert!(unfit.to_string().contains(refused), "{unfit}");
        let Err(Error::Failed { code, message, .. }) = asked else { panic!("{asked:?}") };
        assert!(code == "response" && message.contains(refused), "{code}: {message}");
    }
}

/// C54: a received `respondTo` that is no executor: the handler runs, the response is dropped and reported, and no
/// array is made for it.
#[tokio::test(start_paused = true)]
async fn a_response_to_an_unknown_executor_is_dropped_and_reported() {
    let store = Memory::new();
    let extension = open(store.clone(), "extension").await;
    let mut notices = extension.events().notices();
    let mut deliveries = extension.executor("extension").subscribe();
    put(&store, "extension", original_request("onbording")).await;
    answer(&mut deliveries, 1).await;
    let dropped = notice(&mut notices, |notice| matches!(notice, Notice::UnknownRespondTo { .. })).await;
    assert!(matches!(dropped, Notice::UnknownRespondTo { respond_to, .. } if respond_to == "onbording"));
    assert_eq!(extension.get_sync().await.unwrap().to_value(), json!({ "extensionActions": [] }));
}

/// C54: nor does a listener get the right to answer there; it gets one where the executor exists.
#[tokio::test(start_paused = true)]
async fn a_listener_may_answer_what_asks_for_an_answer() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let mut listener = extension.events().extension_actions_added().unwrap();
    put(&store, "extension", original_request("onbording")).await;
    assert!(next(&mut listener).await.into_responder().is_none());
    page.add_action(extension::GetDisplayCount {}).await.unwrap();
    assert!(next(&mut listener).await.into_responder().is_none());
    let answering = async {
        let responder = next(&mut listener).await.into_responder().expect("it asks");
        let unfit = responder.clone().respond(json!({})).await;
        assert!(matches!(unfit, Err(Error::MissingField { .. })));
        responder.respond(json!({ "displayCount": 5 })).await.unwrap();
    };
    let (asked, ()) = tokio::join!(ask(&page), answering);
    assert_eq!(asked.unwrap(), 5);
    until_worked_off(&store).await;
}

/// C39: under lost answers, slow and late writes and conflicts there is at most one response per request, and with
/// nobody killed exactly one.
#[tokio::test(start_paused = true)]
async fn there_is_at_most_one_response_per_request_under_any_fault() {
    for seed in 0..12 {
        let store = Memory::new();
        let link = Link::faulty(&store, seed, 300);
        let extension = open(link.clone(), "extension").await;
        let handlers = Handlers::new()
            .answer(async |_: extension::GetDisplayCount| Ok(extension::GetDisplayCountResponse::new(2)));
        tokio::spawn(async move { extension.executor("extension").serve(handlers).await });
        let page = open(store.clone(), "page").await;
        for round in 0..20 {
            let request = page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(AGES);
            let answered = request.into_future().await.unwrap();
            assert_eq!(answered.display_count, 2, "seed {seed} round {round}");
        }
        until_worked_off(&store).await;
        // A second response to any request would be an unmatched one, and be here.
        let mut listener = page.events().onboarding_actions_added().unwrap();
        none_within(&mut listener, 10 * LEASE).await;
    }
}

/// C39: also when the responder is killed and another carries the request out again.
#[tokio::test(start_paused = true)]
async fn there_is_at_most_one_response_when_the_responder_is_killed() {
    for step in 0..4 {
        for fault in [Fate::CutBefore, Fate::CutAfter] {
            let store = Memory::new();
            let link = Link::new(&store);
            let (page, heir) = pair(&store).await;
            let dying = open(link.clone(), "dying").await;
            link.script(std::iter::repeat_n(Fate::Pass, step).chain([fault]));
            for client in [dying, heir] {
                let mut deliveries = client.executor("extension").subscribe();
                tokio::spawn(async move {
                    loop {
                        let delivery = next(&mut deliveries).await;
                        let _ = delivery.respond(json!({ "displayCount": 2 })).await;
                    }
                });
            }
            for _ in 0..2 {
                let request =
                    page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(AGES);
                assert_eq!(request.await.unwrap().display_count, 2);
            }
            until_worked_off(&store).await;
            let mut listener = page.events().onboarding_actions_added().unwrap();
            none_within(&mut listener, 10 * LEASE).await;
        }
    }
}

/// C50: a timeout says whether anybody took the request, and so whether it may be repeated.
#[tokio::test(start_paused = true)]
async fn a_timeout_says_whether_the_request_was_taken() {
    let store = Memory::new();
    let (page, extension) = pair(&store).await;
    let error = ask(&page).await.unwrap_err();
    assert_eq!(error.retry(), sp_sync::Retry::Now);
    assert!(
        error.to_string().ends_with("nobody took it, and it was withdrawn: is its executor there?"),
        "{error}"
    );
    let mut deliveries = extension.executor("extension").subscribe();
    let (asked, _held) = tokio::join!(ask(&page), next(&mut deliveries));
    let error = asked.unwrap_err();
    assert_eq!(error.retry(), sp_sync::Retry::MaybeApplied);
    assert!(error.to_string().ends_with("it was taken, and may still be carried out"), "{error}");
}
