//! Two hundred sessions, each with its own document, requester and executor, one request in flight each. The requesters
//! share one connection and the executors another, as two processes would have it.

use super::load::throughput;
use super::report::{Report, Row, at_least, per_second, ratio};
use super::round_trip::DOCUMENT_BYTES;
use super::server::Server;
use super::stage::Threads;
use super::stats::Turns;
use super::{naive, pair};

const SESSIONS: usize = 200;
const REQUESTS: usize = 10;
const TURNS: usize = 7;

pub fn run(report: &mut Report) {
    let turns = Threads::Two.run(measure());
    report.row(Row {
        workload: "200 sessions over one NATS server, one request in flight each",
        runtime: Threads::Two.name(),
        ours: per_second(turns.ours(), "requests"),
        floor: format!("{}, naive", per_second(turns.floor(), "requests")),
        shown: ratio(turns.ratio()),
        required: at_least(turns.ratio(), 1.5),
    });
}

async fn measure() -> Turns {
    let server = Server::start().await;
    let ours = pair::Places::reach(&server.url(), "ours").await;
    let _made = pair::Places::reach(&server.url(), "naive").await;
    let naive = naive::Places::reach(&server.url(), "naive").await;
    let (mut pairs, mut naives) = (Vec::new(), Vec::new());
    for session in 0..SESSIONS {
        let name = format!("session{session}");
        pairs.push(pair::open_pair(&ours, &name, DOCUMENT_BYTES).await);
        naives.push(naive::Pair::open(&naive, &name, DOCUMENT_BYTES).await);
    }
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let with_us = throughput(&mut pairs, REQUESTS).await;
        let with_naive = throughput(&mut naives, REQUESTS).await;
        if turn > 0 {
            turns.push(with_us, with_naive);
        }
    }
    turns
}
