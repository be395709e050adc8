//! What 10 000 idle connections cost the server, each with a document of its own open: the resident pages of a server
//! in a process of its own, which holds the documents as well.

use std::net::SocketAddr;
use std::time::Duration;

use sp_sync::backend::Memory;
use tokio::task::JoinSet;

use super::raw::Subscriber;
use super::report::{Report, Row};
use super::served::{self, Process};
use super::stage::{Threads, data};

const CONNECTIONS: usize = 10_000;
const AT_ONCE: usize = 50;
const DOCUMENT_BYTES: usize = 1_024;
const MOST_KIB: f64 = 24.0;

pub fn run(report: &mut Report) {
    let server = Process::start(&["idle-server"]);
    let bytes = Threads::Two.run(measure(server.at, server.id()));
    let kib = bytes as f64 / 1_024.0;
    report.row(Row {
        workload: "idle connection with one open document of 1 KiB, 10 000 of them",
        runtime: Threads::Two.name(),
        ours: format!("{kib:.1} KiB resident each, documents included, system allocator"),
        floor: String::new(),
        shown: format!("{kib:.1} KiB"),
        required: Some((format!("≤ {MOST_KIB} KiB"), kib <= MOST_KIB)),
    });
}

async fn measure(at: SocketAddr, server: u32) -> usize {
    let data = data(DOCUMENT_BYTES);
    let mut held = vec![Subscriber::open(at, "first", &data).await];
    let before = resident_bytes(server);
    for block in 0..CONNECTIONS / AT_ONCE {
        let mut opening = JoinSet::new();
        for number in 0..AT_ONCE {
            let (name, data) = (format!("document{block}-{number}"), data.clone());
            opening.spawn(async move { Subscriber::open(at, &name, &data).await });
        }
        held.extend(opening.join_all().await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = resident_bytes(server);
    assert_eq!(held.len(), CONNECTIONS + 1);
    (after - before) / CONNECTIONS
}

/// The server, until its input ends.
pub fn server() {
    served::host(async { Memory::new() });
}

/// Resident pages of a process. A page of 4 KiB, as on every x86-64.
fn resident_bytes(process: u32) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("Linux tells");
    let pages: usize =
        statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}
