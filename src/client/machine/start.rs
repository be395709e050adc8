//! Starting what has been taken: only from a document that shows it as ours, one at a time, oldest first.

use std::sync::Arc;

use tokio::time::Instant;

use super::lane::{Ended, Running};
use super::removed::Removed;
use super::{Effect, Machine, Start};
use crate::client::notice::Notice;
use crate::document::{Failure, Held, Item, Tag};
use crate::id::ActionId;

/// What becomes of the next action of a lane.
enum Next {
    Start(Start, u32, How),
    /// Over without running: removed, and said why.
    Over(ActionId, Arc<Item>, Over),
    /// It was a response, and is with whoever waited for it.
    Given,
    /// Its start has to be recorded first, or there is none.
    Wait,
}

/// How an action came here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Claimed,
    /// At-most-once: only its id is left of the claim.
    Once,
    /// Removed from the array, in plain mode.
    Removed,
}

enum Over {
    Expired,
    Duplicate,
    TooOften(u32),
    Response,
    /// An at-most-once action that this client does not know: it was started in an earlier life.
    Lost,
}

impl Machine {
    /// Hands over whatever can be started now.
    pub(super) fn start_all(&mut self, now: Instant) {
        for place in 0..self.lanes.len() {
            loop {
                match self.next_of(place, now) {
                    Next::Wait => break,
                    Next::Given => {}
                    Next::Start(start, n, how) => {
                        self.start(place, start, n, how, now);
                        break;
                    }
                    Next::Over(id, item, why) => self.pass_over(place, id, item, why, now),
                }
            }
        }
    }

    fn next_of(&mut self, place: usize, now: Instant) -> Next {
        // What was removed comes first, even if the document has bookkeeping by now: it came from before what is left.
        if self.is_plain() || !self.lanes[place].removed.is_empty() {
            return self.next_removed(place);
        }
        let Some(state) = &self.state else { return Next::Wait };
        let document = state.document.clone();
        let Some(claim) = self.lanes[place].next_claim(&document, &self.config.by) else { return Next::Wait };
        let Some(id) = claim.id().cloned() else { return Next::Wait };
        // Others may have seen the claims unchanged for longer than since the latest write, by up to a renewal.
        if now + self.config.settings.renew_every() > self.held_at + self.config.settings.lease {
            // This process was asleep, or the backend away, for so long that another may have taken over: the claim
            // must be shown to hold before anything is started on it.
            self.lanes[place].renew_at = Some(now);
            return Next::Wait;
        }
        let (item, once) = match &claim.held {
            Held::Action(item) => (item.clone(), false),
            Held::Once(_) => match self.lanes[place].once.take().filter(|item| item.id() == Some(&id)) {
                Some(item) => (item, true),
                None => {
                    return Next::Over(id, Arc::new(Item::from_value(serde_json::Value::Null)), Over::Lost);
                }
            },
        };
        if once {
            // Started once means a first attempt, however often its claim has changed hands.
            return Next::Start(self.begin(place, id, item, 1), claim.n, How::Once);
        }
        let executor = self.lanes[place].executor.clone();
        if self.requests.give(&executor, &item, &self.config.by) {
            return Next::Over(id, item, Over::Response);
        }
        let over = self.with_view(now, |view, lanes| {
            let lane = &lanes[place];
            if lane.finished.contains(&id) {
                Some(Over::Duplicate)
            } else if lane.has_run_once(&id, &item, view) {
                Some(Over::Lost)
            } else if lane.is_over(&item, view) {
                Some(Over::Expired)
            } else if claim.n > view.attempts_max {
                Some(Over::TooOften(claim.n - 1))
            } else {
                None
            }
        });
        match over {
            Some(over) => Next::Over(id, item, over),
            None if self.runs_once(&item) => Next::Wait,
            None => Next::Start(self.begin(place, id, item, claim.n), claim.n, How::Claimed),
        }
    }

    fn begin(&mut self, place: usize, id: ActionId, item: Arc<Item>, n: u32) -> Start {
        let lane = &mut self.lanes[place];
        // A foreign writer may have wiped the attempts from the document; those begun here are known.
        let attempt = lane.begun.get(&id).map_or(n, |begun| n.max(begun.saturating_add(1)));
        Start { executor: lane.executor.clone(), item, id, attempt }
    }

    fn next_removed(&mut self, place: usize) -> Next {
        let lane = &mut self.lanes[place];
        if lane.running.is_some() || lane.retry.is_some() || lane.putting_back || !lane.wanted {
            return Next::Wait;
        }
        let Some(Removed { id, item }) = lane.removed.pop_front() else { return Next::Wait };
        let executor = lane.executor.clone();
        if self.requests.give(&executor, &item, &self.config.by) {
            return Next::Given;
        }
        let attempt = lane.begun.get(&id).unwrap_or(0).saturating_add(1);
        Next::Start(Start { executor, item, id, attempt }, attempt, How::Removed)
    }

    fn start(&mut self, place: usize, start: Start, n: u32, how: How, now: Instant) {
        let lane = &mut self.lanes[place];
        lane.begun.insert(start.id.clone(), start.attempt);
        let Start { item, id, attempt, .. } = start.clone();
        lane.running =
            Some(Running { id, item, attempt, n, once: how == How::Once, plain: how == How::Removed });
        lane.renew_at = Some(now + self.config.settings.renew_every());
        self.effects.push_back(Effect::Start(start));
    }

    fn pass_over(&mut self, place: usize, id: ActionId, item: Arc<Item>, why: Over, now: Instant) {
        let executor = self.lanes[place].executor.clone();
        let mut response = None;
        let notice = match (why, item.action()) {
            (Over::Response, _) => None,
            (Over::Duplicate, _) => Some(Notice::DuplicateRemoved { executor, id: id.clone() }),
            (Over::Lost, _) | (_, None) => {
                Some(Notice::StartedOnceAndLost { executor, ids: vec![id.clone()] })
            }
            (Over::Expired, Some(action)) => Some(Notice::ActionExpired { executor, action: action.clone() }),
            (Over::TooOften(attempts), Some(action)) => {
                let failure = Failure::new("attempts", "its executor stopped as often as it may be tried");
                response = self.error_response(&item, &failure);
                Some(Notice::ActionFailed {
                    executor,
                    action: action.clone(),
                    id: id.clone(),
                    attempts,
                    failure,
                })
            }
        };
        self.effects.extend(notice.map(Effect::Notice));
        self.lanes[place].ended.push(Ended {
            id,
            response,
            reply: None,
            sent: None,
            dropped: None,
            linger_until: now,
        });
    }

    fn runs_once(&self, item: &Item) -> bool {
        item.action().is_some_and(|action| super::write::runs_once(&self.config.catalogue, action.name()))
    }
}

/// The bookkeeping of a response: whom and what it answers (1.4).
pub(super) fn response_tag(id: ActionId, request: &Item) -> Tag {
    let tag = request.tag();
    Tag { id: Some(id), re: tag.id.clone(), to: tag.from.clone(), ..Tag::default() }
}
