//! The service's clock, as far as it can be known: it dates every change, and was not earlier when the date arrived.

use tokio::time::Instant;

use crate::backend::BackendTime;
use crate::twilsock::sync::Timestamp;

/// A clock that is never ahead of the service's, so that what has expired here has expired there. It lags by as much as
/// the quickest answer took; until this client has seen a change happen, by a second, which is how exactly a service says
/// the time when a connection is opened; and where it does not say it, by the age of the newest change.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    /// What the local clock says of that moment; used until the service has dated something.
    began_ms: i64,
    /// Service's time when `began` was.
    offset_ms: Option<i64>,
    /// The latest time told: it never goes back. A guess by the local clock does not count, which may run hours ahead.
    told_ms: u64,
}

impl Clock {
    pub(super) fn new(began: Instant, unix_ms: i64) -> Self {
        Self { began, began_ms: unix_ms, offset_ms: None, told_ms: 0 }
    }

    /// The service has dated something that has happened.
    pub(super) fn saw(&mut self, date: Option<Timestamp>, now: Instant) {
        if let Some(date) = date {
            let offset = date.unix_ms().saturating_sub(self.since(now));
            self.offset_ms = Some(self.offset_ms.map_or(offset, |known| known.max(offset)));
        }
    }

    pub(super) fn at(&mut self, now: Instant) -> BackendTime {
        let ms = self.offset_ms.unwrap_or(self.began_ms).saturating_add(self.since(now));
        let ms = u64::try_from(ms).unwrap_or(0);
        if self.offset_ms.is_none() {
            return BackendTime(ms);
        }
        self.told_ms = self.told_ms.max(ms);
        BackendTime(self.told_ms)
    }

    fn since(&self, now: Instant) -> i64 {
        i64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(i64::MAX)
    }
}

/// A date of the service.
pub(super) fn time(date: Timestamp) -> BackendTime {
    BackendTime(u64::try_from(date.unix_ms()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_local_clock_is_a_guess_that_the_first_date_corrects() {
        let began = Instant::now();
        let after = |s| began + Duration::from_secs(s);
        let mut clock = Clock::new(began, 7_200_000);
        assert_eq!(clock.at(after(1)).0, 7_201_000);
        clock.saw(Some(Timestamp::from_unix_ms(5_000)), after(2));
        assert_eq!(clock.at(after(3)).0, 6_000, "the local clock ran hours ahead");
        // What the service dates never sets it back.
        clock.saw(Some(Timestamp::from_unix_ms(1_000)), after(4));
        assert_eq!(clock.at(after(4)).0, 7_000);
        clock.saw(Some(Timestamp::from_unix_ms(20_000)), after(5));
        assert_eq!(clock.at(after(5)).0, 20_000);
    }
}
