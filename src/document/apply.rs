//! Applies operations, in order, each on its own: one that fails changes nothing and does not stop the others.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Document;
use super::fields::{refuse_deep, refuse_reserved, signed};
use super::operation::{Operation, Outcome, Rules, Writer};
use super::size::text_len;
use crate::error::{Error, Result};
use crate::id::{ActionId, Executor};
use crate::limits::NESTING_MAX;

/// The result of [`apply`].
#[derive(Clone, Debug)]
pub struct Applied {
    /// The next document, or `None` when nothing changed and nothing needs to be written.
    pub document: Option<Document>,
    /// What became of each operation.
    pub outcomes: Vec<Result<Outcome>>,
}

/// Applies operations to a document. Total: any document and any operations give an answer.
///
/// The next document is no longer than `rules.document_bytes_max`, or than the document was where somebody else has
/// made it longer. To keep that, the list of writers is shortened; when nothing is left to forget, the mark of that
/// (33 bytes) or a growing digit of `Renew` and `Retry` may still exceed it, and the backend refuses the write.
#[must_use]
pub fn apply<'a>(
    document: &Document,
    writer: &Writer,
    rules: &Rules,
    operations: impl IntoIterator<Item = &'a Operation>,
) -> Applied {
    let allowed_bytes = rules.document_bytes_max.max(document.size_bytes());
    let mut step = Step { document: document.clone(), writer, rules, allowed_bytes, changed: false };
    if !step.is_plain() {
        // Stamped first, so that every size below is the size that will be written.
        step.document.ledger_mut().stamp(&writer.instance, writer.number);
    }
    let outcomes = operations.into_iter().map(|operation| step.run(operation)).collect();
    if step.changed && !step.is_plain() {
        step.tidy();
    }
    Applied { document: step.changed.then_some(step.document), outcomes }
}

/// A document on its way from one state to the next.
pub(super) struct Step<'a> {
    pub(super) document: Document,
    pub(super) writer: &'a Writer,
    pub(super) rules: &'a Rules,
    /// Bytes that bookkeeping may fill: a document must never be too full to be worked off.
    pub(super) allowed_bytes: usize,
    pub(super) changed: bool,
}

impl Step<'_> {
    fn run(&mut self, operation: &Operation) -> Result<Outcome> {
        match operation {
            Operation::Merge(data) => self.merge(data),
            Operation::Unset(keys) => self.unset(keys),
            Operation::Replace(data) => self.replace(data),
            Operation::ClearActions(executor) => self.clear_actions(executor),
            Operation::Enqueue(actions) => self.enqueue(actions),
            Operation::Withdraw(id) => self.withdraw(id),
            Operation::TakeResponse { executor, item } => self.take_response(executor, item),
            Operation::Claim { executor, fresh, released } => self.claim(executor, fresh, released),
            Operation::HandOver { executor, to } => self.hand_over(executor, to),
            Operation::StepBack(executor) => Ok(self.step_back(executor)),
            Operation::TakeOver { executor, mark } => self.take_over(executor, mark),
            Operation::Renew(executor) => self.renew(executor),
            Operation::Retry { executor, id, failed } => self.retry(executor, id, *failed),
            Operation::StartOnce { executor, id } => self.start_once(executor, id),
            Operation::Finish { executor, id, response } => self.finish(executor, id, response.as_ref()),
            Operation::GiveBack { executor, started, unseen } => {
                self.give_back(executor, started.as_ref(), unseen.as_ref())
            }
            Operation::PutBack { executor, items } => self.put_back(executor, items),
        }
    }

    /// Removes what has become empty, and forgets writers where there is no room for them.
    fn tidy(&mut self) {
        self.document.ledger_mut().tidy();
        while self.document.size_bytes() > self.allowed_bytes && self.document.ledger_mut().forget_something()
        {
        }
    }

    pub(super) fn done(&mut self) -> Outcome {
        self.changed = true;
        Outcome::Done
    }

    /// Whether this document is written without bookkeeping (C46, C60).
    pub(super) fn is_plain(&self) -> bool {
        self.writer.plain || self.document.is_foreign()
    }

    /// Whether the application may make the document longer by `growth` bytes (C55).
    fn check_room(&self, growth: isize, queues_will_be_used: bool) -> Result<()> {
        if growth <= 0 {
            return Ok(());
        }
        let in_use = queues_will_be_used
            || self.document.queues().any(|(_, items)| !items.is_empty())
            || self.document.ledger().is_some_and(|ledger| ledger.claimed().next().is_some());
        let limit_bytes = if in_use { self.limit_in_use() } else { self.rules.document_bytes_max };
        let size_bytes = self.document.size_bytes().saturating_add_signed(growth);
        if size_bytes > limit_bytes { Err(Error::TooLarge { size_bytes, limit_bytes }) } else { Ok(()) }
    }

    /// Bytes up to which actions and application data may fill a document whose queues are in use.
    pub(super) fn limit_in_use(&self) -> usize {
        let reserve = if self.is_plain() { 0 } else { self.rules.reserve_bytes };
        self.rules.document_bytes_max.saturating_sub(reserve)
    }

    fn merge(&mut self, data: &Map<String, Value>) -> Result<Outcome> {
        refuse_reserved("set_sync data", data.keys())?;
        refuse_deep("set_sync data", data.values(), NESTING_MAX)?;
        // Written even when nothing differs: the document seen here may be old, the writer's word must be the last.
        self.check_room(self.document.fields.growth(data), false)?;
        let fields = Arc::make_mut(&mut self.document.fields);
        for (key, value) in data {
            fields.set(key.clone(), value.clone());
        }
        Ok(self.done())
    }

    fn unset(&mut self, keys: &[String]) -> Result<Outcome> {
        refuse_reserved("unset", keys)?;
        let fields = Arc::make_mut(&mut self.document.fields);
        for key in keys {
            fields.remove(key);
        }
        Ok(self.done())
    }

    fn replace(&mut self, data: &Map<String, Value>) -> Result<Outcome> {
        refuse_reserved("replace_sync data", data.keys())?;
        refuse_deep("replace_sync data", data.values(), NESTING_MAX)?;
        let fields = &self.document.fields;
        let own = data.iter().map(|(key, value)| (key.clone(), value.clone()));
        let next = super::fields::Fields::from(own.chain(fields.reserved()).collect::<Map<_, _>>());
        let growth =
            signed(next.len()) - signed(fields.len()) + signed(next.count()) - signed(fields.count());
        self.check_room(growth, false)?;
        self.document.fields = Arc::new(next);
        Ok(self.done())
    }

    fn clear_actions(&mut self, executor: &Executor) -> Result<Outcome> {
        super::check_executor(executor)?;
        let key = super::array_key(executor.as_str());
        if self.document.fields.get(&key).is_none() {
            self.check_room(signed(text_len(&key) + ":[],".len()), false)?;
        }
        self.document.reset_array(executor);
        self.document.queue_made(executor).set(Vec::new());
        Ok(self.done())
    }

    fn enqueue(&mut self, actions: &[(Executor, Arc<super::Item>)]) -> Result<Outcome> {
        let mut growth = 0;
        for (place, (executor, item)) in actions.iter().enumerate() {
            let earlier = actions[..place].iter().filter(|(other, _)| other == executor).count();
            let waiting = self.document.waiting(executor.as_str()).len() + earlier;
            self.check_array(executor, waiting)?;
            item.refuse_deep()?;
            let new_array = if earlier == 0 && self.document.queue(executor.as_str()).is_none() {
                executor.as_str().len() + r#","Actions":[]"#.len()
            } else {
                0
            };
            growth += signed(item.len() + usize::from(waiting > 0) + new_array);
        }
        self.check_room(growth, true)?;
        for (executor, item) in actions {
            // The document may have turned to another bookkeeping since its tag was made.
            let item = if self.is_plain() { item.untagged() } else { item.clone() };
            self.document.queue_mut(executor)?.push(item);
        }
        if actions.is_empty() { Ok(Outcome::Nothing) } else { Ok(self.done()) }
    }

    /// Whether an executor's array is one, and has a place (C14, C56).
    pub(super) fn check_array(&self, executor: &Executor, waiting: usize) -> Result<()> {
        self.document.check_array(executor)?;
        let limit = self.rules.waiting_max;
        if waiting >= limit {
            let waiting = self.document.waiting(executor.as_str()).len();
            return Err(Error::Full { executor: executor.to_string(), waiting, limit });
        }
        Ok(())
    }

    fn withdraw(&mut self, id: &ActionId) -> Result<Outcome> {
        let place = self.document.queues.iter().find(|(_, queue)| queue.holds(id));
        let Some(executor) = place.map(|(executor, _)| executor.clone()) else { return Ok(Outcome::Nothing) };
        self.document.queue_mut(&executor)?.take_first(|item| item.id() == Some(id));
        Ok(self.done())
    }

    fn take_response(&mut self, executor: &Executor, response: &super::Item) -> Result<Outcome> {
        if !self.document.waiting(executor.as_str()).iter().any(|item| item.is_same(response)) {
            return Ok(Outcome::Nothing);
        }
        self.document.queue_mut(executor)?.take_first(|item| item.is_same(response));
        Ok(self.done())
    }
}

impl Document {
    /// Removes whatever stands where an executor's array should be.
    fn reset_array(&mut self, executor: &Executor) {
        let key = super::array_key(executor.as_str());
        if self.corrupt_array(executor.as_str()).is_some() {
            Arc::make_mut(&mut self.fields).set(key, Value::Null);
        }
    }
}
