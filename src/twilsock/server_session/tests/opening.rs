use super::super::super::message::{InitReply, ping};
use super::*;

#[test]
fn the_first_frame_must_come_in_time() {
    let mut bench = Bench::new(Settings::default());
    assert_eq!(bench.wait(10 * SECOND), [Said::Cut(End::InitLate)]);
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn the_first_frame_must_be_an_init() {
    for frame in [request().frame("a"), update().frame("a"), ping("a"), acknowledge("a")] {
        let mut bench = Bench::new(Settings::default());
        bench.hear(&frame);
        assert_eq!(bench.closed_with(), (406, Some(51214)));
    }
}

#[test]
fn an_accepted_init_is_told_all_the_kotlin_sdk_needs() {
    let mut bench = Bench::new(Settings::default());
    let capabilities = ["client_update", "made_up", "telemetry.v1"].map(str::to_owned).to_vec();
    bench.hear(&Init { capabilities, ..init() }.frame("I1"));
    let Some(Output::CheckToken { check, token, asking: Asking::Init(asked) }) = bench.session.next_output()
    else {
        panic!()
    };
    assert_eq!((token.secret(), asked.continuation_token), ("first", None));
    bench.session.token_checked(check, admit("alice", None), bench.now);
    let (id, Message::Reply(reply)) = bench.frame() else { panic!() };
    let Ok(InitReply::Accepted(accepted)) = reply.into_init() else { panic!() };
    assert_eq!(id, "I1");
    assert_eq!(accepted.capabilities, ["client_update", "telemetry.v1"]);
    assert_eq!(accepted.account, Some(account("alice")));
    assert_eq!(accepted.continuation_token.as_deref(), Some("continue"));
    assert_eq!(accepted.storage_ids.get(DATA_SYNC).map(String::as_str), Some("store"));
}

#[test]
fn a_refused_init_is_answered_and_the_socket_closed() {
    let mut bench = Bench::new(Settings::default());
    bench.hear(&init().frame("I1"));
    let Some(Said::Check(check)) = bench.said().pop() else { panic!() };
    let backoff = Some(BackoffPolicy::new(5 * SECOND, 10 * SECOND));
    let refusal = Refusal { status: Status::new(429).because(51202, "Too many requests"), backoff };
    bench.session.token_checked(check, Verdict::Refused(refusal.clone()), bench.now);
    let (id, Message::Reply(reply)) = bench.frame() else { panic!() };
    assert_eq!((id.as_str(), reply.refusal()), ("I1", refusal));
    assert_eq!(bench.wait(SECOND), [Said::Cut(End::Closed)]);
}

#[test]
fn a_client_that_leaves_after_a_refusal_is_not_waited_for() {
    let mut bench = Bench::new(Settings::default());
    bench.hear(&init().frame("I1"));
    let Some(Said::Check(check)) = bench.said().pop() else { panic!() };
    bench.session.token_checked(check, refuse(401, 20101), bench.now);
    assert_eq!(bench.said().len(), 1);
    bench.hear(&Close::default().frame("C"));
    assert_eq!(bench.said(), [Said::Cut(End::ByClient)]);
}

#[test]
fn a_check_that_takes_too_long_ends_with_503_and_its_late_verdict_is_nothing() {
    let mut bench = Bench::new(Settings::default());
    bench.hear(&init().frame("I1"));
    let Some(Said::Check(check)) = bench.said().pop() else { panic!() };
    let said = bench.wait(10 * SECOND);
    let [Said::Frame(_, Message::Reply(reply))] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(reply.status.code, 503);
    bench.session.token_checked(check, admit("alice", None), bench.now);
    assert_eq!(bench.said(), []);
}

#[test]
fn a_request_before_the_session_is_open_is_not_acceptable() {
    let mut bench = Bench::new(Settings::default());
    bench.hear(&init().frame("I1"));
    bench.said();
    bench.hear(&request().frame("a"));
    assert_eq!(bench.closed_with(), (406, Some(51214)));
}

#[test]
fn a_token_in_its_last_minutes_is_warned_of_at_once() {
    let mut bench = Bench::new(Settings::default());
    bench.hear(&init().frame("I1"));
    let Some(Said::Check(check)) = bench.said().pop() else { panic!() };
    bench.session.token_checked(check, admit("alice", Some(60 * SECOND)), bench.now);
    let said = bench.said();
    let [Said::Frame(..), Said::Frame(_, Message::ClientUpdate(update))] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert!(update.message.contains("less than 60000 ms"), "{update:?}");
}
