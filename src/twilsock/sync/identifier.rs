//! SIDs, event ids and revisions.

use serde::{Deserialize, Serialize};

/// Two capitals and 32 lower-case hexadecimal digits. Sync: whatever has this form in an address is a SID, everything
/// else a unique name.
#[must_use]
pub fn is_sid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 34
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Number of an object's event: strictly increasing, gaps are fine. Sync: a new document is at 0, a new list or map
/// at −1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub i64);

impl EventId {
    /// Revision of a document whose last event this is. Sync: the id in lower-case hexadecimal, `"0"` at creation.
    #[must_use]
    pub fn revision(self) -> Revision {
        Revision(format!("{:x}", self.0))
    }
}

/// State of an object: opaque to clients, compared for equality only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// A revision as the other side wrote it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it stands in `If-Match`: bare, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The event of a revision that [`EventId::revision`] made.
    #[must_use]
    pub fn event_id(&self) -> Option<EventId> {
        let plain = self.0.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let id = i64::from_str_radix(&self.0, 16).ok().filter(|_| plain).map(EventId)?;
        (id.revision() == *self).then_some(id)
    }
}
