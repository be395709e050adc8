//! When to come back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::frame::Payload;
use super::super::wire::lenient;

/// How long a client should stay away: a random time from `min` up to `max`. Twilsock: the payload
/// `{"backoff_policy":{"reconnect_min_ms":…,"reconnect_max_ms":…}}` of a `close` or of a refusing `reply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffPolicy {
    min: Duration,
    max: Duration,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "lenient")]
    backoff_policy: Option<Wire>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    reconnect_min_ms: u64,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reconnect_max_ms: Option<u64>,
}

impl BackoffPolicy {
    /// From `min` up to `max`. Twilsock: a `max` that does not exceed `min` makes the Kotlin SDK throw, so it is at
    /// least a millisecond more. On the wire both are whole milliseconds.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min.saturating_add(Duration::from_millis(1))) }
    }

    /// The shortest absence.
    #[must_use]
    pub fn min(&self) -> Duration {
        self.min
    }

    /// The longest absence, always longer than the shortest.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// Policy of a payload, if it has one. Without a maximum it is twice the minimum.
    pub(super) fn read(payload: &Payload) -> Option<Self> {
        let wire = payload.parse::<Body>()?.backoff_policy?;
        let max = wire.reconnect_max_ms.unwrap_or(wire.reconnect_min_ms.saturating_mul(2));
        Some(Self::new(Duration::from_millis(wire.reconnect_min_ms), Duration::from_millis(max)))
    }

    pub(super) fn payload(self) -> Payload {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (reconnect_min_ms, reconnect_max_ms) = (ms(self.min), Some(ms(self.max)));
        Payload::json(&Body { backoff_policy: Some(Wire { reconnect_min_ms, reconnect_max_ms }) })
    }
}
