//! The machine's decisions, told the time.

mod doubt;
mod handing;
mod pace;
mod refusals;
mod states;

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
            settings: settings.into(),
            facts,
            catalogue: Catalogue::proctoring().clone(),
            kept: false,
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
        self.machine.submit(operation, Ttl::Keep, Asker::Caller(reply), None, self.now);
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
        self.machine.add(vec![addition], Asker::Caller(reply), None, self.now);
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
    let at = BackendTime(0);
    Stored { revision: Revision(revision), document, expires: None, created: at, updated: at, at }
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
