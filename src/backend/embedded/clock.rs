//! The time of the store: the system's, but never going back.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::backend::BackendTime;

/// Milliseconds since 1970. When the system's clock is set back, this one goes on from where it was at the pace of
/// the monotonic clock: a document that has expired stays expired. The file remembers the greatest time of a write,
/// so that this holds over restarts and in other processes too.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Base>);

#[derive(Clone, Copy, Debug)]
struct Base {
    at: Instant,
    unix_ms: u64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this backend owns its time")]
    pub(super) fn start() -> Self {
        Self(Mutex::new(Base { at: Instant::now(), unix_ms: system_ms() }))
    }

    pub(super) fn now(&self) -> BackendTime {
        self.not_before(BackendTime(system_ms()))
    }

    /// Now, and from now on nothing before `floor`.
    #[expect(clippy::disallowed_methods, reason = "this backend owns its time")]
    pub(super) fn not_before(&self, floor: BackendTime) -> BackendTime {
        let mut base = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = u64::try_from(now.duration_since(base.at).as_millis()).unwrap_or(u64::MAX);
        let steady = base.unix_ms.saturating_add(passed);
        if floor.0 > steady {
            *base = Base { at: now, unix_ms: floor.0 };
        }
        BackendTime(steady.max(floor.0))
    }
}

#[expect(clippy::disallowed_methods, reason = "this backend owns its time")]
fn system_ms() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_ahead_goes_on_from_there() {
        let clock = Clock::start();
        let ahead = BackendTime(clock.now().0 + 3_600_000);
        assert_eq!(clock.not_before(ahead), ahead);
        assert!(clock.now() >= ahead, "the system's earlier time does not count");
    }
}
