//! Keeping within the service's rate of writes (C57). Sync: 20 writes per second and document on average over 10 s, less
//! above 1 KiB, 2 per second from 10 KiB on.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::REMOTE_BURST;

const KIB: u32 = 1_024;

/// A bucket that is full at first and refills evenly. Instead of permits it keeps the time at which it is full again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    full_at: Option<Instant>,
}

impl Pace {
    /// Takes the place of one write; answers how long it has to wait for it.
    pub(super) fn reserve(&mut self, bytes: usize, writes_per_s: f64, now: Instant) -> Duration {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + cost(bytes, writes_per_s);
        self.full_at = Some(full_at);
        (full_at - now).saturating_sub(REMOTE_BURST)
    }

    /// The service has said that it was too much: nothing is saved up any more.
    pub(super) fn drain(&mut self, now: Instant) {
        self.full_at = Some(self.full_at.map_or(now, |full_at| full_at.max(now)).max(now + REMOTE_BURST));
    }
}

/// One write's share of time: evenly more from 1 KiB to 10 KiB, where it is tenfold.
fn cost(bytes: usize, writes_per_s: f64) -> Duration {
    let kib = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / f64::from(KIB);
    Duration::from_secs_f64(kib.clamp(1.0, 10.0) / writes_per_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_writes_pass_twenty_a_second_and_large_ones_two() {
        let start = Instant::now();
        let free = |bytes, now| {
            let mut pace = Pace::default();
            (0..1_000).take_while(|_| pace.reserve(bytes, 20.0, now).is_zero()).count()
        };
        assert_eq!(free(1_024, start), 200);
        assert_eq!(free(10_240, start), 20);
        assert_eq!(free(16_384, start), 20);
        let mut pace = Pace::default();
        for _ in 0..200 {
            pace.reserve(10, 20.0, start);
        }
        let waits: Vec<_> = (0..3).map(|_| pace.reserve(10, 20.0, start).as_millis()).collect();
        assert_eq!(waits, [50, 100, 150]);
        assert_eq!(pace.reserve(10, 20.0, start + Duration::from_secs(60)), Duration::ZERO);
        pace.drain(start);
        assert!(!pace.reserve(10, 20.0, start).is_zero());
    }
}
