//! The end of a session, and refusals, which look alike.

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire::{self, lenient};
use super::{BackoffPolicy, Status};

/// Why the other side does not go on, and when to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub status: Status,
    /// When to try again, where the server cares.
    pub backoff: Option<BackoffPolicy>,
}

/// The end of a session. Twilsock: a client says nothing more than that; a server gives a reason, of which 308 (go
/// elsewhere), 401 (not authenticated), 406 and 417 (a frame could not be read) and 410 (token expired) have a meaning of
/// their own, and closes the socket after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Close {
    /// The server's reason.
    pub why: Option<Refusal>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

impl Close {
    /// Reads leniently: a session ends however badly its end is worded.
    pub(super) fn read(header: &[u8], payload: &Payload) -> Self {
        let wire = wire::read::<Wire>(header).unwrap_or(Wire { status: None });
        let backoff = BackoffPolicy::read(payload);
        Self { why: wire.status.map(|status| Refusal { status, backoff }) }
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        match &self.why {
            Some(why) => why.encode("close", id),
            None => Encoded::of("close", id, &Wire { status: None }, &Payload::none()),
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self { status, backoff: None }
    }
}

impl Refusal {
    /// A `close` frame with this reason.
    #[must_use]
    pub fn close(&self, id: &str) -> Encoded {
        self.encode("close", id)
    }

    /// A `reply` frame that refuses what the frame of this id asked.
    #[must_use]
    pub fn reply(&self, id: &str) -> Encoded {
        self.encode("reply", id)
    }

    fn encode(&self, method: &str, id: &str) -> Encoded {
        let payload = self.backoff.map_or_else(Payload::none, BackoffPolicy::payload);
        Encoded::of(method, id, &Wire { status: Some(self.status.clone()) }, &payload)
    }
}
