//! Frames to bytes.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{LINE_END, MAGIC, Payload};

/// A frame ready to be sent. Every clone shares its bytes: where the same id will do for all of many subscribers, one
/// frame will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded(Arc<[u8]>);

/// The header as it is written down: what the frame is for, then the mirror's fields, then what it carries.
#[derive(Serialize)]
struct Header<'a, T> {
    method: &'a str,
    id: &'a str,
    #[serde(flatten)]
    mirror: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_type: Option<&'static str>,
    payload_size: usize,
}

impl Encoded {
    /// A frame of this method whose header has the fields of `mirror`, which is a struct or a map with string keys and
    /// says nothing of the payload. Twilsock: the trailing line end is sent after every payload, because the Kotlin SDK
    /// wants it and the others accept it.
    #[must_use]
    pub fn of<T: Serialize>(method: &str, id: &str, mirror: &T, payload: &Payload) -> Self {
        let payload_type = (!payload.is_empty()).then(|| payload.media_type());
        let header = Header { method, id, mirror, payload_type, payload_size: payload.len() };
        // Such a mirror always serialises.
        Self::join(&serde_json::to_vec(&header).unwrap_or_default(), payload)
    }

    /// A frame with this header. `payload_size` is always set, `payload_type` where there is a payload and no type
    /// yet; both keep their place when they have one.
    #[must_use]
    pub fn with_header(mut header: Map<String, Value>, payload: &Payload) -> Self {
        if !payload.is_empty() && !header.contains_key("payload_type") {
            header.insert("payload_type".into(), payload.media_type().into());
        }
        header.insert("payload_size".into(), payload.len().into());
        Self::join(Value::Object(header).to_string().as_bytes(), payload)
    }

    fn join(header: &[u8], payload: &Payload) -> Self {
        let length = header.len().to_string();
        let tail = if payload.is_empty() { b"" } else { LINE_END };
        let parts = [MAGIC, length.as_bytes(), LINE_END, header, LINE_END, payload.bytes(), tail];
        Self(parts.concat().into())
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a frame has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The frame, for a socket that takes whole messages.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// For sockets that share what they send.
impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
