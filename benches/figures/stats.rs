//! Medians.

use std::time::Duration;

/// The middle of some numbers.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The middle of some times, in seconds.
pub fn p50(times: &[Duration]) -> f64 {
    median(times.iter().map(Duration::as_secs_f64))
}

/// A workload and its floor, measured in turns.
#[derive(Default)]
pub struct Turns {
    ours: Vec<f64>,
    floor: Vec<f64>,
}

impl Turns {
    pub fn push(&mut self, ours: f64, floor: f64) {
        self.ours.push(ours);
        self.floor.push(floor);
    }

    pub fn ours(&self) -> f64 {
        median(self.ours.iter().copied())
    }

    pub fn floor(&self) -> f64 {
        median(self.floor.iter().copied())
    }

    /// The median of each turn's own ratio: what disturbed one turn disturbed both of its sides.
    pub fn ratio(&self) -> f64 {
        median(self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours / floor))
    }
}

/// Seconds that the threads of a process have run on a processor, as Linux counts them.
pub fn processor_seconds(process: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("Linux tells");
    let nanos = threads.filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() * 1e-9
}
