//! Lost answers and answers of no (C29, C30).

use super::*;

#[test]
fn a_lost_answer_is_success_when_the_document_shows_the_write() {
    let mut desk = Desk::new();
    let mut told = desk.set("x", 1);
    let write = desk.write();
    desk.answer_write(Err(lost()));
    assert_eq!((desk.reads, desk.writes.len()), (1, 0));
    desk.answer_read(11, write.document);
    assert_eq!(held(&mut told), 11);
    assert!(desk.writes.is_empty(), "not repeated");
}

#[test]
fn a_lost_answer_is_found_although_others_have_written_since() {
    let mut desk = Desk::new();
    let mut told = desk.add();
    let write = desk.write();
    desk.answer_write(Err(lost()));
    let later = by_another(&by_another(&write.document, 1), 2);
    desk.answer_read(13, later);
    assert_eq!(held(&mut told), 13);
    assert!(desk.writes.is_empty());
}

#[test]
fn a_write_that_is_shown_not_to_have_held_is_repeated() {
    let mut desk = Desk::new();
    // The writers in the document are known from a write before.
    let mut before = desk.set("a", 0);
    let base = desk.write().document;
    desk.answer_write(Ok(11));
    held(&mut before);

    let mut told = desk.add();
    desk.write();
    desk.answer_write(Err(lost()));
    desk.answer_read(12, by_another(&base, 1));
    silent(&mut told);
    assert_eq!(desk.write().document.waiting("extension").len(), 1);
    desk.answer_write(Ok(13));
    assert_eq!(held(&mut told), 13);
}

#[test]
fn a_write_that_lands_late_is_not_carried_out_twice() {
    let mut desk = Desk::new();
    let mut told = desk.add();
    let late = desk.write();
    desk.answer_write(Err(lost()));
    // Nothing has happened yet; so the same is written over the same revision, where only one of both can hold.
    desk.answer_read(10, document(json!({})));
    silent(&mut told);
    assert_eq!(desk.write().expect, Expect::Revision(Revision(10)));
    desk.answer_write(Err(BackendError::Conflict));
    desk.answer_read(11, late.document);
    assert_eq!(held(&mut told), 11);
    assert!(desk.writes.is_empty());
}

#[test]
fn a_state_seen_while_a_repeated_write_fails_settles_the_doubt_first() {
    let mut desk = Desk::new();
    let mut told = desk.add();
    let late = desk.write();
    desk.answer_write(Err(lost()));
    desk.answer_read(10, document(json!({})));
    desk.write();
    // The first lands while the second is on its way, and the second fails for another reason.
    desk.sees(11, late.document);
    desk.answer_write(Err(unavailable()));
    assert_eq!(held(&mut told), 11);
    desk.pass(60 * SECOND);
    assert!(desk.writes.is_empty(), "written again, it would be there twice");
}

#[test]
fn two_writes_in_doubt_are_told_apart_by_their_numbers() {
    let mut desk = Desk::new();
    let mut first = desk.add();
    let one = desk.write();
    let mut second = desk.add();
    desk.answer_write(Err(lost()));
    desk.answer_read(10, document(json!({})));
    let two = desk.write();
    assert_eq!(two.document.waiting("extension").len(), 2);
    desk.answer_write(Err(lost()));
    // The first of the two held: it carried only the first action.
    desk.answer_read(11, one.document);
    assert_eq!(held(&mut first), 11);
    silent(&mut second);
    assert_eq!(desk.write().document.waiting("extension").len(), 2);
    desk.answer_write(Ok(12));
    assert_eq!(held(&mut second), 12);
}

#[test]
fn what_was_refused_is_not_in_doubt_when_the_answer_is_lost() {
    let mut desk = Desk::new();
    let told: Vec<_> = (0..64).map(|_| desk.add()).collect();
    desk.write();
    desk.answer_write(Ok(11));
    let all = desk.write();
    desk.answer_write(Ok(12));
    drop(told);
    assert_eq!(all.document.waiting("extension").len(), 64);

    let mut set = desk.set("x", 1);
    let flight = desk.write();
    desk.answer_write(Err(BackendError::Conflict));
    // In the next write the set is carried and a 65th action is refused.
    let mut full = desk.add();
    desk.answer_read(13, by_another(&all.document, 1));
    let write = desk.write();
    assert!(flight.document.field("x").is_some());
    desk.answer_write(Err(lost()));
    desk.answer_read(14, write.document);
    assert_eq!(held(&mut set), 14);
    // The refusal is answered from a state read after it was asked.
    while desk.reads > 0 {
        let (revision, document) =
            desk.machine.state().map(|state| (state.revision.0, state.document.clone())).unwrap();
        desk.answer_read(revision, document);
    }
    assert!(matches!(refused(&mut full), Error::Full { waiting: 64, limit: 64, .. }));
}

#[test]
fn what_nothing_tells_is_maybe_applied() {
    let mut desk = Desk::new();
    let mut told = desk.set("x", 1);
    desk.write();
    desk.answer_write(Err(lost()));
    // Somebody has stored a whole document without bookkeeping.
    desk.answer_read(12, document(json!({ "y": 1 })));
    assert!(matches!(refused(&mut told), Error::MaybeApplied { what: "set_sync" }));
    assert!(desk.writes.is_empty());
}

#[test]
fn an_answer_of_no_comes_from_a_read_made_after_the_question() {
    let mut desk = Desk::new();
    let mut told = desk.submit(Operation::Withdraw("nowhere".into()));
    assert_eq!((desk.reads, desk.writes.len()), (1, 0));
    silent(&mut told);
    desk.answer_read(10, document(json!({})));
    assert_eq!(told.try_recv().unwrap().unwrap().outcome, Outcome::Nothing);

    // A question that comes while a read is on its way needs another.
    let mut first = desk.submit(Operation::Withdraw("nowhere".into()));
    let mut second = desk.submit(Operation::Withdraw("elsewhere".into()));
    desk.answer_read(10, document(json!({})));
    silent(&mut second);
    desk.answer_read(10, document(json!({})));
    assert!(first.try_recv().unwrap().is_ok() && second.try_recv().unwrap().is_ok());
}

#[test]
fn an_answer_of_no_that_was_wrong_becomes_a_yes() {
    let mut desk = Desk::new();
    let mut told = desk.submit(Operation::Withdraw("theirs".into()));
    let action = json!({ "action": "leaveCall", "executor": "extension", "_sp": { "id": "theirs" } });
    desk.answer_read(11, document(json!({ "extensionActions": [action] })));
    desk.write();
    desk.answer_write(Ok(12));
    assert_eq!(held(&mut told), 12);
}
