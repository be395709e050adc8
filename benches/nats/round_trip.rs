//! One session, one command at a time: added, taken, responded, response received.

use std::time::Instant;

use super::report::{Report, Row, at_most, micros, ratio};
use super::server::Server;
use super::stage::Threads;
use super::stats::{Turns, p50};
use super::{naive, pair};

const TURNS: usize = 11;
const COMMANDS: usize = 200;
pub const DOCUMENT_BYTES: usize = 1_024;

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let turns = threads.run(measure());
        report.row(Row {
            workload: "command round trip over one NATS server, p50",
            runtime: threads.name(),
            ours: micros(turns.ours()),
            floor: format!("{}, naive", micros(turns.floor())),
            shown: ratio(turns.ratio()),
            required: at_most(turns.ratio(), 0.8),
        });
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

async fn measure() -> Turns {
    let server = Server::start().await;
    let ours = pair::Places::reach(&server.url(), "ours").await;
    let _made = pair::Places::reach(&server.url(), "naive").await;
    let naive = naive::Places::reach(&server.url(), "naive").await;
    let mut ours = pair::Pair::open(&ours, "one", DOCUMENT_BYTES).await;
    let mut naive = naive::Pair::open(&naive, "one", DOCUMENT_BYTES).await;
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let (took, floor) = (p50(&times!(ours)), p50(&times!(naive)));
        // The first turn warms up.
        if turn > 0 {
            turns.push(took, floor);
        }
    }
    turns
}
