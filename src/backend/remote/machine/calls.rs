//! The calls of the contract, from their beginning to their end.

use super::asking::{Then, What};
use super::names::{Known, State};
use super::output::{Call, Settled};
use super::{Machine, Order};
use crate::backend::{BackendError, Expect, Revision, Ttl, Write};
use crate::id::DocumentId;
use crate::twilsock::client_session::{Moment, RequestError};
use crate::twilsock::message::{Request, Response};
use crate::twilsock::sync::{self, Address};

impl Machine {
    pub(in super::super) fn read(&mut self, id: DocumentId, call: Call, moment: Moment) {
        match self.obstacle() {
            Some(obstacle) => self.settled(call, Err(obstacle)),
            None => self.get(id, Then::Read(call), moment),
        }
        self.settle(moment);
    }

    pub(in super::super) fn write(&mut self, id: DocumentId, write: Write, call: Call, moment: Moment) {
        let (size_bytes, limit_bytes) = (write.document.size_bytes(), self.document_bytes_max);
        let refused = match size_bytes > limit_bytes {
            true => Some(BackendError::TooLarge { size_bytes, limit_bytes }),
            false => self.obstacle(),
        };
        if let Some(refused) = refused {
            return self.settled(call, Err(refused));
        }
        match write.expect {
            Expect::Absent => self.create(id, &write, call, moment),
            Expect::Revision(revision) => {
                let now = self.count();
                match self.names.course(&id, now).known(revision) {
                    Known::State(state) => self.update(id, &state, &write, call, moment),
                    Known::Outdated => self.settled(call, Err(BackendError::Conflict)),
                    Known::Nothing => self.get(id, Then::Write(write, revision, call), moment),
                }
            }
        }
        self.settle(moment);
    }

    pub(in super::super) fn remove(
        &mut self,
        id: DocumentId,
        expect: Option<Revision>,
        call: Call,
        moment: Moment,
    ) {
        match self.obstacle() {
            Some(obstacle) => self.settled(call, Err(obstacle)),
            None => self.get(id, Then::Remove(expect, call), moment),
        }
        self.settle(moment);
    }

    pub(in super::super) fn watch(&mut self, id: DocumentId, call: Call, moment: Moment) {
        match self.obstacle() {
            Some(obstacle) => self.settled(call, Err(obstacle)),
            None => {
                self.watched.entry(id.clone()).or_default();
                self.get(id, Then::Watch(call), moment);
            }
        }
        self.settle(moment);
    }

    fn create(&mut self, id: DocumentId, write: &Write, call: Call, moment: Moment) {
        let data = write.document.to_json();
        let request = Request::create_document(Some(id.as_str()), Some(&*data), ttl(write.ttl));
        self.ask(What::Create(id, write.document.clone(), call), request, moment);
    }

    /// By its SID: another document of the same name must not be met.
    fn update(&mut self, id: DocumentId, state: &State, write: &Write, call: Call, moment: Moment) {
        let (data, sid) = (write.document.to_json(), Address::Sid(state.sid.clone()));
        let request = Request::update_document(None, &sid, Some(&*data), ttl(write.ttl), Some(&state.text));
        self.ask(What::Update(id, write.document.clone(), call), request, moment);
    }

    /// A document was read, or could not be.
    pub(super) fn got(
        &mut self,
        id: DocumentId,
        then: Then,
        order: Order,
        answer: Result<Response, RequestError>,
        moment: Moment,
    ) {
        if matches!(then, Then::Look) {
            self.looked(&id);
        }
        let found = self.found(&id, order, &answer, moment);
        let (call, settled) = match (then, found) {
            (Then::Look, Ok(_)) => return,
            (Then::Look, Err(error)) => return self.look_failed(&id, error, moment),
            (
                Then::Read(call) | Then::Write(_, _, call) | Then::Remove(_, call) | Then::Watch(call),
                Err(error),
            ) => (call, Err(error)),
            (Then::Read(call), Ok(found)) => (call, Ok(Settled::Read(found.map(|(stored, _)| stored)))),
            (Then::Watch(call), Ok(_)) => (call, Ok(Settled::Watching)),
            (Then::Write(write, revision, call), Ok(_)) => {
                let now = self.count();
                match self.names.course(&id, now).known(revision) {
                    Known::State(state) => return self.update(id, &state, &write, call, moment),
                    Known::Outdated | Known::Nothing => (call, Err(BackendError::Conflict)),
                }
            }
            (Then::Remove(_, call), Ok(None)) => (call, Ok(Settled::Removed(false))),
            (Then::Remove(Some(expected), call), Ok(Some((stored, _)))) if stored.revision != expected => {
                (call, Err(BackendError::Conflict))
            }
            (Then::Remove(expect, call), Ok(Some((_, sid)))) => {
                let mut request = Request::remove_document(None, &Address::Sid(sid));
                if let Some(expected) = expect {
                    let now = self.count();
                    // The answer to a write may have been quicker than this one to a read before it.
                    let Known::State(state) = self.names.course(&id, now).known(expected) else {
                        return self.settled(call, Err(BackendError::Conflict));
                    };
                    // A service of one's own compares it; the original's passes over it.
                    request.headers.push(("If-Match".into(), state.text.as_str().into()));
                }
                return self.ask(What::Delete(id, call), request, moment);
            }
        };
        self.settled(call, settled);
    }
}

/// Sync: absent leaves it, 0 is for ever.
fn ttl(ttl: Ttl) -> Option<sync::Ttl> {
    match ttl {
        Ttl::Keep => None,
        Ttl::Never => Some(sync::Ttl::Never),
        Ttl::After(duration) => Some(sync::Ttl::of(duration)),
    }
}
