//! Claims: leases, takeover, attempts, expiry, giving back, and what is no action (C40–C45).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::document::Item;
use sp_sync::{
    Batch, Error, Executor, Failure, Handlers, Notice, Settings, SyncClient, extension, onboarding,
};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

use crate::support_b::*;

/// The same client again, as after a restart that kept its instance.
async fn again(store: &Memory) -> SyncClient {
    builder(store.clone(), "page").instance("kept").connect().await.unwrap()
}

/// C40: when the holder dies, its actions run elsewhere, in order, after one lease and not before.
#[tokio::test(start_paused = true)]
async fn the_actions_of_a_dead_holder_run_elsewhere_in_order_after_one_lease() {
    let store = Memory::new();
    let link = Link::new(&store);
    let dying = client(link.clone(), "dying").await;
    let heir = client(store.clone(), "heir").await;
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
    let holder = client(link.clone(), "holder").await;
    let heir = client(other.clone(), "heir").await;
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
    let holder = client(link.clone(), "holder").await;
    let heir = client(store.clone(), "heir").await;
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
    let holder = client(link.clone(), "holder").await;
    let heir = client(store.clone(), "heir").await;
    let mut held = holder.executor("extension").subscribe();
    add(&heir, &["1"]).await;
    let in_hand = next(&mut held).await;
    let mut inherited = heir.executor("extension").subscribe();
    let slow = Some(Fault::Slow(Duration::from_secs(9)));
    link.script([Some(Fault::LostNotHeld), slow, Some(Fault::LostHeld), None, Some(Fault::Unavailable)]);
    none_within(&mut inherited, 5 * LEASE).await;
    in_hand.finish().await.unwrap();
    until_worked_off(&store).await;
}

/// C40: a holder that finds its claim taken over cancels its handler, and records nothing.
#[tokio::test(start_paused = true)]
async fn a_holder_that_was_away_too_long_is_cancelled() {
    let store = Memory::new();
    let link = Link::new(&store);
    let away = client(link.clone(), "away").await;
    let heir = client(store.clone(), "heir").await;
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
    let away = client(link.clone(), "away").await;
    let heir = client(store.clone(), "heir").await;
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
    let other = client(store.clone(), "other").await;
    let mut deliveries = other.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 2).await), ["1", "2"]);
}

/// C40, C41: after a crash in the middle of a run, what was finished is not run again, what may have begun carries a
/// higher attempt, and what was never taken does not. A second crash counts only the action that was in hand.
#[tokio::test(start_paused = true)]
async fn after_a_crash_only_what_may_have_begun_carries_a_higher_attempt() {
    let store = Memory::new();
    let heir = client(store.clone(), "heir").await;
    let batch = (0..40).fold(Batch::new(), |batch, number| batch.then(note(number)));
    heir.add_actions(batch).await.unwrap();
    let mut held = Vec::new();
    for (who, finishing) in [("first", 5), ("second", 0)] {
        let link = Link::new(&store);
        let dying = client(link.clone(), who).await;
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
        for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::LostHeld, Fault::LostNotHeld] {
            kill_at(step, fault).await;
        }
    }
}

async fn kill_at(step: usize, fault: Fault) {
    let store = Memory::new();
    let link = Link::new(&store);
    let dying = client(link.clone(), "dying").await;
    let heir = client(store.clone(), "heir").await;
    let batch = Batch::new()
        .then(note("1"))
        .then(extension::InjectPassword {})
        .then(note("2"))
        .then(extension::InjectPassword {})
        .then(note("3"));
    let receipt = heir.add_actions(batch).await.unwrap();
    let ran: Arc<Mutex<Vec<_>>> = Arc::default();
    link.script(std::iter::repeat_n(None, step).chain([Some(fault)]));
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
    let client = client(store.clone(), "page").await;
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
    let dying = client(link.clone(), "dying").await;
    let heir = client(store.clone(), "heir").await;
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

/// C42: a failed action is tried again after a growing delay, holding its place, five times in all; then it is
/// dropped with a notice, and the next one starts.
#[tokio::test(start_paused = true)]
async fn a_failing_action_is_tried_five_times_with_growing_delays() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2"]).await;
    let mut delays = Vec::new();
    let mut failed_at = Instant::now();
    for attempt in 1..=5 {
        let delivery = next(&mut deliveries).await;
        assert_eq!((text(delivery.action()), delivery.attempt()), ("1".into(), attempt));
        delays.push(failed_at.elapsed().as_millis());
        failed_at = Instant::now();
        delivery.fail(Failure::new("busy", "not now")).await.unwrap();
    }
    assert_eq!(delays[1..], [200, 400, 800, 1_600]);
    for attempt in 1..5 {
        let is_it =
            |notice: &Notice| matches!(notice, Notice::ActionRetried { attempt: it, .. } if *it == attempt);
        notice(&mut notices, is_it).await;
    }
    let failed = notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    assert!(matches!(failed, Notice::ActionFailed { attempts: 5, failure, .. } if failure.code == "busy"));
    assert_eq!(carry_out(&mut deliveries, 1).await, [("2".into(), 1)]);
    until_worked_off(&store).await;
}

/// C42: `reject` gives up at once.
#[tokio::test(start_paused = true)]
async fn a_rejected_action_is_not_tried_again() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2"]).await;
    next(&mut deliveries).await.reject(Failure::new("never", "no")).await.unwrap();
    let failed = notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    assert!(matches!(failed, Notice::ActionFailed { attempts: 1, .. }));
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["2"]);
}

/// C42: an action that stops its executor's process each time is given up after its attempts; those behind it are
/// not counted with it.
#[tokio::test(start_paused = true)]
async fn an_action_that_kills_its_executor_is_given_up_after_five_attempts() {
    let store = Memory::new();
    let writer = client(store.clone(), "writer").await;
    add(&writer, &["deadly", "2"]).await;
    let mut dead = Vec::new();
    for attempt in 1..=5 {
        let link = Link::new(&store);
        let dying = client(link.clone(), &format!("dying{attempt}")).await;
        let mut deliveries = dying.executor("extension").subscribe();
        let held = next(&mut deliveries).await;
        assert_eq!((text(held.action()), held.attempt()), ("deadly".into(), attempt));
        link.cut();
        dead.push((dying, deliveries, held));
    }
    let mut notices = writer.events().notices();
    let mut deliveries = writer.executor("extension").subscribe();
    let done = carry_out(&mut deliveries, 1).await;
    assert_eq!(texts(&done), ["2"]);
    assert!(done[0].1 < 5);
    let failed = notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    assert!(matches!(failed, Notice::ActionFailed { attempts: 5, .. }));
}

/// C42: while an action waits for its next attempt, a crash keeps its place and its count.
#[tokio::test(start_paused = true)]
async fn an_action_that_waits_for_its_next_attempt_survives_a_crash() {
    let store = Memory::new();
    let link = Link::new(&store);
    let dying = client(link.clone(), "dying").await;
    let heir = client(store.clone(), "heir").await;
    let mut held = dying.executor("extension").subscribe();
    add(&heir, &["1", "2"]).await;
    next(&mut held).await.fail(Failure::new("busy", "not now")).await.unwrap();
    until_stored(&store, |document| document.claims("extension").first().is_some_and(|claim| claim.n == 2))
        .await;
    link.cut();
    let mut inherited = heir.executor("extension").subscribe();
    let first = next(&mut inherited).await;
    assert_eq!(text(first.action()), "1");
    assert!(first.attempt() >= 2);
    first.finish().await.unwrap();
    assert_eq!(texts(&carry_out(&mut inherited, 1).await), ["2"]);
}

/// C43: an expired action is removed without running, and reported. What has started is not stopped.
#[tokio::test(start_paused = true)]
async fn an_expired_action_is_removed_without_running() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let mut notices = client.events().notices();
    client.add_action(extension::Ping {}).await.unwrap();
    add(&client, &["2"]).await;
    tokio::time::sleep(Duration::from_secs(16)).await;
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["2"]);
    let expired = notice(&mut notices, |notice| matches!(notice, Notice::ActionExpired { .. })).await;
    assert!(matches!(expired, Notice::ActionExpired { action, .. } if action.name() == "ping"));
    until_worked_off(&store).await;

    client.add_action(extension::Ping {}).await.unwrap();
    let started = next(&mut deliveries).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!started.is_cancelled());
    started.finish().await.unwrap();
}

/// C43: expiry goes by the backend's clock: machines whose own clocks differ agree about it.
#[tokio::test(start_paused = true)]
async fn expiry_goes_by_the_clock_that_the_backend_shows() {
    let store = Memory::new();
    let (sender, link) = (client(store.clone(), "sender").await, Link::new(&store));
    sender.add_action(extension::Ping {}).await.unwrap();
    link.set_clock_ahead(Duration::from_secs(20));
    let reader = client(link.clone(), "reader").await;
    let mut notices = reader.events().notices();
    let mut deliveries = reader.executor("extension").subscribe();
    notice(&mut notices, |notice| matches!(notice, Notice::ActionExpired { .. })).await;
    none_within(&mut deliveries, SOON).await;
}

/// C43: no original action expires.
#[tokio::test(start_paused = true)]
async fn an_original_action_never_expires() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    client.add_action(extension::StopSession { redirect_url: None }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(next(&mut deliveries).await.action().name(), "stopSession");
}

/// C44: when the last subscriber goes, what was taken and not started returns to the front of the array, in order, in
/// one write.
#[tokio::test(start_paused = true)]
async fn what_was_not_started_is_given_back_when_the_last_subscriber_goes() {
    let store = Memory::new();
    let link = Link::new(&store);
    let one = client(link.clone(), "one").await;
    let two = client(store.clone(), "two").await;
    let mut deliveries = one.executor("extension").subscribe();
    add(&two, &["1", "2", "3"]).await;
    let held = next(&mut deliveries).await;
    add(&two, &["4"]).await;
    let other = one.executor("extension").subscribe();
    drop(deliveries);
    held.finish().await.unwrap();
    assert_eq!(counts(&*document(&store).await, "extension"), (1, 2), "there is another subscriber");
    let before = link.writes();
    drop(other);
    until_stored(&store, |document| counts(document, "extension") == (3, 0)).await;
    assert_eq!(link.writes() - before, 1);
    let mut deliveries = two.executor("extension").subscribe();
    let done = carry_out(&mut deliveries, 3).await;
    assert_eq!(done, [("2".into(), 1), ("3".into(), 1), ("4".into(), 1)]);
}

/// C44: closing gives back, in one write, and counts the attempt of what was in hand.
#[tokio::test(start_paused = true)]
async fn closing_gives_back_what_was_taken() {
    let store = Memory::new();
    let link = Link::new(&store);
    let one = client(link.clone(), "one").await;
    let two = client(store.clone(), "two").await;
    let mut deliveries = one.executor("extension").subscribe();
    add(&two, &["1", "2", "3"]).await;
    let held = next(&mut deliveries).await;
    let before = link.writes();
    one.close().await.unwrap();
    assert_eq!(link.writes() - before, 1);
    assert!(held.is_cancelled());
    assert!(deliveries.next().await.is_none());
    assert_eq!(counts(&*document(&store).await, "extension"), (3, 0));
    assert!(held.finish().await.is_err());
    let mut deliveries = two.executor("extension").subscribe();
    let done = carry_out(&mut deliveries, 3).await;
    assert_eq!(done, [("1".into(), 2), ("2".into(), 1), ("3".into(), 1)]);
}

/// C44: closing gives back also when it comes while the client waits for the backend.
#[tokio::test(start_paused = true)]
async fn closing_gives_back_while_the_backend_fails() {
    for fault in
        [Fault::Unavailable, Fault::RateLimited, Fault::Conflict, Fault::LostNotHeld, Fault::LostHeld]
    {
        let store = Memory::new();
        let link = Link::new(&store);
        let one = client(link.clone(), "one").await;
        let mut deliveries = one.executor("extension").subscribe();
        add(&one, &["1", "2", "3"]).await;
        let held = next(&mut deliveries).await;
        link.script([Some(fault), Some(fault)]);
        held.finish().await.unwrap();
        link.script([Some(fault), Some(fault)]);
        let busy = one.clone();
        let write = tokio::spawn(async move { busy.set_sync(json!({ "step": 1 })).await });
        tokio::task::yield_now().await;
        one.close().await.unwrap();
        write.await.unwrap().unwrap();
        assert_eq!(counts(&*document(&store).await, "extension"), (2, 0), "{fault:?}");
    }
}

/// C44: the same when all that is left to write is what to give back.
#[tokio::test(start_paused = true)]
async fn closing_waits_until_everything_is_given_back() {
    for fault in
        [Fault::Unavailable, Fault::RateLimited, Fault::Conflict, Fault::LostNotHeld, Fault::LostHeld]
    {
        for failures in 1..4 {
            let store = Memory::new();
            let link = Link::new(&store);
            let one = client(link.clone(), "one").await;
            let mut deliveries = one.executor("extension").subscribe();
            add(&one, &["1", "2", "3"]).await;
            let held = next(&mut deliveries).await;
            link.script(std::iter::repeat_n(Some(fault), failures));
            held.fail(Failure::new("busy", "not now")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            one.close().await.unwrap();
            assert_eq!(counts(&*document(&store).await, "extension"), (3, 0), "{failures} times {fault:?}");
        }
    }
}

/// C44: a client whose last handle is dropped gives back too.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_gives_back() {
    let store = Memory::new();
    let one = client(store.clone(), "one").await;
    let mut deliveries = one.executor("extension").subscribe();
    add(&one, &["1", "2"]).await;
    let held = next(&mut deliveries).await;
    drop((held, deliveries, one));
    until_stored(&store, |document| counts(document, "extension") == (2, 0)).await;
}

/// C45: what is no action is removed and reported, and blocks nothing behind it.
#[tokio::test(start_paused = true)]
async fn what_is_no_action_is_removed_and_reported() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let elements =
        json!([7, null, "lockScreen", {}, { "action": 3 }, [], { "action": "lockScreen", "message": "1" }]);
    edit(&store, |document| drop(document.insert("extensionActions".into(), elements.clone()))).await;
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["1"]);
    for _ in 0..6 {
        notice(&mut notices, |notice| matches!(notice, Notice::MalformedAction { .. })).await;
    }
    until_worked_off(&store).await;
    // Alone, too.
    edit(&store, |document| drop(document.insert("extensionActions".into(), json!([1])))).await;
    until_worked_off(&store).await;
}

/// C45: an unknown action goes to the general listener, whole.
#[tokio::test(start_paused = true)]
async fn an_unknown_action_goes_to_the_general_listener() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let unknown = json!({ "action": "brewCoffee", "executor": "extension", "cups": 2 });
    edit(&store, |document| drop(document.insert("extensionActions".into(), json!([unknown])))).await;
    let mut actions = client.events().extension_actions_added().unwrap();
    assert_eq!(next(&mut actions).await.action.to_value(), unknown);
    until_worked_off(&store).await;
}

/// C45: a table without an entry treats it as failed, without retry.
#[tokio::test(start_paused = true)]
async fn a_table_of_handlers_gives_up_what_it_has_no_entry_for() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let unknown = json!({ "action": "brewCoffee", "executor": "extension" });
    edit(&store, |document| drop(document.insert("extensionActions".into(), json!([unknown])))).await;
    add(&client, &["2"]).await;
    let (sender, mut served) = tokio::sync::mpsc::channel(1);
    let handlers = Handlers::new().on(move |action: extension::LockScreen| {
        let sender = sender.clone();
        async move {
            sender.send(action.message).await.unwrap();
            Ok(())
        }
    });
    let serving = client.clone();
    tokio::spawn(async move { serving.executor(Executor::from("extension")).serve(handlers).await });
    assert_eq!(served.recv().await.unwrap(), "2");
    let failed = notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    let Notice::ActionFailed { attempts, failure, .. } = failed else { unreachable!() };
    assert_eq!((attempts, failure.code.as_str()), (1, "no_handler"));
    until_worked_off(&store).await;
}

/// C45: a wrong or missing `executor` is ignored: the array decides.
#[tokio::test(start_paused = true)]
async fn the_array_decides_whose_action_it_is() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let actions = json!([{ "action": "lockScreen", "message": "1" },
                         { "action": "lockScreen", "message": "2", "executor": "onboarding" },
                         { "action": "lockScreen", "message": "3", "executor": 9 }]);
    edit(&store, |document| drop(document.insert("extensionActions".into(), actions.clone()))).await;
    let mut other = client.executor("onboarding").subscribe();
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 3).await), ["1", "2", "3"]);
    none_within(&mut other, SOON).await;
}

/// C20, C40: identity and attempt are beside the action, never in it.
#[tokio::test(start_paused = true)]
async fn an_action_is_given_without_its_bookkeeping() {
    let store = Memory::new();
    let client = client(store.clone(), "page").await;
    let mut deliveries = client.executor("onboarding").subscribe();
    let receipt = client.add_action(onboarding::ReloadPage { reason: None }).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.action().to_value(), json!({ "action": "reloadPage", "executor": "onboarding" }));
    assert_eq!(Some(delivery.id()), receipt.id());
    delivery.finish().await.unwrap();
    assert_eq!(Item::from_value(Value::Null).action(), None);
}
