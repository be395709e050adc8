//! What frames mean: one noun for each method, readable and writable, because this crate is client and server.
//!
//! | method | direction | answered by |
//! |---|---|---|
//! | `init`, `message`, `update` | client to server | `reply`, always |
//! | `telemetry.v1`, client's `close` | client to server | nothing |
//! | `ping`, `notification`, `client_update`, server's `close` | server to client | `reply` 200, whatever happens next |
//! | `reply` | both | nothing |
//!
//! A [`Reply`] has the meaning of what it answers, so it is read in two steps: the session looks up its id, then
//! calls [`Reply::into_init`] or [`Reply::into_response`].

mod backoff;
mod close;
mod init;
mod init_reply;
mod notification;
mod reply;
mod request;
mod response;
mod status;
mod telemetry;
#[cfg(test)]
mod tests;
mod update;

use serde_json::{Map, Value};

pub use backoff::BackoffPolicy;
pub use close::{Close, Refusal};
pub use init::{Init, Registration};
pub use init_reply::{Accepted, AccountDescriptor, ContinuationStatus, InitReply};
pub use notification::{ClientUpdate, ClientUpdateKind, Notification};
pub use reply::{Reply, acknowledge};
pub use request::{Method, Request};
pub use response::Response;
pub use status::Status;
pub use telemetry::{Telemetry, TelemetryEvent};
pub use update::Update;

use super::frame::{Encoded, Frame, Payload};

/// The product whose grant a Sync session uses; its registration and its instance bear the same name.
pub const DATA_SYNC: &str = "data_sync";

/// A message and the id its answer will bear.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Unique for its sender, opaque to everybody else.
    pub id: String,
    /// What it says.
    pub message: Message,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// The first frame of every connection: who calls.
    Init(Init),
    /// A request in the form of HTTP.
    Request(Request),
    /// A newer token for a running session.
    Update(Update),
    /// What a client measured.
    Telemetry(Telemetry),
    /// The end of the session.
    Close(Close),
    /// "Are you there?"
    Ping,
    /// Something happened to what this client subscribes to.
    Notification(Notification),
    /// The server tells the client about the session itself.
    ClientUpdate(ClientUpdate),
    /// The answer to an earlier frame of the other side.
    Reply(Reply),
    /// A method this crate does not know: peers grow.
    Unknown {
        /// Its name.
        method: String,
        /// All fields of the header.
        header: Map<String, Value>,
        /// Its payload.
        payload: Payload,
    },
}

/// A frame whose header has not what its method needs. Never quotes values (C64).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{method}` frame: {why}")]
pub struct MessageError {
    /// Its id, for an answer.
    pub id: String,
    /// Its method.
    pub method: String,
    /// What is missing or of another type.
    pub why: String,
}

impl Envelope {
    /// Reads a frame of either direction.
    ///
    /// # Errors
    /// [`MessageError`] when the header lacks what its method needs.
    pub fn read(frame: Frame<'_>) -> Result<Self, MessageError> {
        let (id, header) = (frame.id().to_owned(), frame.header());
        let read = match frame.method() {
            "init" => Init::read(header).map(Message::Init),
            "message" => Request::read(header, frame.to_payload()).map(Message::Request),
            "update" => Update::read(header).map(Message::Update),
            "telemetry.v1" => Ok(Message::Telemetry(Telemetry::read(header))),
            "close" => Ok(Message::Close(Close::read(header, &frame.to_payload()))),
            "ping" => Ok(Message::Ping),
            "notification" => Notification::read(header, frame.to_payload()).map(Message::Notification),
            "client_update" => ClientUpdate::read(header).map(Message::ClientUpdate),
            "reply" => Reply::read(header, frame.to_payload()).map(Message::Reply),
            method => Ok(Message::Unknown {
                method: method.to_owned(),
                header: frame.fields(),
                payload: frame.to_payload(),
            }),
        };
        match read {
            Ok(message) => Ok(Self { id, message }),
            Err(why) => Err(MessageError { id, method: frame.method().to_owned(), why }),
        }
    }
}

/// A `ping` frame.
#[must_use]
pub fn ping(id: &str) -> Encoded {
    Encoded::of("ping", id, &Map::new(), &Payload::none())
}
