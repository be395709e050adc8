//! Two hundred sessions through the server, each with its own document, requester and executor on connections of their
//! own, one request in flight each: in memory beside the relay, and on the disk beside memory.

use std::sync::Arc;
use std::time::Instant;

use sp_sync::backend::{Embedded, Memory};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::floor::Exchange;
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
        in_memory.push(served::Pair::open(memory, &name).await);
        on_disk.push(served::Pair::open(disk, &name).await);
        relayed.push(relay::Pair::open(relay, &name, Exchange::Two).await);
    }
    let mut turns = (Turns::default(), Turns::default());
    for turn in 0..=TURNS {
        let with_memory = throughput(&mut in_memory, ask_us).await;
        let with_relay = throughput(&mut relayed, ask_relay).await;
        let with_disk = throughput(&mut on_disk, ask_us).await;
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

async fn ask_us(mut pair: served::Pair) -> served::Pair {
    for _ in 0..REQUESTS {
        pair.ask().await;
    }
    pair
}

async fn ask_relay(mut pair: relay::Pair) -> relay::Pair {
    for _ in 0..REQUESTS {
        pair.ask().await;
    }
    pair
}

/// Requests per second of all sessions together, each asking as soon as it was answered.
async fn throughput<T, Asking>(sessions: &mut Vec<T>, ask: impl Fn(T) -> Asking) -> f64
where
    T: Send + 'static,
    Asking: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Semaphore::new(0));
    let mut asking = JoinSet::new();
    for session in sessions.drain(..) {
        let (asked, start) = (ask(session), start.clone());
        asking.spawn(async move {
            let _started = start.acquire().await;
            asked.await
        });
    }
    let begun = Instant::now();
    start.add_permits(SESSIONS);
    sessions.extend(asking.join_all().await);
    (SESSIONS * REQUESTS) as f64 / begun.elapsed().as_secs_f64()
}
