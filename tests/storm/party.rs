//! Who takes part: writers, executors and watchers over any backend, and what they write down of what they did.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sp_sync::backend::{Backend, Change};
use sp_sync::client::{Notice, Notices};
use sp_sync::{Batch, DocumentId, Error, Identity, Settings, SyncClient};
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;

use crate::history::executing::{Work, carry_out};
use crate::history::log::{self, Log, now};
use crate::history::random::Random;
use crate::history::reading::AT_MOST_ONCE;

pub(crate) const EXECUTORS: [&str; 2] = ["extension", "onboarding"];

/// Long enough for a busy machine to renew in, short beside the time that a cluster takes to elect a new leader: claims are
/// taken over in every storm.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

const WORK: Work = Work { lease: LEASE, lasting: 200, longest_ms: 30 };

/// Longer than any outage here: whoever waits through it is told what became of the write, not that it took too long.
const OUTAGE_MAX: Duration = Duration::from_secs(600);

/// Clients that one party opens at a time.
const OPENED_AT_A_TIME: usize = 16;

/// Documents that get one in four of all writes, so that writers and executors meet.
const BUSY_DOCUMENTS: u64 = 4;

/// The key that all writers of a document set.
pub(crate) const SHARED: &str = "shared";

/// The key that only this writer sets.
pub(crate) fn own_key(writer: u64) -> String {
    format!("w{writer}")
}

pub(crate) fn document(place: usize) -> DocumentId {
    DocumentId::new(format!("exam-{place}")).unwrap()
}

/// One party: where its documents and its logs are.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) directory: PathBuf,
    pub(crate) documents: usize,
    pub(crate) slot: usize,
    pub(crate) life: usize,
    /// What is added to the store's revisions on the way here.
    pub(crate) ahead: u64,
}

impl Party {
    fn log(&self, kind: &str) -> PathBuf {
        log::path(&self.directory, kind, self.slot)
    }

    /// A client for every document, whatever happens meanwhile.
    pub(crate) async fn clients(&self, kind: &str) -> Vec<SyncClient> {
        let settings = Settings {
            lease: LEASE,
            // Nothing may be given up: what was accepted must run, however often its holder is killed.
            attempts_max: 10_000,
            write_within: OUTAGE_MAX,
            connect_within: OUTAGE_MAX,
            backoff_max: Duration::from_secs(1),
            ..Settings::default()
        };
        let (mut clients, mut opening) = (Vec::new(), JoinSet::new());
        for place in 0..self.documents {
            if opening.len() == OPENED_AT_A_TIME {
                clients.extend(opening.join_next().await.map(Result::unwrap));
            }
            let builder = SyncClient::builder().backend(self.store.clone()).document_id(document(place));
            let builder = builder.identity(Identity::new(format!("{kind}-{}", self.slot)).unwrap());
            let builder = builder.settings(settings.clone());
            opening.spawn(async move { (place, builder.connect().await.unwrap()) });
        }
        clients.extend(opening.join_all().await);
        clients.sort_by_key(|(place, _)| *place);
        clients.into_iter().map(|(_, client)| client).collect()
    }

    /// Carries out the actions of all executors of all documents until it is killed.
    pub(crate) async fn execute(self, mut random: Random) {
        let clients = self.clients("executor").await;
        let log = Log::open(&self.log("executor"));
        log.line(&format!("born {} {}", self.life, now()));
        let mut working = JoinSet::new();
        for (place, client) in clients.iter().enumerate() {
            working.spawn(report_dropped(client.events().notices(), place, log.clone()));
            for (number, executor) in EXECUTORS.into_iter().enumerate() {
                let lane = place * EXECUTORS.len() + number;
                let deliveries = client.executor(executor).subscribe();
                working.spawn(carry_out(deliveries, lane, log.clone(), Random(random.next()), WORK));
            }
        }
        working.join_all().await;
    }

    /// Records every revision that the backend tells of, until it is killed.
    pub(crate) async fn watch(self) {
        let log = Log::open(&self.log("watcher"));
        log.line(&format!("born {} {}", self.life, now()));
        let mut watching = JoinSet::new();
        for place in 0..self.documents {
            watching.spawn(watch_one(self.store.clone(), place, self.ahead, log.clone()));
        }
        watching.join_all().await;
    }

    /// Records every update that a client tells of, until it is killed.
    pub(crate) async fn listen(self) {
        let clients = self.clients("listener").await;
        let log = Log::open(&self.log("listener"));
        log.line(&format!("born {} {}", self.life, now()));
        let mut listening = JoinSet::new();
        for (place, client) in clients.into_iter().enumerate() {
            let (log, ahead) = (log.clone(), self.ahead);
            listening.spawn(async move {
                let mut updates = client.events().sp_sync_doc_updated();
                let present = client.get_sync().await.unwrap();
                log.line(&seen(place, present.revision().0 - ahead, present.data()));
                while let Some(update) = updates.next().await {
                    let update = update.unwrap();
                    log.line(&seen(place, update.revision().0 - ahead, update.data()));
                }
            });
        }
        listening.join_all().await;
    }
}

async fn watch_one(store: Arc<dyn Backend>, place: usize, ahead: u64, log: Log) {
    loop {
        if let Ok(mut watch) = store.watch(&document(place)).await {
            while let Some(Ok(change)) = watch.next().await {
                match change {
                    Change::Updated(stored) => {
                        log.line(&seen(place, stored.revision.0 - ahead, &stored.document.view()));
                    }
                    Change::Removed => log.line(&format!("gone {place}")),
                }
            }
        }
        log.line(&format!("anew {place}"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What a state shows: its own numbers of each writer, and who was the last to set what all set.
pub(crate) fn seen(place: usize, revision: u64, shown: &Map<String, Value>) -> String {
    let mut own: Vec<String> = Vec::new();
    for (key, value) in shown {
        if let (Some(writer), Some(number)) = (key.strip_prefix('w'), value.as_u64()) {
            own.push(format!("{writer}={number}"));
        }
    }
    let own = if own.is_empty() { "-".to_owned() } else { own.join(",") };
    let shared = shown.get(SHARED).and_then(Value::as_str).unwrap_or("-");
    format!("seen {place} {revision} {} {own} {shared}", digest(shown))
}

pub(crate) fn digest(shown: &Map<String, Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(shown).unwrap().hash(&mut hasher);
    hasher.finish()
}

/// One writer: what it does is one thing after the other, also over several lives.
pub(crate) struct Writer {
    number: u64,
    ahead: u64,
    log: Log,
    random: Random,
    next_action: u64,
    next_put: u64,
}

impl Writer {
    /// Goes on where the log of its earlier lives ends.
    pub(crate) fn new(directory: &Path, number: u64, ahead: u64, random: Random) -> Self {
        let path = log::path(directory, "writer", usize::try_from(number).unwrap());
        let (mut next_action, mut next_put) = (0, 0);
        for words in log::lines(&path) {
            match &words[..] {
                [call, first, lanes, _] if call == "call" => {
                    next_action = first.parse::<u64>().unwrap() + lanes.split(',').count() as u64;
                }
                [put, _, number, _] if put == "put" => next_put = number.parse::<u64>().unwrap() + 1,
                _ => {}
            }
        }
        Self { number, ahead, log: Log::open(&path), random, next_action, next_put }
    }

    /// Adds actions and sets fields until it is told to stop.
    pub(crate) async fn write(mut self, clients: Arc<Vec<SyncClient>>, stop: impl Fn() -> bool + Send) {
        while !stop() {
            let all = clients.len() as u64;
            let among = if self.random.one_in(4) { all.min(BUSY_DOCUMENTS) } else { all };
            let place = usize::try_from(self.random.below(among)).unwrap();
            if self.random.one_in(3) {
                self.put(&clients[place], place).await;
            } else {
                self.add(&clients[place], place).await;
            }
            tokio::time::sleep(Duration::from_millis(self.random.below(120))).await;
        }
    }

    async fn put(&mut self, client: &SyncClient, place: usize) {
        let (writer, number) = (self.number, self.next_put);
        self.next_put += 1;
        self.log.line(&format!("put {place} {number} {}", now()));
        let fields = json!({ own_key(writer): number, SHARED: format!("{writer}/{number}") });
        match client.set_sync(fields).await {
            Ok(revision) => self.log.line(&format!("held {number} {} {}", revision.0 - self.ahead, now())),
            Err(Error::MaybeApplied { .. }) => self.log.line(&format!("doubt {number} {}", now())),
            Err(error) => panic!("{error}"),
        }
    }

    /// Adds one action or a batch, to one executor or both.
    async fn add(&mut self, client: &SyncClient, place: usize) {
        let first = self.next_action;
        let many = if self.random.one_in(2) { 1 } else { 1 + self.random.below(8) };
        let (mut batch, mut lanes) = (Batch::new(), Vec::new());
        let executor = self.random.below(2);
        for number in first..first + many {
            let executor = if self.random.one_in(4) { 1 - executor } else { executor };
            let text = format!("{}/{number}/", self.number);
            let mut lane = (place * EXECUTORS.len() + usize::try_from(executor).unwrap()).to_string();
            batch = match executor {
                0 => batch.then_named("showMessage", json!({ "text": text })),
                _ if self.random.one_in(4) => {
                    lane.push(AT_MOST_ONCE);
                    batch.then_named("reloadPage", json!({ "reason": text }))
                }
                _ => batch.then_named("goToStep", json!({ "step": "systemCheck", "reason": text })),
            };
            lanes.push(lane);
        }
        self.next_action += many;
        loop {
            self.log.line(&format!("call {first} {} {}", lanes.join(","), now()));
            match client.add_actions(batch.clone()).await {
                Ok(receipt) => {
                    let ids: Vec<&str> = receipt.ids().iter().map(|id| id.as_str()).collect();
                    let (revision, ids) = (receipt.revision().0 - self.ahead, ids.join(","));
                    return self.log.line(&format!("ack {first} {revision} {ids} {}", now()));
                }
                // Room comes with what is carried out.
                Err(Error::Full { .. } | Error::TooLarge { .. }) => {
                    self.log.line(&format!("full {first} {}", now()));
                    tokio::time::sleep(Duration::from_millis(20 + self.random.below(50))).await;
                }
                Err(Error::MaybeApplied { .. }) => {
                    return self.log.line(&format!("unsure {first} {}", now()));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Records which at-most-once actions nobody knows to have ended.
async fn report_dropped(mut notices: Notices, place: usize, log: Log) {
    while let Some(notice) = notices.next().await {
        if let Ok(Notice::StartedOnceAndLost { ids, .. }) = notice {
            ids.iter().for_each(|id| log.line(&format!("dropped {place} {id}")));
        }
    }
}
