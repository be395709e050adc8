//! How a handler's end becomes something to write (C39, C42, C52).

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::lane::{self, EndReply, Ended, Ending, Retry, Running};
use super::removed::Removed;
use super::start::response_tag;
use super::{Asker, Effect, Machine};
use crate::action::Action;
use crate::backend::Ttl;
use crate::client::notice::Notice;
use crate::document::{Document, Failure, Item, Operation, Response, Tag};
use crate::id::{ActionId, Executor};

impl Machine {
    /// A handler has ended, or let its action go.
    pub(crate) fn ended(
        &mut self,
        executor: &Executor,
        id: &ActionId,
        attempt: u32,
        ending: Ending,
        now: Instant,
    ) {
        let Some(place) = self.lanes.iter().position(|lane| lane.executor == *executor) else { return };
        let lane = &mut self.lanes[place];
        let is_it = |running: &Running| running.id == *id && running.attempt == attempt;
        let Some(running) = lane.running.take_if(|running| is_it(running)) else {
            return ending.answer_lost(id, &mut self.effects);
        };
        match ending {
            Ending::Finished { response, reply } => {
                let response = response.and_then(|fields| self.response(&running.item, fields));
                self.end(place, running, response, reply, now);
            }
            Ending::Failed { failure, again, reply } => {
                self.handler_failed(place, running, failure, again, reply, now)
            }
            Ending::LetGo => self.let_go(place, running, now),
            Ending::Unseen => self.unseen(place, running),
        }
    }

    fn end(
        &mut self,
        place: usize,
        running: Running,
        response: Option<Response>,
        reply: Option<EndReply>,
        now: Instant,
    ) {
        if running.plain {
            // There is no claim to remove. The response is a write of its own.
            let Some(Response { executor, item }) = response else {
                return lane::answer(&mut self.effects, reply, Ok(()));
            };
            let asker = Asker::Responding(executor.clone(), item.clone(), reply);
            return self.submit(Operation::Enqueue(vec![(executor, item)]), Ttl::Keep, asker, None, now);
        }
        let linger_until = now + self.config.settings.finish_linger;
        self.lanes[place].ended.push(Ended {
            id: running.id,
            response,
            reply,
            sent: None,
            dropped: None,
            linger_until,
        });
    }

    fn handler_failed(
        &mut self,
        place: usize,
        running: Running,
        failure: Failure,
        again: bool,
        reply: Option<EndReply>,
        now: Instant,
    ) {
        let executor = self.lanes[place].executor.clone();
        let Some(action) = running.item.action().cloned() else { return };
        let attempt = running.attempt;
        if again && !running.once && attempt < self.config.settings.attempts_max {
            let after = self.config.settings.retry_delay(attempt);
            let notice = Notice::ActionRetried { executor, action, attempt, failure, after };
            self.effects.push_back(Effect::Notice(notice));
            let lane = &mut self.lanes[place];
            let Running { id, n, plain, item, .. } = running;
            if plain {
                lane.removed.push_front(Removed { id: id.clone(), item });
            }
            lane.retry = Some(Retry { id, plain, failed: n, until: now + after });
            return lane::answer(&mut self.effects, reply, Ok(()));
        }
        let response = self.error_response(&running.item, &failure);
        let id = running.id.clone();
        self.effects.push_back(Effect::Notice(Notice::ActionFailed {
            executor,
            action,
            id,
            attempts: attempt,
            failure,
        }));
        self.end(place, running, response, reply, now);
    }

    /// The handler was dropped unfinished: the action goes back to the front of its array for whoever is quick, and
    /// this client lets others go first.
    pub(super) fn let_go(&mut self, place: usize, running: Running, now: Instant) {
        if running.once {
            return self.end(place, running, None, None, now);
        }
        let hold = self.config.settings.retry_delay(running.attempt);
        let lane = &mut self.lanes[place];
        lane.hold_until = Some(now + hold);
        if running.plain {
            lane.removed.push_front(Removed { id: running.id, item: running.item });
            lane.putting_back = true;
            return;
        }
        lane.giving_back = Some(Some((running.id, running.n)));
    }

    /// Nobody saw the action: it has not begun.
    pub(super) fn unseen(&mut self, place: usize, running: Running) {
        let lane = &mut self.lanes[place];
        lane.begun.insert(running.id.clone(), running.attempt - 1);
        if running.plain {
            lane.removed.push_front(Removed { id: running.id, item: running.item });
        } else if running.once {
            lane.once = Some(running.item);
        }
    }

    /// What has vanished from the document is over here (C40, C60).
    pub(super) fn reconcile(&mut self, document: &Document, last_write: Option<u64>) {
        if self.config.plain {
            return;
        }
        let in_flight = self.flight.as_ref().map(|flight| flight.number);
        let Self { lanes, effects, config, .. } = self;
        for lane in lanes {
            if let Some(lost) = lane.reconcile(document, &config.by, last_write, in_flight, effects) {
                let executor = lane.executor.clone();
                effects.push_back(Effect::Cancel(lost.clone()));
                effects.push_back(Effect::Notice(Notice::ClaimLost { executor, id: lost }));
            }
        }
    }

    /// The same with the newest document, once it is known that no write on its way made it.
    pub(super) fn reconcile_newest(&mut self) {
        let Some(document) = self.state.as_ref().map(|state| state.document.clone()) else { return };
        let last_write = document.ledger().and_then(|ledger| ledger.last_write(&self.config.instance));
        self.reconcile(&document, last_write);
    }

    /// The response of a handler, where the request asks for one and names an executor (C47, C48, C54).
    fn response(&mut self, request: &Item, fields: Map<String, Value>) -> Option<Response> {
        let action = request.action()?;
        let respond_to = self.responder(action)?;
        let object = response_object(action.name(), &respond_to, fields);
        let tag = if self.is_plain() { Tag::default() } else { response_tag(self.fresh_id(), request) };
        Some(Response { executor: respond_to, item: Arc::new(Item::new(object, tag)) })
    }

    /// The answer of a failed handler: only for a requester that knows bookkeeping (C52).
    pub(super) fn error_response(&mut self, request: &Item, failure: &Failure) -> Option<Response> {
        if self.is_plain() {
            return None;
        }
        request.tag().from.as_ref()?;
        let action = request.action()?;
        let respond_to = self.responder(action)?;
        let object = response_object(action.name(), &respond_to, Map::new());
        let tag = Tag { error: Some(failure.clone()), ..response_tag(self.fresh_id(), request) };
        Some(Response { executor: respond_to, item: Arc::new(Item::new(object, tag)) })
    }

    fn responder(&mut self, action: &Action) -> Option<Executor> {
        let respond_to = action.respond_to()?;
        if self.config.catalogue.executor(respond_to).is_some() {
            return Some(respond_to.into());
        }
        let notice =
            Notice::UnknownRespondTo { action: action.name().to_owned(), respond_to: respond_to.to_owned() };
        self.effects.push_back(Effect::Notice(notice));
        None
    }
}

/// A response in the form of contract 1.3: the request's name, the requester's executor, flat fields.
pub(crate) fn response_object(name: &str, respond_to: &Executor, fields: Map<String, Value>) -> Action {
    let mut object = Map::with_capacity(fields.len() + 2);
    object.insert("action".into(), name.into());
    object.insert("executor".into(), respond_to.as_str().into());
    object.extend(fields);
    Action::from_named(object)
}

impl Ending {
    fn answer_lost(self, id: &ActionId, effects: &mut VecDeque<Effect>) {
        match self {
            Self::Finished { reply, .. } | Self::Failed { reply, .. } => {
                lane::answer(effects, reply, Err(lane::not_held(id)))
            }
            Self::LetGo | Self::Unseen => {}
        }
    }
}
