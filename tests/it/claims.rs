//! Claims: leases, takeover, and what a crash leaves (C40, C41).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::document::Item;
use sp_sync::{Batch, Error, Failure, Handlers, Notice, Settings, SyncClient, extension, onboarding};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

use crate::support::*;

/// The same client again, as after a restart that kept its instance.
async fn again(store: &Memory) -> SyncClient {
    builder(store.clone(), "page").instance("kept").connect().await.unwrap()
}

/// C40: when the holder dies, its actions run elsewhere, in order, after one lease and not before.
#[tokio::test(start_paused = true)]
async fn the_actions_of_a_dead_holder_run_elsewhere_in_order_after_one_lease() {
    let store = Memory::new();
    let link = Link::new(&store);
    let dying = open(link.clone(), "dying").await;
    let heir = open(store.clone(), "heir").await;
    let mut held = dying.executor("extension").subscribe();
    add(&heir, &["1", "2", "3"]).await;
    let _in_hand = next(&mut held).await;
    let mut inherited = heir.executor("extension").subscribe();
    add(&heir, &["4"]).await;
    link.cut();
    let cut_at = Instant::now();

    let first = next(&mut inherited).await;
    let waited = cut_at.elapsed();
    assert!(waited >= LEASE - LEASE / 3 && waited <= LEASE + SOON, "{waited:?}");
    assert_eq!((text(first.action()), first.attempt()), ("1".into(), 2));
    first.finish().await.unwrap();
    let done = carry_out(&mut inherited, 3).await;
    assert_eq!(texts(&done), ["2", "3", "4"]);
    assert_eq!(done[2].1, 1, "what the dead one never took has not begun");
}

/// C40: the same when a whole runtime is dropped, in real time.
#[test]
fn the_actions_of_a_dropped_runtime_run_elsewhere() {
    let settings = Settings { lease: Duration::from_millis(300), ..Settings::default() };
    let store = Memory::new();
    let dying = tokio::runtime::Runtime::new().unwrap();
    let held = dying.block_on(async {
        let client = builder(store.clone(), "dying").settings(settings.clone()).connect().await.unwrap();
        add(&client, &["1", "2", "3"]).await;
        let mut deliveries = client.executor("extension").subscribe();
        (next(&mut deliveries).await, deliveries)
    });
    dying.shutdown_background();
    let alive = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    alive.block_on(async {
        let client = builder(store.clone(), "heir").settings(settings).connect().await.unwrap();
        let mut deliveries = client.executor("extension").subscribe();
        assert_eq!(texts(&carry_out(&mut deliveries, 3).await), ["1", "2", "3"]);
    });
    let (delivery, deliveries) = held;
    alive.block_on(async {
        drop(deliveries);
        assert!(matches!(delivery.finish().await, Err(Error::Closed)));
    });
}

/// C40: clocks that differ by hours change nothing: leases are measured by one's own clock.
#[tokio::test(start_paused = true)]
async fn clocks_hours_apart_change_nothing_about_leases() {
    let store = Memory::new();
    let (link, other) = (Link::new(&store), Link::new(&store));
    link.set_clock_ahead(Duration::from_secs(5 * 3_600));
    let holder = open(link.clone(), "holder").await;
    let heir = open(other.clone(), "heir").await;
    let mut held = holder.executor("extension").subscribe();
    add(&heir, &["1", "2"]).await;
    let in_hand = next(&mut held).await;
    let mut inherited = heir.executor("extension").subscribe();
    other.set_clock_ahead(Duration::from_secs(9 * 3_600));
    none_within(&mut inherited, 10 * LEASE).await;
    assert!(!in_hand.is_cancelled());
    link.cut();
    let done = tokio::time::timeout(LEASE + SOON, carry_out(&mut inherited, 2)).await.unwrap();
    assert_eq!(texts(&done), ["1", "2"]);
}

/// C40: a handler that outlives the lease keeps its action, at the cost of three renewals per lease.
#[tokio::test(start_paused = true)]
async fn a_handler_that_outlives_the_lease_is_not_taken_over() {
    let store = Memory::new();
    let link = Link::new(&store);
    let holder = open(link.clone(), "holder").await;
    let heir = open(store.clone(), "heir").await;
    let mut held = holder.executor("extension").subscribe();
    add(&heir, &["1", "2"]).await;
    let in_hand = next(&mut held).await;
    let mut inherited = heir.executor("extension").subscribe();
    let before = link.writes();
    none_within(&mut inherited, 20 * LEASE).await;
    let renewals = link.writes() - before;
    assert!((58..=62).contains(&renewals), "{renewals} renewals in 20 leases");
    in_hand.finish().await.unwrap();
    assert_eq!(carry_out(&mut held, 1).await, [("2".into(), 1)]);
}

/// C40: a renewal whose answer is lost, twice, loses nothing.
#[tokio::test(start_paused = true)]
async fn two_lost_renewals_do_not_lose_the_claim() {
    let store = Memory::new();
    let link = Link::new(&store);
    let holder = open(link.clone(), "holder").await;
    let heir = open(store.clone(), "heir").await;
    let mut held = holder.executor("extension").subscribe();
    add(&heir, &["1"]).await;
    let in_hand = next(&mut held).await;
    let mut inherited = heir.executor("extension").subscribe();
    let slow = Fate::Slow(Duration::from_secs(9));
    link.script([Fate::LoseRequest, slow, Fate::LoseAnswer, Fate::Pass, Fate::Unavailable]);
    none_within(&mut inherited, 5 * LEASE).await;
    in_hand.finish().await.unwrap();
    until_worked_off(&store).await;
}

/// C40: a holder that finds its claim taken over cancels its handler, and records nothing.
#[tokio::test(start_paused = true)]
async fn a_holder_that_was_away_too_long_is_cancelled() {
    let store = Memory::new();
    let link = Link::new(&store);
    let away = open(link.clone(), "away").await;
    let heir = open(store.clone(), "heir").await;
    let mut notices = away.events().notices();
    let mut held = away.executor("extension").subscribe();
    add(&heir, &["1"]).await;
    let in_hand = next(&mut held).await;
    link.cut();
    let mut inherited = heir.executor("extension").subscribe();
    let taken_over = next(&mut inherited).await;
    assert!(!in_hand.is_cancelled());
    link.mend();
    in_hand.cancelled().await;
    notice(&mut notices, |notice| matches!(notice, Notice::ClaimLost { id, .. } if id == in_hand.id())).await;
    assert!(matches!(in_hand.finish().await, Err(Error::NotHeld { .. })));
    assert_eq!(taken_over.attempt(), 2);
    taken_over.finish().await.unwrap();
}

/// C40: a handler of a table is dropped where it waits when its action is taken over.
#[tokio::test(start_paused = true)]
async fn a_table_drops_a_handler_whose_action_was_taken_over() {
    struct OnDrop(tokio::sync::mpsc::Sender<()>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.try_send(()).unwrap();
        }
    }
    let store = Memory::new();
    let link = Link::new(&store);
    let away = open(link.clone(), "away").await;
    let heir = open(store.clone(), "heir").await;
    let (sender, mut dropped) = tokio::sync::mpsc::channel(4);
    let handlers = Handlers::new().on(move |_: extension::LockScreen| {
        let on_drop = OnDrop(sender.clone());
        async move {
            let _on_drop = on_drop;
            std::future::pending().await
        }
    });
    tokio::spawn(async move { away.executor("extension").serve(handlers).await });
    add(&heir, &["1"]).await;
    until_stored(&store, |document| counts(document, "extension") == (0, 1)).await;
    link.cut();
    let mut inherited = heir.executor("extension").subscribe();
    let taken_over = next(&mut inherited).await;
    link.mend();
    tokio::time::timeout(AGES, dropped.recv()).await.unwrap().unwrap();
    taken_over.finish().await.unwrap();
}

/// C40: a client that kept its instance over a restart resumes its claims at once, with a higher attempt.
#[tokio::test(start_paused = true)]
async fn a_client_that_kept_its_instance_resumes_at_once() {
    let store = Memory::new();
    let link = Link::new(&store);
    let crashed = builder(link.clone(), "page").instance("kept").connect().await.unwrap();
    add(&crashed, &["1", "2"]).await;
    let mut deliveries = crashed.executor("extension").subscribe();
    let _held = next(&mut deliveries).await;
    link.cut();

    let restarted = again(&store).await;
    let mut deliveries = restarted.executor("extension").subscribe();
    let first = tokio::time::timeout(SOON, next(&mut deliveries)).await.expect("at once");
    assert_eq!((text(first.action()), first.attempt()), ("1".into(), 2));
    first.finish().await.unwrap();
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["2"]);
}

/// C40, C44: without a subscriber such a client gives its claims back.
#[tokio::test(start_paused = true)]
async fn a_client_that_kept_its_instance_and_has_no_subscriber_gives_its_claims_back() {
    let store = Memory::new();
    let link = Link::new(&store);
    let crashed = builder(link.clone(), "page").instance("kept").connect().await.unwrap();
    add(&crashed, &["1", "2"]).await;
    let mut deliveries = crashed.executor("extension").subscribe();
    let _held = next(&mut deliveries).await;
    link.cut();
    let _restarted = again(&store).await;
    until_stored(&store, |document| counts(document, "extension") == (2, 0)).await;
    let other = open(store.clone(), "other").await;
    let mut deliveries = other.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 2).await), ["1", "2"]);
}

/// C40, C41: after a crash in the middle of a run, what was finished is not run again, what may have begun carries a
/// higher attempt, and what was never taken does not. A second crash counts only the action that was in hand.
#[tokio::test(start_paused = true)]
async fn after_a_crash_only_what_may_have_begun_carries_a_higher_attempt() {
    let store = Memory::new();
    let heir = open(store.clone(), "heir").await;
    let batch = (0..40).fold(Batch::new(), |batch, number| batch.then(note(number)));
    heir.add_actions(batch).await.unwrap();
    let mut held = Vec::new();
    for (who, finishing) in [("first", 5), ("second", 0)] {
        let link = Link::new(&store);
        let dying = open(link.clone(), who).await;
        let mut deliveries = dying.executor("extension").subscribe();
        assert_eq!(carry_out(&mut deliveries, finishing).await.len(), finishing);
        held.push((next(&mut deliveries).await, deliveries));
        link.cut();
    }
    assert_eq!(held.iter().map(|(held, _)| held.attempt()).collect::<Vec<_>>(), [1, 2]);
    let mut deliveries = heir.executor("extension").subscribe();
    let done = carry_out(&mut deliveries, 35).await;
    let expected: Vec<_> = (5..40).map(|number| number.to_string()).collect();
    assert_eq!(texts(&done), expected);
    let attempts: Vec<u32> = done.iter().map(|(_, attempt)| *attempt).collect();
    assert_eq!(attempts[0], 3, "in hand at both crashes");
    assert_eq!(
        attempts[1..27],
        [2; 26],
        "taken at the first crash, and known not to have begun at the second"
    );
    assert_eq!(attempts[27..], [1; 8], "never taken by one who crashed");
}

/// C41: kill the holder at every step: an at-least-once action is never lost, an at-most-once action is never run
/// twice, and order is kept.
#[tokio::test(start_paused = true)]
async fn whatever_the_step_at_which_the_holder_dies_nothing_is_lost_and_once_means_once() {
    for step in 0..8 {
        for fault in [Fate::CutBefore, Fate::CutAfter, Fate::LoseAnswer, Fate::LoseRequest] {
            kill_at(step, fault).await;
        }
    }
}

async fn kill_at(step: usize, fault: Fate) {
    let store = Memory::new();
    let link = Link::new(&store);
    let dying = open(link.clone(), "dying").await;
    let heir = open(store.clone(), "heir").await;
    let batch = Batch::new()
        .then(note("1"))
        .then(extension::InjectPassword {})
        .then(note("2"))
        .then(extension::InjectPassword {})
        .then(note("3"));
    let receipt = heir.add_actions(batch).await.unwrap();
    let ran: Arc<Mutex<Vec<_>>> = Arc::default();
    link.script(std::iter::repeat_n(Fate::Pass, step).chain([fault]));
    for client in [&dying, &heir] {
        let (mut deliveries, ran) = (client.executor("extension").subscribe(), ran.clone());
        tokio::spawn(async move {
            while let Some(delivery) = deliveries.next().await {
                ran.lock().unwrap().push((delivery.id().clone(), delivery.attempt()));
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = delivery.finish().await;
            }
        });
        // The dying one takes first.
        until_stored_or(&store, &link).await;
    }
    until_worked_off(&store).await;
    let ran = ran.lock().unwrap();
    let of = |id| ran.iter().filter(move |(ran, _)| ran == id).count();
    for (place, id) in receipt.ids().iter().enumerate() {
        let (runs, at_most_once) = (of(id), place % 2 == 1);
        let right = if at_most_once { runs <= 1 } else { runs >= 1 };
        assert!(right, "{place} ran {runs} times when {fault:?} befell step {step}: {ran:?}");
    }
    let mut first_runs: Vec<_> = receipt.ids().iter().collect();
    first_runs.retain(|id| of(id) > 0);
    let mut seen = Vec::new();
    for (id, attempt) in ran.iter() {
        assert!(*attempt > 1 || !seen.contains(&id), "a repeat without saying so, {fault:?} at {step}");
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    assert_eq!(seen, first_runs, "order, {fault:?} at {step}");
}

/// Until something is claimed, or the link has died over it.
async fn until_stored_or(store: &Memory, link: &Link) {
    let claimed = until_stored(store, |document| counts(document, "extension").1 > 0);
    let _ = tokio::time::timeout(SOON, claimed).await;
    assert!(link.writes() > 0);
}

/// C41: an at-most-once action loses its claim before its handler starts: only its id is left in the document.
#[tokio::test(start_paused = true)]
async fn an_at_most_once_action_is_gone_before_its_handler_starts() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    let receipt = client.add_action(extension::InjectPassword {}).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let claims = stored(&store).await["_sp"]["claims"]["extension"].clone();
    assert_eq!(claims[0]["once"], receipt.id().unwrap().as_str());
    assert_eq!(claims[0].get("a"), None);
    delivery.fail(Failure::new("keyboard", "it is not there")).await.unwrap();
    until_worked_off(&store).await;
    none_within(&mut deliveries, AGES).await;
}

/// C41: who takes over a started at-most-once action drops it and says so.
#[tokio::test(start_paused = true)]
async fn a_started_at_most_once_action_is_dropped_by_whoever_takes_over() {
    let store = Memory::new();
    let link = Link::new(&store);
    let dying = open(link.clone(), "dying").await;
    let heir = open(store.clone(), "heir").await;
    let mut held = dying.executor("extension").subscribe();
    let receipt = heir.add_action(extension::InjectPassword {}).await.unwrap();
    add(&heir, &["2"]).await;
    let _in_hand = next(&mut held).await;
    link.cut();
    let mut notices = heir.events().notices();
    let mut inherited = heir.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut inherited, 1).await), ["2"]);
    let lost = notice(&mut notices, |notice| matches!(notice, Notice::StartedOnceAndLost { .. })).await;
    assert!(matches!(lost, Notice::StartedOnceAndLost { ids, .. } if ids == receipt.ids()));
}

/// C20, C40: identity and attempt are beside the action, never in it.
#[tokio::test(start_paused = true)]
async fn an_action_is_given_without_its_bookkeeping() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("onboarding").subscribe();
    let receipt = client.add_action(onboarding::ReloadPage { reason: None }).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.action().to_value(), json!({ "action": "reloadPage", "executor": "onboarding" }));
    assert_eq!(Some(delivery.id()), receipt.id());
    delivery.finish().await.unwrap();
    assert_eq!(Item::from_value(Value::Null).action(), None);
}
