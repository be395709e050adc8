//! Requests as a server reads them.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::message::{Method, Request};
use super::{
    Address, Code, CreateDocument, Data, Kind, Place, Revision, SubscriptionBatch, SyncError, SyncRequest,
    Target, Ttl, UpdateDocument,
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
                CreateDocument::read(request).map(Self::CreateDocument)
            }
            (Method::Get, Target::Object(Kind::Document, address)) => Ok(Self::GetDocument(address)),
            (Method::Post, Target::Object(Kind::Document, address)) => {
                UpdateDocument::read(request).map(|update| Self::UpdateDocument(address, update))
            }
            (Method::Delete, Target::Object(Kind::Document, address)) => {
                Ok(Self::RemoveDocument(address, if_match(request)?))
            }
            (Method::Post, Target::Subscriptions) => {
                SubscriptionBatch::read(&request.body).map(Self::Subscribe)
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

/// The body of a request that makes or changes a document.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body<'a> {
    unique_name: Option<Value>,
    #[serde(borrow, deserialize_with = "said")]
    data: Option<&'a RawValue>,
    ttl: Option<Value>,
}

/// Tells `null` from absent.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Body<'a> {
    fn read(request: &'a Request) -> Result<Self, SyncError> {
        let object = request.body.bytes().trim_ascii_start().starts_with(b"{");
        request.body.parse().filter(|_| object).ok_or_else(|| Code::NotJson.into())
    }

    fn data(&self) -> Result<Option<Data>, SyncError> {
        self.data.map(|text| Data::of(text).ok_or_else(|| Code::BadDocumentData.into())).transpose()
    }

    fn ttl(&self) -> Result<Option<Ttl>, SyncError> {
        self.ttl.as_ref().map(Ttl::read).transpose()
    }
}

impl CreateDocument {
    fn read(request: &Request) -> Result<Self, SyncError> {
        let body = Body::read(request)?;
        let unique_name = match &body.unique_name {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err(Code::BadUniqueName.into()),
        };
        if let Some(name) = &unique_name {
            Address::check_unique_name(name)?;
        }
        Ok(Self { unique_name, data: body.data()?, ttl: body.ttl()? })
    }
}

impl UpdateDocument {
    fn read(request: &Request) -> Result<Self, SyncError> {
        let body = Body::read(request)?;
        let update = Self { data: body.data()?, ttl: body.ttl()?, if_match: if_match(request)? };
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
