//! Two hundred sessions, each with its own document, requester and executor, one request in flight each. The requesters
//! share one connection and the executors another, as two processes would have it.

use super::load::{Asks, throughput};
use super::report::{Report, Row, at_least, per_second, ratio};
use super::round_trip::DOCUMENT_BYTES;
use super::server::Server;
use super::stage::Threads;
use super::stats::{Turns, processor_seconds};
use super::{naive, pair};

const SESSIONS: usize = 200;
const REQUESTS: usize = 10;
const TURNS: usize = 7;

pub fn run(report: &mut Report) {
    let (by_clock, by_processor) = Threads::Two.run(measure());
    report.row(Row {
        workload: "200 sessions over one NATS server, one request in flight each",
        runtime: Threads::Two.name(),
        ours: per_second(by_clock.ours(), "requests"),
        floor: format!("{}, naive", per_second(by_clock.floor(), "requests")),
        shown: ratio(by_clock.ratio()),
        required: at_least(by_clock.ratio(), 1.5),
    });
    report.row(Row {
        workload: "the same per second of processor time, the removal of what was written over included",
        runtime: Threads::Two.name(),
        ours: per_second(by_processor.ours(), "requests"),
        floor: format!("{}, naive", per_second(by_processor.floor(), "requests")),
        shown: ratio(by_processor.ratio()),
        required: None,
    });
}

async fn measure() -> (Turns, Turns) {
    let server = Server::start().await;
    let ours = pair::Places::reach(&server.url(), "ours").await;
    let naive = naive::Places::reach(&server.url(), "naive").await;
    let (mut pairs, mut naives) = (Vec::new(), Vec::new());
    for session in 0..SESSIONS {
        let name = format!("session{session}");
        pairs.push(pair::open_pair(&ours, &name, DOCUMENT_BYTES).await);
        naives.push(naive::Pair::open(&naive, &name, DOCUMENT_BYTES).await);
    }
    let (mut by_clock, mut by_processor) = (Turns::default(), Turns::default());
    for turn in 0..=TURNS {
        let with_us = measured(&mut pairs, &server).await;
        let with_naive = measured(&mut naives, &server).await;
        if turn > 0 {
            by_clock.push(with_us.0, with_naive.0);
            by_processor.push(with_us.1, with_naive.1);
        }
    }
    (by_clock, by_processor)
}

/// Requests per second: by the clock, and of the processor time of server and clients until all that follows is done.
async fn measured(sessions: &mut Vec<impl Asks>, server: &Server) -> (f64, f64) {
    let used = || processor_seconds(server.pid()) + processor_seconds(std::process::id());
    let before = used();
    let by_clock = throughput(sessions, REQUESTS).await;
    tokio::time::sleep(2 * pair::KEPT).await;
    (by_clock, (SESSIONS * REQUESTS) as f64 / (used() - before))
}
