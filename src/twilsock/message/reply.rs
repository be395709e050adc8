//! Answers.

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire::{self, Pairs, lenient};
use super::{Accepted, BackoffPolicy, InitReply, Refusal, Response, Status};

/// The answer to an earlier frame. What it means depends on that frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// How the frame was taken. Of a request this says nothing about the HTTP outcome.
    pub status: Status,
    /// What it says as the answer to a `message`, which most are.
    response: Response,
    /// The header's text: the rest of it is read when it is known that an `init` was asked.
    header: Box<[u8]>,
}

#[derive(Deserialize)]
struct Wire {
    status: Status,
    #[serde(default, deserialize_with = "lenient")]
    http_status: Option<Status>,
    #[serde(default, deserialize_with = "lenient")]
    http_headers: Option<Pairs>,
}

#[derive(Serialize)]
struct StatusWire<'a> {
    status: &'a Status,
}

/// The frame that acknowledges the frame of this id. Twilsock: the JavaScript SDK acknowledges everything but replies,
/// methods it does not know included, before it acts on it; so does this crate.
#[must_use]
pub fn acknowledge(id: &str) -> Encoded {
    Status::ok().reply(id)
}

impl Status {
    /// The frame that answers the frame of this id with this status alone.
    #[must_use]
    pub fn reply(&self, id: &str) -> Encoded {
        Encoded::of("reply", id, &StatusWire { status: self }, &Payload::none())
    }
}

impl Reply {
    pub(super) fn read(header: &[u8], payload: Payload) -> Result<Self, String> {
        let Wire { status, http_status, http_headers } =
            wire::read(header).map_err(|why| match why.as_str() {
                "missing field `status`" => why,
                _ => "`status` has no code".to_owned(),
            })?;
        // Twilsock: the Kotlin SDK takes 200 where there is no `http_status`.
        let code = http_status.map_or(200, |status| status.code);
        let response = Response { code, headers: http_headers.unwrap_or_default().0, body: payload };
        Ok(Self { status, response, header: header.into() })
    }

    /// Why it refuses, and when to come back.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal { status: self.status.clone(), backoff: BackoffPolicy::read(&self.response.body) }
    }

    /// Read as the answer to an `init`.
    ///
    /// # Errors
    /// In words, when it does not have the form of one.
    pub fn into_init(self) -> Result<InitReply, String> {
        match self.status.is_success() {
            true => Accepted::read(&self.header).map(InitReply::Accepted),
            false => Ok(InitReply::Refused(self.refusal())),
        }
    }

    /// Read as the answer to a `message`.
    ///
    /// # Errors
    /// [`Refusal`] when the transport did not carry the request out.
    pub fn into_response(self) -> Result<Response, Refusal> {
        match self.status.is_success() {
            true => Ok(self.response),
            false => Err(self.refusal()),
        }
    }
}
