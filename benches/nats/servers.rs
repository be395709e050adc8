//! A hundred sessions through two sync servers before a cluster of three NATS servers, beside the same through one of them:
//! what a request costs all of them together in processor time, and how many there are in a second. All servers and the
//! clients share the processor, so that it is what limits both.

use sp_sync::backend::{Nats, NatsOptions};

use super::load::throughput;
use super::report::{Report, Row, at_most, millis, per_second, ratio};
use super::served::{self, Process};
use super::server::Cluster;
use super::stage::{Pair, Threads};
use super::stats::{Turns, processor_seconds};

const SESSIONS: usize = 100;
const REQUESTS: usize = 10;
const TURNS: usize = 7;

/// What a process is told to be a server.
const CHILD: &str = "sync-server";

/// One placement of the sessions beside the other.
#[derive(Default)]
struct Measured {
    processor: Turns,
    clock: Turns,
}

pub fn run(report: &mut Report) {
    let (whole, split) = Threads::Two.run(measure());
    let mut rows = |workload: &str, measured: &Measured, required| {
        let Measured { processor, clock } = measured;
        report.row(Row {
            workload: &format!("{workload}, processor time of a request, everything together"),
            runtime: Threads::Two.name(),
            ours: millis(processor.ours()),
            floor: format!("{}, one server", millis(processor.floor())),
            shown: ratio(processor.ratio()),
            required,
        });
        report.row(Row {
            workload: "the same by the clock",
            runtime: Threads::Two.name(),
            ours: per_second(clock.ours(), "requests"),
            floor: format!("{}, one server", per_second(clock.floor(), "requests")),
            shown: ratio(clock.ratio()),
            required: None,
        });
    };
    let required = at_most(whole.processor.ratio(), 1.1);
    rows("100 sessions through two sync servers, three NATS servers", &whole, required);
    rows("the same, each session's parties at different servers", &split, None);
}

async fn measure() -> (Measured, Measured) {
    let cluster = Cluster::start(3).await;
    let urls = cluster.urls().join(",");
    let (first, second) = (Process::start(&[CHILD, &urls]), Process::start(&[CHILD, &urls]));
    let (mut one, mut two, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    for session in 0..SESSIONS {
        let either = [first.at, second.at][session % 2];
        one.push(served::pair(first.at, first.at, &format!("one{session}")).await);
        two.push(served::pair(either, either, &format!("two{session}")).await);
        apart.push(served::pair(first.at, second.at, &format!("apart{session}")).await);
    }
    let mut all: Vec<u32> = cluster.servers.iter().map(|server| server.pid()).collect();
    all.extend([first.id(), second.id(), std::process::id()]);
    let (mut whole, mut split) = (Measured::default(), Measured::default());
    for turn in 0..=TURNS {
        let through_one = measured(&mut one, &all).await;
        let through_two = measured(&mut two, &all).await;
        let through_both = measured(&mut apart, &all).await;
        // The first turn warms up.
        if turn > 0 {
            for (measured, ours) in [(&mut whole, through_two), (&mut split, through_both)] {
                measured.processor.push(ours.0, through_one.0);
                measured.clock.push(ours.1, through_one.1);
            }
        }
    }
    (whole, split)
}

/// Seconds of processor time that a request costs all these processes together, and requests per second by the clock.
async fn measured(sessions: &mut Vec<Pair>, all: &[u32]) -> (f64, f64) {
    let used = || all.iter().map(|process| processor_seconds(*process)).sum::<f64>();
    let before = used();
    let by_clock = throughput(sessions, REQUESTS).await;
    ((used() - before) / (SESSIONS * REQUESTS) as f64, by_clock)
}

pub fn is_child(kind: &str) -> bool {
    kind == CHILD
}

/// A sync server over a cluster, until its input ends.
pub fn child(urls: &str) {
    served::host(async {
        let options = urls.split(',').fold(Nats::options(), NatsOptions::server);
        options.bucket("served").replicas(3).open().await.expect("the cluster is up")
    });
}
