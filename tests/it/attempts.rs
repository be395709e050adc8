//! Attempts of one action, and actions whose time is over (C42, C43).

use std::time::Duration;

use sp_sync::backend::Memory;
use sp_sync::{Failure, Handlers, Notice, extension};
use tokio::time::Instant;

use crate::support::*;

/// C42: a failed action is tried again after a growing delay, holding its place, five times in all; then it is
/// dropped with a notice, and the next one starts.
#[tokio::test(start_paused = true)]
async fn a_failing_action_is_tried_five_times_with_growing_delays() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
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
    let client = open(store.clone(), "page").await;
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
    let writer = open(store.clone(), "writer").await;
    add(&writer, &["deadly", "2"]).await;
    let mut dead = Vec::new();
    for attempt in 1..=5 {
        let link = Link::new(&store);
        let dying = open(link.clone(), &format!("dying{attempt}")).await;
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
    let dying = open(link.clone(), "dying").await;
    let heir = open(store.clone(), "heir").await;
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
    let client = open(store.clone(), "page").await;
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
    let (sender, link) = (open(store.clone(), "sender").await, Link::new(&store));
    sender.add_action(extension::Ping {}).await.unwrap();
    link.set_clock_ahead(Duration::from_secs(20));
    let reader = open(link.clone(), "reader").await;
    let mut notices = reader.events().notices();
    let mut deliveries = reader.executor("extension").subscribe();
    notice(&mut notices, |notice| matches!(notice, Notice::ActionExpired { .. })).await;
    none_within(&mut deliveries, SOON).await;
}

/// C43: no original action expires.
#[tokio::test(start_paused = true)]
async fn an_original_action_never_expires() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    client.add_action(extension::StopSession { redirect_url: None }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(next(&mut deliveries).await.action().name(), "stopSession");
}

/// C42, C44: a failure counts as one attempt also where its executor goes before the next one.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_failed_counts_once_when_its_executor_goes() {
    let store = Memory::new();
    let writer = open(store.clone(), "writer").await;
    add(&writer, &["1"]).await;
    for attempt in 1..=4 {
        let one = open(store.clone(), &format!("worker{attempt}")).await;
        let mut deliveries = one.executor("extension").subscribe();
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.attempt(), attempt);
        delivery.fail(Failure::new("busy", "not now")).await.unwrap();
        // Before and after the attempt was counted in the document.
        tokio::time::sleep(Duration::from_millis(20) * (attempt % 2)).await;
        drop(deliveries);
        one.close().await.unwrap();
        assert_eq!(document(&store).await.waiting("extension")[0].tag().n, Some(attempt));
    }
}

/// C42: a handler of a table that panics has failed; its executor goes on.
#[tokio::test(start_paused = true)]
async fn a_handler_of_a_table_that_panics_has_failed() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut notices = page.events().notices();
    let handlers = Handlers::new().on(async |action: extension::LockScreen| {
        assert!(!action.message.starts_with("bad"), "on purpose");
        Ok(())
    });
    let serving = page.executor("extension");
    let serving = tokio::spawn(async move { serving.serve(handlers).await });
    let receipt = add(&page, &["bad", "2"]).await;
    receipt.finished(AGES).await.unwrap();
    let failed = notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    let Notice::ActionFailed { attempts, failure, .. } = failed else { unreachable!() };
    assert_eq!((attempts, failure.code.as_str()), (5, "panic"));
    assert!(!serving.is_finished());
}

/// C45: a table that cannot be meant for an executor is refused before it gives up that executor's actions.
#[tokio::test(start_paused = true)]
async fn a_table_of_another_executor_is_refused() {
    let client = open(Memory::new(), "page").await;
    let lock = || Handlers::new().on(async |_: extension::LockScreen| Ok(()));
    for (handlers, why) in [
        (Handlers::new(), "it is empty: every action of `onboarding` would be given up"),
        (lock(), "`lockScreen` is an action of `extension`, not of `onboarding`"),
        (lock().on(async |_: extension::LockScreen| Ok(())), "it has two handlers for `lockScreen`"),
    ] {
        let error = client.executor("onboarding").serve(handlers).await.unwrap_err();
        assert_eq!(error.to_string(), format!("invalid table of handlers: {why}"));
    }
    assert!(next_or_end(&mut client.executor("extention").subscribe()).await.is_none(), "a typing mistake");
}
