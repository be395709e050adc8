//! Answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::frame::{Encoded, Payload};
use super::{Accepted, BackoffPolicy, InitReply, Refusal, Response, Status, encode};

/// The answer to an earlier frame. What it means depends on that frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// How the frame was taken. Of a request this says nothing about the HTTP outcome.
    pub status: Status,
    header: Map<String, Value>,
    payload: Payload,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    status: Status,
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
        encode("reply", id, &Wire { status: self.clone() }, Payload::none())
    }
}

impl Reply {
    pub(super) fn read(mut header: Map<String, Value>, payload: Payload) -> Result<Self, String> {
        let status = header.remove("status").ok_or("missing field `status`")?;
        let status = serde_json::from_value(status).map_err(|_| "`status` has no code")?;
        Ok(Self { status, header, payload })
    }

    /// Why it refuses, and when to come back.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal { status: self.status.clone(), backoff: BackoffPolicy::read(&self.payload) }
    }

    /// Read as the answer to an `init`.
    ///
    /// # Errors
    /// In words, when it does not have the form of one.
    pub fn into_init(self) -> Result<InitReply, String> {
        match self.status.is_success() {
            true => Accepted::read(self.header).map(InitReply::Accepted),
            false => Ok(InitReply::Refused(self.refusal())),
        }
    }

    /// Read as the answer to a `message`.
    ///
    /// # Errors
    /// [`Refusal`] when the transport did not carry the request out; 502 when the answer does not have the form of one.
    pub fn into_response(self) -> Result<Response, Refusal> {
        match self.status.is_success() {
            true => Response::read(self.header, self.payload).map_err(|_| Status::new(502).into()),
            false => Err(self.refusal()),
        }
    }

    /// Fields beside the status.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }
}
