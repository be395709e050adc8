//! One session, one command at a time: added, taken, responded, response received, through the server.

use sp_sync::backend::Memory;

use super::floor::Exchange;
use super::load::p50;
use super::report::{Report, Row, at_most, micros, ratio};
use super::stage::Threads;
use super::stats::Turns;
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

async fn measure() -> (Turns, Turns) {
    let (at, relay) = (served::start(Memory::new()).await, relay::start().await);
    let mut ours = served::pair(at, at, "one").await;
    let mut two = relay::Pair::open(relay, "two", Exchange::Two).await;
    let mut four = relay::Pair::open(relay, "four", Exchange::Four).await;
    let mut turns = (Turns::default(), Turns::default());
    for turn in 0..=PASSES * TURNS {
        let took = p50(&mut ours, COMMANDS).await;
        let least = p50(&mut two, COMMANDS).await;
        let most = p50(&mut four, COMMANDS).await;
        // The first turn warms up.
        if turn > 0 {
            turns.0.push(took, least);
            turns.1.push(took, most);
        }
    }
    turns
}
