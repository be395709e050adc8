//! Requests to the service, as a server reads them ([`SyncRequest::read`]) and as a client writes them.

use serde::Serialize;

use super::super::frame::Payload;
use super::super::message::{Method, Request};
use super::text::with_member;
use super::{Address, Data, Kind, Place, Revision, SubscriptionBatch, Target, Ttl};

/// A request to the service, checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SyncRequest {
    /// The addresses of everything.
    Configuration,
    /// A new document.
    CreateDocument(CreateDocument),
    /// A document with its data.
    GetDocument(Address),
    /// New data or another time to live.
    UpdateDocument(Address, UpdateDocument),
    /// Its end; only if it still has this revision, where one is given. Sync: no SDK gives one; the REST interface does.
    RemoveDocument(Address, Option<Revision>),
    /// Begin or end of hearing of changes.
    Subscribe(SubscriptionBatch),
    /// Something of the protocol that documents do not need.
    Other(Method, Target),
}

/// A new document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateDocument {
    /// Its name, if it is to have one.
    pub unique_name: Option<String>,
    /// Its data. Sync: the JavaScript SDK always sends some, the Kotlin SDK never does; absent is `{}`.
    pub data: Option<Data>,
    /// Its time to live; absent is for ever.
    pub ttl: Option<Ttl>,
}

/// A change of a document: of its data, its time to live, or both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateDocument {
    /// The new data, whole.
    pub data: Option<Data>,
    /// The new time to live; absent leaves it.
    pub ttl: Option<Ttl>,
    /// Only if it still has this revision; absent writes over whatever is there.
    pub if_match: Option<Revision>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Ttl>,
}

impl Body<'_> {
    fn payload(&self, data: Option<&str>) -> Payload {
        match data {
            Some(data) => Payload::from_json_text(with_member(self, "data", data)),
            None => Payload::json(self),
        }
    }
}

impl Request {
    /// Asks for the configuration.
    #[must_use]
    pub fn configuration() -> Self {
        to(Method::Get, &Target::Configuration.anywhere())
    }

    /// Makes a document. `data` is the text of a JSON object.
    #[must_use]
    pub fn create_document(unique_name: Option<&str>, data: Option<&str>, ttl: Option<Ttl>) -> Self {
        let body = Body { unique_name, ttl }.payload(data);
        with_body(to(Method::Post, &Target::Collection(Kind::Document).anywhere()), body)
    }

    /// Reads a document. Sync: the path with the service in it means the same as the one without.
    #[must_use]
    pub fn get_document(service: Option<&str>, address: &Address) -> Self {
        to(Method::Get, &Target::Object(Kind::Document, address.clone()).within(service))
    }

    /// Writes a document, only over this revision if one is given. `data` is the text of a JSON object.
    #[must_use]
    pub fn update_document(
        service: Option<&str>,
        address: &Address,
        data: Option<&str>,
        ttl: Option<Ttl>,
        if_match: Option<&Revision>,
    ) -> Self {
        let request = to(Method::Post, &Target::Object(Kind::Document, address.clone()).within(service));
        let mut request = with_body(request, Body { unique_name: None, ttl }.payload(data));
        request.headers.extend(if_match.map(|revision| ("If-Match".into(), revision.as_str().into())));
        request
    }

    /// Removes a document.
    #[must_use]
    pub fn remove_document(service: Option<&str>, address: &Address) -> Self {
        to(Method::Delete, &Target::Object(Kind::Document, address.clone()).within(service))
    }

    /// Begins or ends hearing of changes.
    #[must_use]
    pub fn subscribe(batch: &SubscriptionBatch) -> Self {
        with_body(to(Method::Post, &Target::Subscriptions.anywhere()), batch.payload())
    }
}

fn to(method: Method, place: &Place) -> Request {
    Request { path: place.segments(), ..Request::new(method, &[]) }
}

fn with_body(mut request: Request, body: Payload) -> Request {
    request.headers.push(("Content-Type".into(), "application/json".into()));
    Request { body, ..request }
}
