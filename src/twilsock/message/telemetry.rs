//! What a client measured.

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire::{self, lenient_list};

/// Durations of a client's steps. Nobody answers, and a server may ignore them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// At most 100 from the JavaScript SDK. Those of another form are passed over.
    #[serde(default, deserialize_with = "lenient_list")]
    pub events: Vec<TelemetryEvent>,
}

/// One step. Times are milliseconds before the frame was sent, so 0 or less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TelemetryEvent {
    /// Its begin.
    pub start: serde_json::Number,
    /// Its end.
    pub end: serde_json::Number,
    /// What was done.
    pub title: String,
    /// How it went.
    #[serde(default)]
    pub details: String,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its kind, if it has one.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

impl Telemetry {
    pub(super) fn read(header: &[u8]) -> Self {
        wire::read(header).unwrap_or_default()
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        Encoded::of("telemetry.v1", id, self, &Payload::none())
    }
}
