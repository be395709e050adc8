//! A hundred actions added at once through the server, delivered in order, finished. Through the relay, each action is
//! one message, and the executor answers each with one.

use std::time::{Duration, Instant};

use sp_sync::backend::Memory;
use sp_sync::onboarding::SetQueuePosition;
use sp_sync::{Batch, Settings, SyncClient};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;

use super::floor::{PLACES, assert_ended, ended, placed};
use super::relay::Member;
use super::report::{Report, Row, at_least, per_second, ratio};
use super::stage::{Threads, data};
use super::stats::Turns;
use super::{relay, served};

const ACTIONS: i64 = 100;
const TURNS: usize = 25;

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let turns = threads.run(measure());
        report.row(Row {
            workload: "100 actions added at once over the wire, delivered in order, finished",
            runtime: threads.name(),
            ours: per_second(turns.ours(), "actions"),
            floor: format!("{}, relay", per_second(turns.floor(), "actions")),
            shown: ratio(turns.ratio()),
            required: at_least(turns.ratio(), 0.25),
        });
    }
}

async fn measure() -> Turns {
    let at = served::start(Memory::new()).await;
    let settings = Settings { waiting_max: 128, ..Settings::default() };
    let backend = served::client(at, "batch", "backend", data(0), settings.clone()).await;
    let page = served::client(at, "batch", "page", data(0), settings).await;
    let (seen, mut order) = mpsc::channel(PLACES);
    tokio::spawn(carry_out(page, seen));
    let relay = relay::start().await;
    let mut executor = Member::enter(relay, "batch").await;
    tokio::spawn(async move {
        while let Some(message) = executor.hear().await {
            executor.say(ended(&message)).await;
        }
    });
    let mut sender = Member::enter(relay, "batch").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let ours = ours(&backend, &mut order).await;
        let floor = floor(&mut sender).await;
        if turn > 0 {
            turns.push(ACTIONS as f64 / ours, ACTIONS as f64 / floor);
        }
    }
    turns
}

/// Seconds from the call that adds them until all are finished in the document.
async fn ours(backend: &SyncClient, order: &mut mpsc::Receiver<i64>) -> f64 {
    let begun = Instant::now();
    let batch = (0..ACTIONS).map(SetQueuePosition::new).fold(Batch::new(), Batch::then);
    let receipt = backend.add_actions(batch).await.expect("there is room");
    for place in 0..ACTIONS {
        assert_eq!(order.recv().await, Some(place), "delivered in order");
    }
    receipt.finished(Duration::from_secs(10)).await.expect("all are carried out");
    begun.elapsed().as_secs_f64()
}

async fn carry_out(page: SyncClient, seen: mpsc::Sender<i64>) {
    let mut events = page.events().onboarding_actions_added().expect("the executor is known");
    while let Some(event) = events.next().await {
        let SetQueuePosition { position, .. } = event.action.parse().expect("the action that was added");
        if seen.send(position).await.is_err() {
            return;
        }
    }
}

async fn floor(sender: &mut Member) -> f64 {
    let begun = Instant::now();
    for place in 0..ACTIONS {
        sender.say(placed(place)).await;
    }
    for place in 0..ACTIONS {
        assert_ended(&sender.hear().await.expect("the relay is there"), place);
    }
    begun.elapsed().as_secs_f64()
}
