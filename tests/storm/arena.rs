//! Everything that takes part in the storm: the cluster, the services in front of it, the wires, and the parties.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sp_sync::backend::Backend;
use sp_sync::server::Keys;

use crate::child::{self, Orders, STOP, WRITERS};
use crate::fields::{self, Fields, Shown};
use crate::history::actions::{self, History};
use crate::history::{log, reading};
use crate::nats::{self, Cluster};
use crate::party::{EXECUTORS, LEASE, Party, document, seen};
use crate::record::{self, Calls};
use crate::wire::{Wire, free_port};
use crate::{DOCUMENTS, PATIENCE, STREAM};

/// Processes that serve documents to clients from afar.
pub(crate) const SERVICES: usize = 2;

/// Those who take part, and how they reach their documents.
const PARTIES: [(&str, usize, Way); 9] = [
    ("writer", 0, Way::Store),
    ("writer", 1, Way::Service),
    ("executor", 0, Way::Store),
    ("executor", 1, Way::Service),
    ("executor", 2, Way::StoreByWire),
    ("watcher", 0, Way::Store),
    ("watcher", 1, Way::StoreByWire),
    ("watcher", 2, Way::Service),
    ("listener", 0, Way::Service),
];

/// How a party reaches its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The servers of the store themselves.
    Store,
    /// The same behind wires.
    StoreByWire,
    /// A service over the store, behind a wire.
    Service,
}

pub(crate) struct Process {
    pub(crate) kind: &'static str,
    slot: usize,
    way: Way,
    life: usize,
    child: Option<Child>,
}

struct Service {
    at: SocketAddr,
    child: Option<Child>,
}

pub(crate) struct Arena {
    pub(crate) directory: PathBuf,
    seed: u64,
    runtime: tokio::runtime::Runtime,
    pub(crate) cluster: Cluster,
    services: Vec<Service>,
    /// In front of the services.
    pub(crate) wire: Wire,
    /// In front of each server of the store.
    pub(crate) store_wires: Vec<Wire>,
    pub(crate) processes: Vec<Process>,
    token: String,
    /// The moment before an executor was killed.
    killed: HashMap<actions::Process, u64>,
    paused: Vec<actions::Pause>,
    /// Services that gave up at their start because the store was away.
    pub(crate) gave_up: usize,
    keep: bool,
}

impl Arena {
    pub(crate) fn new(seed: u64, servers: usize) -> Self {
        let directory = std::env::temp_dir().join(format!("sp-sync-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&directory).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cluster = runtime.block_on(Cluster::start(servers));
        let services: Vec<Service> = (0..SERVICES)
            .map(|_| Service { at: SocketAddr::from(([127, 0, 0, 1], free_port())), child: None })
            .collect();
        let wire = runtime.block_on(Wire::start(services.iter().map(|service| service.at).collect()));
        let store_wires = addresses(&cluster).map(|at| runtime.block_on(Wire::start(vec![at]))).collect();
        let keys = Keys::generate();
        write_for_owner(&directory.join("keys.toml"), &keys.to_toml());
        let now_s = log::now() / 1_000_000;
        let token = keys.minter().unwrap().mint("storm", Duration::from_secs(86_400), now_s).unwrap();
        let token = token.secret().to_owned();
        let mut arena = Self {
            directory,
            seed,
            runtime,
            cluster,
            services,
            wire,
            store_wires,
            processes: Vec::new(),
            token,
            killed: HashMap::new(),
            paused: Vec::new(),
            gave_up: 0,
            keep: true,
        };
        arena.make_documents();
        for place in 0..SERVICES {
            arena.start_service(place);
        }
        for (kind, slot, way) in PARTIES {
            arena.processes.push(Process { kind, slot, way, life: 0, child: None });
            arena.start(arena.processes.len() - 1);
        }
        arena
    }

    /// Made before anybody watches: from then on none is ever gone.
    fn make_documents(&mut self) {
        self.runtime.block_on(async {
            for client in self.party().await.clients("maker").await {
                client.close().await.unwrap();
            }
        });
        self.wait_until_whole();
    }

    /// One that looks at the documents from here.
    async fn party(&self) -> Party {
        let store = child::open(&self.store(Way::Store), &self.token).await;
        Party { store, directory: self.directory.clone(), documents: DOCUMENTS, slot: 0, life: 0, ahead: 0 }
    }

    fn store(&self, way: Way) -> String {
        let hosts: Vec<SocketAddr> = match way {
            Way::Service => return format!("ws://{}/v3/wsconnect", self.wire.at),
            Way::Store => addresses(&self.cluster).collect(),
            Way::StoreByWire => self.store_wires.iter().map(|wire| wire.at).collect(),
        };
        let hosts: Vec<String> = hosts.iter().map(SocketAddr::to_string).collect();
        format!("nats://{}/storm?replicas={}", hosts.join(","), self.cluster.servers.len())
    }

    fn start(&mut self, place: usize) {
        let Process { kind, slot, way, life, .. } = self.processes[place];
        let (seed, store) = (self.seed, self.store(way));
        let orders = Orders { kind, slot, life, seed, store: &store, token: &self.token };
        self.processes[place].child = Some(child::start(&self.directory, &orders));
    }

    fn start_service(&mut self, place: usize) {
        let service = &self.services[place];
        let log = self.directory.join(format!("service-{place}.log"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sp-sync"));
        command.args(["serve", "--log", "warn", "--requests-per-s", "100000"]);
        command.args(["--listen", &service.at.to_string(), "--store", &self.store(Way::Store)]);
        command.arg("--keys").arg(self.directory.join("keys.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.services[place].child = Some(command.spawn().unwrap());
    }

    /// Kills a process and starts it anew.
    pub(crate) fn kill(&mut self, place: usize) {
        let process = &mut self.processes[place];
        let Some(mut child) = process.child.take() else { return };
        let before = log::now();
        child.kill().unwrap();
        child.wait().unwrap();
        if process.kind == "executor" {
            self.killed.insert((process.slot, process.life), before);
        }
        process.life += 1;
        self.start(place);
    }

    /// Stops a process where it stands, and lets it go on after a time.
    pub(crate) fn pause_process(&mut self, place: usize, away: Duration) {
        let process = &self.processes[place];
        let Some(child) = &process.child else { return };
        let (from, to) = pause(child, away);
        self.paused.push(actions::Pause { process: (process.slot, process.life), from, to });
    }

    pub(crate) fn pause_service(&self, place: usize, away: Duration) {
        if let Some(child) = &self.services[place].child {
            pause(child, away);
        }
    }

    /// Starts a server of the store again over the files it has.
    pub(crate) fn revive(&mut self, place: usize) {
        self.runtime.block_on(self.cluster.servers[place].restart());
    }

    /// Processes of this kind that run.
    pub(crate) fn living(&self, kind: &str) -> Vec<usize> {
        let lives = |place: &usize| {
            let process = &self.processes[*place];
            process.kind == kind && process.child.is_some()
        };
        (0..self.processes.len()).filter(lives).collect()
    }

    pub(crate) fn kill_service(&mut self, place: usize) {
        if let Some(mut child) = self.services[place].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.start_service(place);
    }

    /// Asks a service to end, and starts it anew.
    pub(crate) fn restart_service(&mut self, place: usize) {
        if let Some(mut child) = self.services[place].child.take() {
            nats::signal(child.id(), "TERM");
            child.wait().unwrap();
        }
        self.start_service(place);
    }

    /// Starts so far: what shows that the parties do well.
    pub(crate) fn started(&self) -> usize {
        let executors = self.processes.iter().filter(|process| process.kind == "executor");
        executors
            .map(|process| occurrences(&log::path(&self.directory, process.kind, process.slot), b"\nstart "))
            .sum()
    }

    /// Waits until the actions go on, so many of them, while all processes do well.
    pub(crate) fn wait_for_progress(&mut self, more: usize) {
        let (before, since) = (self.started(), Instant::now());
        while self.started() < before + more {
            assert!(since.elapsed() < PATIENCE, "nothing happens any more: {:?}", self.directory);
            self.look_after_processes();
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// No party ends by itself, but writers that have been told to. A service ends when the store is away at its start; then
    /// whoever runs it starts it again.
    pub(crate) fn look_after_processes(&mut self) {
        for process in &mut self.processes {
            let Some(child) = &mut process.child else { continue };
            let Some(status) = child.try_wait().unwrap() else { continue };
            let done = status.success() && process.kind == "writer" && self.directory.join(STOP).exists();
            let errors = child::errors_of(&self.directory, process.kind, process.slot, process.life);
            assert!(done, "a process ended by itself: {status}, see {errors:?}");
            process.child = None;
        }
        for place in 0..SERVICES {
            let ended = |child: &mut Child| child.try_wait().unwrap().is_some();
            if self.services[place].child.as_mut().is_some_and(ended) {
                self.gave_up += 1;
                self.start_service(place);
            }
        }
    }

    /// Waits until the writers are done, everything they added is carried out, and whoever watches has been told.
    pub(crate) fn settle(&mut self) -> Fields {
        File::create(self.directory.join(STOP)).unwrap();
        let since = Instant::now();
        let party = self.runtime.block_on(self.party());
        let mut fields = Fields::default();
        loop {
            self.look_after_processes();
            if self.living("writer").is_empty() {
                let end = self.runtime.block_on(end(&*party.store, DOCUMENTS));
                if let Some((end, false)) = end {
                    fields = Fields { end, ..Fields::default() };
                    self.read_watched(&mut fields);
                    let report = fields::check(&fields);
                    let behind = report.faults.iter().any(|(fault, _)| *fault == fields::Fault::Behind);
                    if !behind {
                        break;
                    }
                }
            }
            if since.elapsed() > 2 * PATIENCE {
                println!("it has not settled after {:?}", since.elapsed());
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        self.stop();
        self.read_watched(&mut fields);
        for number in 0..self.writers() {
            let path = log::path(&self.directory, "writer", usize::try_from(number).unwrap());
            record::puts(&path, number, &mut fields);
        }
        fields
    }

    /// What every document shows while each server leads. Whoever leads shows its own copy.
    pub(crate) fn shown_by_each(&mut self) -> Vec<BTreeMap<usize, Shown>> {
        let (mut shown, since) = (BTreeMap::new(), Instant::now());
        while shown.len() < self.cluster.servers.len() {
            assert!(since.elapsed() < PATIENCE, "not all servers have led: {:?}", self.directory);
            self.wait_until_whole();
            let leader = self.cluster.leader_of(STREAM);
            let party = self.runtime.block_on(self.party());
            let end = self.runtime.block_on(end(&*party.store, DOCUMENTS));
            if let (Some(leader), Some((end, _))) = (leader, end)
                && self.cluster.leader_of(STREAM) == Some(leader)
            {
                shown.entry(leader).or_insert(end);
            }
            self.runtime.block_on(self.cluster.step_down(STREAM));
        }
        shown.into_values().collect()
    }

    fn writers(&self) -> u64 {
        PARTIES.iter().filter(|(kind, ..)| *kind == "writer").count() as u64 * WRITERS
    }

    fn read_watched(&self, fields: &mut Fields) {
        fields.watched.clear();
        for (kind, slot, _) in PARTIES {
            if matches!(kind, "watcher" | "listener") {
                let path = log::path(&self.directory, kind, slot);
                // Watchers and listeners are numbered apart.
                let number = slot + usize::from(kind == "listener") * PARTIES.len();
                record::watched(&path, number, kind == "watcher", fields);
            }
        }
    }

    /// What the logs tell of actions.
    pub(crate) fn history(&self) -> (History, Calls) {
        let lease = u64::try_from(LEASE.as_micros()).unwrap();
        let (killed, paused) = (self.killed.clone(), self.paused.clone());
        let mut history = History { lease, killed, paused, ..History::default() };
        let mut calls = Calls::default();
        for number in 0..self.writers() {
            let path = log::path(&self.directory, "writer", usize::try_from(number).unwrap());
            reading::adds(&path, number, false, &mut history);
            calls.read(&path);
        }
        for (kind, slot, _) in PARTIES {
            if kind == "executor" {
                reading::runs(&log::path(&self.directory, kind, slot), slot, &mut history);
            }
        }
        (history, calls)
    }

    fn stop(&mut self) {
        let children = self.processes.iter_mut().map(|process| &mut process.child);
        for child in children.chain(self.services.iter_mut().map(|service| &mut service.child)) {
            if let Some(mut child) = child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// Everything was right: nobody needs the logs.
    pub(crate) fn forget(mut self) {
        self.keep = false;
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.stop();
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

fn addresses(cluster: &Cluster) -> impl Iterator<Item = SocketAddr> {
    cluster.servers.iter().map(|server| SocketAddr::from(([127, 0, 0, 1], server.port())))
}

/// What every document shows, and whether anything in them is left to be carried out.
pub(crate) async fn end(store: &dyn Backend, documents: usize) -> Option<(BTreeMap<usize, Shown>, bool)> {
    let (mut end, mut left) = (BTreeMap::new(), false);
    for place in 0..documents {
        let stored = store.read(&document(place)).await.ok()??;
        left |= EXECUTORS.iter().any(|executor| {
            !stored.document.waiting(executor).is_empty() || !stored.document.claims(executor).is_empty()
        });
        let line = seen(place, stored.revision.0, &stored.document.view());
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        end.insert(place, record::shown(&words[2..]));
    }
    Some((end, left))
}

/// Stops a process for a time, and answers the moments before it was stopped and before it went on.
fn pause(child: &Child, away: Duration) -> (u64, u64) {
    let from = log::now();
    nats::signal(child.id(), "STOP");
    std::thread::sleep(away);
    let to = log::now();
    nats::signal(child.id(), "CONT");
    (from, to)
}

fn occurrences(path: &Path, of: &[u8]) -> usize {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.windows(of.len()).filter(|window| *window == of).count()
}

/// For its owner's eyes only, as keys have to be.
fn write_for_owner(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
