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

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use encode::Encoded;
pub use error::{Fault, FrameError};
pub use payload::{Payload, PayloadKind};

/// What every frame begins with. Twilsock: single spaces, and this version only.
const MAGIC: &[u8] = b"TWILSOCK V3.0 ";

const LINE_END: &[u8] = b"\r\n";

/// A frame that was received, still in the message. [`Frame::decode`] has seen to it that the header names a method and
/// an id.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<'a> {
    /// The text of one JSON object.
    header: &'a [u8],
    method: Cow<'a, str>,
    id: Cow<'a, str>,
    kind: PayloadKind,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What the frame is for, as the peer calls it.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The sender's name of this frame; its answer bears the same.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The header's text.
    #[must_use]
    pub fn header(&self) -> &'a [u8] {
        self.header
    }

    /// All fields of the header, unknown ones included.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        serde_json::from_slice(self.header).unwrap_or_default()
    }

    /// The payload's bytes; empty when there is none.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// How to read the payload.
    #[must_use]
    pub fn payload_kind(&self) -> PayloadKind {
        self.kind
    }

    /// A copy of the payload that outlives the message.
    #[must_use]
    pub fn to_payload(&self) -> Payload {
        Payload::new(self.kind, self.payload)
    }
}
