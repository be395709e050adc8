//! Now, and chance.

use std::time::Duration;

use tokio::time::Instant;

use super::BackoffPolicy;
use crate::limits::{TWILSOCK_ABSENCE_MAX, TWILSOCK_BACKOFF_MAX, TWILSOCK_BACKOFF_MIN};

/// What a session cannot know by itself: the time, and a random number.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Instant,
    /// Any number, as likely as any other.
    pub chance: u64,
}

impl Moment {
    /// The wait after so many failures before this one: 1 s, doubled up to 120 s, each ± 20 %.
    pub(super) fn backoff(self, failures: u32) -> Duration {
        let doubled =
            TWILSOCK_BACKOFF_MIN.saturating_mul(2_u32.saturating_pow(failures)).min(TWILSOCK_BACKOFF_MAX);
        self.between(doubled * 4 / 5, doubled * 6 / 5)
    }

    /// A time that a server asked for, up to an hour.
    pub(super) fn within(self, policy: BackoffPolicy) -> Duration {
        self.between(policy.min().min(TWILSOCK_ABSENCE_MAX), policy.max().min(TWILSOCK_ABSENCE_MAX))
    }

    /// A time between both, to the millisecond.
    fn between(self, min: Duration, max: Duration) -> Duration {
        let span = u64::try_from(max.saturating_sub(min).as_millis()).unwrap_or(u64::MAX);
        min + Duration::from_millis(self.chance % span.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_second_to_two_minutes_give_or_take_a_fifth() {
        let now = Instant::now();
        let waits = |failures| {
            let of = |chance| Moment { now, chance }.backoff(failures).as_millis();
            (of(0), (0..10_000).map(of).max().unwrap_or_default())
        };
        assert_eq!(waits(0), (800, 1200));
        assert_eq!(waits(1), (1600, 2400));
        assert_eq!(waits(3), (6400, 9600));
        for failures in [7, 8, 100, u32::MAX] {
            let of = |chance| Moment { now, chance }.backoff(failures).as_secs();
            assert_eq!((of(0), of(48_000)), (96, 144));
        }
    }

    #[test]
    fn an_absence_is_as_asked_and_never_longer_than_an_hour() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let policy = BackoffPolicy::new(5 * second, 10 * second);
        assert_eq!(Moment { now, chance: 0 }.within(policy), 5 * second);
        assert_eq!(Moment { now, chance: 5_000 }.within(policy), 10 * second);
        let policy = BackoffPolicy::new(Duration::MAX, Duration::MAX);
        assert_eq!(Moment { now, chance: u64::MAX }.within(policy), 3600 * second);
    }
}
