//! One session, one command at a time: added, taken, responded, response received.
//!
//! The requirement is read against the floor's exchange of four messages: in this crate, too, each side comes to know
//! all four events. The floor does not wait between *taken* and *responded*, while this crate starts an action only
//! when its claim is stored; and it need not survive anybody's crash. The exchange of two is printed beside it.

use sp_sync::backend::Memory;

use super::floor::{Exchange, Floor};
use super::load::p50;
use super::report::{Report, Row, at_most, micros, ratio};
use super::stage::{Pair, Threads};
use super::stats::Turns;

const TURNS: usize = 15;
const COMMANDS: usize = 1_000;
const LARGE_BYTES: usize = 12 * 1_024;

#[derive(Default)]
struct Measured {
    four: Turns,
    two: Turns,
    large: Turns,
}

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let Measured { four, two, large } = threads.run(measure());
        let row = |workload, ours: f64, floor: String, shown: f64, required| Row {
            workload,
            runtime: threads.name(),
            ours: micros(ours),
            floor,
            shown: ratio(shown),
            required,
        };
        report.row(row(
            "command round trip in memory, p50",
            four.ours(),
            format!("{}, four messages", micros(four.floor())),
            four.ratio(),
            at_most(four.ratio(), 3.0),
        ));
        let floor = format!("{}, two messages", micros(two.floor()));
        report.row(row("the same against the least exchange", two.ours(), floor, two.ratio(), None));
        report.row(row(
            "command round trip, document of 12 KiB, p50",
            large.ours(),
            format!("{}, small document", micros(large.floor())),
            large.ratio(),
            at_most(large.ratio(), 2.5),
        ));
    }
}

async fn measure() -> Measured {
    let store = Memory::new();
    let (mut small, mut large) =
        (Pair::open(store.clone(), "small", 0).await, Pair::open(store, "large", LARGE_BYTES).await);
    let (mut four, mut two) = (Floor::start(Exchange::Four), Floor::start(Exchange::Two));
    let mut measured = Measured::default();
    for turn in 0..=TURNS {
        let ours = p50(&mut small, COMMANDS).await;
        let floor_of_four = p50(&mut four, COMMANDS).await;
        let floor_of_two = p50(&mut two, COMMANDS).await;
        let with_large = p50(&mut large, COMMANDS).await;
        // The first turn warms up.
        if turn > 0 {
            measured.four.push(ours, floor_of_four);
            measured.two.push(ours, floor_of_two);
            measured.large.push(with_large, ours);
        }
    }
    measured
}
