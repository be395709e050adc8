//! What the backend refuses is told at once and tried again slowly (C8, C63).

use super::*;

fn not_allowed() -> BackendError {
    BackendError::Refused { code: 54_007, message: "Access forbidden".into() }
}

/// Lets time pass until the machine wakes by itself; how long that took.
fn rest(desk: &mut Desk) -> Duration {
    let wait = desk.wake.expect("it comes back by itself") - desk.now;
    desk.pass(wait - Duration::from_millis(1));
    assert_eq!((desk.reads, desk.writes.len()), (0, 0), "too early");
    desk.pass(Duration::from_millis(1));
    wait
}

#[test]
fn a_right_to_read_is_asked_for_again_ever_more_slowly_and_serves_when_it_is_back() {
    let mut desk = Desk::new();
    desk.machine.watch_failed(not_allowed(), desk.now);
    desk.step();
    for seconds in [30, 60, 120, 120, 120] {
        assert!(
            matches!(refused(&mut desk.set("x", 1)), Error::Refused { code: 54_007, .. }),
            "told at once"
        );
        let (wait, middle) = (rest(&mut desk), seconds * SECOND);
        assert!(wait >= middle.mul_f64(0.8) && wait <= middle.mul_f64(1.2), "{wait:?}, not {middle:?}");
        assert_eq!((desk.reads, desk.writes.len()), (1, 0));
        desk.reads = 0;
        desk.machine.read(Err(not_allowed()), desk.now);
        // The watch is refused with it: that counts once.
        desk.machine.watch_failed(not_allowed(), desk.now);
        desk.step();
    }
    rest(&mut desk);
    desk.answer_read(11, document(json!({ "kept": 1 })));
    let [Notice::Refused { code: 54_007, .. }, Notice::BackendWorking] = &desk.notices[..] else {
        panic!("{:?}", desk.notices)
    };
    let mut told = desk.set("x", 2);
    desk.write();
    desk.answer_write(Ok(12));
    held(&mut told);
    // The next refusal starts from the beginning.
    desk.machine.watch_failed(not_allowed(), desk.now);
    desk.step();
    assert!(rest(&mut desk) <= 36 * SECOND);
}

/// Changes of others show that reading is allowed, not that writing is.
#[test]
fn a_right_to_write_shows_by_the_next_write_only() {
    let mut desk = Desk::new();
    let mut told = desk.set("x", 1);
    desk.write();
    desk.answer_write(Err(not_allowed()));
    assert!(matches!(refused(&mut told), Error::Refused { .. }));
    desk.sees(11, document(json!({ "other": 1 })));
    assert!(matches!(refused(&mut desk.set("x", 1)), Error::Refused { .. }));
    rest(&mut desk);
    assert_eq!(desk.reads, 0, "reading was never refused");
    let mut told = desk.set("x", 1);
    desk.write();
    desk.answer_write(Err(not_allowed()));
    assert!(matches!(refused(&mut told), Error::Refused { .. }));
    assert!(rest(&mut desk) >= 48 * SECOND, "the second in a row");
    let mut told = desk.set("x", 1);
    desk.write();
    desk.answer_write(Ok(12));
    held(&mut told);
    assert!(
        matches!(desk.notices[..], [Notice::Refused { .. }, Notice::BackendWorking]),
        "{:?}",
        desk.notices
    );
}

#[test]
fn a_token_ends_the_rest_at_once() {
    let mut desk = Desk::new();
    desk.machine.watch_failed(not_allowed(), desk.now);
    desk.step();
    desk.machine.resume();
    desk.step();
    desk.answer_read(11, document(json!({})));
    let mut told = desk.set("x", 1);
    desk.write();
    desk.answer_write(Ok(12));
    held(&mut told);
}

#[test]
fn a_refused_token_or_place_is_not_tried_again() {
    let of = |code| BackendError::Refused { code, message: "not you".into() };
    for error in [BackendError::TokenExpired, of(20_107), of(51_101)] {
        let mut desk = Desk::new();
        desk.machine.watch_failed(error, desk.now);
        desk.step();
        desk.pass(1_000 * SECOND);
        desk.sees(11, document(json!({ "late": 1 })));
        assert_eq!((desk.reads, desk.writes.len()), (0, 0));
        assert!(matches!(refused(&mut desk.set("x", 1)), Error::TokenExpired | Error::Refused { .. }));
    }
}
