//! What comes late must not undo what is known.

use super::*;

#[test]
fn revisions_are_events_and_their_text_is_remembered() {
    let mut bench = Bench::new();
    let call = bench.call(|machine, call, moment| machine.write(id(), write(Expect::Absent), call, moment));
    bench.answer("POST /v3/Documents ", &Response::json(201, resource(0).payload(None)));
    assert_eq!(bench.written(call), Revision(1));
    let next = write(Expect::Revision(Revision(1)));
    let call = bench.call(|machine, call, moment| machine.write(id(), next, call, moment));
    let (_, request) = bench.asked.front().unwrap();
    assert_eq!((request.method, request.header("If-Match")), (Method::Post, Some("0")));
    bench.answer(&format!("POST /v3/Documents/{SID}"), &held(5));
    assert_eq!(bench.written(call), Revision(6));
}

#[test]
fn an_outdated_revision_conflicts_without_a_request_and_an_unknown_one_is_read_first() {
    let mut bench = Bench::new();
    let call = bench.call(|machine, call, moment| machine.read(id(), call, moment));
    bench.answer("GET", &found(5));
    assert!(bench.settled(call).is_ok());
    let old = write(Expect::Revision(Revision(5)));
    let call = bench.call(|machine, call, moment| machine.write(id(), old, call, moment));
    assert!(matches!(bench.settled(call), Err(BackendError::Conflict)));
    assert!(bench.asked.is_empty());
    let unknown = write(Expect::Revision(Revision(9)));
    let call = bench.call(|machine, call, moment| machine.write(id(), unknown, call, moment));
    bench.answer("GET", &found(8));
    bench.answer(&format!("POST /v3/Documents/{SID}"), &held(9));
    assert_eq!(bench.written(call), Revision(10));
}

#[test]
fn a_late_answer_hides_no_newer_state() {
    let mut bench = Bench::new();
    let watching = bench.call(|machine, call, moment| machine.watch(id(), call, moment));
    bench.answer("GET", &missing());
    assert!(bench.settled(watching).is_ok());
    assert_eq!(bench.told(), "removed");
    // A read is sent, then a write; the write's answer comes first.
    let read = bench.call(|machine, call, moment| machine.read(id(), call, moment));
    let late = bench.asked.pop_front().unwrap();
    let call = bench.call(|machine, call, moment| machine.write(id(), write(Expect::Absent), call, moment));
    bench.answer("POST /v3/Documents", &held(0));
    assert_eq!(bench.written(call), Revision(1));
    assert_eq!(bench.told(), "1 {\"mine\":1}");
    bench.asked.retain(|(_, request)| request.method != Method::Post);
    bench.hear(&missing().frame(&late.0));
    assert!(matches!(bench.settled(read), Ok(Settled::Read(None))), "true when it was read");
    assert_eq!(bench.told(), "nothing");
    bench.answer("GET", &found(0));
    assert_eq!(bench.told(), "nothing");
}

#[test]
fn a_removal_of_a_revision_never_removes_a_newer_one() {
    let mut bench = Bench::new();
    let call = bench.call(|machine, call, moment| machine.write(id(), write(Expect::Absent), call, moment));
    bench.answer("POST /v3/Documents ", &held(0));
    let made = bench.written(call);
    // The removal reads before the write and hears of it after the write's answer.
    let removal = bench.call(|machine, call, moment| machine.remove(id(), Some(made), call, moment));
    let late = bench.asked.pop_front().unwrap();
    let next = write(Expect::Revision(made));
    let call = bench.call(|machine, call, moment| machine.write(id(), next, call, moment));
    bench.answer(&format!("POST /v3/Documents/{SID}"), &held(1));
    assert_eq!(bench.written(call), Revision(2));
    bench.hear(&found(0).frame(&late.0));
    assert!(matches!(bench.settled(removal), Err(BackendError::Conflict)));
    assert!(bench.asked.is_empty(), "nothing is removed");
}

#[test]
fn a_document_that_nobody_has_changed_for_long_is_not_read_in_the_past() {
    let mut bench = Bench::new();
    bench.date = Some(Timestamp::from_unix_ms(9_000_000));
    let call = bench.call(|machine, call, moment| machine.read(id(), call, moment));
    let old = DocumentResource { date_updated: Some(Timestamp::from_unix_ms(5_000)), ..resource(0) };
    bench.answer("GET", &Response::json(200, old.payload(Some("{}"))));
    let Ok(Settled::Read(Some(stored))) = bench.settled(call) else { panic!() };
    assert_eq!((stored.at.0, stored.updated.0), (9_000_000, 5_000));
}

#[test]
fn a_request_without_an_answer_costs_the_connection() {
    let mut bench = Bench::new();
    let call = bench.call(|machine, call, moment| machine.write(id(), write(Expect::Absent), call, moment));
    let before = bench.attempt;
    bench.pass(Duration::from_secs(31));
    assert!(matches!(bench.settled(call), Err(BackendError::Unknown { .. })));
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.attempt, before + 1);
}

#[test]
fn names_that_are_not_used_are_forgotten() {
    let mut names = Names::default();
    for number in 0..10_000 {
        let id = DocumentId::new(format!("n{number}")).unwrap();
        names.course(&id, number).revision(SID, EventId(3), number, number);
    }
    assert!(names.len() <= crate::limits::REMOTE_NAMES_KEPT + 1);
    let newest = DocumentId::new("n9999").unwrap();
    assert_eq!(names.course(&newest, 10_001).known(Revision(2)), super::super::names::Known::Outdated);
}

#[test]
fn what_no_waiting_cures_is_told_at_once_and_tried_again_all_the_same() {
    let mut bench = Bench::new();
    bench.broken = true;
    let watching = bench.call(|machine, call, moment| machine.watch(id(), call, moment));
    let (attempt, moment) = (bench.attempt, bench.moment());
    let failure = Failure { why: "invalid peer certificate".into(), is_lasting: true };
    bench.machine.socket_failed(attempt, Some(failure), moment);
    bench.collect();
    let told = |how: Result<Settled, BackendError>| match how {
        Err(BackendError::Fatal { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert!(told(bench.settled(watching)).starts_with("invalid peer certificate; once that is mended"));
    // Who comes between two attempts does not wait for the next.
    let call = bench.call(|machine, call, moment| machine.read(id(), call, moment));
    assert!(told(bench.settled(call)).starts_with("invalid peer certificate"));
    bench.broken = false;
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.attempt, attempt + 1);
    let call = bench.call(|machine, call, moment| machine.read(id(), call, moment));
    bench.answer("GET", &found(0));
    assert!(bench.settled(call).is_ok());
}
