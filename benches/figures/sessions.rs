//! Two hundred sessions in memory, each with its own document, requester and executor, one request in flight each.
//!
//! The requirement is read against requests per second of processor time. A turn lasts long enough to be interrupted
//! by whatever else the machine does, and the longer side more often; by the clock, a busy machine would decide. The
//! row by the clock is printed beside it.

use sp_sync::backend::Memory;

use super::floor::{Exchange, Floor};
use super::load::{Asks, throughput};
use super::report::{Report, Row, at_least, per_second, ratio};
use super::stage::{Pair, Threads};
use super::stats::{Turns, processor_seconds};

const SESSIONS: usize = 200;
const REQUESTS: usize = 20;
const TURNS: usize = 9;

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let (by_processor, by_clock) = threads.run(measure());
        let row = |workload, turns: &Turns, required| Row {
            workload,
            runtime: threads.name(),
            ours: per_second(turns.ours(), "requests"),
            floor: format!("{}, four messages", per_second(turns.floor(), "requests")),
            shown: ratio(turns.ratio()),
            required,
        };
        let required = at_least(by_processor.ratio(), 0.25);
        report.row(row("200 sessions, one request in flight each, processor time", &by_processor, required));
        report.row(row("the same by the clock", &by_clock, None));
    }
}

async fn measure() -> (Turns, Turns) {
    let store = Memory::new();
    let mut pairs = Vec::with_capacity(SESSIONS);
    let mut floors = Vec::with_capacity(SESSIONS);
    for session in 0..SESSIONS {
        pairs.push(Pair::open(store.clone(), &format!("session{session}"), 0).await);
        floors.push(Floor::start(Exchange::Four));
    }
    let (mut by_processor, mut by_clock) = (Turns::default(), Turns::default());
    for turn in 0..=TURNS {
        let ours = measured(&mut pairs).await;
        let floor = measured(&mut floors).await;
        if turn > 0 {
            by_processor.push(ours.0, floor.0);
            by_clock.push(ours.1, floor.1);
        }
    }
    (by_processor, by_clock)
}

/// Requests per second of all sessions together: of processor time, and by the clock.
async fn measured(sessions: &mut Vec<impl Asks>) -> (f64, f64) {
    let used = processor_seconds(std::process::id());
    let by_clock = throughput(sessions, REQUESTS).await;
    ((SESSIONS * REQUESTS) as f64 / (processor_seconds(std::process::id()) - used), by_clock)
}
