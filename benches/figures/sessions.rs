//! Two hundred sessions in memory, each with its own document, requester and executor, one request in flight each.

use std::time::Instant;

use sp_sync::backend::Memory;
use tokio::task::JoinSet;

use super::floor::{Exchange, Floor};
use super::report::{Report, Row, at_least, per_second, ratio};
use super::stage::{Pair, Threads};
use super::stats::Turns;

const SESSIONS: usize = 200;
const REQUESTS: usize = 20;
const TURNS: usize = 9;

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let turns = threads.run(measure());
        report.row(Row {
            workload: "200 sessions, one request in flight each",
            runtime: threads.name(),
            ours: per_second(turns.ours(), "requests"),
            floor: format!("{}, four messages", per_second(turns.floor(), "requests")),
            shown: ratio(turns.ratio()),
            required: at_least(turns.ratio(), 0.25),
        });
    }
}

async fn measure() -> Turns {
    let store = Memory::new();
    let mut pairs = Vec::with_capacity(SESSIONS);
    let mut floors = Vec::with_capacity(SESSIONS);
    for session in 0..SESSIONS {
        pairs.push(Pair::open(store.clone(), &format!("session{session}"), 0).await);
        floors.push(Floor::start(Exchange::Four));
    }
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let ours = throughput(&mut pairs, ask_us).await;
        let floor = throughput(&mut floors, ask_floor).await;
        if turn > 0 {
            turns.push(ours, floor);
        }
    }
    turns
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

/// Requests per second of all sessions together, each asking as soon as it was answered.
async fn throughput<T, Asking>(sessions: &mut Vec<T>, ask: impl Fn(T) -> Asking) -> f64
where
    T: Send + 'static,
    Asking: Future<Output = T> + Send + 'static,
{
    let begun = Instant::now();
    let mut asking = JoinSet::new();
    for session in sessions.drain(..) {
        asking.spawn(ask(session));
    }
    sessions.extend(asking.join_all().await);
    (SESSIONS * REQUESTS) as f64 / begun.elapsed().as_secs_f64()
}
