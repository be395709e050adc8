//! Requests that wait for their response (C50, C51).

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::lane::Wishes;

use crate::document::{Document, Item, Operation};
use crate::error::{Error, Result};
use crate::id::Executor;

type WaitReply = oneshot::Sender<Result<Arc<Item>>>;

/// A wait for a response.
#[derive(Debug)]
pub(crate) struct Wait {
    /// Tells it from all other waits of this client.
    pub(crate) key: u64,
    /// Whose array takes the response.
    pub(crate) respond_to: Executor,
    /// Told the response. A closed one has timed out or was dropped.
    pub(crate) reply: WaitReply,
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    /// In the order in which they were made.
    waiting: Vec<Waiting>,
    /// Responses that belong to a waiter and still lie in the document.
    matched: Vec<Matched>,
}

#[derive(Debug)]
struct Waiting {
    /// Whose array took the request.
    executor: Executor,
    item: Arc<Item>,
    wait: Wait,
}

#[derive(Debug)]
struct Matched {
    executor: Executor,
    item: Arc<Item>,
    /// Waits until the response is ours: somebody else might take one that is not addressed. An addressed one is
    /// handed over when it is seen, and only its removal is left to do.
    waiting: Option<Waiting>,
    /// Its removal may wait for another write until then.
    linger_until: Instant,
    /// Number of the first write that carried its removal.
    sent: Option<u64>,
}

impl Requests {
    pub(super) fn insert(&mut self, executor: Executor, item: Arc<Item>, wait: Wait) {
        self.waiting.retain(|waiting| !waiting.wait.reply.is_closed());
        self.waiting.push(Waiting { executor, item, wait });
    }

    /// Looks for responses in a newer document, and at what has become of those seen before.
    pub(super) fn look(
        &mut self,
        document: &Document,
        by: &str,
        last_write: Option<u64>,
        linger_until: Instant,
    ) {
        if self.waiting.is_empty() && self.matched.is_empty() {
            return;
        }
        self.settle(document, last_write);
        let mut arrays: Vec<Executor> =
            self.waiting.iter().map(|waiting| waiting.wait.respond_to.clone()).collect();
        arrays.sort();
        arrays.dedup();
        for executor in &arrays {
            // Without ids two responses may read the same: each stands for one that was matched.
            let mut known: Vec<Arc<Item>> = self.matched.iter().map(|matched| matched.item.clone()).collect();
            for item in document.waiting(executor.as_str()) {
                if let Some(place) = known.iter().position(|known| known.is_same(item)) {
                    known.swap_remove(place);
                    continue;
                }
                let Some(waiting) = self.match_wait(executor, item, by) else { continue };
                let waiting = if item.tag().to.is_some() {
                    hand_over(waiting, item);
                    None
                } else {
                    Some(waiting)
                };
                let (executor, item) = (executor.clone(), item.clone());
                self.matched.push(Matched { executor, item, waiting, linger_until, sent: None });
            }
        }
    }

    /// Responses that are gone from the document were removed by us, or taken by somebody else.
    fn settle(&mut self, document: &Document, last_write: Option<u64>) {
        let (mut still, mut gone) = (Vec::<Matched>::new(), Vec::new());
        for matched in std::mem::take(&mut self.matched) {
            let waiting = document.waiting(matched.executor.as_str());
            let there = waiting.iter().filter(|item| item.is_same(&matched.item)).count();
            let accounted = still.iter().filter(|other| other.item.is_same(&matched.item)).count();
            if there > accounted { still.push(matched) } else { gone.push(matched) }
        }
        self.matched = still;
        for matched in gone {
            let ours = matched.sent.is_some_and(|sent| last_write.is_some_and(|last| last >= sent));
            match matched.waiting {
                Some(waiting) if ours => hand_over(waiting, &matched.item),
                Some(waiting) => self.waiting.insert(0, waiting),
                None => {}
            }
        }
    }

    /// The wait a response belongs to: by `re` where present, otherwise the oldest of that name.
    fn match_wait(&mut self, executor: &Executor, item: &Item, by: &str) -> Option<Waiting> {
        let name = item.action()?.name();
        let tag = item.tag();
        if tag.to.as_ref().is_some_and(|to| **to != *by) {
            return None;
        }
        let place = self.waiting.iter().position(|waiting| {
            let answers = match (&tag.re, waiting.item.id()) {
                (Some(re), Some(id)) => re == id,
                (Some(_), None) => false,
                (None, _) => waiting.item.action().is_some_and(|asked| asked.name() == name),
            };
            answers && waiting.wait.respond_to == *executor && !waiting.wait.reply.is_closed()
        })?;
        Some(self.waiting.remove(place))
    }

    /// An element that this client has taken as an ordinary action may be a response that came just before.
    pub(super) fn give(&mut self, executor: &Executor, item: &Arc<Item>, by: &str) -> bool {
        let waiting = self.match_wait(executor, item, by);
        let given = waiting.is_some();
        if let Some(waiting) = waiting {
            hand_over(waiting, item);
        }
        given
    }

    /// This client has removed a response: it is its own, also where no bookkeeping tells.
    /// Answers whether somebody here has it, or had it.
    pub(super) fn took(&mut self, executor: &Executor, item: &Arc<Item>, by: &str) -> bool {
        match self.matched.iter().position(|matched| matched.item.is_same(item)) {
            Some(place) => {
                let matched = self.matched.remove(place);
                if let Some(waiting) = matched.waiting {
                    hand_over(waiting, item);
                }
                true
            }
            // A newer document, told before the answer, did not show it any more.
            None => self.give(executor, item, by),
        }
    }

    /// Whether nothing is left to be removed.
    pub(super) fn is_settled(&self) -> bool {
        self.matched.is_empty()
    }

    /// What is to be written: removals of matched responses. One that was handed over can wait for another write.
    pub(super) fn wishes(&self, now: Instant, wishes: &mut Wishes) {
        for Matched { executor, item, waiting, linger_until, .. } in &self.matched {
            let operation = Operation::TakeResponse { executor: executor.clone(), item: item.clone() };
            wishes.operations.push(operation);
            if waiting.is_some() || *linger_until <= now {
                wishes.urgent = true;
            } else {
                wishes.wake(*linger_until);
            }
        }
    }

    /// The wishes are on their way under this number.
    pub(super) fn sent(&mut self, number: u64) {
        for matched in &mut self.matched {
            // The first: it may hold although its answer was lost, and every later one carries it again.
            matched.sent.get_or_insert(number);
        }
    }

    /// The request came to nothing.
    pub(super) fn refuse(&mut self, key: u64, error: &Error) {
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.wait.key == key) {
            let _ = self.waiting.remove(place).wait.reply.send(Err(error.clone()));
        }
    }

    /// Nobody waits any more. Answers how the request is withdrawn: in plain mode it has no id, and one that reads the
    /// same is as good.
    pub(super) fn give_up(&mut self, key: u64) -> Option<Operation> {
        let place = self.waiting.iter().position(|waiting| waiting.wait.key == key)?;
        let Waiting { executor, item, .. } = self.waiting.remove(place);
        Some(match item.id() {
            Some(id) => Operation::Withdraw(id.clone()),
            None => Operation::TakeResponse { executor, item },
        })
    }

    pub(super) fn fail(&mut self, error: &Error) {
        let matched = self.matched.drain(..).filter_map(|matched| matched.waiting);
        for waiting in self.waiting.drain(..).chain(matched) {
            let _ = waiting.wait.reply.send(Err(error.clone()));
        }
    }
}

fn hand_over(waiting: Waiting, item: &Arc<Item>) {
    // A waiter that has given up leaves the response unread; it is removed all the same.
    let _ = waiting.wait.reply.send(Ok(item.clone()));
}
