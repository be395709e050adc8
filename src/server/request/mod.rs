//! Requests of connections: who may ask, what is done, how it is answered.
//!
//! Rights are looked at before anything else: whoever asks for a document that is not theirs hears the same whether or not
//! there is one. By name that is always 403, by SID always 404.

mod documents;
mod subscriptions;

use std::sync::Arc;

use super::Permissions;
use super::connection::{Peer, Told};
use super::document::{Done, Edit};
use super::names::Names;
use super::service::Core;
use super::trace::Asking;
use crate::backend::Stored;
use crate::id::DocumentId;
use crate::limits::SERVER_TEXT_PER_DOCUMENT;
use crate::twilsock::message::{Request, Response};
use crate::twilsock::sync::{Address, Code, DocumentResource, SyncError, SyncRequest, configuration};

/// A request that waits for its answer.
pub(super) struct Asked {
    pub(super) core: Arc<Core>,
    pub(super) peer: Arc<Peer>,
    id: String,
    asking: Asking,
}

impl Asked {
    /// Begins to carry a request out. Waits for nothing long: requests of one connection begin in their order.
    pub(super) async fn begin(core: Arc<Core>, peer: Arc<Peer>, id: String, request: &Request) {
        core.counters.requests.up();
        let request = SyncRequest::read(request, &core.service_sid);
        let asking = Asking::begin(peer.id, kind(&request));
        Self { core, peer, id, asking }.carry_out(request).await;
    }

    /// What waits is boxed: most connections are idle, and need not keep room for it.
    async fn carry_out(self, request: Result<SyncRequest, SyncError>) {
        match request {
            Ok(SyncRequest::Configuration) => {
                let body = configuration(&self.core.base_url, &self.core.service_sid);
                self.answer(Response::json(200, body));
            }
            Ok(SyncRequest::CreateDocument(create)) => Box::pin(documents::create(self, create)).await,
            Ok(SyncRequest::GetDocument(address)) => drop(tokio::spawn(documents::get(self, address))),
            Ok(SyncRequest::UpdateDocument(address, update)) => {
                Box::pin(documents::change(self, address, documents::Asking::Update(update))).await;
            }
            Ok(SyncRequest::RemoveDocument(address, if_match)) => {
                Box::pin(documents::change(self, address, documents::Asking::Remove(if_match))).await;
            }
            Ok(SyncRequest::Subscribe(batch)) => Box::pin(subscriptions::subscribe(self, batch)).await,
            Ok(_) => self.refuse(SyncError::from(Code::NoSuchPath).saying("This server has documents only")),
            Err(error) => self.refuse(error),
        }
    }

    fn answer(self, response: Response) {
        if !response.is_success() {
            self.core.counters.requests_refused.up();
        }
        self.asking.answered(response.code);
        self.peer.tell(Told::Answer(Box::new((self.id, response))));
    }

    fn refuse(self, error: SyncError) {
        self.answer(error.response());
    }

    /// What whoever asks may do with a document.
    async fn may(&self, document: &DocumentId) -> Result<Permissions, SyncError> {
        self.core.may(self.peer.identity(), document).await
    }

    /// Why whoever asks may not have what was asked for.
    async fn denial(&self, address: &Address, document: &DocumentId, may: Permissions) -> SyncError {
        match address {
            Address::Name(_) => Code::NotAllowed.into(),
            Address::Sid(_) => self.core.denial(&self.peer, document, may).await,
        }
    }
}

impl Core {
    /// Everything about a document but its data. Sync: the addresses always have the SID, never the name.
    pub(super) fn resource(&self, document: &DocumentId, stored: &Stored) -> DocumentResource {
        use super::document::{event_id, timestamp};
        let sid = self.names.sid(document);
        self.names.meet(&sid, document);
        let url = DocumentResource::url_of(&self.base_url, &self.service_sid, &sid);
        let links = [("permissions".to_owned(), format!("{url}/Permissions"))];
        DocumentResource {
            sid,
            unique_name: Names::unique_name(document).map(str::to_owned),
            account_sid: Some(self.account_sid.clone()),
            service_sid: Some(self.service_sid.clone()),
            url,
            links: Some(links.into()),
            revision: event_id(stored).revision(),
            last_event_id: event_id(stored),
            date_created: Some(timestamp(stored.created)),
            date_updated: Some(timestamp(stored.updated)),
            date_expires: stored.expires.map(timestamp),
            created_by: None,
        }
    }

    /// The document that is addressed. A SID that this server has not met is looked for.
    pub(super) async fn find(self: &Arc<Self>, address: &Address) -> Result<DocumentId, SyncError> {
        match address {
            Address::Name(name) => Names::named(name),
            Address::Sid(sid) => super::seeking::seek(self, sid).await,
        }
    }

    /// The same without looking for it: `None` when it would have to be.
    pub(super) fn find_now(&self, address: &Address) -> Option<Result<DocumentId, SyncError>> {
        match address {
            Address::Name(name) => Some(Names::named(name)),
            Address::Sid(sid) => self.names.met(sid).map(Ok),
        }
    }

    /// Bytes of compact JSON that a document may have, here and in the store.
    pub(super) fn document_bytes_max(&self) -> usize {
        let stored = self.backend.facts().document_bytes_max;
        self.limits.document_bytes_max.map_or(stored, |limit| limit.min(stored))
    }

    /// Refuses writes that are too many, and data that is not worth reading: what is too large is known when it was read, but
    /// nobody writes so much white space.
    pub(super) fn check(&self, document: &DocumentId, edit: &Edit) -> Result<(), SyncError> {
        let (bytes, limit) = (edit.bytes(), self.document_bytes_max());
        if bytes / SERVER_TEXT_PER_DOCUMENT > limit {
            return Err(super::document::too_large(bytes, limit));
        }
        if !self.writes.take(document, bytes, tokio::time::Instant::now()) {
            return Err(Code::RateLimit.into());
        }
        Ok(())
    }
}

/// What a request is called in traces.
fn kind(request: &Result<SyncRequest, SyncError>) -> &'static str {
    match request {
        Ok(SyncRequest::Configuration) => "configuration",
        Ok(SyncRequest::CreateDocument(_)) => "create",
        Ok(SyncRequest::GetDocument(_)) => "read",
        Ok(SyncRequest::UpdateDocument(..)) => "update",
        Ok(SyncRequest::RemoveDocument(..)) => "remove",
        Ok(SyncRequest::Subscribe(_)) => "subscribe",
        Ok(SyncRequest::Other(..)) | Err(_) => "other",
    }
}

/// Sync: a document that is not there has another number when it was asked for by name.
fn in_words_of(address: &Address, error: SyncError) -> SyncError {
    match address {
        Address::Name(_) if error.is(Code::NoDocument) => Code::NoSuchName.into(),
        _ => error,
    }
}

/// The answer to a write. Sync: it has no data, or the Kotlin SDK aborts.
fn written(core: &Core, document: &DocumentId, code: u16, done: Done) -> Response {
    match done {
        Done::Written(stored) => Response::json(code, core.resource(document, &stored).payload(None)),
        Done::Removed => Response::empty(204),
    }
}
