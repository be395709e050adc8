use super::super::super::message::{ClientUpdate, ClientUpdateKind};
use super::*;

fn presented(envelope: &Envelope) -> &str {
    match &envelope.message {
        Message::Update(update) => update.token.secret(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_warning_asks_for_a_token_which_is_then_offered() {
    let mut bench = Bench::live();
    let warning = ClientUpdate { kind: ClientUpdateKind::TokenAboutToExpire, message: String::new() };
    bench.hear(&warning.frame("W"));
    assert_eq!(bench.said()[1..], [Output::TokenWanted(TokenWanted::AboutToExpire)]);
    bench.token("second");
    let update = bench.frame();
    assert_eq!(presented(&update), "second");
    bench.hear(&acknowledge(&update.id));
    bench.token("second");
    assert_eq!(bench.said(), [], "the server has it");
}

#[test]
fn a_token_that_comes_while_an_older_one_opens_the_session_is_offered_afterwards() {
    let mut bench = Bench::new();
    let (id, token) = bench.initialise();
    assert_eq!(token, "first");
    bench.token("second");
    assert_eq!(bench.said(), []);
    bench.hear(&Accepted::default().frame(&id));
    let said = bench.said();
    let [Output::Opened(_), Output::Send(update)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(presented(&envelope(update)), "second");
}

#[test]
fn a_token_that_comes_while_an_older_one_is_offered_is_offered_afterwards() {
    let mut bench = Bench::live();
    bench.token("second");
    let first = bench.frame();
    bench.token("third");
    assert_eq!(bench.said(), []);
    // Whether the older one is taken or not.
    bench.hear(&refusal(401).reply(&first.id));
    let update = bench.frame();
    assert_eq!(presented(&update), "third");
}

#[test]
fn a_token_that_comes_before_the_socket_is_presented_with_it() {
    let mut bench = Bench::new();
    bench.token("second");
    assert_eq!(bench.open(), "second");
}

#[test]
fn an_expired_session_connects_as_soon_as_there_is_another_token() {
    let mut bench = Bench::live();
    bench.hear(&expired());
    let said = bench.said();
    assert_eq!(said.last(), Some(&Output::TokenWanted(TokenWanted::Expired)));
    assert_eq!(bench.session.deadline(), None);
    bench.token("second");
    assert_eq!(bench.open(), "second");
}

#[test]
fn an_expired_session_connects_at_once_if_there_is_another_token_already() {
    let mut bench = Bench::live();
    bench.token("second");
    bench.said();
    bench.hear(&expired());
    let said = bench.said();
    assert_eq!(said.last(), Some(&Output::Connect(2)));
    bench.session.core.outputs.extend(said);
    assert_eq!(bench.open(), "second");
}

#[test]
fn a_refused_token_is_reported_and_another_one_tried() {
    for code in [401, 403] {
        let mut bench = Bench::new();
        let (id, _) = bench.initialise();
        bench.hear(&refusal(code).reply(&id));
        assert_eq!(bench.said().last(), Some(&Output::TokenWanted(TokenWanted::Refused(refusal(code)))));
        bench.token("second");
        assert_eq!(bench.open(), "second");
    }
    let mut bench = Bench::live();
    bench.hear(&refusal(401).close("C"));
    assert_eq!(bench.said().last(), Some(&Output::TokenWanted(TokenWanted::Refused(refusal(401)))));
}

#[test]
fn the_refused_token_given_again_is_tried_after_growing_waits() {
    let mut bench = Bench::new();
    for wait in [800, 1600, 3200] {
        let (id, token) = bench.initialise();
        assert_eq!(token, "first");
        bench.hear(&refusal(401).reply(&id));
        bench.said();
        bench.token("first");
        assert_eq!(bench.said(), []);
        let said = bench.wait(Duration::from_millis(wait));
        bench.session.core.outputs.extend(said);
    }
}

#[test]
fn a_new_token_ends_the_wait_between_two_attempts() {
    let mut bench = Bench::live();
    bench.session.socket_failed(1, bench.moment());
    bench.said();
    bench.token("second");
    assert_eq!(bench.open(), "second");
}

#[test]
fn a_token_refused_by_an_update_leaves_the_session_open_and_is_not_offered_again() {
    let mut bench = Bench::live();
    bench.token("second");
    let update = bench.frame();
    bench.hear(&refusal(401).reply(&update.id));
    assert_eq!(bench.said(), [Output::TokenWanted(TokenWanted::Refused(refusal(401)))]);
    bench.token("second");
    assert_eq!(bench.said(), []);
    bench.token("third");
    assert_eq!(presented(&bench.frame()), "third");
}

#[test]
fn an_update_that_is_refused_for_a_time_is_offered_again() {
    let mut bench = Bench::live();
    bench.token("second");
    let update = bench.frame();
    let backoff = Some(BackoffPolicy::new(3 * SECOND, 4 * SECOND));
    bench.hear(&Refusal { backoff, ..refusal(429) }.reply(&update.id));
    assert_eq!(bench.said(), []);
    let said = bench.wait(3 * SECOND);
    let [Output::Send(again)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(presented(&envelope(again)), "second");
}

#[test]
fn an_update_without_an_answer_costs_the_connection() {
    let mut bench = Bench::live();
    bench.token("second");
    bench.said();
    bench.stay(20 * SECOND);
    let said = bench.wait(10 * SECOND);
    assert_eq!(said, [Output::Drop(1), Output::Lost, Output::Trouble(Trouble::Silent)]);
}

#[test]
fn where_updates_are_forbidden_a_new_session_takes_the_token() {
    let mut bench = Bench::live();
    bench.token("second");
    let update = bench.frame();
    bench.hear(&Refusal::from(Status::new(401).because(51232, "no")).reply(&update.id));
    assert_eq!(bench.open(), "second");
}
