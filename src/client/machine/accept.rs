//! What the application asks for, on its way in.

use std::sync::Arc;

use tokio::time::Instant;

use super::pending::{Asker, Pending, Reply, Room};
use super::request::Wait;
use super::{Addition, Machine};
use crate::backend::Ttl;
use crate::document::{Item, Operation, Tag};
use crate::id::{ActionId, Executor};

impl Machine {
    /// Accepts an operation of the application.
    pub(crate) fn submit(
        &mut self,
        operation: Operation,
        ttl: Ttl,
        asker: Asker,
        room: Option<Room>,
        now: Instant,
    ) {
        self.accept(operation, ttl, Vec::new(), asker, room, now);
    }

    /// Accepts actions, and gives them ids.
    pub(crate) fn add(&mut self, additions: Vec<Addition>, asker: Asker, room: Option<Room>, now: Instant) {
        let items: Vec<_> = additions.into_iter().map(|addition| self.item(addition, now)).collect();
        let ids = items.iter().filter_map(|(_, item)| item.id().cloned()).collect();
        self.accept(Operation::Enqueue(items), Ttl::Keep, ids, asker, room, now);
    }

    /// Accepts a request. The wait for the response is registered before anything is written (C50).
    pub(crate) fn ask(&mut self, addition: Addition, wait: Wait, room: Option<Room>, now: Instant) {
        let (executor, item) = self.item(addition, now);
        let ids = item.id().cloned().into_iter().collect();
        let asker = Asker::Request(wait.key);
        self.requests.insert(executor.clone(), item.clone(), wait);
        self.accept(Operation::Enqueue(vec![(executor, item)]), Ttl::Keep, ids, asker, room, now);
    }

    /// Nobody waits for a response any more: the request is withdrawn if nobody has taken it (C50).
    pub(crate) fn give_up(&mut self, key: u64, reply: Reply, now: Instant) {
        match self.requests.give_up(key) {
            Some(withdraw) => self.submit(withdraw, Ttl::Keep, Asker::Caller(reply), None, now),
            None => drop(reply),
        }
    }

    fn item(&mut self, addition: Addition, now: Instant) -> (Executor, Arc<Item>) {
        let mut tag = Tag::default();
        if !self.is_plain() {
            tag.id = Some(self.fresh_id());
            tag.from = addition.awaited.then(|| self.config.by.clone());
            tag.exp = addition.expires.and_then(|expires| self.clock.after(now, expires));
            if let Some((re, to)) = addition.answers {
                (tag.re, tag.to) = (re, to);
            }
        }
        (addition.executor, Arc::new(Item::new(addition.action, tag)))
    }

    fn accept(
        &mut self,
        operation: Operation,
        ttl: Ttl,
        ids: Vec<ActionId>,
        asker: Asker,
        room: Option<Room>,
        now: Instant,
    ) {
        let refusal = match (&self.state, self.refusal(now)) {
            (None, _) => Some(self.gone()),
            (_, Some(error)) => Some(error.clone()),
            _ => None,
        };
        if let Some(error) = refusal {
            return self.tell(asker, Err(error));
        }
        self.seq += 1;
        self.waiting.push_back(Box::new(Pending {
            operation,
            ttl,
            ids,
            asker,
            seq: self.seq,
            deadline: now + self.config.settings.write_within,
            in_doubt_since: None,
            outcome: None,
            delayed_by: None,
            room,
        }));
    }
}
