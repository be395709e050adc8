//! Requests and their answers.

use std::sync::Arc;

use tokio::time::Instant;

use super::output::{Call, Settled};
use super::refusal::{self, Kind};
use super::{Due, Machine, Order, backoff};
use crate::backend::{BackendError, Change, Revision, Stored, Write};
use crate::document::Document;
use crate::id::DocumentId;
use crate::limits::REMOTE_READ_WITHIN;
use crate::twilsock::client_session::{Moment, RequestError, Ticket};
use crate::twilsock::message::{Request, Response};
use crate::twilsock::sync::{Address, DocumentState};

/// A request whose answer is awaited.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) what: What,
    /// When it was sent.
    pub(super) order: Order,
    /// Until when it may be repeated, if it changes nothing.
    until: Instant,
    failures: u32,
}

/// What a request is for.
#[derive(Debug)]
pub(super) enum What {
    /// Reading a document by its name.
    Get(DocumentId, Then),
    /// Making one with this content.
    Create(DocumentId, Arc<Document>, Call),
    /// Writing this content over one.
    Update(DocumentId, Arc<Document>, Call),
    /// Removing one.
    Delete(DocumentId, Call),
    /// Subscribing to a batch.
    Subscribe(u64),
    /// Ending a subscription.
    Cancel,
}

/// What a document is read for.
#[derive(Debug)]
pub(super) enum Then {
    Read(Call),
    /// Only now it can be known whether the expected revision is the present one.
    Write(Write, Revision, Call),
    Remove(Option<Revision>, Call),
    Watch(Call),
    /// Something has happened to a watched document.
    Look,
}

type Answer = Result<Response, RequestError>;

impl Asked {
    /// Whether a caller waits for its end.
    pub(super) fn is_call(&self) -> bool {
        !matches!(self.what, What::Get(_, Then::Look) | What::Subscribe(_) | What::Cancel)
    }
}

impl Machine {
    pub(super) fn ask(&mut self, what: What, request: Request, moment: Moment) {
        let order = self.count();
        let asked = Asked { what, order, until: moment.now + REMOTE_READ_WITHIN, failures: 0 };
        self.send(asked, request, moment);
    }

    fn send(&mut self, asked: Asked, request: Request, moment: Moment) {
        let Some(session) = &mut self.session else { return };
        session.start(moment);
        let ticket = session.request(request, moment);
        self.asked.insert(ticket, asked);
    }

    pub(super) fn get(&mut self, id: DocumentId, then: Then, moment: Moment) {
        let request = Request::get_document(None, &Address::Name(id.to_string()));
        self.ask(What::Get(id, then), request, moment);
    }

    /// Reads again, as one call.
    pub(super) fn ask_again(&mut self, asked: Asked, moment: Moment) {
        if let Some(obstacle) = self.obstacle() {
            return self.fail(asked, obstacle);
        }
        let What::Get(id, _) = &asked.what else { return };
        let request = Request::get_document(None, &Address::Name(id.to_string()));
        let order = self.count();
        self.send(Asked { order, ..asked }, request, moment);
    }

    pub(super) fn answered(&mut self, ticket: Ticket, answer: Answer, moment: Moment) {
        let Some(mut asked) = self.asked.remove(&ticket) else { return };
        if answer == Err(RequestError::Unknown) && self.is_open {
            // Sync: what the service does yet on this connection it tells nobody on it.
            if let Some(session) = &mut self.session {
                session.reconnect(moment);
            }
        }
        let order = asked.order;
        match asked.what {
            What::Get(..) if refusal::may_pass(&answer) && moment.now < asked.until && !self.is_closed => {
                if answer.is_err() {
                    return self.ask_again(asked, moment);
                }
                let wait = backoff(asked.failures, moment.chance);
                asked.failures += 1;
                self.at(moment.now + wait, Due::Ask(Box::new(asked)));
            }
            What::Get(id, then) => self.got(id, then, order, answer, moment),
            What::Create(id, document, call) | What::Update(id, document, call) => {
                let held = self.written(&id, document, order, answer, moment);
                self.settled(call, held);
            }
            What::Delete(id, call) => {
                let removed = self.removed(&id, order, answer, moment);
                self.settled(call, removed);
            }
            What::Subscribe(correlation) => self.subscription_answered(correlation, &answer, moment),
            What::Cancel => {}
        }
    }

    /// Ends what a request was for.
    pub(super) fn fail(&mut self, asked: Asked, why: BackendError) {
        match asked.what {
            What::Get(
                _,
                Then::Read(call) | Then::Write(_, _, call) | Then::Remove(_, call) | Then::Watch(call),
            )
            | What::Create(_, _, call)
            | What::Update(_, _, call)
            | What::Delete(_, call) => self.settled(call, Err(why)),
            What::Get(id, Then::Look) => self.looked(&id),
            What::Subscribe(correlation) => {
                self.batches.remove(&correlation);
            }
            What::Cancel => {}
        }
    }

    /// What a read has found; `None`: nothing.
    pub(super) fn found(
        &mut self,
        id: &DocumentId,
        order: Order,
        answer: &Answer,
        moment: Moment,
    ) -> Result<Option<(Stored, String)>, BackendError> {
        let doing = format!("reading `{id}`");
        let response = answer.as_ref().map_err(|error| self.no_answer(error, Kind::Read, &doing))?;
        if response.code == 404 {
            self.absent(id, order, moment);
            return Ok(None);
        }
        if !response.is_success() {
            return Err(refusal::of_response(response, Kind::Read, &doing));
        }
        let Some((resource, Some(data))) = DocumentState::read_with_data(&response.body) else {
            return Err(refusal::unavailable(&doing, "the service answers without the document".into()));
        };
        let document = Document::from_json(data.text()).map(Arc::new);
        let document = document.map_err(|error| refusal::unavailable(&doing, error.to_string()))?;
        Ok(self.learned(id, &resource, document, order, moment).map(|stored| (stored, resource.sid)))
    }

    fn written(
        &mut self,
        id: &DocumentId,
        document: Arc<Document>,
        order: Order,
        answer: Answer,
        moment: Moment,
    ) -> Result<Settled, BackendError> {
        let doing = format!("writing `{id}`");
        let response = answer.map_err(|error| self.no_answer(&error, Kind::Write, &doing))?;
        match response.code {
            // The document that was to be written over is gone; perhaps there is another.
            404 => self.look(id, moment),
            413 => {
                // How much less would do, the service does not say.
                let size_bytes = document.size_bytes();
                let limit_bytes = self.document_bytes_max.min(size_bytes.saturating_sub(1));
                return Err(BackendError::TooLarge { size_bytes, limit_bytes });
            }
            429 => {
                let now = self.count();
                self.names.course(id, now).pace.drain(moment.now);
            }
            _ => {}
        }
        if !response.is_success() {
            return Err(refusal::of_response(&response, Kind::Write, &doing));
        }
        let unknown = |why: &str| BackendError::Unknown { why: why.into() };
        let resource = DocumentState::read(&response.body)
            .ok_or_else(|| unknown("the service answers without the document's state"))?;
        let stored = self.learned(id, &resource, document, order, moment);
        let Stored { revision, expires, at, .. } =
            stored.ok_or_else(|| unknown("the document was replaced by another meanwhile"))?;
        Ok(Settled::Written(crate::backend::Written { revision, expires, at }))
    }

    fn removed(
        &mut self,
        id: &DocumentId,
        order: Order,
        answer: Answer,
        moment: Moment,
    ) -> Result<Settled, BackendError> {
        let doing = format!("removing `{id}`");
        let response = answer.map_err(|error| self.no_answer(&error, Kind::Write, &doing))?;
        match response.code {
            404 => self.look(id, moment),
            _ if response.is_success() => self.absent(id, order, moment),
            _ => return Err(refusal::of_response(&response, Kind::Write, &doing)),
        }
        Ok(Settled::Removed(response.is_success()))
    }

    /// A state of a document, from the answer to a request sent at `asked`; `None` when another document has its name
    /// since. Whoever watches it is told.
    fn learned(
        &mut self,
        id: &DocumentId,
        resource: &DocumentState,
        document: Arc<Document>,
        asked: Order,
        moment: Moment,
    ) -> Option<Stored> {
        let now = self.count();
        self.clock.saw(resource.date_updated, moment.now);
        let at = self.clock.at(moment.now);
        let course = self.names.course(id, now);
        let revision = course.revision(&resource.sid, resource.last_event_id, asked, now)?;
        course.remember(revision, &resource.sid, resource.revision.clone());
        let date = |date: Option<_>| date.map(super::clock::time);
        let updated = date(resource.date_updated).unwrap_or(at);
        let created = date(resource.date_created).unwrap_or(updated);
        let expires = date(resource.date_expires);
        let stored = Stored { revision, document, expires, created, updated, at };
        self.show(id, &stored, &resource.sid, resource.last_event_id, asked);
        Some(stored)
    }

    fn no_answer(&self, error: &RequestError, kind: Kind, doing: &str) -> BackendError {
        refusal::of_request(error, kind, doing, self.trouble.as_deref())
    }

    pub(super) fn told(&mut self, id: &DocumentId, change: Result<Change, BackendError>) {
        self.outputs.push_back(super::Output::Told(id.clone(), change));
    }
}
