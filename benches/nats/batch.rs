//! A hundred actions added at once, delivered in order, finished; beside as many naive exchanges one after the other.

use std::time::{Duration, Instant};

use sp_sync::onboarding::SetQueuePosition;
use sp_sync::{Batch, SyncClient};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;

use super::load::Asks as _;
use super::report::{Report, Row, at_least, per_second, ratio};
use super::round_trip::DOCUMENT_BYTES;
use super::server::Server;
use super::stage::{Threads, data, open};
use super::stats::Turns;
use super::{naive, pair};

const ACTIONS: i64 = 100;
const TURNS: usize = 11;

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        let turns = threads.run(measure());
        report.row(Row {
            workload: "100 actions added at once over one NATS server, delivered in order, finished",
            runtime: threads.name(),
            ours: per_second(turns.ours(), "actions"),
            floor: format!("{}, naive", per_second(turns.floor(), "actions")),
            shown: ratio(turns.ratio()),
            required: at_least(turns.ratio(), 10.0),
        });
    }
}

async fn measure() -> Turns {
    let server = Server::start().await;
    let places = pair::Places::reach(&server.url(), "ours").await;
    let naive = naive::Places::reach(&server.url(), "naive").await;
    let client = async |nats, who| open(nats, "batch", who, data(DOCUMENT_BYTES), pair::settings()).await;
    let backend = client(places.extension.clone(), "backend").await;
    let page = client(places.page.clone(), "page").await;
    let (seen, mut order) = mpsc::channel(128);
    tokio::spawn(carry_out(page, seen));
    let mut naive = naive::Pair::open(&naive, "one", DOCUMENT_BYTES).await;
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let ours = ours(&backend, &mut order).await;
        let begun = Instant::now();
        for _ in 0..ACTIONS {
            naive.ask().await;
        }
        let floor = begun.elapsed().as_secs_f64();
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
