//! What a process of the test does: add actions, or carry them out, until it is done or killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use sp_sync::backend::Embedded;
use sp_sync::{Batch, DocumentId, Error, Identity, Settings, SyncClient};
use tokio_stream::StreamExt as _;

use crate::history::executing::{Work, carry_out};
use crate::history::log::{self, Log, now};
use crate::history::random::Random;
use crate::{DOCUMENTS, EXECUTORS, LEASE};

const WORK: Work = Work { lease: LEASE, lasting: 100, longest_ms: 8 };

/// What a process is told when it is started.
pub(crate) struct Orders<'a> {
    pub(crate) kind: &'a str,
    pub(crate) slot: usize,
    pub(crate) life: usize,
    pub(crate) seed: u64,
    /// Actions a writer shall have been promised.
    pub(crate) actions: u64,
}

pub(crate) fn start(directory: &Path, orders: &Orders<'_>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("SP_SYNC_ROLE", orders.kind).env("SP_SYNC_DIRECTORY", directory);
    command.env("SP_SYNC_SLOT", orders.slot.to_string()).env("SP_SYNC_LIFE", orders.life.to_string());
    command.env("SP_SYNC_SEED", orders.seed.to_string()).env("SP_SYNC_ACTIONS", orders.actions.to_string());
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
#[ignore = "the other test starts it as a process of its own"]
fn child() {
    let Ok(kind) = std::env::var("SP_SYNC_ROLE") else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (slot, life) = (number("SP_SYNC_SLOT"), number("SP_SYNC_LIFE"));
    let directory = PathBuf::from(std::env::var_os("SP_SYNC_DIRECTORY").unwrap());
    let path = log::path(&directory, &kind, usize::try_from(slot).unwrap());
    let random = Random(number("SP_SYNC_SEED") ^ (slot << 32) ^ (life << 40));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clients = open(&directory, &format!("{kind}-{slot}")).await;
        match kind.as_str() {
            "writer" => write(clients, slot, &path, random, number("SP_SYNC_ACTIONS")).await,
            "executor" => execute(clients, &path, life, random).await,
            other => panic!("no such role: {other}"),
        }
    });
}

pub(crate) fn document(place: usize) -> DocumentId {
    DocumentId::new(format!("exam-{place}")).unwrap()
}

async fn open(directory: &Path, identity: &str) -> Vec<SyncClient> {
    let store = Embedded::open(directory.join("exam.db")).await.unwrap();
    let mut clients = Vec::new();
    for place in 0..DOCUMENTS {
        // Nothing may be given up: what was accepted must run, however often its holder is killed.
        let settings = Settings { lease: LEASE, attempts_max: 10_000, ..Settings::default() };
        let builder = SyncClient::builder().backend(store.clone()).document_id(document(place));
        let builder = builder.identity(Identity::new(identity).unwrap()).settings(settings);
        clients.push(builder.connect().await.unwrap());
    }
    clients
}

/// Adds actions, singly and in batches, until so many have been acknowledged over all its lives.
async fn write(clients: Vec<SyncClient>, slot: u64, path: &Path, mut random: Random, actions: u64) {
    let (mut next, mut promised) = (0, 0);
    for words in log::lines(path) {
        match &words[..] {
            [call, first, lanes, _] if call == "call" => {
                next = first.parse::<u64>().unwrap() + lanes.split(',').count() as u64;
            }
            [ack, _, _, ids, _] if ack == "ack" => promised += ids.split(',').count() as u64,
            _ => {}
        }
    }
    let log = Log::open(path);
    while promised < actions {
        let place = usize::try_from(random.below(DOCUMENTS as u64)).unwrap();
        let many = if random.one_in(2) { 1 } else { 1 + random.below(12) };
        let (mut batch, mut lanes) = (Batch::new(), Vec::new());
        let executor = random.below(2);
        for number in next..next + many.min(actions - promised) {
            let executor = if random.one_in(4) { 1 - executor } else { executor };
            let filling = "ü".repeat(usize::try_from(random.below(60)).unwrap());
            let text = format!("{slot}/{number}/{filling}");
            batch = match executor {
                0 => batch.then_named("showMessage", json!({ "text": text })),
                _ => batch.then_named("goToStep", json!({ "step": "systemCheck", "reason": text })),
            };
            lanes.push((place * EXECUTORS.len() + usize::try_from(executor).unwrap()).to_string());
        }
        loop {
            log.line(&format!("call {next} {} {}", lanes.join(","), now()));
            match clients[place].add_actions(batch.clone()).await {
                Ok(receipt) => {
                    let ids: Vec<&str> = receipt.ids().iter().map(|id| id.as_str()).collect();
                    log.line(&format!("ack {next} {} {} {}", receipt.revision().0, ids.join(","), now()));
                    promised += ids.len() as u64;
                    break;
                }
                Err(Error::Full { .. } | Error::TooLarge { .. }) => {
                    log.line(&format!("full {next}"));
                    tokio::time::sleep(Duration::from_millis(2 + random.below(10))).await;
                }
                Err(Error::MaybeApplied { .. }) => {
                    log.line(&format!("unsure {next}"));
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        next += lanes.len() as u64;
    }
}

/// Carries out the actions of all executors of all documents until it is killed.
async fn execute(clients: Vec<SyncClient>, path: &Path, life: u64, mut random: Random) {
    let log = Log::open(path);
    log.line(&format!("born {life} {}", now()));
    let mut working = tokio::task::JoinSet::new();
    for (place, client) in clients.iter().enumerate() {
        for (number, executor) in EXECUTORS.into_iter().enumerate() {
            let lane = place * EXECUTORS.len() + number;
            let deliveries = client.executor(executor).subscribe();
            working.spawn(carry_out(deliveries, lane, log.clone(), Random(random.next()), WORK));
        }
        let (mut notices, log) = (client.events().notices(), log.clone());
        working.spawn(async move {
            while let Some(notice) = notices.next().await {
                log.line(&format!("notice {}", format!("{notice:?}").replace(' ', "_")));
            }
        });
    }
    working.join_all().await;
}
