//! A thousand callers add an action each, at once, through one client, to a backend that takes 50 ms over a write.

use std::time::{Duration, Instant};

use sp_sync::Settings;
use sp_sync::backend::Memory;
use sp_sync::onboarding::SetQueuePosition;
use tokio::task::JoinSet;

use super::counting::Counting;
use super::report::{Report, Row, millis, no_more_than};
use super::stage::{Threads, data, open};
use super::stats::median;

const CALLERS: usize = 1_000;
const TURNS: usize = 5;
const DELAY: Duration = Duration::from_millis(50);

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let (seconds, writes) = threads.run(measure());
        report.row(Row {
            workload: "1 000 concurrent `add_action` on one client, 50 ms a write",
            runtime: threads.name(),
            ours: format!("{writes} writes in {}", millis(seconds)),
            floor: format!("{} a write", millis(DELAY.as_secs_f64())),
            shown: writes.to_string(),
            required: no_more_than(writes, 4),
        });
    }
}

/// The time until the last caller is answered, and the most writes that were needed.
async fn measure() -> (f64, usize) {
    let (mut times, mut most) = (Vec::new(), 0);
    for turn in 0..TURNS {
        let store = Counting::slow(Memory::with_document_bytes_max(1 << 20), DELAY);
        let settings = Settings { waiting_max: CALLERS, ..Settings::default() };
        let client = open(store.clone(), &format!("coalesce{turn}"), "page", data(0), settings).await;
        store.take_writes();
        let begun = Instant::now();
        let mut callers = JoinSet::new();
        for place in 0..CALLERS {
            let client = client.clone();
            let action = SetQueuePosition::new(i64::try_from(place).unwrap_or_default());
            callers.spawn(async move { client.add_action(action).await.expect("there is room") });
        }
        let receipts = callers.join_all().await;
        times.push(begun.elapsed().as_secs_f64());
        assert_eq!(receipts.len(), CALLERS);
        most = most.max(store.take_writes());
    }
    (median(times), most)
}
