//! The answer to a request, in the form of HTTP.

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire::{self, Pairs, lenient};
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

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, skip_deserializing)]
    status: Option<Status>,
    #[serde(default, deserialize_with = "lenient")]
    http_status: Option<Status>,
    #[serde(default, deserialize_with = "lenient")]
    http_headers: Option<Pairs>,
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

    /// Twilsock: the Kotlin SDK takes 200 where there is no `http_status`.
    pub(super) fn read(header: &[u8], body: Payload) -> Result<Self, String> {
        let wire: Wire = wire::read(header)?;
        let code = wire.http_status.map_or(200, |status| status.code);
        Ok(Self { code, headers: wire.http_headers.unwrap_or_default().0, body })
    }

    /// The frame that answers the request of this id.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        let wire = Wire {
            status: Some(Status::ok()),
            http_status: Some(Status::new(self.code)),
            http_headers: Some(Pairs(self.headers.clone())),
        };
        Encoded::of("reply", id, &wire, &self.body)
    }
}
