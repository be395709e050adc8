//! Handing actions over: which, to whom, in what order, and at what cost (C33–C39).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::client::Deliveries;
use sp_sync::{Batch, Error, Failure, Notice, Settings, SyncClient, onboarding};
use tokio_stream::StreamExt as _;

use crate::support::*;

/// C33: without a subscriber actions stay; with one they are handed over and deleted.
#[tokio::test(start_paused = true)]
async fn actions_wait_for_a_subscriber_and_are_deleted_when_they_are_handed_over() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    add(&client, &["1"]).await;
    let receipt = add(&client, &["2"]).await;
    assert!(matches!(receipt.taken(AGES).await, Err(Error::Timeout { .. })));
    assert_eq!(stored(&store).await["extensionActions"].as_array().unwrap().len(), 2);

    let mut actions = client.events().extension_actions_added().unwrap();
    assert_eq!(text(&next(&mut actions).await.action), "1");
    assert_eq!(text(&next(&mut actions).await.action), "2");
    receipt.finished(SOON).await.unwrap();
    assert_eq!(client.get_sync().await.unwrap().to_value(), json!({ "extensionActions": [] }));
}

/// C33: the same with deliveries.
#[tokio::test(start_paused = true)]
async fn a_finished_delivery_is_deleted() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1"]).await;
    let delivery = next(&mut deliveries).await;
    assert_eq!(counts(&*document(&store).await, "extension"), (0, 1));
    delivery.finish().await.unwrap();
    assert_eq!(counts(&*document(&store).await, "extension"), (0, 0));
}

/// C34: add three, restart, subscribe: the three arrive in order, without waiting for another update.
#[tokio::test(start_paused = true)]
async fn what_waits_already_is_handed_over_at_once_after_a_restart() {
    let store = Memory::new();
    let first = open(store.clone(), "page").await;
    add(&first, &["1", "2", "3"]).await;
    first.close().await.unwrap();

    let restarted = open(store.clone(), "page").await;
    let mut deliveries = restarted.executor("extension").subscribe();
    let done = tokio::time::timeout(SOON, carry_out(&mut deliveries, 3)).await.unwrap();
    assert_eq!(done, [("1".into(), 1), ("2".into(), 1), ("3".into(), 1)]);
    drop(deliveries);
    restarted.close().await.unwrap();

    let third = open(store.clone(), "page").await;
    add(&third, &["4", "5", "6"]).await;
    let mut actions = third.events().extension_actions_added().unwrap();
    for expected in ["4", "5", "6"] {
        assert_eq!(text(&next(&mut actions).await.action), expected);
    }
}

/// C34: a callback of the original's event emitter sees them too.
#[tokio::test(start_paused = true)]
async fn a_callback_is_called_for_what_waits_already() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    add(&client, &["1", "2"]).await;
    let (sender, mut called) = tokio::sync::mpsc::channel(8);
    let subscription = client.events().on("extensionActionsAdded", move |action| {
        sender.try_send(action["message"].clone()).unwrap();
    });
    assert_eq!(called.recv().await.unwrap(), "1");
    assert_eq!(called.recv().await.unwrap(), "2");
    drop(subscription);
}

/// C36: the next action starts when the one before has finished, and not before.
#[tokio::test(start_paused = true)]
async fn the_next_action_starts_when_the_one_before_has_finished() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2"]).await;
    let first = next(&mut deliveries).await;
    none_within(&mut deliveries, 10 * LEASE).await;
    first.finish().await.unwrap();
    assert_eq!(text(next(&mut deliveries).await.action()), "2");
}

/// C36: there is no order between executors: one that is slow holds up nobody else.
#[tokio::test(start_paused = true)]
async fn a_slow_executor_does_not_hold_up_another() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut slow = client.executor("extension").subscribe();
    let mut quick = client.executor("onboarding").subscribe();
    add(&client, &["1"]).await;
    let held = next(&mut slow).await;
    for text in ["a", "b", "c"] {
        client.add_action(onboarding::ShowNotice::new(text)).await.unwrap();
    }
    assert_eq!(texts(&carry_out(&mut quick, 3).await), ["a", "b", "c"]);
    held.finish().await.unwrap();
}

/// C35, C36: 8 writers, 1 reader, 10 000 actions: each writer's actions in its order; the reader's order is the
/// order of the array, which is the order in which writes were accepted.
#[tokio::test(start_paused = true)]
async fn one_reader_keeps_the_order_in_which_eight_writers_wrote() {
    const WRITERS: usize = 8;
    const EACH: usize = 1_250;
    let store = roomy_store();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let client = open(store.clone(), &format!("writer{writer}")).await;
        writers.spawn(async move {
            let mut accepted = Vec::new();
            let mut number = 0;
            while number < EACH {
                let size = (1 + (number + writer) % 5).min(EACH - number);
                let members: Vec<String> =
                    (number..number + size).map(|number| format!("{writer}-{number}")).collect();
                let batch = members.iter().fold(Batch::new(), |batch, text| batch.then(note(text)));
                let receipt = add_patiently(&client, batch).await;
                accepted.push((receipt.revision(), members));
                number += size;
            }
            accepted
        });
    }
    let reader = open(store.clone(), "reader").await;
    let mut actions = reader.events().extension_actions_added().unwrap();
    let mut read = Vec::new();
    while read.len() < WRITERS * EACH {
        read.push(text(&next(&mut actions).await.action));
    }
    let mut accepted: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    accepted.sort_by_key(|(revision, _)| *revision);
    let accepted: Vec<String> = accepted.into_iter().flat_map(|(_, members)| members).collect();
    assert!(read == accepted, "the reader's order is not the array's");

    let mut next_of = HashMap::new();
    for text in &read {
        let (writer, number) = text.split_once('-').unwrap();
        let expected: &mut usize = next_of.entry(writer.to_owned()).or_default();
        assert_eq!(number.parse::<usize>().unwrap(), *expected, "of writer {writer}");
        *expected += 1;
    }
    none_within(&mut actions, AGES).await;
}

/// C37: 10 clients subscribed to one executor, 10 000 actions, no faults: each runs exactly once, in order.
#[tokio::test(start_paused = true)]
async fn of_ten_clients_exactly_one_runs_each_of_ten_thousand_actions() {
    const CLIENTS: usize = 10;
    const ACTIONS: usize = 10_000;
    let store = roomy_store();
    let ran: Arc<Mutex<Vec<(String, u32)>>> = Arc::default();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let client = open(store.clone(), &format!("client{number}")).await;
        let mut actions = client.events().extension_actions_added().unwrap();
        let ran = ran.clone();
        tokio::spawn(async move {
            while let Some(event) = actions.next().await {
                ran.lock().unwrap().push((text(&event.action), event.attempt));
            }
        });
        clients.push(client);
    }
    let writer = open(store.clone(), "writer").await;
    for start in (0..ACTIONS).step_by(40) {
        let batch = (start..start + 40).fold(Batch::new(), |batch, number| batch.then(note(number)));
        add_patiently(&writer, batch).await;
    }
    until_worked_off(&store).await;
    let ran = ran.lock().unwrap();
    let expected: Vec<_> = (0..ACTIONS).map(|number| (number.to_string(), 1)).collect();
    assert!(*ran == expected, "{} runs of {ACTIONS} actions", ran.len());
}

/// C37: within one client every listener sees every action; the action is done when all have seen it.
#[tokio::test(start_paused = true)]
async fn every_listener_of_one_client_sees_every_action() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut first = client.events().extension_actions_added().unwrap();
    let mut second = client.events().extension_actions_added().unwrap();
    add(&client, &["1", "2"]).await;
    assert_eq!(text(&next(&mut first).await.action), "1");
    none_within(&mut first, SOON).await;
    assert_eq!(text(&next(&mut second).await.action), "1");
    assert_eq!(text(&next(&mut second).await.action), "2");
    assert_eq!(text(&next(&mut first).await.action), "2");
    until_worked_off(&store).await;
}

/// C37: subscriptions of one client to deliveries take turns; order and one-at-a-time stay.
#[tokio::test(start_paused = true)]
async fn subscriptions_of_one_client_take_turns() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut first = client.executor("extension").subscribe();
    let mut second = client.executor("extension").subscribe();
    add(&client, &["1", "2", "3", "4"]).await;
    assert_eq!(texts(&carry_out(&mut first, 1).await), ["1"]);
    assert_eq!(texts(&carry_out(&mut second, 1).await), ["2"]);
    assert_eq!(texts(&carry_out(&mut first, 1).await), ["3"]);
    assert_eq!(texts(&carry_out(&mut second, 1).await), ["4"]);
    until_worked_off(&store).await;
}

/// C37: a subscription that goes away unread leaves its action to the other, without counting an attempt.
#[tokio::test(start_paused = true)]
async fn an_unread_action_goes_to_another_subscription_of_the_client() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let idle = client.executor("extension").subscribe();
    add(&client, &["1"]).await;
    until_stored(&store, |document| counts(document, "extension") == (0, 1)).await;
    // Whoever looks gets it, while the other lives and when it is gone.
    let mut busy = client.executor("extension").subscribe();
    assert_eq!(carry_out(&mut busy, 1).await, [("1".into(), 1)]);
    drop(busy);
    add(&client, &["2"]).await;
    until_stored(&store, |document| counts(document, "extension") == (0, 1)).await;
    drop(idle);
    let mut busy = client.executor("extension").subscribe();
    assert_eq!(carry_out(&mut busy, 1).await, [("2".into(), 1)]);
}

/// C37, C42: a listener and a handler together: the listener sees each attempt, the handler says how it ended.
#[tokio::test(start_paused = true)]
async fn a_handler_decides_what_listeners_only_see() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut seen = client.events().extension_actions_added().unwrap();
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2"]).await;
    assert_eq!(next(&mut seen).await.attempt, 1);
    next(&mut deliveries).await.fail(Failure::new("busy", "not now")).await.unwrap();
    let again = next(&mut deliveries).await;
    let event = next(&mut seen).await;
    assert_eq!((text(&event.action), event.attempt, again.attempt()), ("1".into(), 2, 2));
    assert_eq!(event.id, *again.id());
    again.finish().await.unwrap();
    assert_eq!(text(&next(&mut seen).await.action), "2");
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["2"]);
    until_worked_off(&store).await;
}

/// C38: taking moves up to 32 actions from the front of the array to the claims, in one write.
#[tokio::test(start_paused = true)]
async fn a_run_of_at_most_32_actions_is_taken_by_one_write() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let batch = (0..40).fold(Batch::new(), |batch, number| batch.then(note(number)));
    let added = client.add_actions(batch).await.unwrap();
    let mut deliveries = client.executor("extension").subscribe();
    let first = next(&mut deliveries).await;
    let document = document(&store).await;
    assert_eq!(counts(&document, "extension"), (8, 32));
    assert_eq!(revision(&store).await.0, added.revision().0 + 1);
    let claimed: Vec<_> = document.claims("extension").iter().filter_map(|claim| claim.id()).collect();
    assert_eq!(claimed, added.ids()[..32].iter().collect::<Vec<_>>());
    first.finish().await.unwrap();
    assert_eq!(carry_out(&mut deliveries, 39).await.len(), 39);
}

/// C38: a client takes nothing while another holds claims of the executor.
#[tokio::test(start_paused = true)]
async fn nothing_is_taken_while_another_client_holds_a_claim() {
    let store = Memory::new();
    let (one, two) = (open(store.clone(), "one").await, open(store.clone(), "two").await);
    let mut first = one.executor("extension").subscribe();
    add(&one, &["1"]).await;
    let held = next(&mut first).await;
    let mut second = two.executor("extension").subscribe();
    add(&two, &["2", "3"]).await;
    none_within(&mut second, 10 * LEASE).await;
    assert_eq!(counts(&*document(&store).await, "extension"), (2, 1));
    drop(first);
    held.finish().await.unwrap();
    assert_eq!(texts(&carry_out(&mut second, 2).await), ["2", "3"]);
}

/// C39: the end of an action and the taking of the next run share a write; so do ends that come together. A hundred
/// quick actions cost at most eight writes in all.
#[tokio::test(start_paused = true)]
async fn a_hundred_quick_actions_cost_at_most_eight_writes() {
    let link = Link::new(&roomy_store());
    let client = builder(link.clone(), "page").settings(roomy()).connect().await.unwrap();
    let mut actions = client.events().extension_actions_added().unwrap();
    let before = link.writes();
    let batch = (0..100).fold(Batch::new(), |batch, number| batch.then(note(number)));
    let receipt = client.add_actions(batch).await.unwrap();
    for number in 0..100 {
        assert_eq!(text(&next(&mut actions).await.action), number.to_string());
    }
    receipt.finished(SOON).await.unwrap();
    assert!(link.writes() - before <= 8, "{} writes", link.writes() - before);
}

/// C39: deliveries whose ends nobody waits for cost no more.
#[tokio::test(start_paused = true)]
async fn a_hundred_deliveries_of_a_table_of_handlers_cost_few_writes() {
    let link = Link::new(&roomy_store());
    let client = builder(link.clone(), "page").settings(roomy()).connect().await.unwrap();
    let served = client.clone();
    let handlers = sp_sync::Handlers::new().on(async |_: sp_sync::extension::LockScreen| Ok(()));
    let serving = tokio::spawn(async move { served.executor("extension").serve(handlers).await });
    let before = link.writes();
    let batch = (0..100).fold(Batch::new(), |batch, number| batch.then(note(number)));
    let receipt = client.add_actions(batch).await.unwrap();
    receipt.finished(SOON).await.unwrap();
    assert!(link.writes() - before <= 8, "{} writes", link.writes() - before);
    serving.abort();
}

/// C39: while a slow handler runs, the ends before it are recorded within `finish_linger`.
#[tokio::test(start_paused = true)]
async fn earlier_ends_are_recorded_while_a_slow_handler_runs() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut actions = client.events().extension_actions_added().unwrap();
    add(&client, &["1", "2", "3"]).await;
    for _ in 0..2 {
        next(&mut actions).await;
    }
    // The third lies unread in the listener's hands: it runs.
    let recorded = until_stored(&store, |document| counts(document, "extension") == (0, 1));
    let linger = Settings::default().finish_linger;
    tokio::time::timeout(linger + Duration::from_millis(1), recorded).await.expect("recorded in time");
}

/// C39: what is no longer this client's is not recorded, and the handler is told.
#[tokio::test(start_paused = true)]
async fn finishing_what_somebody_else_has_removed_is_said_to_be_not_held() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1"]).await;
    let delivery = next(&mut deliveries).await;
    edit(&store, |document| drop(document.remove("_sp"))).await;
    delivery.cancelled().await;
    notice(&mut notices, |notice| matches!(notice, Notice::ClaimLost { .. })).await;
    let revision_before = revision(&store).await.0;
    assert!(matches!(delivery.finish().await, Err(Error::NotHeld { .. })));
    assert_eq!(revision(&store).await.0, revision_before);
}

/// C37, C60: an action that was lost before anybody here read it is not handed out afterwards, and does not stand in
/// the way of the next.
#[tokio::test(start_paused = true)]
async fn a_lost_action_is_not_read_later_and_blocks_nothing() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    let mut actions = client.events().extension_actions_added().unwrap();
    add(&client, &["lost"]).await;
    until_stored(&store, |document| counts(document, "extension") == (0, 1)).await;
    edit(&store, |document| drop(document.remove("_sp"))).await;
    add(&client, &["next"]).await;
    until_stored(&store, |document| counts(document, "extension") == (0, 1)).await;
    tokio::time::sleep(SOON).await;
    assert_eq!(text(&next(&mut actions).await.action), "next");
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["next"]);
}

/// C44: a delivery that is dropped goes back to the front of the array, and its attempt counts.
#[tokio::test(start_paused = true)]
async fn a_dropped_delivery_is_given_back_and_its_attempt_counts() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    add(&client, &["1", "2"]).await;
    drop(next(&mut deliveries).await);
    until_stored(&store, |document| counts(document, "extension") == (2, 0)).await;
    assert_eq!(carry_out(&mut deliveries, 2).await, [("1".into(), 2), ("2".into(), 1)]);
}

/// C44: others get their chance at an action that a handler let go of.
#[tokio::test(start_paused = true)]
async fn a_dropped_delivery_is_free_for_another_client() {
    let store = Memory::new();
    let (one, two) = (open(store.clone(), "one").await, open(store.clone(), "two").await);
    let mut first = one.executor("extension").subscribe();
    add(&one, &["1"]).await;
    let held = next(&mut first).await;
    let mut second = two.executor("extension").subscribe();
    drop(held);
    let again = next(&mut second).await;
    assert_eq!((again.attempt(), text(again.action())), (2, "1".into()));
}

/// C36: after `detach` the next action starts while the answer is still to come.
#[tokio::test(start_paused = true)]
async fn a_detached_delivery_lets_the_next_one_start() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut deliveries = client.executor("extension").subscribe();
    client.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    add(&client, &["2"]).await;
    let responder = next(&mut deliveries).await.detach().await.unwrap().expect("it asks for a response");
    assert!(next(&mut deliveries).await.detach().await.unwrap().is_none());
    assert_eq!(responder.respond_to().as_str(), "onboarding");
    responder.respond(json!({ "displayCount": 1 })).await.unwrap();
    let expected = json!([{ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1 }]);
    assert_eq!(client.get_sync().await.unwrap()["onboardingActions"], expected);
}

/// C37: a handler that panics loses its subscription, not the action.
#[tokio::test(start_paused = true)]
async fn an_action_whose_handler_panics_is_run_again() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut first = client.executor("extension").subscribe();
    add(&client, &["1"]).await;
    let handler = tokio::spawn(async move {
        let _held = next(&mut first).await;
        panic!("on purpose");
    });
    assert!(handler.await.unwrap_err().is_panic());
    let mut second = client.executor("extension").subscribe();
    assert_eq!(carry_out(&mut second, 1).await, [("1".into(), 2)]);
}

/// C33–C37 hold on a runtime with several threads too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_threads_change_nothing() {
    let store = roomy_store();
    let mut subscribers = Vec::new();
    let (sender, mut ran) = tokio::sync::mpsc::channel(1_000);
    for number in 0..3 {
        let client = open(store.clone(), &format!("client{number}")).await;
        let mut deliveries: Deliveries = client.executor("extension").subscribe();
        let sender = sender.clone();
        subscribers.push(tokio::spawn(async move {
            while let Some(delivery) = deliveries.next().await {
                sender.send((text(delivery.action()), delivery.attempt())).await.unwrap();
                delivery.finish().await.unwrap();
            }
        }));
    }
    let writer: SyncClient = open(store.clone(), "writer").await;
    for start in (0..500).step_by(20) {
        let batch = (start..start + 20).fold(Batch::new(), |batch, number| batch.then(note(number)));
        add_patiently(&writer, batch).await;
    }
    for number in 0..500 {
        let came = tokio::time::timeout(Duration::from_secs(60), ran.recv()).await.unwrap().unwrap();
        assert_eq!(came, (number.to_string(), 1));
    }
    until_worked_off(&store).await;
    for subscriber in subscribers {
        subscriber.abort();
    }
}
