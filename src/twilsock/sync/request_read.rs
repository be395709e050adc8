//! Requests as a server reads them.

use serde_json::{Map, Value};

use super::super::message::{Method, Request};
use super::{
    Address, Code, CreateDocument, Kind, Place, Revision, SubscriptionBatch, SyncError, SyncRequest, Target,
    Ttl, UpdateDocument,
};

/// Characters of a revision that is believed; this crate's have at most 16.
const REVISION_CHARS_MAX: usize = 64;

impl SyncRequest {
    /// Reads a request of a session whose service is `service_sid`. A service in the path must be that one.
    ///
    /// # Errors
    /// [`SyncError`]: the answer.
    pub fn read(request: &Request, service_sid: &str) -> Result<Self, SyncError> {
        let place = Place::of(&request.path).ok_or(Code::NoSuchPath)?;
        if place.service.is_some_and(|service| service != service_sid && service != "default") {
            return Err(Code::NotYourService.into());
        }
        match (request.method, place.target) {
            (Method::Get, Target::Configuration) => Ok(Self::Configuration),
            (Method::Post, Target::Collection(Kind::Document)) => {
                CreateDocument::read(object(request)?).map(Self::CreateDocument)
            }
            (Method::Get, Target::Object(Kind::Document, address)) => Ok(Self::GetDocument(address)),
            (Method::Post, Target::Object(Kind::Document, address)) => {
                UpdateDocument::read(request).map(|update| Self::UpdateDocument(address, update))
            }
            (Method::Delete, Target::Object(Kind::Document, address)) => {
                Ok(Self::RemoveDocument(address, if_match(request)?))
            }
            (Method::Post, Target::Subscriptions) => {
                SubscriptionBatch::read(object(request)?).map(Self::Subscribe)
            }
            (
                _,
                Target::Configuration
                | Target::Subscriptions
                | Target::Collection(Kind::Document)
                | Target::Object(Kind::Document, _),
            ) => Err(Code::MethodNotAllowed.into()),
            (method, target) => Ok(Self::Other(method, target)),
        }
    }
}

impl CreateDocument {
    fn read(mut body: Map<String, Value>) -> Result<Self, SyncError> {
        let unique_name = match body.remove("unique_name") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err(Code::BadUniqueName.into()),
        };
        if let Some(name) = &unique_name {
            Address::check_unique_name(name)?;
        }
        Ok(Self { unique_name, data: data(&mut body)?, ttl: ttl(&body)? })
    }
}

impl UpdateDocument {
    fn read(request: &Request) -> Result<Self, SyncError> {
        let mut body = object(request)?;
        let update = Self { data: data(&mut body)?, ttl: ttl(&body)?, if_match: if_match(request)? };
        if update.data.is_none() && update.ttl.is_none() {
            return Err(Code::NothingToUpdate.into());
        }
        Ok(update)
    }
}

/// Sync: the header is the bare revision; any text may be one, and one that is not the document's simply does not match.
fn if_match(request: &Request) -> Result<Option<Revision>, SyncError> {
    match request.header("If-Match") {
        None => Ok(None),
        Some(text) if text.is_empty() || text.chars().count() > REVISION_CHARS_MAX => {
            Err(Code::BadIfMatch.into())
        }
        Some(text) => Ok(Some(Revision::new(text))),
    }
}

fn object(request: &Request) -> Result<Map<String, Value>, SyncError> {
    request.body.parse().ok_or_else(|| Code::NotJson.into())
}

fn data(body: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, SyncError> {
    match body.remove("data") {
        None => Ok(None),
        Some(Value::Object(data)) => Ok(Some(data)),
        Some(_) => Err(Code::BadDocumentData.into()),
    }
}

fn ttl(body: &Map<String, Value>) -> Result<Option<Ttl>, SyncError> {
    match body.get("ttl") {
        None | Some(Value::Null) => Ok(None),
        Some(ttl) => Ttl::read(ttl).map(Some),
    }
}
