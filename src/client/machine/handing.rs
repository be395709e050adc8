//! Handing actions over: whoever adds one for a client that it has just seen at work writes the claim too, and saves
//! that client a write (see [`Operation::HandOver`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::lane::{Lane, View, Wishes};
use super::{Machine, Pending};
use crate::document::{Document, Operation};
use crate::id::Executor;

/// Who takes what comes next for an executor, as this client has seen it.
#[derive(Debug)]
pub(super) struct Taker {
    by: Arc<str>,
    /// Its latest write.
    number: u64,
    /// When that was seen to come. What stood there already when this client came tells nothing.
    seen_at: Option<Instant>,
}

impl Lane {
    /// Notes whether the taker has written since it was last looked at.
    pub(super) fn look_at_taker(&mut self, document: &Document, is_first: bool, now: Instant) {
        let found = document.ledger().and_then(|ledger| {
            let by = ledger.next(self.executor.as_str())?;
            let instance = by.rsplit_once('#').map_or(&**by, |(_, instance)| instance);
            Some((by, ledger.last_write(instance)?))
        });
        let Some((by, number)) = found else {
            self.taker = None;
            return;
        };
        let is_news = match &self.taker {
            Some(taker) if taker.by == *by => number > taker.number,
            _ => true,
        };
        if is_news {
            self.taker = Some(Taker { by: by.clone(), number, seen_at: (!is_first).then_some(now) });
        }
    }

    fn taker_at_work(&self, now: Instant, within: Duration) -> Option<&Arc<str>> {
        let taker = self.taker.as_ref()?;
        taker.seen_at.filter(|seen_at| now < *seen_at + within).map(|_| &taker.by)
    }

    pub(super) fn wish_to_step_back(&self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        if self.has_to_step_back(document, view.by, view.now, view.held_at + view.renew_every) {
            wishes.push(Operation::StepBack(self.executor.clone()));
        }
    }

    /// Nobody here takes actions any more: others must not hand any over. Whoever was silent for longer is not believed
    /// to be at work.
    pub(super) fn has_to_step_back(
        &self,
        document: &Document,
        by: &str,
        now: Instant,
        believed_until: Instant,
    ) -> bool {
        let next = document.ledger().and_then(|ledger| ledger.next(self.executor.as_str()));
        !self.wanted && now < believed_until && next.is_some_and(|next| **next == *by)
    }
}

impl Machine {
    /// What follows the operations that are about to be written: their actions go to those who are at work.
    pub(super) fn handing_over(&self, carried: usize, now: Instant) -> Vec<Operation> {
        let within = self.config.settings.trusts_taker_for();
        let adds_to =
            |executor: &Executor| self.waiting.iter().take(carried).any(|pending| pending.adds_to(executor));
        let hand_over = |lane: &Lane| {
            let to = lane.taker_at_work(now, within).filter(|_| adds_to(&lane.executor))?.clone();
            Some(Operation::HandOver { executor: lane.executor.clone(), to })
        };
        self.lanes.iter().filter_map(hand_over).collect()
    }
}

impl Pending {
    fn adds_to(&self, executor: &Executor) -> bool {
        let Operation::Enqueue(actions) = &self.operation else { return false };
        actions.iter().any(|(of, _)| of == executor)
    }
}
