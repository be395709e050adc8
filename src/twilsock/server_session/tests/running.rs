use super::super::super::frame::Payload;
use super::super::super::message::{ClientUpdateKind, Telemetry, ping};
use super::*;

#[test]
fn requests_are_handed_over_and_answered_by_their_id() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&request().frame("a"));
    bench.hear(&request().frame("b"));
    assert_eq!(bench.said(), [Said::Request("a".into()), Said::Request("b".into())]);
    for id in ["b", "a"] {
        bench.session.respond(id, &Response::empty(204), bench.now);
        assert_eq!(bench.response(), (id.to_owned(), 204));
    }
    bench.session.respond("a", &Response::empty(204), bench.now);
    assert_eq!(bench.said(), [], "answered once");
}

#[test]
fn a_repeated_id_is_carried_out_once() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&request().frame("a"));
    bench.hear(&request().frame("a"));
    assert_eq!(bench.said(), [Said::Request("a".into())]);
}

#[test]
fn what_is_too_much_is_refused_in_the_http_status() {
    let mut bench = Bench::open(Settings { requests_per_s: 2, ..Settings::default() }, None);
    for id in ["a", "b", "c"] {
        bench.hear(&request().frame(id));
    }
    assert_eq!(bench.response(), ("c".into(), 429));
    bench.now += SECOND / 2;
    bench.hear(&request().frame("d"));
    assert_eq!(bench.said(), [Said::Request("d".into())]);

    let mut bench = Bench::open(Settings { requests_open_max: 1, ..Settings::default() }, None);
    bench.hear(&request().frame("a"));
    bench.hear(&request().frame("b"));
    assert_eq!(bench.response(), ("b".into(), 429));
}

#[test]
fn a_request_that_cannot_be_read_is_answered_and_the_session_goes_on() {
    let mut bench = Bench::open(Settings::default(), None);
    let mut broken = header(&request().frame("a"));
    broken["http_request"]["path"] = "/%ff".into();
    bench.hear(&Encoded::with_header(broken, &Payload::none()));
    assert_eq!(bench.response(), ("a".into(), 400));
    bench.hear(&request().frame("b"));
    assert_eq!(bench.said(), [Said::Request("b".into())]);
}

#[test]
fn silence_is_broken_by_a_ping_and_an_unanswered_ping_ends_it() {
    let mut bench = Bench::open(Settings::default(), None);
    for _ in 0..3 {
        let said = bench.wait(20 * SECOND);
        let [Said::Frame(id, Message::Ping)] = said.as_slice() else { panic!("{said:?}") };
        bench.hear(&acknowledge(id));
    }
    bench.wait(20 * SECOND);
    assert_eq!(bench.wait(15 * SECOND), [Said::Cut(End::NotAcknowledged)]);
}

#[test]
fn whatever_is_sent_counts_as_no_silence() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&request().frame("a"));
    bench.now += 19 * SECOND;
    bench.session.respond("a", &Response::empty(204), bench.now);
    bench.said();
    let said = bench.wait(20 * SECOND);
    assert!(matches!(said.as_slice(), [Said::Frame(_, Message::Ping)]));
}

#[test]
fn notifications_are_to_be_acknowledged_each() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.session.notify(&notification(), bench.now);
    bench.now += SECOND;
    bench.session.notify(&notification(), bench.now);
    let said = bench.said();
    let [Said::Frame(first, _), Said::Frame(second, _)] = said.as_slice() else { panic!("{said:?}") };
    assert_ne!(first, second);
    // Acknowledged out of order, and once with a refusal, which is an acknowledgement too.
    bench.hear(&Status::new(400).reply(second));
    assert_eq!(bench.wait(14 * SECOND), [Said::Cut(End::NotAcknowledged)]);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let mut bench = Bench::open(Settings { unacknowledged_max: 2, ..Settings::default() }, None);
    let frame = notification().frame("shared");
    for id in ["x", "y", "z"] {
        bench.session.notify_shared(id, &frame, bench.now);
    }
    assert_eq!(bench.said().last(), Some(&Said::Cut(End::TooManyUnacknowledged)));
}

#[test]
fn a_warning_comes_once_and_a_new_token_brings_the_next() {
    let mut bench =
        Bench::open(Settings { ping_after: 10_000 * SECOND, ..Settings::default() }, Some(600 * SECOND));
    let said = bench.wait(420 * SECOND);
    let [Said::Frame(id, Message::ClientUpdate(warning))] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(warning.kind, ClientUpdateKind::TokenAboutToExpire);
    bench.hear(&acknowledge(id));
    bench.hear(&update().frame("U1"));
    let Some(Said::Check(check)) = bench.said().pop() else { panic!() };
    bench.session.token_checked(check, admit("alice", Some(3600 * SECOND)), bench.now);
    let (id, Message::Reply(reply)) = bench.frame() else { panic!() };
    assert_eq!((id.as_str(), reply.status.code), ("U1", 200));
    let said = bench.wait(3420 * SECOND);
    assert!(matches!(said.as_slice(), [Said::Frame(_, Message::ClientUpdate(_))]));
}

#[test]
fn a_refused_update_leaves_the_session_with_its_old_token() {
    let mut bench = Bench::open(Settings::default(), Some(190 * SECOND));
    for (verdict, reason) in [(refuse(401, 20101), 20101), (admit("bob", None), 51215)] {
        bench.hear(&update().frame("U"));
        let Some(Said::Check(check)) = bench.said().pop() else { panic!() };
        bench.session.token_checked(check, verdict, bench.now);
        let (_, Message::Reply(reply)) = bench.frame() else { panic!() };
        assert_eq!((reply.status.code, reply.status.error_code), (401, Some(reason)));
    }
    let said = bench.wait(10 * SECOND);
    assert!(matches!(said.as_slice(), [Said::Frame(_, Message::ClientUpdate(_))]));
}

#[test]
fn the_token_that_came_last_counts_however_late_the_others_are_checked() {
    let mut bench = Bench::open(Settings { ping_after: 10_000 * SECOND, ..Settings::default() }, None);
    bench.hear(&update().frame("U1"));
    bench.hear(&update().frame("U2"));
    let [Said::Check(first), Said::Check(second)] = bench.said()[..] else { panic!() };
    bench.session.token_checked(second, admit("alice", Some(1000 * SECOND)), bench.now);
    bench.session.token_checked(first, admit("alice", Some(200 * SECOND)), bench.now);
    bench.said();
    bench.wait(820 * SECOND);
}

#[test]
fn only_so_many_tokens_are_checked_at_a_time() {
    let mut bench = Bench::open(Settings::default(), None);
    for n in 0..5 {
        bench.hear(&update().frame(&format!("U{n}")));
    }
    let (id, Message::Reply(reply)) = bench.frame() else { panic!() };
    assert_eq!((id.as_str(), reply.status.code), ("U4", 429));
}

#[test]
fn what_needs_no_work_is_answered_or_passed_over() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&Telemetry::default().frame("T"));
    assert_eq!(bench.said(), []);
    let unknown = |method: &str| {
        let mut header = header(&ping("x"));
        header["method"] = method.into();
        Encoded::with_header(header, &Payload::none())
    };
    for (frame, code) in
        [(ping("x"), 200), (unknown("put_notification_ctx"), 200), (unknown("something_new"), 501)]
    {
        bench.hear(&frame);
        let (id, Message::Reply(reply)) = bench.frame() else { panic!() };
        assert_eq!((id.as_str(), reply.status.code), ("x", code));
    }
}
