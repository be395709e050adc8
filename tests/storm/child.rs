//! What a process of the storm does: one party's part, until it is told to stop or killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sp_sync::backend::{Backend, BackendUrl, Remote};
use sp_sync::token::Token;
use tokio::task::JoinSet;

use crate::DOCUMENTS;
use crate::history::random::Random;
use crate::party::{Party, Writer};

/// Writers in one process, each with its own order.
pub(crate) const WRITERS: u64 = 4;

/// When this is there, writers finish what they are at and end.
pub(crate) const STOP: &str = "stop";

/// Shorter than usual, so that what was written over is removed while the storm lasts.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// How addresses of a service begin.
const SERVICE: &str = "ws://";

/// Services count events, from 0 at the original's; a client from afar counts revisions, which begin with 1.
const SERVICE_AHEAD: u64 = 1;

/// What a process is told when it is started.
pub(crate) struct Orders<'a> {
    pub(crate) kind: &'a str,
    pub(crate) slot: usize,
    pub(crate) life: usize,
    pub(crate) seed: u64,
    /// Where its documents are: an address of the store, or of the service.
    pub(crate) store: &'a str,
    /// For the service.
    pub(crate) token: &'a str,
}

pub(crate) fn start(directory: &Path, orders: &Orders<'_>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("SP_SYNC_ROLE", orders.kind).env("SP_SYNC_DIRECTORY", directory);
    command.env("SP_SYNC_SLOT", orders.slot.to_string()).env("SP_SYNC_LIFE", orders.life.to_string());
    command.env("SP_SYNC_SEED", orders.seed.to_string());
    command.env("SP_SYNC_STORE", orders.store).env("SP_SYNC_TOKEN", orders.token);
    let errors = File::create(errors_of(directory, orders.kind, orders.slot, orders.life)).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
}

/// What a process said before it ended by itself.
pub(crate) fn errors_of(directory: &Path, kind: &str, slot: usize, life: usize) -> PathBuf {
    directory.join(format!("{kind}-{slot}-{life}.errors"))
}

#[test]
#[ignore = "the campaign starts it as a process of its own"]
fn child() {
    let Ok(kind) = std::env::var("SP_SYNC_ROLE") else { return };
    let text = |name: &str| std::env::var(name).unwrap();
    let number = |name: &str| text(name).parse::<u64>().unwrap();
    let (slot, life) = (number("SP_SYNC_SLOT"), number("SP_SYNC_LIFE"));
    let mut random = Random(number("SP_SYNC_SEED") ^ (slot << 32) ^ (life << 40));
    let directory = PathBuf::from(text("SP_SYNC_DIRECTORY"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = text("SP_SYNC_STORE");
        let ahead = if store.starts_with(SERVICE) { SERVICE_AHEAD } else { 0 };
        let store = open(&store, &text("SP_SYNC_TOKEN")).await;
        let (slot, life) = (usize::try_from(slot).unwrap(), usize::try_from(life).unwrap());
        let party = Party { store, directory: directory.clone(), documents: DOCUMENTS, slot, life, ahead };
        match kind.as_str() {
            "writer" => {
                let clients = Arc::new(party.clients("writer").await);
                let mut writing = JoinSet::new();
                for place in 0..WRITERS {
                    let number = slot as u64 * WRITERS + place;
                    let writer = Writer::new(&directory, number, ahead, Random(random.next()));
                    let stop = directory.join(STOP);
                    writing.spawn(writer.write(clients.clone(), move || stop.exists()));
                }
                writing.join_all().await;
            }
            "executor" => party.execute(random).await,
            "watcher" => party.watch().await,
            "listener" => party.listen().await,
            other => panic!("no such role: {other}"),
        }
    });
}

/// The store or the service, tried until it is there: a process may be started in the middle of an outage.
pub(crate) async fn open(store: &str, token: &str) -> Arc<dyn Backend> {
    if store.starts_with(SERVICE) {
        // Shorter waits than usual: connections break all the time here.
        let remote = Remote::builder().uri(store).token(Token::new(token)).unpaced();
        let remote = remote.connect_within(Duration::from_secs(5)).reply_within(Duration::from_secs(8));
        return Arc::new(remote.silence_max(Duration::from_secs(25)).build().unwrap());
    }
    let BackendUrl::Nats(url) = store.parse().unwrap() else { panic!("{store} is no store of this storm") };
    loop {
        match url.options().sweep_interval(SWEEP_INTERVAL).open().await {
            Ok(store) => return Arc::new(store),
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
