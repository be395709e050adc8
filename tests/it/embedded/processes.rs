//! Several processes at one file: watchers are woken, writers take turns, and a kill loses nothing.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::time::Duration;

use sp_sync::backend::{Backend as _, Embedded};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Scratch, child, id, numbered, present, write};

/// The lines a child says, as they come.
fn lines(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(100_000);
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn said(lines: &mut mpsc::Receiver<String>, start: &str) -> String {
    let awaited = async {
        loop {
            let line = lines.recv().await.expect("the child has ended");
            if line.starts_with(start) {
                return line;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), awaited).await.expect("the child says nothing")
}

#[tokio::test]
async fn a_watcher_in_another_process_is_told_within_milliseconds() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let mut child = child::start("echo", &scratch.file());
    let mut lines = lines(&mut child);
    said(&mut lines, "ready").await;
    let (mut revision, mut latencies) = (None, Vec::new());
    for number in 0..100 {
        revision = Some(write(&store, &id("ping"), numbered(number), revision).await.unwrap().revision);
        let began = Instant::now();
        assert_eq!(said(&mut lines, "told").await, format!("told {number}"));
        latencies.push(began.elapsed());
        // At rest again, and not in step with the poll.
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    store.remove(&id("ping"), None).await.unwrap();
    said(&mut lines, "done").await;
    assert!(child.wait().unwrap().success());
    latencies.sort();
    let (median, most) = (latencies[50], latencies[99]);
    println!("across processes: median {median:?}, 90 % {:?}, most {most:?}", latencies[90]);
    assert!(median < Duration::from_millis(500), "{latencies:?}");
}

#[tokio::test]
async fn writers_of_two_processes_take_turns() {
    let scratch = Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let mut child = child::start("race", &scratch.file());
    let mut lines = lines(&mut child);
    said(&mut lines, "ready").await;
    let began = Instant::now();
    let (mut revision, mut here, mut longest) = (None, 0_u64, Duration::ZERO);
    while began.elapsed() < Duration::from_secs(1) {
        let before = Instant::now();
        revision = Some(write(&store, &id("parent"), numbered(here), revision).await.unwrap().revision);
        longest = longest.max(before.elapsed());
        here += 1;
    }
    let there: u64 = said(&mut lines, "wrote").await["wrote ".len()..].parse().unwrap();
    child.wait().unwrap();
    println!("in one second: {here} writes here, {there} there; the longest took {longest:?}");
    assert!(here * 20 > there && there * 20 > here, "{here} here, {there} there");
    assert_eq!(present(&store, &id("child")).await.unwrap().0, there - 1);
    assert_eq!(present(&store, &id("parent")).await.unwrap().0, here - 1);
}

#[tokio::test]
async fn a_kill_loses_no_acknowledged_write() {
    let scratch = Scratch::new();
    let mut held: HashMap<String, u64> = HashMap::new();
    let mut kept = 0;
    for round in 0..20_u64 {
        let mut child = child::start("count", &scratch.file());
        let mut lines = lines(&mut child);
        let first = said(&mut lines, "held").await;
        // Anything from the first write to the middle of a checkpoint.
        tokio::time::sleep(Duration::from_millis((round * 37) % 150)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let mut acknowledged = vec![first];
        while let Some(line) = lines.recv().await {
            acknowledged.push(line);
        }
        for line in acknowledged.iter().filter(|line| line.starts_with("held ")) {
            let mut words = line.split(' ').skip(1);
            let (Some(document), Some(number)) = (words.next(), words.next()) else { continue };
            // The last line may be cut short.
            if let Ok(number) = number.parse::<u64>() {
                let newest = held.entry(format!("count-{document}")).or_default();
                *newest = number.max(*newest);
            }
        }
        kept += acknowledged.len();
        let store = Embedded::open(scratch.file()).await.unwrap();
        for (name, acknowledged) in &held {
            let (found, _) = present(&store, &id(name)).await.unwrap();
            assert!(
                found >= *acknowledged,
                "round {round}: {name} has {found}, {acknowledged} was acknowledged"
            );
            assert!(
                found <= acknowledged + 2,
                "round {round}: {name} has {found}, only {acknowledged} was written"
            );
        }
        store.close().await;
        let file = rusqlite::Connection::open(scratch.file()).unwrap();
        let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "round {round}");
    }
    println!("20 kills, {kept} acknowledged writes, none lost");
}
