//! Ten thousand documents open in one process: how fast they open, what each costs in resident memory, and what the server
//! holds for it. Beside it, what one plain subscription per document would cost, with a task that hears it.

use std::process::Command;
use std::time::{Duration, Instant};

use async_nats::Client;
use sp_sync::backend::{Backend as _, Expect, Nats, Ttl, Write};
use sp_sync::document::Document;
use sp_sync::{DocumentId, Settings, SyncClient};
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;

use super::report::{Report, Row, at_least};
use super::round_trip::DOCUMENT_BYTES;
use super::server::Server;
use super::stage::{Threads, data, open};

const DOCUMENTS: usize = 10_000;
const AT_ONCE: usize = 64;
const MOST_KIB: f64 = 20.0;

pub fn run(report: &mut Report) {
    let runtime = Threads::Two.runtime();
    let server = runtime.block_on(Server::start());
    runtime.block_on(fill(&server.url()));
    let (seconds, kib) = of_child("open-documents", &server.url());
    let (_, plain_kib) = of_child("plain-subscriptions", &server.url());
    let rate = DOCUMENTS as f64 / seconds;
    let row = |workload, ours, floor: String, shown: String, required| Row {
        workload,
        runtime: Threads::Two.name(),
        ours,
        floor,
        shown,
        required,
    };
    let (shown, opens) = (format!("{rate:.0}/s"), at_least(rate / 2_000.0, 1.0).map(|(_, holds)| holds));
    report.row(row(
        "opening 10 000 documents of 1 KiB on one client process, 64 at once",
        format!("{rate:.0} opens/s"),
        String::new(),
        shown,
        opens.map(|holds| ("≥ 2 000/s".into(), holds)),
    ));
    report.row(row(
        "memory of an open document, client and backend, 10 000 of them",
        format!("{kib:.1} KiB resident each"),
        format!("{plain_kib:.1} KiB for a plain subscription per document alone"),
        format!("{kib:.1} KiB"),
        Some((format!("≤ {MOST_KIB} KiB"), kib <= MOST_KIB)),
    ));
}

/// Documents that were there before.
async fn fill(url: &str) {
    let nats = Nats::options().server(url).open().await.expect("the server is up");
    let document = Document::from_json(&data(DOCUMENT_BYTES).to_string()).expect("an object");
    let write = Write { document: document.into(), expect: Expect::Absent, ttl: Ttl::Keep };
    for block in (0..DOCUMENTS).step_by(AT_ONCE) {
        let mut writing = JoinSet::new();
        for number in block..(block + AT_ONCE).min(DOCUMENTS) {
            let (nats, write) = (nats.clone(), write.clone());
            writing.spawn(async move { nats.write(&name(number), write).await.expect("it is stored") });
        }
        writing.join_all().await;
    }
}

fn name(number: usize) -> DocumentId {
    DocumentId::new(format!("Session_ES{number:032}")).expect("a good name")
}

/// Seconds that it took, and KiB of each.
fn of_child(kind: &str, url: &str) -> (f64, f64) {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args([kind, url]).output().expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let mut numbers = said.split_whitespace().map(|number| number.parse().expect("a number"));
    (numbers.next().expect("seconds"), numbers.next().expect("KiB"))
}

pub fn is_child(kind: &str) -> bool {
    matches!(kind, "open-documents" | "plain-subscriptions")
}

/// A process of its own, so that nothing else is in its memory.
pub fn child(kind: &str, url: &str) {
    let (kind, url) = (kind.to_owned(), url.to_owned());
    let (seconds, bytes) = Threads::Two.run(async move {
        match kind.as_str() {
            "open-documents" => documents(&url).await,
            _ => subscriptions(&url).await,
        }
    });
    println!("{seconds} {}", bytes as f64 / 1_024.0 / DOCUMENTS as f64);
}

async fn documents(url: &str) -> (f64, usize) {
    let nats = Nats::options().server(url).open().await.expect("the server is up");
    let client = |number: usize| {
        let nats = nats.clone();
        async move { open(nats, name(number).as_str(), "page", data(0), Settings::default()).await }
    };
    // What is made once is not counted.
    let first = client(0).await;
    let before = resident_bytes();
    let begun = Instant::now();
    let mut opening = JoinSet::new();
    let mut held: Vec<SyncClient> = vec![first];
    for number in 1..DOCUMENTS {
        if opening.len() >= AT_ONCE {
            held.extend(opening.join_next().await.map(|opened| opened.expect("it opens")));
        }
        opening.spawn(client(number));
    }
    held.extend(opening.join_all().await);
    let seconds = begun.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(held.len(), DOCUMENTS);
    (seconds, resident_bytes() - before)
}

async fn subscriptions(url: &str) -> (f64, usize) {
    let client: Client = async_nats::connect(url).await.expect("the server is up");
    let before = resident_bytes();
    let begun = Instant::now();
    for number in 0..DOCUMENTS {
        let mut messages = client.subscribe(format!("changes.{}", name(number))).await.expect("it is there");
        tokio::spawn(async move { while messages.next().await.is_some() {} });
    }
    client.flush().await.expect("it is there");
    let seconds = begun.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_millis(500)).await;
    (seconds, resident_bytes() - before)
}

/// Resident pages of this process. A page of 4 KiB, as on every x86-64.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: usize =
        statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}
