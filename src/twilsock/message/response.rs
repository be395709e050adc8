//! The answer to a request, in the form of HTTP.

use serde::Serialize;

use super::super::frame::{Encoded, Payload};
use super::super::wire::Pairs;
use super::Status;

/// The answer to a [`Request`](super::Request) that was carried out or refused by the service. Twilsock: the transport
/// status beside it is 200 whatever the outcome; anything else makes the Kotlin SDK drop the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP outcome.
    pub code: u16,
    /// Headers; no SDK reads them.
    pub headers: Vec<(String, String)>,
    /// The body; none with 204.
    pub body: Payload,
}

#[derive(Serialize)]
struct Wire {
    status: Status,
    http_status: Status,
    http_headers: Pairs,
}

impl Response {
    /// An answer with a body of JSON.
    #[must_use]
    pub fn json(code: u16, body: Payload) -> Self {
        Self { code, headers: vec![("content-type".into(), "application/json".into())], body }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(code: u16) -> Self {
        Self { code, headers: Vec::new(), body: Payload::none() }
    }

    /// Whether it says success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The frame that answers the request of this id.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        let wire = Wire {
            status: Status::ok(),
            http_status: Status::new(self.code),
            http_headers: Pairs(self.headers.clone()),
        };
        Encoded::of("reply", id, &wire, &self.body)
    }
}
