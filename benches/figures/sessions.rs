//! Two hundred sessions in memory, each with its own document, requester and executor, one request in flight each.
//!
//! The requirement is read against requests per second of processor time. A turn lasts long enough to be interrupted
//! by whatever else the machine does, and the longer side more often; by the clock, a busy machine would decide. The
//! row by the clock is printed beside it.

use std::time::Instant;

use sp_sync::backend::Memory;
use tokio::task::JoinSet;

use super::floor::{Exchange, Floor};
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
        let ours = throughput(&mut pairs, ask_us).await;
        let floor = throughput(&mut floors, ask_floor).await;
        if turn > 0 {
            by_processor.push(ours.0, floor.0);
            by_clock.push(ours.1, floor.1);
        }
    }
    (by_processor, by_clock)
}

async fn ask_us(pair: Pair) -> Pair {
    for _ in 0..REQUESTS {
        pair.ask().await;
    }
    pair
}

async fn ask_floor(mut floor: Floor) -> Floor {
    for _ in 0..REQUESTS {
        floor.ask().await;
    }
    floor
}

/// Requests per second of all sessions together, each asking as soon as it was answered: of processor time, and by
/// the clock.
async fn throughput<T, Asking>(sessions: &mut Vec<T>, ask: impl Fn(T) -> Asking) -> (f64, f64)
where
    T: Send + 'static,
    Asking: Future<Output = T> + Send + 'static,
{
    let (begun, used) = (Instant::now(), processor_seconds());
    let mut asking = JoinSet::new();
    for session in sessions.drain(..) {
        asking.spawn(ask(session));
    }
    sessions.extend(asking.join_all().await);
    let requests = (SESSIONS * REQUESTS) as f64;
    (requests / (processor_seconds() - used), requests / begun.elapsed().as_secs_f64())
}
