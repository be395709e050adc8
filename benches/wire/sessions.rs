//! Two hundred sessions through the server, each with its own document, requester and executor on connections of their
//! own, one request in flight each: in memory beside the relay, and on the disk beside memory.

use sp_sync::backend::{Embedded, Memory};

use super::floor::Exchange;
use super::load::throughput;
use super::report::{Report, Row, at_least, per_second, ratio};
use super::stage::Threads;
use super::stats::Turns;
use super::{relay, served};

const SESSIONS: usize = 200;
const REQUESTS: usize = 10;
const TURNS: usize = 7;

pub fn run(report: &mut Report) {
    let (in_memory, on_disk) = Threads::Two.run(measure());
    let row = |workload, turns: &Turns, floor, least| Row {
        workload,
        runtime: Threads::Two.name(),
        ours: per_second(turns.ours(), "requests"),
        floor: format!("{}, {floor}", per_second(turns.floor(), "requests")),
        shown: ratio(turns.ratio()),
        required: at_least(turns.ratio(), least),
    };
    report.row(row("200 sessions, one request in flight each", &in_memory, "relay, two messages", 0.25));
    report.row(row("the same, every write on the disk", &on_disk, "memory", 0.5));
}

async fn measure() -> (Turns, Turns) {
    let scratch = std::env::temp_dir().join(format!("sp-sync-wire-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a place to write");
    let disk = Embedded::open(scratch.join("sessions.db")).await.expect("it opens");
    let (memory, disk) = (served::start(Memory::new()).await, served::start(disk).await);
    let relay = relay::start().await;
    let (mut in_memory, mut on_disk, mut relayed) = (Vec::new(), Vec::new(), Vec::new());
    for session in 0..SESSIONS {
        let name = format!("session{session}");
        in_memory.push(served::pair(memory, memory, &name).await);
        on_disk.push(served::pair(disk, disk, &name).await);
        relayed.push(relay::Pair::open(relay, &name, Exchange::Two).await);
    }
    let mut turns = (Turns::default(), Turns::default());
    for turn in 0..=TURNS {
        let with_memory = throughput(&mut in_memory, REQUESTS).await;
        let with_relay = throughput(&mut relayed, REQUESTS).await;
        let with_disk = throughput(&mut on_disk, REQUESTS).await;
        if turn > 0 {
            turns.0.push(with_memory, with_relay);
            turns.1.push(with_disk, with_memory);
        }
    }
    drop(on_disk);
    // What is left behind lies with the other temporary files.
    let _ = std::fs::remove_dir_all(&scratch);
    turns
}
