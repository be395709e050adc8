//! How often one document may be written and read, where that is limited.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::DocumentId;

/// Averages are taken over this time: so much of them may come at once.
const WINDOW: Duration = Duration::from_secs(10);

/// A limit for each document. Sync: 20 a second on average over 10 s; a write of 10 KiB counts for ten.
#[derive(Debug)]
pub(super) struct Pace {
    per_s: Option<u32>,
    /// When each document will have all of its allowance again. Those that have it already are forgotten from time to
    /// time.
    full_at: Mutex<Allowances>,
}

#[derive(Debug, Default)]
struct Allowances {
    by_document: HashMap<DocumentId, Instant>,
    swept_len: usize,
}

impl Pace {
    pub(super) fn new(per_s: Option<u32>) -> Self {
        Self { per_s, full_at: Mutex::default() }
    }

    /// Whether something of so many bytes may be done now; then it counts.
    pub(super) fn take(&self, document: &DocumentId, bytes: usize, now: Instant) -> bool {
        let Some(per_s) = self.per_s else { return true };
        let cost = Duration::from_secs(1) / per_s.max(1) * weight(bytes);
        let mut allowances = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        allowances.sweep(now);
        let full_at = allowances.by_document.entry(document.clone()).or_insert(now);
        let next = (*full_at).max(now) + cost;
        let there = next - now <= WINDOW;
        if there {
            *full_at = next;
        }
        there
    }
}

impl Allowances {
    fn sweep(&mut self, now: Instant) {
        if self.by_document.len() > 2 * self.swept_len + 64 {
            self.by_document.retain(|_, full_at| *full_at > now);
            self.swept_len = self.by_document.len();
        }
    }
}

/// 1 up to 1 KiB, 10 from 10 KiB on, evenly between.
fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1_024).clamp(1, 10)).unwrap_or(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_used_at_once_or_evenly_and_large_writes_count_for_more() {
        let (pace, now) = (Pace::new(Some(20)), Instant::now());
        let document = DocumentId::new("d").unwrap();
        let taken = |bytes, now| (0..1_000).filter(|_| pace.take(&document, bytes, now)).count();
        assert_eq!(taken(100, now), 200);
        assert_eq!(taken(100, now + Duration::from_secs(1)), 20);
        assert_eq!(taken(16_384, now + Duration::from_secs(60)), 20);
        assert!(pace.take(&DocumentId::new("other").unwrap(), 1, now));
        assert!((0..1_000).all(|_| Pace::new(None).take(&document, 16_384, now)));
    }
}
