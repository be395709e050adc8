//! Refusals of the Sync service, by number.

use serde::{Deserialize, Serialize};

use super::super::frame::Payload;
use super::super::message::Response;

/// The body of every answer that is not 2xx. Sync: the JavaScript SDK takes the HTTP status from the header, the Kotlin
/// SDK from here, so it is always in both.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message} ({status}, code {code})")]
pub struct SyncError {
    /// HTTP status.
    pub status: u16,
    /// Number in the service's dictionary; 0 where a stranger's server gives none.
    #[serde(default)]
    pub code: u32,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// Refusals that this crate makes or tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// `If-Match` is not a revision.
    BadIfMatch,
    /// The data is larger than is stored.
    TooLarge,
    /// This identity may not do this.
    NotAllowed,
    /// The body is not JSON.
    NotJson,
    /// Too many requests.
    RateLimit,
    /// An update with neither data nor ttl.
    NothingToUpdate,
    /// A ttl out of range.
    BadTtl,
    /// The service is another's.
    NotYourService,
    /// No document with this SID.
    NoDocument,
    /// Data is missing or not an object.
    BadDocumentData,
    /// The document has another revision.
    StaleDocument,
    /// No object of this unique name.
    NoSuchName,
    /// The unique name is taken.
    NameTaken,
    /// A unique name that is never accepted.
    BadUniqueName,
    /// More subscriptions than one connection may have.
    TooManySubscriptions,
    /// No such path.
    NoSuchPath,
    /// The path has no such method.
    MethodNotAllowed,
    /// A parameter or field has a form that is never accepted.
    BadParameter,
    /// The service failed.
    Internal,
    /// The service cannot work at the moment.
    Unavailable,
}

impl Code {
    /// HTTP status, number and words.
    const fn row(self) -> (u16, u32, &'static str) {
        match self {
            Self::BadIfMatch => (400, 54003, "If-Match is not a revision"),
            Self::TooLarge => (413, 54006, "Data is larger than the limit"),
            Self::NotAllowed => (403, 54007, "Not allowed for this identity"),
            Self::NotJson => (400, 54008, "The body is not JSON"),
            Self::RateLimit => (429, 54009, "Rate limit exceeded"),
            Self::NothingToUpdate => (400, 54010, "Neither data nor ttl given"),
            Self::BadTtl => (400, 54011, "Ttl must be a whole number of seconds, 0 to 31536000"),
            Self::NotYourService => (403, 54056, "Service instance is not accessible"),
            Self::NoDocument => (404, 54100, "Document not found"),
            Self::BadDocumentData => (400, 54101, "Document data must be a JSON object"),
            Self::StaleDocument => (412, 54103, "Document revision mismatch"),
            Self::NoSuchName => (404, 54300, "Unique name not found"),
            Self::NameTaken => (409, 54301, "Unique name already exists"),
            Self::BadUniqueName => {
                (400, 54302, "Unique name must have 1-320 characters and not look like a SID")
            }
            Self::TooManySubscriptions => (429, 54419, "Too many subscriptions on this connection"),
            Self::NoSuchPath => (404, 20404, "No such resource"),
            Self::MethodNotAllowed => (405, 20004, "Method not allowed"),
            Self::BadParameter => (400, 20422, "Malformed parameter"),
            Self::Internal => (500, 20500, "Internal error"),
            Self::Unavailable => (503, 20503, "Service unavailable"),
        }
    }

    /// Its number in the service's dictionary.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.row().1
    }
}

impl From<Code> for SyncError {
    fn from(code: Code) -> Self {
        let (status, code, message) = code.row();
        Self { status, code, message: message.to_owned() }
    }
}

impl SyncError {
    /// Whether it is this refusal.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.number()
    }

    /// The same in other words.
    #[must_use]
    pub fn saying(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// As the answer to a request.
    #[must_use]
    pub fn response(&self) -> Response {
        Response::json(self.status, Payload::json(self))
    }

    /// What an answer refuses; `None` when it does not. A body of another form leaves the status.
    #[must_use]
    pub fn of(response: &Response) -> Option<Self> {
        if response.is_success() {
            return None;
        }
        let unknown = Self { status: response.code, code: 0, message: String::new() };
        Some(Self { status: response.code, ..response.body.parse().unwrap_or(unknown) })
    }
}
