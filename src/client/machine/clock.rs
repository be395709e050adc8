//! The backend's time, estimated from its answers (C43).

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::BackendTime;

/// The latest answer's time and when it came. Clocks of different machines are never compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackendClock {
    at: BackendTime,
    heard: Instant,
}

impl BackendClock {
    pub(super) fn new(at: BackendTime, heard: Instant) -> Self {
        Self { at, heard }
    }

    pub(super) fn saw(&mut self, at: BackendTime, heard: Instant) {
        // An old state told late must not set the clock back.
        if self.now(heard) <= at.0 || at.0 > self.at.0 {
            *self = Self { at: BackendTime(at.0.max(self.now(heard))), heard };
        }
    }

    /// The backend's time, in Unix milliseconds, at this moment.
    pub(super) fn now(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.heard).as_millis();
        self.at.0.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// The backend's time this long after this moment.
    pub(super) fn after(&self, now: Instant, wait: Duration) -> Option<u64> {
        self.now(now).checked_add(u64::try_from(wait.as_millis()).ok()?)
    }
}
