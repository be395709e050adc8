//! A long random history over links that fail in every way, with clients that crash, and what must hold of it whatever
//! happened (C29, C36, C39–C41).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sp_sync::backend::Memory;
use sp_sync::{ActionId, Batch, Error, SyncClient, extension, onboarding};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

use crate::support::*;

/// What happened, in order.
#[derive(Debug)]
enum Event {
    /// A writer was told that this is in the document.
    Accepted {
        writer: usize,
        number: u64,
        id: ActionId,
        once: bool,
    },
    Started {
        executor: &'static str,
        id: ActionId,
        attempt: u32,
        once: bool,
        at: Instant,
    },
}

type History = Arc<Mutex<Vec<Event>>>;

/// One client that carries out actions, and can be killed.
struct Worker {
    link: Link,
    client: SyncClient,
    tasks: Vec<AbortHandle>,
}

impl Worker {
    async fn start(store: &Memory, seed: u64, history: &History) -> Self {
        let link = Link::faulty(store, seed, 60);
        let client =
            builder(link.clone(), &format!("worker{seed}")).settings(roomy()).connect().await.unwrap();
        let tasks = ["extension", "onboarding"].map(|executor| {
            let mut deliveries = client.executor(executor).subscribe();
            let (link, history, mut dice) = (link.clone(), history.clone(), Dice::new(seed));
            let carrying_out = async move {
                while let Some(delivery) = deliveries.next().await {
                    if link.is_cut() {
                        // A dead program carries nothing out.
                        return std::future::pending().await;
                    }
                    history.lock().unwrap().push(Event::Started {
                        executor,
                        id: delivery.id().clone(),
                        attempt: delivery.attempt(),
                        once: ["injectPassword", "reloadPage"].contains(&delivery.action().name()),
                        at: Instant::now(),
                    });
                    if dice.roll(4) == 0 {
                        tokio::time::sleep(Duration::from_millis(dice.roll(50))).await;
                    }
                    let _ = delivery.finish().await;
                }
            };
            tokio::spawn(carrying_out).abort_handle()
        });
        Self { link, client, tasks: tasks.into() }
    }

    /// Cuts the client off. It lives on as a ghost, so that nothing of it is given back.
    fn kill(self) -> (SyncClient, Vec<AbortHandle>) {
        self.link.cut();
        (self.client, self.tasks)
    }
}

/// Adds actions, one at a time or a few, until it has added its share; says which were accepted.
async fn write(store: Memory, writer: usize, seed: u64, count: u64, history: History) {
    let link = Link::faulty(&store, seed, 60);
    let client = builder(link, &format!("writer{writer}")).settings(roomy()).connect().await.unwrap();
    let mut dice = Dice::new(seed);
    let mut number = 0;
    while number < count {
        let size = (1 + dice.roll(4)).min(count - number);
        let rolls: Vec<u64> = (0..size).map(|_| dice.roll(8)).collect();
        let batch = rolls.iter().fold(Batch::new(), |batch, roll| match roll {
            0 => batch.then(extension::InjectPassword {}),
            1 => batch.then(onboarding::ReloadPage { reason: None }),
            2..=4 => batch.then(onboarding::ShowNotice::new("x")),
            _ => batch.then(note("x")),
        });
        let receipt = match client.add_actions(batch).await {
            Ok(receipt) => receipt,
            // Neither the document nor its writers can tell: nothing is promised.
            Err(Error::MaybeApplied { .. }) => {
                number += size;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        for (id, roll) in receipt.ids().iter().zip(rolls) {
            let event = Event::Accepted { writer, number, id: id.clone(), once: roll < 2 };
            history.lock().unwrap().push(event);
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(400))).await;
    }
}

/// C29, C36, C39–C41: clients, two executors, 2 000 actions, random faults, random kills. Nothing acknowledged is lost,
/// each writer's order holds, nothing starts twice without saying so, and at-most-once means once.
#[tokio::test(start_paused = true)]
async fn what_must_hold_holds_whatever_happens() {
    // More of them for a soak: SP_SYNC_SEEDS=500.
    let seeds = std::env::var("SP_SYNC_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6);
    for seed in 1..=seeds {
        live_through(seed).await;
    }
}

async fn live_through(seed: u64) {
    const WRITERS: usize = 4;
    const EACH: u64 = 500;
    let store = roomy_store();
    let history: History = Arc::default();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let seed = seed * 1_000 + writer as u64;
        writers.spawn(write(store.clone(), writer, seed, EACH, history.clone()));
    }
    let mut dice = Dice::new(seed);
    let mut workers = Vec::new();
    let mut ghosts = Vec::new();
    let mut born = seed * 1_000 + 100;
    while !writers.is_empty() {
        while workers.len() < 3 {
            born += 1;
            workers.push(Worker::start(&store, born, &history).await);
        }
        tokio::select! {
            ended = writers.join_next() => drop(ended.map(Result::unwrap)),
            () = tokio::time::sleep(Duration::from_millis(1_000 + dice.roll(5_000))) => {
                let killed = usize::try_from(dice.roll(3)).unwrap();
                ghosts.push(workers.swap_remove(killed).kill());
            }
        }
    }
    workers.push(Worker::start(&store, born + 1, &history).await);
    tokio::time::timeout(AGES, until_worked_off(&store))
        .await
        .unwrap_or_else(|_| panic!("stuck, seed {seed}"));
    assert!(!ghosts.is_empty());
    check(&history.lock().unwrap(), seed);
    for (_, tasks) in ghosts {
        tasks.iter().for_each(AbortHandle::abort);
    }
}

fn check(history: &[Event], seed: u64) {
    let mut accepted = HashMap::new();
    let mut starts: HashMap<&ActionId, Vec<(u32, bool, Instant)>> = HashMap::new();
    let mut first_starts = Vec::new();
    for event in history {
        match event {
            Event::Accepted { writer, number, id, once } => {
                assert_eq!(accepted.insert(id, (*writer, *number, *once)), None, "an id twice, seed {seed}");
            }
            Event::Started { executor, id, attempt, once, at } => {
                let starts = starts.entry(id).or_default();
                if starts.is_empty() {
                    first_starts.push((*executor, id));
                }
                starts.push((*attempt, *once, *at));
            }
        }
    }
    for (id, starts) in &starts {
        assert!(!starts[0].1 || starts.len() == 1, "{id} was to run at most once, seed {seed}: {starts:?}");
        for pair in starts.windows(2) {
            assert!(pair[1].0 > 1, "{id} was repeated without saying so, seed {seed}: {starts:?}");
        }
    }
    // An at-most-once action may be lost when its holder dies between its mark and its start; no other may.
    let lost = |(id, (.., once)): &(&&ActionId, &(usize, u64, bool))| !once && !starts.contains_key(**id);
    let lost: Vec<_> = accepted.iter().filter(lost).collect();
    assert!(lost.is_empty(), "lost, seed {seed}: {lost:?}");

    let mut last: HashMap<(&str, usize), u64> = HashMap::new();
    for (executor, id) in first_starts {
        let Some((writer, number, _)) = accepted.get(id) else { continue };
        let before = last.insert((executor, *writer), *number);
        assert!(
            before < Some(*number),
            "writer {writer}: {number} after {before:?} in {executor}, seed {seed}"
        );
    }
}
