//! How long things took, as Prometheus counts it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets of durations, in microseconds.
const BUCKETS_US: [u64; 16] = [
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    10_000_000,
    60_000_000,
    600_000_000,
];

/// How long things took. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Durations(Arc<Histogram>);

#[derive(Debug, Default)]
struct Histogram {
    /// Each counts what fell into it alone; the last what was longer than all bounds.
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    /// One more.
    pub fn add(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let at = BUCKETS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.0.buckets.get(at) {
            bucket.fetch_add(1, Relaxed);
        }
        self.0.sum_us.fetch_add(us, Relaxed);
    }

    pub(super) fn write(&self, page: &mut String, name: &str, help: &str) {
        // Writing to a string does not fail, here and below.
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} histogram");
        let mut count = 0;
        for (at, bucket) in self.0.buckets.iter().enumerate() {
            count += bucket.load(Relaxed);
            let bound = BUCKETS_US.get(at).map_or_else(|| "+Inf".to_owned(), |us| seconds(*us));
            let _ = writeln!(page, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let sum = seconds(self.0.sum_us.load(Relaxed));
        let _ = writeln!(page, "{name}_sum {sum}\n{name}_count {count}");
    }
}

/// Seconds as a decimal number.
pub(super) fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_buckets_that_add_up() {
        let durations = Durations::default();
        for us in [50, 51, 2_000_000, 700_000_000] {
            durations.add(Duration::from_micros(us));
        }
        let mut page = String::new();
        durations.write(&mut page, "d", "Help.");
        for line in [
            "d_bucket{le=\"0.00005\"} 1",
            "d_bucket{le=\"0.0001\"} 2",
            "d_bucket{le=\"1\"} 2",
            "d_bucket{le=\"10\"} 3",
            "d_bucket{le=\"600\"} 3",
            "d_bucket{le=\"+Inf\"} 4",
            "d_sum 702.000101",
            "d_count 4",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
    }
}
