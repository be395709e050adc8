//! What was taken and not started goes back (C44).

use std::time::Duration;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::document::Document;
use sp_sync::{Failure, extension};
use tokio_stream::StreamExt as _;

use crate::support::*;

/// C44: when the last subscriber goes, what was taken and not started returns to the front of the array, in order, in
/// one write.
#[tokio::test(start_paused = true)]
async fn what_was_not_started_is_given_back_when_the_last_subscriber_goes() {
    let store = Memory::new();
    let link = Link::new(&store);
    let one = open(link.clone(), "one").await;
    let two = open(store.clone(), "two").await;
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
    let one = open(link.clone(), "one").await;
    let two = open(store.clone(), "two").await;
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
    for fault in [Fate::Unavailable, RATE_LIMITED, Fate::Conflict, Fate::LoseRequest, Fate::LoseAnswer] {
        let store = Memory::new();
        let link = Link::new(&store);
        let one = open(link.clone(), "one").await;
        let mut deliveries = one.executor("extension").subscribe();
        add(&one, &["1", "2", "3"]).await;
        let held = next(&mut deliveries).await;
        link.script([fault, fault]);
        held.finish().await.unwrap();
        link.script([fault, fault]);
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
    for fault in [Fate::Unavailable, RATE_LIMITED, Fate::Conflict, Fate::LoseRequest, Fate::LoseAnswer] {
        for failures in 1..4 {
            let store = Memory::new();
            let link = Link::new(&store);
            let one = open(link.clone(), "one").await;
            let mut deliveries = one.executor("extension").subscribe();
            add(&one, &["1", "2", "3"]).await;
            let held = next(&mut deliveries).await;
            link.script(std::iter::repeat_n(fault, failures));
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
    let one = open(store.clone(), "one").await;
    let mut deliveries = one.executor("extension").subscribe();
    add(&one, &["1", "2"]).await;
    let held = next(&mut deliveries).await;
    drop((held, deliveries, one));
    until_stored(&store, |document| counts(document, "extension") == (2, 0)).await;
}

/// C41, C44: an at-most-once action whose start was recorded and that nobody has seen is given back whole, whether
/// the subscriber goes or the client closes, and runs elsewhere as a first attempt.
#[tokio::test(start_paused = true)]
async fn an_at_most_once_action_that_nobody_has_seen_is_given_back() {
    for closes in [false, true] {
        let store = Memory::new();
        let one = open(store.clone(), "one").await;
        let mut deliveries = Some(one.executor("extension").subscribe());
        let receipt = one.add_action(extension::InjectPassword {}).await.unwrap();
        let only_its_id =
            |document: &Document| document.claims("extension").iter().any(|claim| claim.item().is_none());
        until_stored(&store, only_its_id).await;
        // Time for the start to be handed over.
        tokio::time::sleep(SOON).await;
        if closes {
            one.close().await.unwrap();
            assert!(next_or_end(deliveries.as_mut().unwrap()).await.is_none(), "nobody may see it any more");
        } else {
            drop(deliveries.take());
        }
        until_stored(&store, |document| counts(document, "extension") == (1, 0)).await;
        let other = open(store.clone(), "other").await;
        let delivery = next(&mut other.executor("extension").subscribe()).await;
        assert_eq!((delivery.id(), delivery.attempt()), (receipt.id().unwrap(), 1));
    }
}

/// C41, C44: but one that somebody has seen is not given back.
#[tokio::test(start_paused = true)]
async fn an_at_most_once_action_in_hand_is_gone_when_its_client_closes() {
    let store = Memory::new();
    let one = open(store.clone(), "one").await;
    let mut deliveries = one.executor("extension").subscribe();
    one.add_action(extension::InjectPassword {}).await.unwrap();
    let _held = next(&mut deliveries).await;
    one.close().await.unwrap();
    assert!(is_worked_off(&*document(&store).await));
}

/// C44: what nobody has seen has not begun: closing counts no attempt of it.
#[tokio::test(start_paused = true)]
async fn closing_counts_no_attempt_of_what_nobody_has_seen() {
    let store = Memory::new();
    let one = open(store.clone(), "one").await;
    let _unread = one.executor("extension").subscribe();
    add(&one, &["1", "2"]).await;
    until_stored(&store, |document| counts(document, "extension") == (0, 2)).await;
    tokio::time::sleep(SOON).await;
    one.close().await.unwrap();
    let other = open(store.clone(), "other").await;
    let done = carry_out(&mut other.executor("extension").subscribe(), 2).await;
    assert_eq!(done, [("1".into(), 1), ("2".into(), 1)]);
}
