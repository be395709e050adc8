//! A hundred actions added at once, delivered in order, finished.
//!
//! The floor sends each action as one JSON text, and its executor answers each with one when it has finished it.
//!
//! How the end of an action is said decides how many writes its record takes, so each way has its rows. The
//! requirement is read against the events of the original's emitter, whose ends wait for each other for a few
//! milliseconds; `Delivery::finish` answers only when the end is stored, so a handler that awaits it asks for a write.

use std::time::{Duration, Instant};

use sp_sync::backend::Memory;
use sp_sync::onboarding::SetQueuePosition;
use sp_sync::{Batch, Executor, Settings, SyncClient};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;

use super::counting::Counting;
use super::floor::{PLACES, assert_ended, ended, placed};
use super::report::{Report, Row, at_least, no_more_than, per_second, ratio};
use super::stage::{Threads, data, open};
use super::stats::{Turns, median};

const ACTIONS: i64 = 100;
const TURNS: usize = 25;

/// How an executor says that it has finished.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// An event is finished when its listener has it.
    Event,
    /// `finish` is awaited before the next action is taken in hand.
    Awaited,
    /// `done`: nobody waits until the end is recorded.
    Done,
}

impl End {
    const ALL: [Self; 3] = [Self::Event, Self::Done, Self::Awaited];

    fn name(self) -> &'static str {
        match self {
            Self::Event => "as events",
            Self::Awaited => "as deliveries, `finish().await` each",
            Self::Done => "as deliveries, `done()` each",
        }
    }
}

pub fn run(report: &mut Report) {
    for threads in Threads::BOTH {
        for end in End::ALL {
            let (turns, writes) = threads.run(measure(end));
            // Whoever waits for each record asks for a write each.
            let counts = end != End::Awaited;
            report.row(Row {
                workload: &format!("100 actions added at once, finished {}", end.name()),
                runtime: threads.name(),
                ours: per_second(turns.ours(), "actions"),
                floor: per_second(turns.floor(), "actions"),
                shown: ratio(turns.ratio()),
                required: at_least(turns.ratio(), 0.25).filter(|_| counts),
            });
            report.row(Row {
                workload: "writes of it, in all",
                runtime: threads.name(),
                ours: format!("{writes} writes"),
                floor: String::new(),
                shown: writes.to_string(),
                required: no_more_than(writes, 8).filter(|_| counts),
            });
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a count of writes, rounded")]
async fn measure(end: End) -> (Turns, usize) {
    let store = Counting::new(Memory::new());
    let settings = Settings { waiting_max: 128, ..Settings::default() };
    let backend = open(store.clone(), "batch", "backend", data(0), settings.clone()).await;
    let page = open(store.clone(), "batch", "page", data(0), settings).await;
    let (seen, mut order) = mpsc::channel(PLACES);
    tokio::spawn(carry_out(page, end, seen));
    let mut floor = Floor::start();
    let (mut turns, mut writes) = (Turns::default(), Vec::new());
    for turn in 0..=TURNS {
        store.take_writes();
        let ours = ours(&backend, &mut order).await;
        // What is still to be written for this batch belongs to it.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let written = store.take_writes();
        let floor = floor.batch().await;
        if turn > 0 {
            turns.push(ACTIONS as f64 / ours, ACTIONS as f64 / floor);
            writes.push(written as f64);
        }
    }
    (turns, median(writes).round() as usize)
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

async fn carry_out(page: SyncClient, end: End, seen: mpsc::Sender<i64>) {
    if end == End::Event {
        let mut events = page.events().onboarding_actions_added().expect("the executor is known");
        while let Some(event) = events.next().await {
            let SetQueuePosition { position, .. } = event.action.parse().expect("the action that was added");
            if seen.send(position).await.is_err() {
                return;
            }
        }
        return;
    }
    let mut deliveries = page.executor(Executor::from("onboarding")).subscribe();
    while let Some(delivery) = deliveries.next().await {
        let SetQueuePosition { position, .. } = delivery.parse().expect("the action that was added");
        if seen.send(position).await.is_err() {
            return;
        }
        match end {
            End::Done => delivery.done(),
            _ => delivery.finish().await.expect("it is held"),
        }
    }
}

struct Floor {
    to_executor: mpsc::Sender<String>,
    finished: mpsc::Receiver<String>,
}

impl Floor {
    fn start() -> Self {
        let (to_executor, mut actions) = mpsc::channel::<String>(PLACES);
        let (finish, finished) = mpsc::channel(PLACES);
        tokio::spawn(async move {
            while let Some(message) = actions.recv().await {
                if finish.send(ended(&message)).await.is_err() {
                    return;
                }
            }
        });
        Self { to_executor, finished }
    }

    async fn batch(&mut self) -> f64 {
        let begun = Instant::now();
        let sender = self.to_executor.clone();
        let send = tokio::spawn(async move {
            for place in 0..ACTIONS {
                sender.send(placed(place)).await.expect("the executor is there");
            }
        });
        for place in 0..ACTIONS {
            let message = self.finished.recv().await.expect("the executor is there");
            assert_ended(&message, place);
        }
        send.await.expect("the sender does not panic");
        begun.elapsed().as_secs_f64()
    }
}
