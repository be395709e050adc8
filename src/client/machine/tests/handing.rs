//! Handing actions over to a client that was just seen at work, and stepping back.

use super::*;

/// What another client makes of a document that takes the actions of the extension.
fn at_work(base: &Document, number: u64) -> Arc<Document> {
    let writer = Writer { by: "you#two".into(), instance: "two".into(), number, plain: false };
    let data = json!({ "other": number }).as_object().cloned().unwrap();
    let claim = Operation::Claim { executor: "extension".into(), fresh: "f".into(), released: Vec::new() };
    Arc::new(
        apply(base, &writer, &Rules::default(), [&Operation::Merge(Arc::new(data)), &claim])
            .document
            .unwrap(),
    )
}

fn taker() -> Value {
    let next = json!({ "extension": "you#two" });
    json!({ "extensionActions": [], "_sp": { "v": 1, "next": next, "w": [["two", 3]] } })
}

fn new(content: Value) -> Desk {
    Desk::with(Settings::default(), Facts::new("test"), content)
}

/// How many actions of the extension the write leaves waiting, and how many claimed.
fn left(write: &Write) -> (usize, usize) {
    (write.document.waiting("extension").len(), write.document.claims("extension").len())
}

#[test]
fn an_action_for_a_client_seen_at_work_is_claimed_for_it() {
    let mut desk = new(taker());
    let document = desk.machine.state().unwrap().document.clone();
    desk.sees(11, at_work(&document, 4));
    let mut told = desk.add();
    let write = desk.write();
    assert_eq!(left(&write), (0, 1));
    assert_eq!(&*write.document.claims("extension")[0].by, "you#two");
    desk.answer_write(Ok(12));
    assert_eq!(held(&mut told), 12);
}

#[test]
fn what_stood_there_at_first_is_not_believed_nor_what_is_no_news() {
    let mut desk = new(taker());
    let _told = desk.add();
    assert_eq!(left(&desk.write()), (1, 0));
    let mut desk = new(taker());
    let document = desk.machine.state().unwrap().document.clone();
    // Another has written; the taker's own latest write is the same, or an older one that a stranger has brought back.
    for (revision, number) in [(11, 3), (12, 2)] {
        desk.sees(revision, at_work(&document, number));
    }
    let _told = desk.add();
    assert_eq!(left(&desk.write()), (1, 0));
}

#[test]
fn a_client_not_seen_at_work_for_a_while_is_not_believed() {
    let trusted_for = Settings::default().trusts_taker_for();
    for (after, expected) in [(trusted_for - Duration::from_millis(1), (0, 1)), (trusted_for, (1, 0))] {
        let mut desk = new(taker());
        let document = desk.machine.state().unwrap().document.clone();
        desk.sees(11, at_work(&document, 4));
        desk.pass(after);
        let _told = desk.add();
        assert_eq!(left(&desk.write()), expected, "after {after:?}");
    }
}

#[test]
fn what_is_added_behind_others_in_one_write_is_handed_over_with_them() {
    let mut desk = new(taker());
    let document = desk.machine.state().unwrap().document.clone();
    desk.sees(11, at_work(&document, 4));
    let _first = desk.set("x", 1);
    desk.write();
    let mut told = [desk.add(), desk.add()];
    desk.answer_write(Ok(12));
    assert_eq!(left(&desk.write()), (0, 2));
    desk.answer_write(Ok(13));
    assert!(told.iter_mut().all(|told| held(told) == 13));
}

#[test]
fn a_write_that_lost_is_made_again_without_handing_over_to_who_stepped_back() {
    let mut desk = new(taker());
    let document = desk.machine.state().unwrap().document.clone();
    let document = at_work(&document, 4);
    desk.sees(11, document.clone());
    let _told = desk.add();
    assert_eq!(left(&desk.write()), (0, 1));
    let writer = Writer { by: "you#two".into(), instance: "two".into(), number: 5, plain: false };
    let step_back = Operation::StepBack("extension".into());
    let after = apply(&document, &writer, &Rules::default(), [&step_back]).document.unwrap();
    desk.sees(12, after.into());
    desk.answer_write(Err(BackendError::Conflict));
    assert_eq!(left(&desk.write()), (1, 0));
}

#[test]
fn who_takes_no_more_steps_back_before_it_is_done() {
    let mut desk = new(json!({}));
    desk.machine.update_wanted(|executor| executor.as_str() == "extension");
    let mut told = desk.add();
    desk.write();
    desk.answer_write(Ok(11));
    held(&mut told);
    let claim = desk.write();
    assert_eq!(claim.document.ledger().unwrap().next("extension").map(|by| &**by), Some("me#one"));
    desk.answer_write(Ok(12));
    desk.machine.update_wanted(|_| false);
    // Nobody has seen the action: it is given back, and with it the promise.
    desk.machine.close(|_| super::super::Cancelled::Unseen, desk.now);
    desk.step();
    let write = desk.write();
    assert_eq!((left(&write), write.document.ledger().unwrap().next("extension")), ((1, 0), None));
    desk.answer_write(Ok(13));
    assert!(desk.machine.is_idle(desk.now));
}

#[test]
fn who_has_been_silent_needs_no_write_to_step_back() {
    let next = json!({ "extension": "me#one" });
    let content = json!({ "_sp": { "v": 1, "next": next, "w": [["one", 3]] } });
    let mut desk = new(content.clone());
    desk.step();
    assert!(!desk.machine.is_idle(desk.now));
    assert_eq!(desk.write().document.ledger().unwrap().next("extension"), None);
    let mut desk = new(content);
    desk.now += Settings::default().renew_every();
    desk.step();
    assert!(desk.writes.is_empty() && desk.machine.is_idle(desk.now));
}
