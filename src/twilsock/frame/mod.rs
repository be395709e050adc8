//! Bytes to frames and back.
//!
//! Twilsock: one binary websocket message is one frame,
//!
//! ```text
//! TWILSOCK V3.0 <H>\r\n     H: bytes of the header, decimal
//! <header>\r\n              one JSON object
//! <payload>                 as many bytes as the header's `payload_size` says; absent is 0
//! [\r\n]                    only after a payload; the JavaScript SDK leaves it out, the Kotlin SDK and servers send it
//! ```
//!
//! Lengths are bytes, never characters. Frames are cut by them; line ends are checked, never searched for.

mod decode;
mod encode;
mod error;
mod payload;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use encode::Encoded;
pub use error::{Fault, FrameError};
pub use payload::{Payload, PayloadKind};

/// What every frame begins with. Twilsock: single spaces, and this version only.
const MAGIC: &[u8] = b"TWILSOCK V3.0 ";

const LINE_END: &[u8] = b"\r\n";

/// A frame that was received: its header, and its payload still in the message. [`Frame::decode`] has seen to it that
/// the header names a method and an id.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<'a> {
    header: Map<String, Value>,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What the frame is for, as the peer calls it.
    #[must_use]
    pub fn method(&self) -> &str {
        self.text("method")
    }

    /// The sender's name of this frame; its answer bears the same.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// All fields, unknown ones included.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The payload's bytes; empty when there is none.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// How to read the payload. Twilsock: what begins with `application/json`, or says nothing, is JSON; what begins
    /// with `text/plain` is text; anything else is not read.
    #[must_use]
    pub fn payload_kind(&self) -> PayloadKind {
        match self.header.get("payload_type") {
            None | Some(Value::Null) => PayloadKind::Json,
            Some(Value::String(kind)) if kind.starts_with("application/json") => PayloadKind::Json,
            Some(Value::String(kind)) if kind.starts_with("text/plain") => PayloadKind::Text,
            Some(_) => PayloadKind::Other,
        }
    }

    /// The header, and a copy of the payload that outlives the message.
    #[must_use]
    pub fn into_parts(self) -> (Map<String, Value>, Payload) {
        let payload = Payload::new(self.payload_kind(), self.payload);
        (self.header, payload)
    }

    fn text(&self, field: &str) -> &str {
        self.header.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}
