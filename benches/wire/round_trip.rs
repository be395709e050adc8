//! One session, one command at a time: added, taken, responded, response received, through the server.

use std::time::Instant;

use sp_sync::backend::Memory;

use super::floor::Exchange;
use super::report::{Report, Row, at_most, micros, ratio};
use super::stage::Threads;
use super::stats::{Turns, p50};
use super::{relay, served};

/// As the requirement says.
const PASSES: usize = 4;
const TURNS: usize = 5;
const COMMANDS: usize = 400;

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let (two, four) = threads.run(measure());
        let row = |workload, turns: &Turns, floor, required| Row {
            workload,
            runtime: threads.name(),
            ours: micros(turns.ours()),
            floor: format!("{}, {floor}", micros(turns.floor())),
            shown: ratio(turns.ratio()),
            required,
        };
        let required = at_most(two.ratio(), 2.2);
        report.row(row("command round trip over the wire, p50", &two, "relay, two messages", required));
        report.row(row("the same against the exchange of four", &four, "relay, four messages", None));
    }
}

/// How long each of many commands takes. A macro, since an async closure that borrows is not known to be `Send`.
macro_rules! times {
    ($pair:expr) => {{
        let mut times = Vec::with_capacity(COMMANDS);
        for _ in 0..COMMANDS {
            let begun = Instant::now();
            $pair.ask().await;
            times.push(begun.elapsed());
        }
        times
    }};
}

async fn measure() -> (Turns, Turns) {
    let (at, relay) = (served::start(Memory::new()).await, relay::start().await);
    let mut ours = served::Pair::open(at, "one").await;
    let mut two = relay::Pair::open(relay, "two", Exchange::Two).await;
    let mut four = relay::Pair::open(relay, "four", Exchange::Four).await;
    let mut turns = (Turns::default(), Turns::default());
    for turn in 0..=PASSES * TURNS {
        let took = p50(&times!(ours));
        let least = p50(&times!(two));
        let most = p50(&times!(four));
        // The first turn warms up.
        if turn > 0 {
            turns.0.push(took, least);
            turns.1.push(took, most);
        }
    }
    turns
}
