//! The server's clock, as far as it can be known.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::backend::BackendTime;
use crate::limits::NATS_CLOCK_JOURNEY_MAX;

/// Clocks of machines may differ by hours, so the local one only measures how much time has passed since the server
/// stored a message at a known time. What it says is off by at most half of that message's journey, and never goes back.
///
/// Server 2.9 tells its time nowhere but in the messages that it stores.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Base>);

#[derive(Clone, Copy, Debug)]
struct Base {
    at: Instant,
    unix_ms: u64,
    newest: u64,
    /// Whether the server's time was ever heard.
    is_set: bool,
}

impl Clock {
    /// Believes the local time until it is told better.
    #[expect(clippy::disallowed_methods, reason = "this backend owns its time")]
    pub(super) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        Self(Mutex::new(Base { at: Instant::now(), unix_ms, newest: 0, is_set: false }))
    }

    pub(super) fn now(&self) -> BackendTime {
        let mut base = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = u64::try_from(base.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        base.newest = base.newest.max(base.unix_ms.saturating_add(passed));
        BackendTime(base.newest)
    }

    /// A moment of the local clock, to be given to [`Clock::set`].
    #[expect(clippy::disallowed_methods, reason = "this backend owns its time")]
    pub(super) fn moment() -> Instant {
        Instant::now()
    }

    /// The server stored a message at `stored` that left here at `sent` and was acknowledged at `answered`. A journey that
    /// took long says little; it counts only where nothing was heard before.
    pub(super) fn set(&self, stored: BackendTime, sent: Instant, answered: Instant) {
        let journey = answered.saturating_duration_since(sent);
        let mut base = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if base.is_set && journey > NATS_CLOCK_JOURNEY_MAX {
            return;
        }
        (base.at, base.unix_ms, base.is_set) = (sent + journey / 2, stored.0, true);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_servers_time_counts_but_never_goes_back() {
        let clock = Clock::start();
        let (local, sent) = (clock.now(), Clock::moment());
        clock.set(BackendTime(local.0 - 3_600_000), sent, sent + Duration::from_millis(2));
        assert_eq!(clock.now(), local, "the server is an hour behind what was said before");
        clock.set(BackendTime(local.0 + 7_200_000), sent, sent);
        let ahead = clock.now();
        assert!((7_200_000..7_260_000).contains(&(ahead.0 - local.0)), "the server is two hours ahead");
        clock.set(BackendTime(local.0 + 9_000_000), sent, sent + Duration::from_secs(4));
        assert!(clock.now().0 < local.0 + 7_260_000, "a message was on its way for four seconds");
    }
}
