//! Adding actions (C21–C31), following them, and withdrawing them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::{Batch, Error, Executor, Retry, Settings, SyncClient, extension, onboarding};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

use crate::support::{AGES, Call, Fate, Link, actions, builder, number_of, numbered, open, stored};

/// C21: one action at the end of its executor's array, with and without `info`.
#[tokio::test]
async fn an_action_is_put_at_the_end_of_its_array() {
    let client = open(Memory::new(), "a").await;
    client.add_action_named("leaveCall", Value::Null).await.unwrap();
    client.add_action(extension::StopSession { redirect_url: None }).await.unwrap();
    client.add_action_named("openExam", json!({ "examURL": "https://example.com" })).await.unwrap();
    let content = client.get_sync().await.unwrap();
    let expected = json!([
        { "action": "leaveCall", "executor": "extension" },
        { "action": "stopSession", "executor": "extension" },
        { "action": "openExam", "executor": "extension", "examURL": "https://example.com", "newWindow": false },
    ]);
    assert_eq!(content["extensionActions"], expected);
}

/// C22: several in the order given, whichever executor they are for.
#[tokio::test]
async fn a_batch_keeps_its_order_in_every_array() {
    let client = open(Memory::new(), "a").await;
    let batch = Batch::new()
        .then_named("openExam", numbered(1))
        .then(onboarding::ReloadPage { reason: None })
        .then_named("openExam", numbered(2))
        .then_named("goToStep", json!({ "step": "welcome" }));
    assert_eq!((batch.len(), batch.is_empty()), (4, false));
    let receipt = client.add_actions(batch).await.unwrap();
    assert_eq!(receipt.ids().len(), 4);
    assert_eq!(receipt.ids().iter().collect::<HashSet<_>>().len(), 4, "ids are never used twice");
    let content = client.get_sync().await.unwrap();
    assert_eq!(content.revision(), receipt.revision());
    let numbers: Vec<_> = actions(&content, "extensionActions").iter().map(number_of).collect();
    assert_eq!(numbers, [1, 2]);
    let names: Vec<_> =
        actions(&content, "onboardingActions").iter().map(|action| action["action"].clone()).collect();
    assert_eq!(names, ["reloadPage", "goToStep"]);
}

/// C23: two writers add batches of five at once: every batch is contiguous in every array.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_of_two_writers_never_mix() {
    let store = Memory::with_document_bytes_max(4_000_000);
    let settings = Settings { waiting_max: 10_000, ..Settings::default() };
    let mut writers = JoinSet::new();
    for writer in 0..2 {
        let builder = builder(store.clone(), &format!("w{writer}")).settings(settings.clone());
        let client = builder.connect().await.unwrap();
        writers.spawn(async move {
            for batch in 0..100 {
                let mark = (writer * 100 + batch) * 10;
                let mut members = Batch::new();
                for member in 0..5 {
                    members = members
                        .then_named("openExam", numbered(mark + member))
                        .then_named("reloadPage", json!({ "reason": format!("{}", mark + member) }));
                }
                client.add_actions(members).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let content = stored(&store).await;
    let object = content.as_object().unwrap();
    let extension: Vec<usize> = actions(object, "extensionActions").iter().map(number_of).collect();
    let reason = |action: &Value| action["reason"].as_str().unwrap().parse().unwrap();
    let onboarding: Vec<usize> = actions(object, "onboardingActions").iter().map(reason).collect();
    for numbers in [&extension, &onboarding] {
        assert_eq!(numbers.len(), 1_000);
        for batch in numbers.chunks(5) {
            let expected: Vec<_> = (batch[0]..batch[0] + 5).collect();
            assert!(batch[0] % 10 == 0 && *batch == expected[..], "{batch:?}");
        }
    }
    // Both arrays saw the batches in the same order: a batch is one write.
    assert_eq!(extension, onboarding);
}

/// C23: an empty batch does nothing and succeeds.
#[tokio::test]
async fn an_empty_batch_makes_no_request() {
    let link = Link::new(&Memory::new());
    let client = open(link.clone(), "a").await;
    let (writes, reads) = (link.asked(Call::Write), link.asked(Call::Read));
    let receipt = client.add_actions(Batch::new()).await.unwrap();
    assert_eq!((receipt.ids().len(), receipt.id()), (0, None));
    receipt.finished(Duration::ZERO).await.unwrap();
    assert_eq!((link.asked(Call::Write), link.asked(Call::Read)), (writes, reads));
}

/// Actions that are wrong, each in one way, and the beginning of what is said of them at place 1.
fn mistakes() -> [(&'static str, Value, &'static str); 15] {
    let good = || json!({ "examURL": "https://example.com" });
    [
        (
            "openExam",
            Value::Null,
            "action 1 of the batch: `openExam`: the mandatory field `examURL` is missing (null counts as missing)",
        ),
        (
            "openExam",
            json!({ "examURL": null }),
            "action 1 of the batch: `openExam`: the mandatory field `examURL` is missing (null counts as missing)",
        ),
        (
            "openExams",
            good(),
            "action 1 of the batch: the catalogue has no action `openExams` (did you mean `openExam`?)",
        ),
        (
            "openExam",
            json!({ "examURL": 7 }),
            "action 1 of the batch: `openExam`: field `examURL` must be a string with an absolute URL, not a number",
        ),
        (
            "openExam",
            json!({ "examURL": "https://example.com", "newWindow": "yes" }),
            "action 1 of the batch: `openExam`: field `newWindow` must be a boolean, not a string",
        ),
        (
            "goToStep",
            json!({ "step": "nowhere" }),
            "action 1 of the batch: `goToStep`: field `step` must be one of",
        ),
        (
            "lockScreen",
            json!({ "message": "x".repeat(501) }),
            "action 1 of the batch: `lockScreen`: field `message` must have at most 500 characters",
        ),
        (
            "openExam",
            json!({ "examURL": "https://example.com", "newWindows": true }),
            "action 1 of the batch: `openExam`: there is no field `newWindows`; it has `examURL`, `newWindow` (did you mean `newWindow`?)",
        ),
        (
            "leaveCall",
            json!({ "respondTo": "robot" }),
            "the catalogue has no executor `robot`; it knows `extension`, `onboarding`",
        ),
        (
            "leaveCall",
            json!({ "respondTo": 5 }),
            "action 1 of the batch: `leaveCall`: field `respondTo` must be the name of an executor, not a number",
        ),
        (
            "leaveCall",
            json!({ "action": "x" }),
            "info of leaveCall (index 1) may not contain the key `action`",
        ),
        (
            "leaveCall",
            json!({ "executor": "onboarding" }),
            "info of leaveCall (index 1) may not contain the key `executor`",
        ),
        ("leaveCall", json!({ "_sp": {} }), "info of leaveCall (index 1) may not contain the key `_sp`"),
        (
            "leaveCall",
            json!({ "__proto__": {} }),
            "info of leaveCall (index 1) may not contain the key `__proto__`",
        ),
        ("leaveCall", json!([]), "info must be a JSON object, not an array"),
    ]
}

/// C24–C27: what is wrong is named with action, field and place, before any request, and nothing is written.
#[tokio::test]
async fn mistakes_are_named_before_any_request() {
    let link = Link::new(&Memory::new());
    let client = open(link.clone(), "a").await;
    let (writes, reads) = (link.asked(Call::Write), link.asked(Call::Read));
    let before = client.get_sync().await.unwrap().to_value();
    let mut missed = Vec::new();
    for (name, info, message) in mistakes() {
        let batch = Batch::new().then_named("openExam", numbered(0)).then_named(name, info);
        let error = client.add_actions(batch).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Never);
        if !error.to_string().starts_with(message) {
            missed.push(format!("expected: {message}\n   found: {error}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    for key in ["constructor", "prototype"] {
        let error = client.add_action_named("leaveCall", json!({ key: 1 })).await.unwrap_err();
        assert!(matches!(error, Error::Reserved { .. }), "{error}");
    }
    // A typed action, too, is checked for what the compiler cannot know.
    let long = extension::LockScreen { message: "x".repeat(501), image_url: None };
    assert!(
        matches!(client.add_action(long).await, Err(Error::OutOfRange { field, .. }) if field == "message")
    );
    assert_eq!((link.asked(Call::Write), link.asked(Call::Read)), (writes, reads));
    assert_eq!(client.get_sync().await.unwrap().to_value(), before);
}

/// C27: `respondTo` is allowed in `info`, as in the original; `.respond_to` says the same.
#[tokio::test]
async fn respond_to_may_stand_in_info() {
    let client = open(Memory::new(), "a").await;
    client.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    client
        .add_actions(Batch::new().then(extension::GetDisplayCount {}).respond_to("onboarding"))
        .await
        .unwrap();
    let content = client.get_sync().await.unwrap();
    let expected = json!({ "action": "getDisplayCount", "executor": "extension", "respondTo": "onboarding" });
    assert_eq!(content["extensionActions"], json!([expected, expected]));
}

/// C28: the receipt follows an action: in the array, taken, finished.
#[tokio::test(start_paused = true)]
async fn a_receipt_tells_taken_and_finished() {
    let client = open(Memory::new(), "a").await;
    let batch = Batch::new().then_named("openExam", numbered(1)).then_named("openExam", numbered(2));
    let receipt = client.add_actions(batch).await.unwrap();

    let started = Instant::now();
    let error = receipt.taken(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert_eq!(
        error.to_string(),
        "no executor that takes the action within 5s: it still waits in its array: is its executor there, and done with what stands before it?"
    );
    assert_eq!(error.retry(), Retry::Now);

    let mut deliveries = client.executor("extension").subscribe();
    let first = deliveries.next().await.unwrap();
    assert_eq!(Some(first.id()), receipt.id());
    receipt.taken(AGES).await.unwrap();
    let error = receipt.finished(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.to_string(), "no end of the action within 5s: it was taken and is being carried out");
    first.finish().await.unwrap();
    assert!(receipt.finished(Duration::ZERO).await.is_err(), "the second waits still");
    deliveries.next().await.unwrap().finish().await.unwrap();
    receipt.finished(Duration::ZERO).await.unwrap();
}

/// C28: a receipt that is asked at once never takes an old state for an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_action_is_never_taken_for_a_gone_one() {
    let client = open(Memory::with_document_bytes_max(1_000_000), "a").await;
    for _ in 0..500 {
        let receipt = client.add_action_named("leaveCall", Value::Null).await.unwrap();
        assert!(receipt.taken(Duration::ZERO).await.is_err());
        assert!(client.withdraw(receipt.id().unwrap()).await.unwrap());
        receipt.finished(Duration::ZERO).await.unwrap();
    }
}

/// C28: a receipt ends with its client, and in plain mode there is nothing to follow.
#[tokio::test(start_paused = true)]
async fn a_receipt_says_why_it_cannot_tell() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    let receipt = client.add_action_named("leaveCall", Value::Null).await.unwrap();
    let (taken, closed) = tokio::join!(receipt.taken(AGES), client.close());
    closed.unwrap();
    assert!(matches!(taken, Err(Error::Closed)));

    let plain = builder(store, "b").plain().connect().await.unwrap();
    let receipt = plain.add_action_named("leaveCall", Value::Null).await.unwrap();
    assert_eq!(receipt.ids(), []);
    let error = receipt.taken(AGES).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid receipt: in plain mode, and beside bookkeeping of an unknown version, actions have no identity and cannot be followed"
    );
}

/// C30: an action that was not taken is removed; one that was is left alone; and which of them is said.
#[tokio::test(start_paused = true)]
async fn withdrawing_says_whether_it_did() {
    let store = Memory::new();
    let (a, b) = (open(store.clone(), "a").await, open(store.clone(), "b").await);
    let batch = (0..3).fold(Batch::new(), |batch, number| batch.then_named("openExam", numbered(number)));
    let receipt = a.add_actions(batch).await.unwrap();
    assert!(a.withdraw(&receipt.ids()[1]).await.unwrap());
    assert!(!a.withdraw(&receipt.ids()[1]).await.unwrap(), "gone already");
    assert!(b.withdraw(&receipt.ids()[2]).await.unwrap(), "whoever knows the id may");
    let content = stored(&store).await;
    assert_eq!(content["extensionActions"].as_array().unwrap().len(), 1);

    let mut deliveries = b.executor(Executor::from("extension")).subscribe();
    let delivery = deliveries.next().await.unwrap();
    assert!(!a.withdraw(delivery.id()).await.unwrap(), "taken");
    delivery.finish().await.unwrap();
    assert!(!a.withdraw(&"never-there".into()).await.unwrap());
}

/// C30: what another client has just added is found, although this one has not heard of it yet.
#[tokio::test]
async fn a_negative_answer_comes_from_a_state_read_after_the_call() {
    let store = Memory::new();
    let quiet = Link::new(&store);
    let b = open(quiet.clone(), "b").await;
    // Its watch is gone, and none comes back.
    quiet.plan(|call| if call == Call::Watch { Fate::Hang } else { Fate::Pass });
    quiet.cut_watches(crate::support::unavailable());
    let a = open(store.clone(), "a").await;
    for number in 0..10 {
        let receipt = a.add_action_named("openExam", numbered(number)).await.unwrap();
        assert!(b.withdraw(receipt.id().unwrap()).await.unwrap());
        assert!(!b.withdraw(receipt.id().unwrap()).await.unwrap());
    }
}

fn twenty_a_second() -> impl FnMut(Call) -> Fate + Send {
    let mut second: Option<(Instant, u32)> = None;
    move |call| {
        if call != Call::Write {
            return Fate::Pass;
        }
        let now = Instant::now();
        let (start, count) = second.get_or_insert((now, 0));
        if now.duration_since(*start) >= Duration::from_secs(1) {
            (*start, *count) = (now, 0);
        }
        *count += 1;
        let retry_after = Some(Duration::from_secs(1).saturating_sub(now.duration_since(*start)));
        if *count > 20 { Fate::RateLimited(retry_after) } else { Fate::Pass }
    }
}

/// C31: 1 000 calls at once against a backend limited to 20 writes a second finish in a few writes, in call order.
#[tokio::test(start_paused = true)]
async fn a_thousand_calls_share_a_few_writes() {
    let store = Memory::with_document_bytes_max(1_000_000);
    let link = Link::planned(&store, twenty_a_second());
    let settings = Settings { waiting_max: 1_000, ..Settings::default() };
    let client = builder(link.clone(), "a").settings(settings).connect().await.unwrap();
    let before = link.asked(Call::Write);
    let mut calls = JoinSet::new();
    for number in 0..1_000 {
        let client = client.clone();
        calls.spawn(async move { client.add_action_named("openExam", numbered(number)).await.map(|_| ()) });
    }
    assert!(calls.join_all().await.into_iter().all(|result| result.is_ok()));
    let writes = link.asked(Call::Write) - before;
    assert!(writes <= 10, "{writes} writes");
    let content = stored(&store).await;
    let numbers: Vec<_> =
        actions(content.as_object().unwrap(), "extensionActions").iter().map(number_of).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
}

/// C31, C57: calls one after the other meet the limit; it is waited out, and nobody hears of it.
#[tokio::test(start_paused = true)]
async fn a_refusal_for_rate_is_waited_out_silently() {
    let link = Link::planned(&Memory::new(), twenty_a_second());
    let client = open(link.clone(), "a").await;
    let mut notices = client.events().notices();
    let started = Instant::now();
    for number in 0..100 {
        client.set_sync(json!({ "number": number })).await.unwrap();
    }
    assert!((4..=8).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert!(crate::support::told(&mut notices).await.is_empty());
}

/// C31: what is refused inside a shared write is refused alone.
#[tokio::test]
async fn a_refused_call_does_not_stop_those_that_share_its_write() {
    let store = Memory::new();
    let settings = Settings { waiting_max: 5, ..Settings::default() };
    let client = builder(store.clone(), "a").settings(settings).connect().await.unwrap();
    let results = Arc::new(Mutex::new(Vec::new()));
    let mut calls = JoinSet::new();
    for number in 0..10 {
        let (client, results) = (client.clone(), results.clone());
        calls.spawn(async move {
            let result = client.add_action_named("openExam", numbered(number)).await;
            results.lock().unwrap().push((number, result.map(|_| ())));
        });
    }
    let set = client.set_sync(json!({ "x": 1 }));
    let (set, _) = tokio::join!(set, calls.join_all());
    set.unwrap();
    let mut results = std::mem::take(&mut *results.lock().unwrap());
    results.sort_by_key(|(number, _)| *number);
    for (number, result) in results {
        match result {
            Ok(()) => assert!(number < 5),
            Err(error) => {
                assert!(number >= 5);
                assert_eq!(
                    error.to_string(),
                    "5 actions already wait for `extension`, the limit is 5: subscribe to it, withdraw actions, or clear them"
                );
                assert_eq!(error.retry(), Retry::After(Duration::from_secs(1)));
            }
        }
    }
    assert_eq!(stored(&store).await["extensionActions"].as_array().unwrap().len(), 5);
}

/// C23: of a batch that does not fit nothing is written, in no array.
#[tokio::test]
async fn a_batch_is_added_whole_or_not_at_all() {
    let store = Memory::new();
    let client = open(store.clone(), "a").await;
    let mut batch = Batch::new().then_named("goToStep", json!({ "step": "welcome" }));
    for number in 0..65 {
        batch = batch.then_named("openExam", numbered(number));
    }
    let before = stored(&store).await;
    let error = client.add_actions(batch).await.unwrap_err();
    assert!(matches!(&error, Error::Full { executor, limit: 64, .. } if executor == "extension"), "{error}");
    assert_eq!(stored(&store).await, before);
}

/// C23, C31: actions of one client keep their call order over many writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn actions_of_one_client_keep_their_order() {
    let store = Memory::with_document_bytes_max(1_000_000);
    let settings = || Settings { waiting_max: 10_000, ..Settings::default() };
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let client: SyncClient =
            builder(store.clone(), &format!("w{writer}")).settings(settings()).connect().await.unwrap();
        writers.spawn(async move {
            for number in 0..100 {
                client.add_action_named("openExam", numbered(writer * 1_000 + number)).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let content = stored(&store).await;
    let numbers: Vec<_> =
        actions(content.as_object().unwrap(), "extensionActions").iter().map(number_of).collect();
    for writer in 0..4 {
        let own: Vec<_> =
            numbers.iter().filter(|number| *number / 1_000 == writer).map(|number| number % 1_000).collect();
        assert_eq!(own, (0..100).collect::<Vec<_>>());
    }
}
