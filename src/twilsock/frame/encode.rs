//! Frames to bytes.

use serde_json::{Map, Value};

use super::{LINE_END, MAGIC, Payload};

/// A frame ready to be sent. Its payload is shared, so that one notification costs each of many subscribers only a
/// header of its own. A clone shares the header too: where the same id will do for all, so will the same frame.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Magic line, header and its line end.
    head: std::sync::Arc<[u8]>,
    payload: Payload,
}

impl Encoded {
    /// A frame with this header. `payload_size` is always set, `payload_type` where there is a payload and no type
    /// yet; both keep their place when they have one. Twilsock: the trailing line end is sent after every payload,
    /// because the Kotlin SDK wants it and the others accept it.
    #[must_use]
    pub fn new(mut header: Map<String, Value>, payload: Payload) -> Self {
        if !payload.is_empty() && !header.contains_key("payload_type") {
            header.insert("payload_type".into(), payload.media_type().into());
        }
        header.insert("payload_size".into(), payload.len().into());
        let header = Value::Object(header).to_string();
        let length = header.len().to_string();
        let parts = [MAGIC, length.as_bytes(), LINE_END, header.as_bytes(), LINE_END];
        Self { head: parts.concat().into(), payload }
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.payload.len() + self.tail().len()
    }

    /// Never: a frame has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The frame in three pieces: head, payload, and the line end after a payload.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 3] {
        [&self.head, self.payload.bytes(), self.tail()]
    }

    /// The frame in one piece, for a socket that takes whole messages.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.parts().concat()
    }

    /// The payload, which may be shared with other frames.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    fn tail(&self) -> &'static [u8] {
        if self.payload.is_empty() { b"" } else { LINE_END }
    }
}

impl PartialEq for Encoded {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Encoded {}
