//! What the application sees of a backend that fails: lost answers (C29), refusals (C63), silence (C58).

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use sp_sync::backend::{BackendError, Memory};
use sp_sync::{Batch, Error, Notice, Retry, Settings};
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt as _;

use crate::support::{
    AGES, Call, Dice, Fate, Link, actions, builder, notice_that, number_of, numbered, open, shown, stored,
    told, unavailable, update_with,
};

fn roomy() -> (Memory, Settings) {
    (Memory::with_document_bytes_max(4_000_000), Settings { waiting_max: 100_000, ..Settings::default() })
}

/// How often each numbered action lies in the array.
async fn counted(store: &Memory) -> HashMap<usize, usize> {
    let content = stored(store).await;
    let mut counts = HashMap::new();
    for action in actions(content.as_object().unwrap(), "extensionActions") {
        *counts.entry(number_of(&action)).or_default() += 1;
    }
    counts
}

/// C29: the link is cut after the backend applied the write, 1 000 times: no duplicate, no loss, no false success.
#[tokio::test(start_paused = true)]
async fn a_thousand_lost_answers_lose_and_repeat_nothing() {
    let (store, settings) = roomy();
    let link = Link::new(&store);
    let client = builder(link.clone(), "a").settings(settings).connect().await.unwrap();
    let mut lost = 0;
    link.plan(move |call| {
        let cut = call == Call::Write && lost < 1_000;
        lost += u32::from(cut);
        if cut { Fate::LoseAnswer } else { Fate::Pass }
    });
    for number in 0..1_000 {
        let receipt = client.add_action_named("openExam", numbered(number)).await.unwrap();
        assert!(receipt.revision() <= client.get_sync().await.unwrap().revision());
    }
    let counts = counted(&store).await;
    assert_eq!(counts.len(), 1_000);
    assert!(counts.values().all(|count| *count == 1));
}

/// C29: whatever is lost (answer, request, or the request lands late), alone or beside another writer.
#[tokio::test(start_paused = true)]
async fn lost_answers_of_every_kind_lose_and_repeat_nothing() {
    for seed in 0..40 {
        let (store, settings) = roomy();
        let link = Link::new(&store);
        let client = builder(link.clone(), "a").settings(settings.clone()).connect().await.unwrap();
        let other = builder(store.clone(), "b").settings(settings).connect().await.unwrap();
        let mut random = Dice::new(seed + 1);
        link.plan(move |call| match (call, random.roll(10)) {
            (Call::Write, 0 | 1) => Fate::LoseAnswer,
            (Call::Write, 2) => Fate::LoseRequest,
            (Call::Write, 3 | 4) => Fate::LandAfter(Duration::from_millis(random.roll(40))),
            (Call::Write, 5) => Fate::Unavailable,
            (Call::Write, 6) => Fate::RateLimited(None),
            (Call::Read, 0) => Fate::Unavailable,
            _ => Fate::Pass,
        });
        let busy = tokio::spawn(async move {
            for number in 0..150 {
                other.set_sync(json!({ "other": number })).await.unwrap();
                sleep(Duration::from_millis(7)).await;
            }
        });
        let (mut sure, mut unsure) = (Vec::new(), Vec::new());
        let calls: Vec<_> = (0..60)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(11 * number)).await;
                    let number = usize::try_from(number).unwrap();
                    let batch = Batch::new().then_named("openExam", numbered(number));
                    (number, client.add_actions(batch).await)
                })
            })
            .collect();
        for call in calls {
            match call.await.unwrap() {
                (number, Ok(_)) => sure.push(number),
                (number, Err(Error::MaybeApplied { .. })) => unsure.push(number),
                (number, Err(error)) => panic!("seed {seed}, action {number}: {error}"),
            }
        }
        busy.await.unwrap();
        sleep(Duration::from_secs(60)).await;
        let counts = counted(&store).await;
        assert!(counts.values().all(|count| *count == 1), "seed {seed}: a duplicate: {counts:?}");
        for number in &sure {
            assert!(counts.contains_key(number), "seed {seed}: action {number} was lost or never there");
        }
        assert!(
            unsure.len() <= 1,
            "seed {seed}: only a first write beside a stranger cannot be told: {unsure:?}"
        );
    }
}

/// C29: what neither the actions nor the writers tell is said, with the next step.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_is_maybe_applied() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = builder(link.clone(), "a").plain().connect().await.unwrap();
    let mut first = true;
    link.plan(move |call| match call == Call::Write && std::mem::take(&mut first) {
        true => Fate::LoseAnswer,
        false => Fate::Pass,
    });
    let error = client.add_action_named("openExam", numbered(1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer to add_actions was lost and the document does not show whether it held: read before repeating it"
    );
    assert_eq!(error.retry(), Retry::MaybeApplied);
    assert_eq!(counted(&store).await.len(), 1);
    client.add_action_named("openExam", numbered(2)).await.unwrap();
}

/// C57, C58: an outage is waited out; it is told once, and so is its end.
#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_and_told_once() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = open(link.clone(), "a").await;
    let mut notices = client.events().notices();
    link.plan(|_| Fate::Unavailable);
    let writing = client.clone();
    let writing = tokio::spawn(async move { writing.set_sync(json!({ "x": 1 })).await });
    sleep(Duration::from_secs(30)).await;
    assert!(!writing.is_finished());
    assert_eq!(client.get_sync().await.unwrap().to_value(), json!({}), "reading goes on");
    let asked = link.asked(Call::Write);
    assert!((5..=20).contains(&asked), "ever more slowly: {asked} times");
    link.heal();
    writing.await.unwrap().unwrap();
    let told = told(&mut notices).await;
    let [Notice::BackendFailing { error }, Notice::BackendWorking] = &told[..] else { panic!("{told:?}") };
    assert_eq!(error.to_string(), "memory: asking the store failed: the link is down: wait for it");
}

/// C58: a write is given up after `write_within`, with the reason, and is not carried out later.
#[tokio::test(start_paused = true)]
async fn a_write_is_given_up_after_its_time() {
    let store = Memory::new();
    let link = Link::new(&store);
    let settings = Settings { write_within: Duration::from_secs(5), ..Settings::default() };
    let client = builder(link.clone(), "a").settings(settings).connect().await.unwrap();
    link.plan(|_| Fate::Unavailable);
    let started = Instant::now();
    let error = client.set_sync(json!({ "x": 1 })).await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert_eq!(error.to_string(), "memory: asking the store failed: the link is down: wait for it");
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(1)));
    link.heal();
    sleep(AGES).await;
    assert_eq!(shown(&store).await, json!({}));
    client.set_sync(json!({ "y": 1 })).await.unwrap();
}

/// C58: a backend that never answers does not keep a caller waiting for ever; nor one behind it.
#[tokio::test(start_paused = true)]
async fn a_backend_that_never_answers_is_given_up_after_the_same_time() {
    let store = Memory::new();
    let link = Link::new(&store);
    let settings = Settings {
        write_within: Duration::from_secs(5),
        close_within: Duration::from_secs(2),
        ..Settings::default()
    };
    let client = builder(link.clone(), "a").settings(settings).connect().await.unwrap();
    link.plan(|_| Fate::Hang);
    let started = Instant::now();
    let late = client.clone();
    let late = tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        late.set_sync(json!({ "y": 1 })).await
    });
    let error = client.set_sync(json!({ "x": 1 })).await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert!(matches!(error, Error::MaybeApplied { what: "set_sync" }), "{error}");
    let error = late.await.unwrap().unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(6));
    assert_eq!(
        error.to_string(),
        "no accepted set_sync within 5s: it was not sent, the backend is slow or away: try again"
    );
    let error = client.close().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no answer from the backend while closing within 2s: what was not written is left to the lease"
    );
}

/// C55: what no waiting mends is answered at once.
#[tokio::test(start_paused = true)]
async fn what_needs_repair_is_answered_at_once() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = open(link.clone(), "a").await;
    let broken = || BackendError::Fatal {
        doing: "writing".into(),
        why: "the disk is full: free some space".into(),
        source: None,
    };
    link.plan(move |_| Fate::Fail(broken));
    let started = Instant::now();
    let error = client.set_sync(json!({ "x": 1 })).await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(error.to_string(), "memory: writing failed: the disk is full: free some space");
    assert_eq!(error.retry(), Retry::Never);
    link.heal();
    client.set_sync(json!({ "x": 2 })).await.unwrap();
    assert_eq!(stored(&store).await["x"], 2);
}

/// C63: a client whose place was taken hears why, once, and its writes say the same.
#[tokio::test(start_paused = true)]
async fn a_client_that_was_disconnected_hears_why() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = open(link.clone(), "same").await;
    let mut notices = client.events().notices();
    let taken = || BackendError::Refused { code: 51_101, message: "another client has this identity".into() };
    link.plan(move |_| Fate::Fail(taken));
    link.cut_watches(taken());
    let code = notice_that(&mut notices, |notice| match notice {
        Notice::Refused { code, message } => Some((*code, message.clone())),
        _ => None,
    })
    .await;
    assert_eq!(code, (51_101, "another client has this identity".into()));
    let asked = link.asked(Call::Watch);
    let error = client.set_sync(json!({ "x": 1 })).await.unwrap_err();
    assert_eq!(error.to_string(), "refused (51101): another client has this identity");
    assert_eq!(error.retry(), Retry::Never);
    sleep(AGES).await;
    assert!(told(&mut notices).await.is_empty(), "told once");
    assert_eq!(link.asked(Call::Watch), asked, "no struggle for the place");
}

/// A watch that breaks is made anew, and nothing of what happened meanwhile is missed.
#[tokio::test(start_paused = true)]
async fn a_broken_watch_is_made_anew() {
    let store = Memory::new();
    let link = Link::new(&store);
    let (client, other) = (open(link.clone(), "a").await, open(store, "b").await);
    let mut updates = client.events().sp_sync_doc_updated();
    let mut notices = client.events().notices();
    for number in 0..10 {
        link.cut_watches(unavailable());
        other.set_sync(json!({ "number": number })).await.unwrap();
        update_with(&mut updates, |content| content["number"] == number).await;
    }
    sleep(AGES).await;
    let told = told(&mut notices).await;
    for pair in told.chunks(2) {
        assert!(matches!(pair, [Notice::BackendFailing { .. }, Notice::BackendWorking]), "{told:?}");
    }
    assert!(!told.is_empty());
}

/// A subscriber of notices that lags is told how many it lost.
#[tokio::test(start_paused = true)]
async fn lost_notices_are_counted() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = open(link.clone(), "a").await;
    let mut notices = client.events().notices();
    for _ in 0..200 {
        link.cut_watches(unavailable());
        sleep(AGES).await;
    }
    assert!(matches!(notices.next().await, Some(Err(144))), "200 failures and recoveries, 256 kept");
}
