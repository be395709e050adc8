//! Subscriptions until they are confirmed.

use serde_json::json;

use super::*;
use crate::twilsock::frame::Payload;
use crate::twilsock::sync::{
    Confirmed, Correlation, DocumentUpdated, Kind, Replay, SubscriptionAnswer, SubscriptionBatch, SyncRequest,
};

/// A watched document at event 5 whose subscription has been asked for.
fn watched() -> (Bench, SubscriptionBatch) {
    let mut bench = Bench::new();
    let call = bench.call(|machine, call, moment| machine.watch(id(), call, moment));
    bench.answer("GET", &found(5));
    assert!(bench.settled(call).is_ok());
    assert_eq!(bench.told(), "6 {\"event\":5}");
    let batch = batch(&mut bench);
    (bench, batch)
}

/// The subscription request that was sent, answered.
fn batch(bench: &mut Bench) -> SubscriptionBatch {
    let (_, request) = bench.asked.front().expect("nothing is asked");
    let Ok(SyncRequest::Subscribe(batch)) = SyncRequest::read(request, "IS") else { panic!("{request:?}") };
    let answer = SubscriptionAnswer { estimated_delivery: Duration::from_secs(5), batch_max: 10, ttl: None };
    bench.answer("POST /v4/Subscriptions", &Response::json(200, answer.payload()));
    batch
}

fn confirmed(replay: Replay, event: i64) -> Confirmed {
    Confirmed { sid: SID.into(), kind: Some(Kind::Document), replay, last_event_id: Some(EventId(event)) }
}

fn updated(event: i64) -> Notification {
    let updated = DocumentUpdated {
        id: EventId(event),
        sid: SID.into(),
        unique_name: None,
        revision: Some(EventId(event).revision()),
        date_created: None,
        date_expires: None,
    };
    updated.notification(&format!("{{\"event\":{event}}}"), None)
}

#[test]
fn only_newer_events_are_told() {
    let (mut bench, _) = watched();
    for (event, told) in
        [(5, "nothing"), (8, "9 {\"event\":8}"), (7, "nothing"), (8, "nothing"), (9, "10 {\"event\":9}")]
    {
        bench.notify(&updated(event));
        assert_eq!(bench.told(), told);
    }
}

#[test]
fn what_is_not_confirmed_in_time_is_asked_for_again() {
    let (mut bench, first) = watched();
    assert_eq!(first.entries[0].last_event_id, Some(EventId(5)));
    bench.notify(&updated(6));
    bench.pass(Duration::from_secs(6));
    let second = batch(&mut bench);
    assert_eq!(second.entries[0].last_event_id, Some(EventId(6)));
    assert_ne!(first.correlation, second.correlation);
    // The confirmation of the first one is late: it does not count.
    bench.notify(&Confirmed::notification(&first.correlation, &[confirmed(Replay::Completed, 6)]));
    bench.pass(Duration::from_secs(6));
    let third = batch(&mut bench);
    bench.notify(&Confirmed::notification(&third.correlation, &[confirmed(Replay::Completed, 6)]));
    bench.pass(Duration::from_secs(6));
    assert!(bench.asked.is_empty());
}

#[test]
fn an_interrupted_replay_goes_on_from_where_it_got_and_waits_if_it_got_nowhere() {
    let (mut bench, first) = watched();
    bench.notify(&updated(6));
    bench.notify(&Confirmed::notification(&first.correlation, &[confirmed(Replay::Interrupted, 6)]));
    let second = batch(&mut bench);
    assert_eq!(second.entries[0].last_event_id, Some(EventId(6)));
    bench.notify(&Confirmed::notification(&second.correlation, &[confirmed(Replay::Interrupted, 6)]));
    assert!(bench.asked.is_empty());
    bench.pass(Duration::from_secs(1));
    batch(&mut bench);
}

#[test]
fn a_confirmation_of_more_than_was_told_makes_it_look() {
    let (mut bench, first) = watched();
    bench.notify(&Confirmed::notification(&first.correlation, &[confirmed(Replay::Completed, 7)]));
    bench.answer("GET", &found(7));
    assert_eq!(bench.told(), "8 {\"event\":7}");
}

#[test]
fn every_connection_subscribes_anew_and_a_stranger_s_confirmation_is_passed_over() {
    let (mut bench, first) = watched();
    bench.notify(&Confirmed::notification(&Correlation::new(77), &[confirmed(Replay::Completed, 5)]));
    bench.notify(&Confirmed::notification(&first.correlation, &[confirmed(Replay::Completed, 5)]));
    let (attempt, moment) = (bench.attempt, bench.moment());
    bench.machine.socket_failed(attempt, None, moment);
    bench.collect();
    bench.pass(Duration::from_secs(2));
    assert_eq!(batch(&mut bench).entries[0].last_event_id, Some(EventId(5)));
}

#[test]
fn a_change_that_cannot_be_read_is_looked_for() {
    let (mut bench, _) = watched();
    for event in
        [json!({ "id": "x", "document_sid": SID }), json!({ "id": 6, "document_sid": "ET1" }), json!({})]
    {
        let payload = Payload::json(&json!({ "event_type": "document_updated", "event": event }));
        bench.notify(&Notification { message_type: "twilio.sync.event".into(), payload });
    }
    bench.answer("GET", &found(6));
    assert_eq!(bench.told(), "7 {\"event\":6}");
    assert!(bench.asked.is_empty(), "of its own documents only");
}
