//! One executor's actions as this client takes and carries them out: one at a time, in order (C36).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::handing::Taker;
use super::remembered::Remembered;
use super::removed::Removed;
use super::write::runs_once;
use super::{Effect, numbered};
use crate::catalogue::Catalogue;
use crate::client::notice::Notice;
use crate::document::{Claim, Document, Dropped, Failure, Held, Item, Mark, Operation, Response};
use crate::error::{Error, Result};
use crate::id::{ActionId, Executor};

/// Where it is told that an action's end was recorded.
pub(crate) type EndReply = oneshot::Sender<Result<()>>;

/// What this client does for one executor.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) executor: Executor,
    /// Tells this lane from the others of its client.
    pub(super) place: u64,
    /// Somebody here subscribes.
    pub(super) wanted: bool,
    /// Claims of an earlier life under the same instance are to be counted as begun before anything else (C40).
    pub(super) resuming: bool,
    pub(super) running: Option<Running>,
    /// Actions that have ended here and whose claims are not yet seen to be gone, oldest first.
    pub(super) ended: Vec<Ended>,
    /// A failed action that keeps its place until it is tried again (C42).
    pub(super) retry: Option<Retry>,
    /// Claims are to go back to the array; inside, the action that had been started, and its attempts so far.
    pub(super) giving_back: Option<Option<(ActionId, u32)>>,
    /// Nothing is taken before: a handler here has just let an action go.
    pub(super) hold_until: Option<Instant>,
    /// Another client's oldest claim, and since when it looks the same (C40).
    pub(super) observed: Option<(Mark, Instant)>,
    /// Who takes what comes next.
    pub(super) taker: Option<Taker>,
    pub(super) renew_at: Option<Instant>,
    /// The at-most-once action whose start is being recorded, or was recorded without anybody here seeing it: only its
    /// id is in the document.
    pub(super) once: Option<Arc<Item>>,
    /// Attempts begun here.
    pub(super) begun: Remembered,
    /// Actions finished here (C61).
    pub(super) finished: Remembered,
    /// Removed from the array in plain mode and not started.
    pub(super) removed: VecDeque<Removed>,
    /// Actions that were removed go back to the array, all of them.
    pub(super) putting_back: bool,
    /// The answer to putting them back was lost.
    pub(super) put_back_in_doubt: bool,
    /// A corrupt array has been reported.
    pub(super) corrupt: bool,
    /// Responses addressed to one client that lie in this array, and since when (C51).
    pub(super) addressed: HashMap<ActionId, Instant>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: ActionId,
    pub(super) item: Arc<Item>,
    /// It was removed, not claimed.
    pub(super) plain: bool,
    pub(super) attempt: u32,
    /// The attempt as the claim has it; less where a foreign writer has wiped some.
    pub(super) n: u32,
    pub(super) once: bool,
}

#[derive(Debug)]
pub(super) struct Ended {
    pub(super) id: ActionId,
    pub(super) response: Option<Response>,
    /// Whoever waits for the end to be recorded.
    pub(super) reply: Option<EndReply>,
    /// Number of the first write that carried it; every later one carries it too.
    pub(super) sent: Option<u64>,
    /// The write that carried it last left the response out.
    pub(super) dropped: Option<Dropped>,
    /// It may wait for others until then.
    pub(super) linger_until: Instant,
}

#[derive(Debug)]
pub(super) struct Retry {
    pub(super) id: ActionId,
    /// It was removed, not claimed: no document counts its attempts.
    pub(super) plain: bool,
    pub(super) failed: u32,
    pub(super) until: Instant,
}

/// How a handler ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It has done its work; a response, if any, has been checked.
    Finished {
        /// The response's own fields.
        response: Option<serde_json::Map<String, serde_json::Value>>,
        /// Told when the end is recorded.
        reply: Option<EndReply>,
    },
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether trying again may help.
        again: bool,
        /// Told when the failure is recorded.
        reply: Option<EndReply>,
    },
    /// It let the action go unfinished.
    LetGo,
    /// Nobody has seen the action.
    Unseen,
}

/// What a lane wants written, and whether it can wait.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) operations: Vec<Operation>,
    /// Something that does not wait is among them.
    pub(super) urgent: bool,
    /// When the next wish becomes urgent.
    pub(super) wake_at: Option<Instant>,
}

impl Wishes {
    pub(super) fn wake(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn push(&mut self, operation: Operation) {
        self.urgent = true;
        self.operations.push(operation);
    }
}

impl Lane {
    pub(super) fn new(executor: Executor, place: u64) -> Self {
        Self {
            executor,
            place,
            wanted: false,
            resuming: false,
            running: None,
            ended: Vec::new(),
            retry: None,
            giving_back: None,
            hold_until: None,
            observed: None,
            taker: None,
            renew_at: None,
            once: None,
            begun: Remembered::default(),
            finished: Remembered::default(),
            removed: VecDeque::new(),
            putting_back: false,
            put_back_in_doubt: false,
            corrupt: false,
            addressed: HashMap::new(),
        }
    }

    /// Whether nothing is left to be recorded or given back.
    pub(super) fn is_idle(&self) -> bool {
        self.ended.is_empty()
            && self.giving_back.is_none()
            && self.running.is_none()
            && self.removed.is_empty()
    }

    pub(super) fn has_ended(&self, id: &ActionId) -> bool {
        self.ended.iter().any(|ended| ended.id == *id)
    }

    /// Own claims that have not ended here, oldest first.
    fn open_claims<'s, 'd: 's>(
        &'s self,
        document: &'d Document,
        by: &'s str,
    ) -> impl Iterator<Item = &'d Claim> + 's {
        let claims = document.claims(self.executor.as_str()).iter();
        claims.filter(move |claim| &*claim.by == by && claim.id().is_some_and(|id| !self.has_ended(id)))
    }

    pub(super) fn has_open_claims(&self, document: &Document, by: &str) -> bool {
        self.open_claims(document, by).next().is_some()
    }

    /// The claim to carry out next, unless something before it is to be recorded first: the rule that lets a later
    /// holder know which actions may have begun (see `document::claims`).
    pub(super) fn next_claim<'d>(&self, document: &'d Document, by: &str) -> Option<&'d Claim> {
        let claims = document.claims(self.executor.as_str());
        if !self.wanted
            || self.running.is_some()
            || self.retry.is_some()
            || self.giving_back.is_some()
            || self.resuming
        {
            return None;
        }
        if claims.first().is_some_and(|head| &*head.by != by) {
            return None;
        }
        let next = self.open_claims(document, by).next()?;
        let unrecorded = claims.iter().take_while(|claim| claim.id() != next.id());
        let mut careful = unrecorded.filter(|claim| &*claim.by == by).peekable();
        let waits = careful.peek().is_some() && (next.n > 1 || careful.any(|claim| claim.n > 1));
        (!waits).then_some(next)
    }

    /// What this lane wants written, given the newest document.
    pub(super) fn wishes(&mut self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        if self.wish_put_back(document, wishes) {
            return;
        }
        if view.plain {
            return self.wish_plain(document, view, wishes);
        }
        self.look_at_addressed(document, view.now);
        self.wish_unread_away(document, view, wishes);
        self.wish_ends(document, view, wishes);
        self.wish_to_step_back(document, view, wishes);
        let claims = document.claims(self.executor.as_str());
        if let Some(head) = claims.first()
            && *head.by != **view.by
        {
            self.observe(head, view, wishes);
            return;
        }
        self.observed = None;
        if self.resuming {
            match claims.first() {
                Some(head) => {
                    wishes.push(Operation::TakeOver { executor: self.executor.clone(), mark: head.mark() })
                }
                None => self.resuming = false,
            }
            return;
        }
        let idle = self.giving_back.is_none() && !self.wanted && self.running.is_none();
        if idle && self.has_open_claims(document, view.by) {
            self.giving_back = Some(self.retry.take().map(|retry| (retry.id, retry.failed)));
        }
        if let Some(started) = self.giving_back.clone() {
            if self.has_open_claims(document, view.by) {
                let (executor, unseen) = (self.executor.clone(), self.once.clone());
                wishes.push(Operation::GiveBack { executor, started, unseen });
                return;
            }
            self.giving_back = None;
        }
        self.wish_renewal(document, view, wishes);
        self.wish_next(document, view, wishes);
    }

    fn wish_ends(&mut self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        let claims = document.claims(self.executor.as_str());
        let more = self.has_open_claims(document, view.by);
        let careful = claims.iter().any(|claim| claim.n > 1);
        for ended in &self.ended {
            let executor = self.executor.clone();
            let operation =
                Operation::Finish { executor, id: ended.id.clone(), response: ended.response.clone() };
            wishes.operations.push(operation);
            let awaited = ended.reply.as_ref().is_some_and(|reply| !reply.is_closed());
            let waits = awaited || ended.response.is_some() || careful || !more;
            if waits || ended.linger_until <= view.now {
                wishes.urgent = true;
            } else {
                wishes.wake(ended.linger_until);
            }
        }
    }

    /// Watches another client's claim; when it has not changed for a lease, this client takes over.
    fn observe(&mut self, head: &Claim, view: &View<'_>, wishes: &mut Wishes) {
        let mark = head.mark();
        let since = match &self.observed {
            Some((seen, since)) if *seen == mark => *since,
            _ => view.now,
        };
        self.observed = Some((mark.clone(), since));
        if !self.wanted {
            return;
        }
        if view.now >= since + view.lease {
            wishes.push(Operation::TakeOver { executor: self.executor.clone(), mark });
        } else {
            wishes.wake(since + view.lease);
        }
    }

    fn wish_renewal(&mut self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        if !self.has_open_claims(document, view.by) {
            self.renew_at = None;
            return;
        }
        let at = *self.renew_at.get_or_insert(view.now + view.renew_every);
        if at <= view.now {
            wishes.push(Operation::Renew(self.executor.clone()));
        } else {
            wishes.wake(at);
        }
    }

    fn wish_next(&mut self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        let executor = self.executor.clone();
        if let Some(retry) = &self.retry {
            let claims = document.claims(executor.as_str());
            if claims.iter().any(|claim| claim.id() == Some(&retry.id) && claim.n <= retry.failed) {
                wishes.push(Operation::Retry { executor, id: retry.id.clone(), failed: retry.failed });
            }
            if retry.until > view.now {
                wishes.wake(retry.until);
            }
            return;
        }
        if !self.wanted || self.running.is_some() {
            return;
        }
        if let Some(claim) = self.next_claim(document, view.by) {
            if let (Held::Action(item), Some(id)) = (&claim.held, claim.id())
                && view.runs_once(item)
                && !self.is_over(item, view)
            {
                self.once = Some(item.clone());
                wishes.push(Operation::StartOnce { executor, id: id.clone() });
            }
            return;
        }
        if !self.has_open_claims(document, view.by) {
            self.wish_claim(document, view, wishes);
        }
    }

    pub(super) fn wish_claim(&mut self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        if !self.removed.is_empty() {
            return;
        }
        match self.hold_until {
            Some(until) if until > view.now => return wishes.wake(until),
            _ => self.hold_until = None,
        }
        let released = self.released(document, view, wishes);
        let executor = self.executor.clone();
        if document.waiting(executor.as_str()).iter().any(|item| is_free(item, view.by, &released)) {
            let write = numbered(view.fresh, view.number) + "-";
            let fresh = (numbered(&write, self.place) + "-").into();
            let released = released.into_iter().collect();
            wishes.push(Operation::Claim { executor, fresh, released });
        }
    }

    /// Whether an action must not start any more: expired, tried too often, or finished here before.
    pub(super) fn is_over(&self, item: &Item, view: &View<'_>) -> bool {
        let expired = item.tag().exp.zip(view.backend_now).is_some_and(|(exp, now)| exp <= now);
        expired || item.id().is_some_and(|id| self.finished.contains(id) || self.has_run_once(id, item, view))
    }

    /// Whether it may run at most once and was begun here: an old copy of the document has brought it back.
    pub(super) fn has_run_once(&self, id: &ActionId, item: &Item, view: &View<'_>) -> bool {
        view.runs_once(item) && self.begun.get(id).is_some_and(|begun| begun > 0)
    }

    /// The answer to a write that held tells that this end is recorded, also where no room was left for a stamp.
    pub(super) fn recorded(&mut self, id: &ActionId) -> Option<Ended> {
        let ended = self.ended.remove(self.ended.iter().position(|ended| ended.id == *id)?);
        self.finished.insert(ended.id.clone(), 0);
        Some(ended)
    }

    /// Compares local state with a newer document: what has vanished there is over here (C40, C60). Answers an action
    /// whose handler is to be cancelled.
    pub(super) fn reconcile(
        &mut self,
        document: &Document,
        by: &str,
        last_write: Option<u64>,
        in_flight: Option<u64>,
        effects: &mut VecDeque<Effect>,
    ) -> Option<ActionId> {
        if self.ended.is_empty() && self.retry.is_none() && self.running.is_none() {
            return None;
        }
        let claims = document.claims(self.executor.as_str());
        let mine = |id: &ActionId| claims.iter().any(|claim| &*claim.by == by && claim.id() == Some(id));
        let held = |ended: &Ended| ended.sent.is_some_and(|sent| last_write.is_some_and(|last| last >= sent));
        // The document may be the one just written, told by the watch before the answer, and too full for our stamp.
        let carried = |ended: &Ended| ended.sent.zip(in_flight).is_some_and(|(sent, number)| sent <= number);
        let untold = |ended: &Ended| carried(ended) && !held(ended);
        for ended in self.ended.extract_if(.., |ended| !mine(&ended.id) && !untold(ended)) {
            let held = held(&ended);
            // One that somebody else holds, or that was put back, is not finished and may come here again.
            let is_it = |id: Option<&ActionId>| id == Some(&ended.id);
            let left = document.waiting(self.executor.as_str()).iter().any(|item| is_it(item.id()))
                || claims.iter().any(|claim| is_it(claim.id()));
            if held || !left {
                self.finished.insert(ended.id.clone(), 0);
            }
            let result = match (held, ended.response.zip(ended.dropped)) {
                (false, _) => Err(not_held(&ended.id)),
                (true, Some((response, why))) => {
                    effects.push_back(dropped_notice(&response, why));
                    Err(response.dropped(why))
                }
                (true, None) => Ok(()),
            };
            answer(effects, ended.reply, result);
        }
        if self.retry.as_ref().is_some_and(|retry| !retry.plain && !mine(&retry.id)) {
            self.retry = None;
        }
        let lost = self.running.as_ref().is_some_and(|running| !running.plain && !mine(&running.id));
        if lost { self.running.take().map(|running| running.id) } else { None }
    }
}

/// What lanes need to know of the client and the moment.
pub(super) struct View<'a> {
    pub(super) by: &'a Arc<str>,
    pub(super) now: Instant,
    pub(super) lease: std::time::Duration,
    pub(super) renew_every: std::time::Duration,
    /// When the latest write that held was sent.
    pub(super) held_at: Instant,
    pub(super) attempts_max: u32,
    /// The document is written without bookkeeping (C46, C60).
    pub(super) plain: bool,
    /// The backend's time now, as its answers show it.
    pub(super) backend_now: Option<u64>,
    /// What ids of this life begin with.
    pub(super) fresh: &'a str,
    /// Number of the next write.
    pub(super) number: u64,
    pub(super) catalogue: &'a Catalogue,
}

impl View<'_> {
    pub(super) fn runs_once(&self, item: &Item) -> bool {
        item.action().is_some_and(|action| runs_once(self.catalogue, action.name()))
    }
}

/// Whether this client could take anything on account of this element.
fn is_free(item: &Item, by: &str, released: &HashSet<ActionId>) -> bool {
    let to = item.tag().to.as_ref();
    !item.is_addressed()
        || to.is_some_and(|to| &**to == by)
        || item.id().is_some_and(|id| released.contains(id))
}

pub(super) fn dropped_notice(response: &Response, why: Dropped) -> Effect {
    let (executor, action) = response.describes();
    Effect::Notice(Notice::ResponseDropped { executor, action, why })
}

pub(super) fn not_held(id: &ActionId) -> Error {
    Error::NotHeld { what: format!("action {id}") }
}

pub(super) fn answer(effects: &mut VecDeque<Effect>, reply: Option<EndReply>, result: Result<()>) {
    effects.extend(reply.map(|reply| Effect::Recorded(reply, result)));
}
