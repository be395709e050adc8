//! Numbers that look random and are the same for the same seed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// xorshift64*. Good enough to choose faults, and no dependency.
#[derive(Debug)]
pub(super) struct Random(Mutex<u64>);

impl Random {
    pub(super) const fn seeded(seed: u64) -> Self {
        // The state may not be zero, and small seeds should not begin alike.
        Self(Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Whether something of this probability happens now.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of a fraction are exact")]
    pub(super) fn happens(&self, probability: f64) -> bool {
        ((self.next() >> 11) as f64) / ((1_u64 << 53) as f64) < probability
    }

    /// A time from nothing up to this.
    pub(super) fn up_to(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(if most == 0 { 0 } else { self.next() % most })
    }
}
