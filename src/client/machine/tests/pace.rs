//! When to write, when to wait, when to give up (C8, C57, C58).

use super::*;

#[test]
fn writes_keep_their_pace() {
    let facts = Facts { writes_per_second: Some(20.0), ..Facts::new("test") };
    let mut desk = Desk::with(Settings::default(), facts, json!({}));
    let start = desk.now;
    let _first = desk.set("x", 1);
    desk.write();
    desk.answer_write(Ok(11));
    let _second = desk.set("x", 2);
    assert!(desk.writes.is_empty(), "a twentieth of a second is not over");
    assert_eq!(desk.wake, Some(start + SECOND / 20));
    desk.pass(SECOND / 20);
    desk.write();
}

#[test]
fn failures_are_waited_out_ever_longer_with_jitter() {
    let settings = Settings { write_within: 10_000 * SECOND, ..Settings::default() };
    let mut desk = Desk::with(settings.clone(), Facts::new("test"), json!({}));
    let mut told = desk.set("x", 1);
    for failures in 1..20 {
        desk.write();
        desk.answer_write(Err(unavailable()));
        let wait = desk.wake.expect("it comes back") - desk.now;
        let middle = settings.backoff(failures);
        assert!(wait >= middle.mul_f64(0.799) && wait <= middle.mul_f64(1.201), "{wait:?} after {failures}");
        desk.pass(wait - Duration::from_millis(1));
        assert!(desk.writes.is_empty(), "too early");
        desk.pass(Duration::from_millis(1));
    }
    assert_eq!(settings.backoff(19), settings.backoff_max);
    desk.write();
    desk.answer_write(Ok(11));
    held(&mut told);
    let [Notice::BackendFailing { .. }, Notice::BackendWorking] = &desk.notices[..] else {
        panic!("{:?}", desk.notices)
    };
    // The next failure starts from the beginning.
    let _told = desk.set("x", 2);
    desk.write();
    desk.answer_write(Err(unavailable()));
    assert!(desk.wake.unwrap() - desk.now < 2 * settings.backoff_min);
}

#[test]
fn a_refusal_for_rate_is_waited_out_as_asked_and_not_told() {
    let mut desk = Desk::new();
    let mut told = desk.set("x", 1);
    for _ in 0..10 {
        desk.write();
        desk.answer_write(Err(BackendError::RateLimited { retry_after: Some(SECOND) }));
        let wait = desk.wake.unwrap() - desk.now;
        assert!(wait >= SECOND && wait <= SECOND.mul_f64(1.401), "{wait:?}");
        desk.pass(wait);
    }
    desk.write();
    desk.answer_write(Ok(11));
    held(&mut told);
    assert!(desk.notices.is_empty());
}

#[test]
fn a_late_write_is_given_up_with_what_delayed_it() {
    let mut desk = Desk::new();
    let mut told = desk.set("x", 1);
    desk.write();
    desk.answer_write(Err(unavailable()));
    desk.pass(59 * SECOND);
    desk.writes.clear();
    desk.answer_write(Err(unavailable()));
    silent(&mut told);
    desk.pass(SECOND);
    assert!(matches!(refused(&mut told), Error::Backend { .. }));
    desk.pass(600 * SECOND);
    assert!(desk.writes.is_empty() && desk.machine.is_idle(desk.now), "it is not carried out later");
}

#[test]
fn a_late_write_on_its_way_may_have_been_carried_out() {
    let mut desk = Desk::new();
    let (mut carried, _) = (desk.set("x", 1), desk.write());
    desk.pass(SECOND);
    let mut behind = desk.set("y", 1);
    desk.pass(59 * SECOND);
    assert!(matches!(refused(&mut carried), Error::MaybeApplied { .. }));
    silent(&mut behind);
    desk.pass(SECOND);
    assert!(matches!(refused(&mut behind), Error::Timeout { .. }));
    // The answer comes after all: the machine goes on from there.
    desk.answer_write(Ok(11));
    let mut next = desk.set("z", 1);
    assert_eq!(desk.write().expect, Expect::Revision(Revision(11)));
    desk.answer_write(Ok(12));
    held(&mut next);
}

#[test]
fn what_waits_is_refused_without_a_token_and_what_is_in_doubt_stays_in_doubt() {
    let mut desk = Desk::new();
    let mut in_doubt = desk.add();
    desk.write();
    desk.answer_write(Err(lost()));
    let mut waiting = desk.set("x", 1);
    desk.reads = 0;
    desk.machine.read(Err(BackendError::TokenExpired), desk.now);
    desk.step();
    assert!(matches!(refused(&mut in_doubt), Error::MaybeApplied { .. }));
    assert!(matches!(refused(&mut waiting), Error::TokenExpired));
    let mut later = desk.set("x", 2);
    assert!(matches!(refused(&mut later), Error::TokenExpired));
    assert!(matches!(desk.notices[..], [Notice::TokenExpired]));
    desk.machine.resume();
    desk.step();
    desk.answer_read(10, document(json!({})));
    let mut told = desk.set("x", 3);
    desk.write();
    desk.answer_write(Ok(11));
    held(&mut told);
}

#[test]
fn a_renewable_token_is_renewed_before_anybody_is_refused() {
    let mut desk = Desk::new();
    desk.machine.config.renewable = true;
    let mut told = desk.set("x", 1);
    desk.write();
    desk.answer_write(Err(BackendError::TokenExpired));
    assert_eq!((desk.renewals, desk.notices.len()), (1, 0));
    desk.machine.watch_failed(BackendError::TokenExpired, desk.now);
    desk.pass(SECOND);
    assert_eq!((desk.renewals, desk.writes.len()), (1, 0), "asked for once");
    desk.machine.resume();
    desk.step();
    desk.answer_read(10, document(json!({})));
    desk.write();
    desk.answer_write(Ok(11));
    held(&mut told);
}
