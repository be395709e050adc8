//! One update seen by 500 subscribers of one client.
//!
//! The floor is a broadcast channel of shared JSON texts to as many tasks. In both, time runs from the call that
//! publishes until the last subscriber holds the update; in ours that includes the write, the round through the store
//! and the making of the one copy that all look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::{Settings, SyncClient};
use tokio::sync::{Notify, broadcast};
use tokio_stream::StreamExt as _;

use super::report::{Report, Row, at_most, micros, no_more_than, ratio};
use super::stage::{Threads, data, open};
use super::stats::Turns;

const SUBSCRIBERS: usize = 500;
const TURNS: usize = 101;
const DOCUMENT_BYTES: usize = 4 * 1_024;

/// Where subscribers say that they hold the update, and at which address its data lies.
#[derive(Default)]
struct Tally {
    seen: AtomicUsize,
    address: AtomicUsize,
    copies: AtomicUsize,
    all: Notify,
}

impl Tally {
    fn see(&self, address: usize) {
        if self.address.swap(address, Ordering::AcqRel) != address {
            self.copies.fetch_add(1, Ordering::AcqRel);
        }
        if self.seen.fetch_add(1, Ordering::AcqRel) + 1 == SUBSCRIBERS {
            self.all.notify_one();
        }
    }

    /// Waits for the last subscriber; answers how many copies of the data there were.
    async fn last(&self) -> usize {
        self.all.notified().await;
        self.seen.store(0, Ordering::Release);
        self.address.store(0, Ordering::Release);
        self.copies.swap(0, Ordering::AcqRel)
    }
}

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let (turns, copies) = threads.run(measure());
        report.row(Row {
            workload: "one update seen by 500 subscribers, the last of them",
            runtime: threads.name(),
            ours: micros(turns.ours()),
            floor: format!("{}, broadcast channel", micros(turns.floor())),
            shown: ratio(turns.ratio()),
            required: at_most(turns.ratio(), 3.0),
        });
        report.row(Row {
            workload: "copies of its data, by address",
            runtime: threads.name(),
            ours: format!("{copies} for 500"),
            floor: String::new(),
            shown: copies.to_string(),
            required: no_more_than(copies, 1),
        });
    }
}

async fn measure() -> (Turns, usize) {
    let client = open(Memory::new(), "fanout", "page", data(DOCUMENT_BYTES), Settings::default()).await;
    let ours = Arc::new(Tally::default());
    for _ in 0..SUBSCRIBERS {
        tokio::spawn(watch(client.clone(), ours.clone()));
    }
    let floor = Arc::new(Tally::default());
    let (sender, _) = broadcast::channel::<Arc<str>>(16);
    for _ in 0..SUBSCRIBERS {
        let (mut receiver, floor) = (sender.subscribe(), floor.clone());
        tokio::spawn(async move {
            while let Ok(update) = receiver.recv().await {
                floor.see(update.as_ptr().addr());
            }
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let (mut turns, mut copies) = (Turns::default(), 0);
    for turn in 0..=TURNS {
        let begun = Instant::now();
        let set = client.set_sync(json!({ "turn": turn }));
        let (revision, found) = tokio::join!(set, ours.last());
        let with_us = begun.elapsed().as_secs_f64();
        revision.expect("it is stored");
        let begun = Instant::now();
        let mut next = data(DOCUMENT_BYTES);
        next["turn"] = turn.into();
        sender.send(next.to_string().into()).expect("they listen");
        assert_eq!(floor.last().await, 1);
        if turn > 0 {
            turns.push(with_us, begun.elapsed().as_secs_f64());
            copies = copies.max(found);
        }
    }
    (turns, copies)
}

async fn watch(client: SyncClient, tally: Arc<Tally>) {
    let mut updates = client.events().sp_sync_doc_updated();
    drop(client);
    while let Some(Ok(update)) = updates.next().await {
        tally.see(std::ptr::from_ref(update.snapshot.data()).addr());
    }
}
