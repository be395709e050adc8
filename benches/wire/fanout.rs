//! One update told to 500 subscribers, each on a connection of its own that only listens and acknowledges. The relay
//! carries the same document to as many listeners.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sp_sync::Settings;
use sp_sync::backend::Memory;
use tokio::sync::Notify;

use super::raw::Subscriber;
use super::relay::Member;
use super::report::{Report, Row, at_most, millis, ratio};
use super::stage::{Threads, data};
use super::stats::Turns;
use super::{relay, served};

const SUBSCRIBERS: usize = 500;
const TURNS: usize = 41;
const DOCUMENT_BYTES: usize = 4 * 1_024;

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let turns = threads.run(measure());
        report.row(Row {
            workload: "one update of 4 KiB to 500 subscribers on the wire, the last of them",
            runtime: threads.name(),
            ours: millis(turns.ours()),
            floor: format!("{}, relay", millis(turns.floor())),
            shown: ratio(turns.ratio()),
            required: at_most(turns.ratio(), 1.3),
        });
    }
}

#[derive(Default)]
struct Tally {
    heard: AtomicUsize,
    all: Notify,
}

impl Tally {
    fn hear(&self) {
        if self.heard.fetch_add(1, Ordering::AcqRel) + 1 == SUBSCRIBERS {
            self.heard.store(0, Ordering::Release);
            self.all.notify_one();
        }
    }
}

async fn measure() -> Turns {
    let (at, relay) = (served::start(Memory::new()).await, relay::start().await);
    let author = served::client(at, "fanout", "author", data(DOCUMENT_BYTES), Settings::default()).await;
    let mut speaker = Member::enter(relay, "fanout").await;
    let (ours, floor) = (Arc::new(Tally::default()), Arc::new(Tally::default()));
    for _ in 0..SUBSCRIBERS {
        let mut subscriber = Subscriber::open(at, "fanout", &json!({})).await;
        let mut listener = Member::enter(relay, "fanout").await;
        let (ours, floor) = (ours.clone(), floor.clone());
        tokio::spawn(async move {
            while let Some(told) = subscriber.told().await {
                ours.hear();
                subscriber.acknowledge(told).await;
            }
        });
        tokio::spawn(async move {
            while listener.hear().await.is_some() {
                floor.hear();
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let begun = Instant::now();
        let set = author.set_sync(json!({ "turn": turn }));
        let (revision, ()) = tokio::join!(set, ours.all.notified());
        let with_us = begun.elapsed().as_secs_f64();
        revision.expect("it is stored");
        // Acknowledgements are on their way yet.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let begun = Instant::now();
        let mut next = data(DOCUMENT_BYTES);
        next["turn"] = turn.into();
        speaker.say(next.to_string()).await;
        floor.all.notified().await;
        if turn > 0 {
            turns.push(with_us, begun.elapsed().as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    turns
}
