use super::*;
use crate::limits::TWILSOCK_REQUESTS_WAITING_MAX;

#[test]
fn answers_find_their_requests_in_any_order() {
    let mut bench = Bench::live();
    let (first, second) = (bench.request(), bench.request());
    let said = bench.said();
    let [Output::Send(one), Output::Send(two)] = said.as_slice() else { panic!("{said:?}") };
    for (frame, ticket, code) in [(two, second, 204), (one, first, 201)] {
        bench.hear(&Response::empty(code).frame(&envelope(frame).id));
        assert_eq!(bench.said(), [Output::Answer(ticket, Ok(Response::empty(code)))]);
    }
    bench.hear(&Response::empty(200).frame(&envelope(one).id));
    assert_eq!(bench.said(), [], "answered once");
}

#[test]
fn requests_wait_for_a_session_and_go_out_in_order() {
    let mut bench = Bench::new();
    bench.session.core.outputs.clear();
    bench.session.core.outputs.push_back(Output::Connect(1));
    for _ in 0..3 {
        bench.request();
    }
    bench.open();
    let said = bench.said();
    assert_eq!(said.len(), 3);
    let ids: Vec<String> = said
        .iter()
        .map(|output| match output {
            Output::Send(frame) => envelope(frame).id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(ids.is_sorted());
}

#[test]
fn a_request_that_finds_no_session_was_not_sent() {
    let mut bench = Bench::new();
    bench.said();
    let ticket = bench.request();
    assert_eq!(bench.wait(20 * SECOND), [Output::Answer(ticket, Err(RequestError::NotSent))]);
}

#[test]
fn a_lost_connection_leaves_what_was_sent_unknown_and_what_waits_waiting() {
    let mut bench = Bench::live();
    let sent = bench.request();
    bench.said();
    bench.session.socket_failed(bench.attempt, bench.moment());
    let said = bench.said();
    assert_eq!(said.last(), Some(&Output::Answer(sent, Err(RequestError::Unknown))));
    let waiting = bench.request();
    let said = bench.wait(SHORTEST);
    bench.session.core.outputs.extend(said);
    bench.open();
    let frame = bench.frame();
    bench.hear(&Response::empty(200).frame(&frame.id));
    assert_eq!(bench.said(), [Output::Answer(waiting, Ok(Response::empty(200)))]);
}

#[test]
fn an_answer_that_does_not_come_is_unknown_and_the_session_goes_on() {
    let mut bench = Bench::live();
    let ticket = bench.request();
    let frame = bench.frame();
    assert_eq!(bench.wait(30 * SECOND), [Output::Answer(ticket, Err(RequestError::Unknown))]);
    bench.hear(&Response::empty(200).frame(&frame.id));
    assert_eq!(bench.said(), [], "too late");
    assert!(bench.session.has_session());
}

#[test]
fn a_transport_that_refuses_says_so_and_may_ask_for_a_pause() {
    let mut bench = Bench::live();
    let ticket = bench.request();
    let frame = bench.frame();
    let throttled = refusal(429);
    bench.hear(&throttled.reply(&frame.id));
    assert_eq!(bench.said(), [Output::Answer(ticket, Err(RequestError::Refused(throttled)))]);
    bench.request();
    assert_eq!(bench.said(), []);
    assert_eq!(bench.wait(SECOND).len(), 1);
    bench.request();
    assert_eq!(bench.said().len(), 1, "the pause is over");
}

#[test]
fn only_so_many_wait() {
    let mut bench = Bench::new();
    bench.said();
    for _ in 0..TWILSOCK_REQUESTS_WAITING_MAX {
        bench.request();
    }
    assert_eq!(bench.said(), []);
    let ticket = bench.request();
    assert_eq!(bench.said(), [Output::Answer(ticket, Err(RequestError::TooMany))]);
}

#[test]
fn no_more_are_sent_than_answers_are_waited_for() {
    let mut bench = Bench::live();
    for _ in 0..=TWILSOCK_REQUESTS_WAITING_MAX {
        bench.request();
    }
    let said = bench.said();
    assert_eq!(said.len(), TWILSOCK_REQUESTS_WAITING_MAX);
    let Output::Send(first) = &said[0] else { panic!() };
    bench.hear(&Response::empty(200).frame(&envelope(first).id));
    let said = bench.said();
    assert!(matches!(said.as_slice(), [Output::Answer(..), Output::Send(_)]), "{said:?}");
}

#[test]
fn closing_answers_everybody() {
    let mut bench = Bench::live();
    let sent = bench.request();
    bench.session.close();
    assert!(bench.said().contains(&Output::Answer(sent, Err(RequestError::Unknown))));
    let mut bench = Bench::new();
    let waiting = bench.request();
    bench.session.close();
    assert!(bench.said().contains(&Output::Answer(waiting, Err(RequestError::Closed))));
}
