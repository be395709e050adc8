//! Conflicts, shared writes, and what readers see (C12, C17, C31).

use super::*;

#[test]
fn a_write_that_lost_is_made_again_from_the_newer_state() {
    let mut desk = Desk::new();
    let mut told = desk.set("x", 1);
    assert_eq!(desk.write().expect, Expect::Revision(Revision(10)));
    desk.answer_write(Err(BackendError::Conflict));
    // It has seen nothing newer: it reads, and writes nothing meanwhile.
    assert_eq!((desk.reads, desk.writes.len()), (1, 0));
    desk.answer_read(11, by_another(&Document::default(), 1));
    let write = desk.write();
    assert_eq!(write.expect, Expect::Revision(Revision(11)));
    assert_eq!(
        (write.document.field("x"), write.document.field("other")),
        (Some(&json!(1)), Some(&json!(1)))
    );
    silent(&mut told);
    desk.answer_write(Ok(12));
    assert_eq!(held(&mut told), 12);
}

#[test]
fn a_write_that_lost_to_a_state_already_seen_needs_no_read() {
    let mut desk = Desk::new();
    let _told = desk.set("x", 1);
    desk.write();
    desk.sees(11, by_another(&Document::default(), 1));
    assert!(desk.writes.is_empty(), "one write at a time");
    desk.answer_write(Err(BackendError::Conflict));
    assert_eq!(desk.reads, 0);
    assert_eq!(desk.write().expect, Expect::Revision(Revision(11)));
}

#[test]
fn operations_that_come_during_a_write_share_the_next() {
    let mut desk = Desk::new();
    let mut first = desk.set("a", 1);
    desk.write();
    let mut others: Vec<_> = (0..100).map(|number| desk.set("b", number)).collect();
    assert!(desk.writes.is_empty());
    desk.answer_write(Ok(11));
    assert_eq!(held(&mut first), 11);
    assert_eq!(desk.write().document.field("b"), Some(&json!(99)));
    desk.answer_write(Ok(12));
    assert!(others.iter_mut().all(|told| held(told) == 12));
    assert!(desk.machine.is_idle(desk.now));
}

#[test]
fn revisions_never_go_back() {
    let mut desk = Desk::new();
    desk.sees(12, document(json!({ "x": 2 })));
    desk.sees(11, document(json!({ "x": 1 })));
    let state = desk.machine.state().unwrap();
    assert_eq!((state.revision, state.document.field("x")), (Revision(12), Some(&json!(2))));
}

#[test]
fn changes_of_the_bookkeeping_alone_are_not_counted() {
    let facts = Facts { dense_revisions: true, ..Facts::new("test") };
    let mut desk = Desk::with(Settings::default(), facts, json!({ "x": 1 }));
    let before = desk.machine.state().unwrap().changes;
    desk.sees(11, document(json!({ "x": 1, "_sp": { "v": 1, "w": [["two", 1]] } })));
    assert_eq!(desk.machine.state().unwrap().changes, before);
    // Those that were not seen may have looked different.
    desk.sees(14, document(json!({ "x": 2 })));
    assert_eq!(desk.machine.state().unwrap().changes, before + 3);
}

#[test]
fn a_removed_document_answers_everybody() {
    let mut desk = Desk::new();
    let mut carried = desk.set("x", 1);
    let mut waiting = desk.set("y", 1);
    desk.machine.saw(Change::Removed, desk.now);
    desk.step();
    for told in [&mut carried, &mut waiting] {
        assert!(matches!(refused(told), Error::NotFound { .. }));
    }
    assert!(matches!(refused(&mut desk.set("z", 1)), Error::NotFound { .. }));
    assert!(matches!(desk.notices[..], [Notice::Removed]));
    assert!(desk.machine.state().is_none());
}
