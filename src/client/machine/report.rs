//! What operations that were derived from the document did, beyond what the next document shows.

use tokio::time::Instant;

use super::removed::Removed;
use super::{Effect, Machine, lane};
use crate::client::notice::Notice;
use crate::document::{Dropped, Item, Operation, Outcome, Response, Taken};
use crate::error::Result;
use crate::id::{ActionId, Executor};

impl Machine {
    /// Tells of what derived operations did beyond what the document shows.
    pub(super) fn report(&mut self, derived: Vec<(Operation, Result<Outcome>)>, now: Instant) {
        for (operation, outcome) in derived {
            match (operation, outcome) {
                (Operation::Claim { executor, .. }, Ok(Outcome::Taken(taken))) => {
                    self.report_taken(executor, taken)
                }
                (Operation::Finish { executor, id, response }, Ok(outcome))
                    if outcome != Outcome::Nothing =>
                {
                    self.report_finished(&executor, &id, response, &outcome);
                }
                (Operation::TakeOver { executor, .. }, Ok(Outcome::TakenOver { lost })) => {
                    if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.executor == executor) {
                        lane.resuming = false;
                    }
                    if !lost.is_empty() {
                        let notice = Notice::StartedOnceAndLost { executor, ids: lost };
                        self.effects.push_back(Effect::Notice(notice));
                    }
                }
                (Operation::TakeResponse { executor, item }, Ok(Outcome::Done))
                    if !self.requests.took(&executor, &item, &self.config.by) =>
                {
                    self.tell_unread(executor, &item, now);
                }
                (Operation::Renew(executor), Ok(_)) => {
                    let renew_at = now + self.config.settings.renew_every();
                    if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.executor == executor) {
                        lane.renew_at = Some(renew_at);
                    }
                }
                (Operation::PutBack { executor, items }, Ok(Outcome::Done)) => {
                    if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.executor == executor) {
                        lane.put_back(items.len());
                    }
                }
                (Operation::GiveBack { executor, .. }, Ok(outcome)) => {
                    if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.executor == executor) {
                        lane.giving_back = None;
                        // Nothing was given back where the array is none.
                        lane.once.take_if(|_| outcome != Outcome::Nothing);
                    }
                    if let Outcome::TakenOver { lost } = outcome {
                        self.effects
                            .push_back(Effect::Notice(Notice::StartedOnceAndLost { executor, ids: lost }));
                    }
                }
                _ => {}
            }
        }
    }

    fn tell_unread(&mut self, executor: Executor, item: &Item, now: Instant) {
        let is_unread = self.with_view(now, |view, lanes| {
            lanes.iter().any(|lane| lane.executor == executor && lane.is_unread(item, view))
        });
        if is_unread {
            self.tell_dropped(executor, item, Dropped::Unread);
        }
    }

    pub(super) fn tell_dropped(&mut self, executor: Executor, response: &Item, why: Dropped) {
        let action = response.action().map(|action| action.name().to_owned()).unwrap_or_default();
        self.effects.push_back(Effect::Notice(Notice::ResponseDropped { executor, action, why }));
    }

    fn report_finished(
        &mut self,
        executor: &Executor,
        id: &ActionId,
        response: Option<Response>,
        outcome: &Outcome,
    ) {
        let lane = self.lanes.iter_mut().find(|lane| lane.executor == *executor);
        // Told already when the watch was quicker than the answer.
        let Some(ended) = lane.and_then(|lane| lane.recorded(id)) else { return };
        let result = match (response, outcome) {
            (Some(response), Outcome::ResponseDropped(why)) => {
                self.effects.push_back(lane::dropped_notice(&response, *why));
                Err(response.dropped(*why))
            }
            _ => Ok(()),
        };
        lane::answer(&mut self.effects, ended.reply, result);
    }

    fn report_taken(&mut self, executor: Executor, taken: Taken) {
        for item in taken.malformed {
            let found = item.malformed_type().unwrap_or("an object");
            let executor = executor.clone();
            self.effects.push_back(Effect::Notice(Notice::MalformedAction { executor, found }));
        }
        for id in taken.duplicates.iter().filter_map(|item| item.id().cloned()) {
            let executor = executor.clone();
            self.effects.push_back(Effect::Notice(Notice::DuplicateRemoved { executor, id }));
        }
        if self.is_plain()
            && let Some(place) = self.lanes.iter().position(|lane| lane.executor == executor)
        {
            for item in taken.items {
                let id = item.id().cloned().unwrap_or_else(|| self.fresh_id());
                self.lanes[place].removed.push_back(Removed { id, item });
            }
        }
    }
}
