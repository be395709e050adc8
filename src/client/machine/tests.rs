//! The machine's decisions, told the time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::oneshot::{self, Receiver};
use tokio::time::Instant;

use super::{Addition, Answer, Asker, Config, Effect, Machine};
use crate::action::Action;
use crate::backend::{
    BackendError, BackendTime, Change, Expect, Facts, Revision, Stored, Ttl, Write, Written,
};
use crate::catalogue::Catalogue;
use crate::client::notice::Notice;
use crate::client::settings::Settings;
use crate::document::{Document, Operation, Outcome, Rules, Writer, apply};
use crate::error::{Error, Result};
use crate::id::DocumentId;

const SECOND: Duration = Duration::from_secs(1);

type Told = Receiver<Result<Answer>>;

/// A machine, and what it has asked for and not been answered.
struct Desk {
    machine: Machine,
    now: Instant,
    wake: Option<Instant>,
    writes: Vec<Write>,
    reads: usize,
    renewals: usize,
    notices: Vec<Notice>,
}

impl Desk {
    fn new() -> Self {
        Self::with(Settings::default(), Facts::new("test"), json!({}))
    }

    fn with(settings: Settings, facts: Facts, content: Value) -> Self {
        let now = Instant::now();
        let config = Config {
            id: DocumentId::new("Session_test").unwrap(),
            by: "me#one".into(),
            instance: "one".into(),
            plain: false,
            rules: Rules::default(),
            settings,
            facts,
            catalogue: Catalogue::proctoring().clone(),
            fresh: "fresh-".into(),
            renewable: false,
        };
        let machine = Machine::new(config, stored(10, document(content)), now);
        Self { machine, now, wake: None, writes: Vec::new(), reads: 0, renewals: 0, notices: Vec::new() }
    }

    /// Lets the machine do what it can, and keeps what it asks for.
    fn step(&mut self) {
        loop {
            self.wake = self.machine.step(self.now);
            let mut did = false;
            while let Some(effect) = self.machine.next_effect() {
                did = true;
                match effect {
                    Effect::Write(write) => self.writes.push(write),
                    Effect::Read => self.reads += 1,
                    Effect::RenewToken => self.renewals += 1,
                    Effect::Notice(notice) => self.notices.push(notice),
                    Effect::Answer(reply, result) => drop(reply.send(result)),
                    Effect::Recorded(reply, result) => drop(reply.send(result)),
                    Effect::Start(_) | Effect::Cancel(..) => {}
                }
            }
            if !did {
                return;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.step();
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) -> Told {
        let data: Map<_, _> = [(key.to_owned(), value.into())].into_iter().collect();
        self.submit(Operation::Merge(Arc::new(data)))
    }

    fn submit(&mut self, operation: Operation) -> Told {
        let (reply, told) = oneshot::channel();
        self.machine.submit(operation, Ttl::Keep, Asker::Caller(reply), self.now);
        self.step();
        told
    }

    fn add(&mut self) -> Told {
        let action = json!({ "action": "leaveCall", "executor": "extension" });
        let Value::Object(action) = action else { unreachable!() };
        let addition = Addition {
            executor: "extension".into(),
            action: Action::from_named(action),
            expires: None,
            awaited: false,
            answers: None,
        };
        let (reply, told) = oneshot::channel();
        self.machine.add(vec![addition], Asker::Caller(reply), self.now);
        self.step();
        told
    }

    /// The one write that is on its way.
    fn write(&mut self) -> Write {
        assert_eq!(self.writes.len(), 1, "{:?}", self.writes);
        self.writes.remove(0)
    }

    fn answer_write(&mut self, result: Result<u64, BackendError>) {
        let written = |revision| Written { revision: Revision(revision), expires: None, at: BackendTime(0) };
        self.machine.written(result.map(written), self.now);
        self.step();
    }

    fn answer_read(&mut self, revision: u64, document: Arc<Document>) {
        assert!(self.reads > 0, "nobody reads");
        self.reads -= 1;
        self.machine.read(Ok(Some(stored(revision, document))), self.now);
        self.step();
    }

    fn sees(&mut self, revision: u64, document: Arc<Document>) {
        self.machine.saw(Change::Updated(stored(revision, document)), self.now);
        self.step();
    }
}

fn stored(revision: u64, document: Arc<Document>) -> Stored {
    Stored { revision: Revision(revision), document, expires: None, at: BackendTime(0) }
}

fn document(content: Value) -> Arc<Document> {
    let Value::Object(content) = content else { panic!("a document is an object") };
    Arc::new(Document::from_object(content))
}

/// What another writer makes of a document.
fn by_another(base: &Document, number: u64) -> Arc<Document> {
    let writer = Writer { by: "you#two".into(), instance: "two".into(), number, plain: false };
    let data = json!({ "other": number }).as_object().cloned().unwrap();
    let operation = Operation::Merge(Arc::new(data));
    Arc::new(apply(base, &writer, &Rules::default(), [&operation]).document.unwrap())
}

fn lost() -> BackendError {
    BackendError::Unknown { why: "cut".into() }
}

fn unavailable() -> BackendError {
    BackendError::Unavailable { doing: "writing".into(), why: "away".into(), source: None }
}

fn held(told: &mut Told) -> u64 {
    let answer = told.try_recv().expect("an answer").expect("it held");
    assert_eq!(answer.outcome, Outcome::Done);
    answer.revision.0
}

fn silent(told: &mut Told) {
    assert!(told.try_recv().is_err(), "told too early");
}

fn refused(told: &mut Told) -> Error {
    told.try_recv().expect("an answer").expect_err("it did not hold")
}

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
    assert!(desk.machine.is_idle());
}

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
    assert!(desk.writes.is_empty() && desk.machine.is_idle(), "it is not carried out later");
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
