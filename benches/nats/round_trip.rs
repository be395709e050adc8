//! One session, one command at a time: added, taken, responded, response received.

use super::load::p50;
use super::report::{Report, Row, at_most, micros, ratio};
use super::server::Server;
use super::stage::Threads;
use super::stats::Turns;
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

async fn measure() -> Turns {
    let server = Server::start().await;
    let ours = pair::Places::reach(&server.url(), "ours").await;
    let naive = naive::Places::reach(&server.url(), "naive").await;
    let mut ours = pair::open_pair(&ours, "one", DOCUMENT_BYTES).await;
    let mut naive = naive::Pair::open(&naive, "one", DOCUMENT_BYTES).await;
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let (took, floor) = (p50(&mut ours, COMMANDS).await, p50(&mut naive, COMMANDS).await);
        // The first turn warms up.
        if turn > 0 {
            turns.push(took, floor);
        }
    }
    turns
}
