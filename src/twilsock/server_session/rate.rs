//! So many per second, on average and at once.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that is full of permits at first and regains them evenly. Instead of permits it keeps the time at which it
/// will be full again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    cost: Duration,
    full_at: Instant,
}

impl Rate {
    pub(super) fn new(per_s: u32, now: Instant) -> Self {
        Self { cost: Duration::from_secs(1) / per_s.max(1), full_at: now }
    }

    /// Takes a permit if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.cost;
        let there = full_at - now <= Duration::from_secs(1);
        if there {
            self.full_at = full_at;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_permits_at_once_or_evenly() {
        let start = Instant::now();
        let mut rate = Rate::new(10, start);
        let taken = |rate: &mut Rate, now| (0..100).filter(|_| rate.take(now)).count();
        assert_eq!(taken(&mut rate, start), 10);
        assert_eq!(taken(&mut rate, start + Duration::from_millis(250)), 2);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(60)), 10);
    }
}
