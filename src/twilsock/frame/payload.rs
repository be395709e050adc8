//! What a frame carries.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How a payload is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadKind {
    /// `application/json`, or nothing said.
    #[default]
    Json,
    /// `text/plain`.
    Text,
    /// Anything else: nobody reads it.
    Other,
}

/// Bytes that a frame carries, shared by every clone. Read as JSON only where somebody asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Payload {
    kind: PayloadKind,
    bytes: Arc<[u8]>,
}

impl Payload {
    /// These bytes. No bytes are of no kind, because no frame says otherwise.
    #[must_use]
    pub fn new(kind: PayloadKind, bytes: &[u8]) -> Self {
        let kind = if bytes.is_empty() { PayloadKind::default() } else { kind };
        Self { kind, bytes: bytes.into() }
    }

    /// No payload at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Text that is compact JSON already. Twilsock: the Kotlin SDK cuts frames at line ends, so a payload must not
    /// contain CR and LF side by side; compact JSON has none.
    #[must_use]
    pub fn from_json_text(json: String) -> Self {
        Self { kind: PayloadKind::Json, bytes: json.into_bytes().into() }
    }

    /// A value as compact JSON. What is given here has string keys and plain values, which always serialise.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        Self { kind: PayloadKind::Json, bytes: serde_json::to_vec(value).unwrap_or_default().into() }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How it is to be read.
    #[must_use]
    pub fn kind(&self) -> PayloadKind {
        self.kind
    }

    /// The value of a JSON payload, which may borrow from it; `None` where there is none, or another kind, or another
    /// form.
    #[must_use]
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        match self.kind {
            PayloadKind::Json if !self.is_empty() => serde_json::from_slice(&self.bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn media_type(&self) -> &'static str {
        match self.kind {
            PayloadKind::Json => "application/json",
            PayloadKind::Text => "text/plain",
            PayloadKind::Other => "application/octet-stream",
        }
    }
}

/// Payloads hold application data, which may be sensitive (C64).
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} bytes", self.kind, self.bytes.len())
    }
}
