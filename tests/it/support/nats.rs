//! NATS servers of a test's own: on free ports, in a temporary folder, started, killed, paused, and asked who leads.

// Each test target that includes this uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// Longer than a server takes to start on the busiest machine.
const STARTED_WITHIN: Duration = Duration::from_secs(60);

/// One server. Dropped, it is killed and its folder deleted, unless the test has failed.
pub(crate) struct Server {
    folder: PathBuf,
    name: String,
    port: u16,
    http: u16,
    child: Option<Child>,
}

impl Server {
    /// A server with JetStream and nothing else.
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// The same with more lines in its configuration; `FOLDER` in them stands for its folder, which exists.
    pub(crate) async fn with(more: &str) -> Self {
        let server = Self::prepare("one", more, |_| {});
        server.started().await
    }

    /// The same, where files have to be there before it starts.
    pub(crate) async fn with_files(more: &str, make: impl FnOnce(&std::path::Path)) -> Self {
        Self::prepare("one", more, make).started().await
    }

    fn prepare(name: &str, more: &str, make: impl FnOnce(&std::path::Path)) -> Self {
        let folder = std::env::temp_dir().join(format!("sp-sync-nats-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir_all(&folder).unwrap();
        make(&folder);
        let [port, http] = free_ports();
        let server = Self { folder, name: name.into(), port, http, child: None };
        server.configure(more);
        server
    }

    fn configure(&self, more: &str) {
        let folder = self.folder.display().to_string();
        let jetstream = if more.contains("jetstream") {
            String::new()
        } else {
            format!("jetstream {{ store_dir: \"{folder}/store\" }}\n")
        };
        let text = format!(
            "server_name: {}\nhost: 127.0.0.1\nport: {}\nhttp: 127.0.0.1:{}\n{jetstream}{}\n",
            self.name,
            self.port,
            self.http,
            more.replace("FOLDER", &folder)
        );
        fs::write(self.folder.join("server.conf"), text).unwrap();
    }

    async fn started(mut self) -> Self {
        self.restart().await;
        self
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Major and minor number of the running server.
    pub(crate) fn version(&self) -> (u64, u64) {
        let page = self.get("/varz").expect("it runs");
        let mut numbers = page["version"].as_str().unwrap().split('.').map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Process id of the running server.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server is not running").id()
    }

    /// Starts it, again or for the first time, and waits until it takes connections.
    pub(crate) async fn restart(&mut self) {
        assert!(self.child.is_none(), "the server is running");
        self.spawn();
        self.until("takes connections", |server| server.get("/varz").is_some()).await;
    }

    fn spawn(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        let child = Command::new(program())
            .arg("-c")
            .arg(self.folder.join("server.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("nats-server does not start ({error}): apt-get install nats-server")
            });
        self.child = Some(child);
    }

    /// Ends it without warning (`kill -9`).
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends it in good order (`SIGTERM`).
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), "TERM");
            child.wait().unwrap();
        }
    }

    /// Stops it where it stands, connections open (`SIGSTOP`).
    pub(crate) fn pause(&self) {
        signal(self.pid(), "STOP");
    }

    /// Lets it go on (`SIGCONT`).
    pub(crate) fn resume(&self) {
        signal(self.pid(), "CONT");
    }

    /// A page of its monitoring, `/jsz` for example. `None` while it does not answer.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| serde_json::from_str(body).ok())?
    }

    /// What it says of a stream.
    fn stream(&self, name: &str) -> Option<Value> {
        let page = self.get("/jsz?accounts=true&streams=true")?;
        let mut accounts = page["account_details"].as_array()?.iter();
        let found = accounts.find_map(|account| {
            account["stream_detail"].as_array()?.iter().find(|stream| stream["name"] == name)
        });
        found.cloned()
    }

    /// What its log says.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            if let Some(ended) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                panic!("{} has ended ({ended}):\n{}", self.name, self.log());
            }
            assert!(began.elapsed() < STARTED_WITHIN, "{} never {what}:\n{}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("files of {}: {}", self.name, self.folder.display());
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Servers in one cluster.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    /// So many servers; more than one are joined, with a leader among them. Clients are not told of the others' addresses:
    /// some are to stay behind a wire.
    pub(crate) async fn start(size: usize) -> Self {
        let mut servers: Vec<_> =
            (0..size).map(|at| Server::prepare(&format!("n{}", at + 1), "", |_| {})).collect();
        if let [server] = &mut servers[..] {
            server.restart().await;
            return Self { servers };
        }
        let routes: Vec<u16> = servers.iter().map(|_| free_ports::<1>()[0]).collect();
        let all: Vec<_> = routes.iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
        for (server, route) in servers.iter_mut().zip(&routes) {
            server.configure(&format!(
                "cluster {{ name: test, listen: 127.0.0.1:{route}, no_advertise: true, routes: [{}] }}",
                all.join(", ")
            ));
            server.spawn();
        }
        let mut cluster = Self { servers };
        cluster.until_whole().await;
        cluster
    }

    /// Waits until every running server knows the cluster's leader and has caught up.
    pub(crate) async fn until_whole(&mut self) {
        for server in self.servers.iter_mut().filter(|server| server.child.is_some()) {
            let leads = |server: &Server| {
                let jetstream = server.get("/jsz")?;
                let leader = jetstream["meta_cluster"]["leader"].as_str()?.to_owned();
                (!leader.is_empty() && server.get("/healthz").is_some()).then_some(())
            };
            server.until("found a leader", |server| leads(server).is_some()).await;
        }
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.servers.iter().map(Server::url).collect()
    }

    /// Which server leads a stream, as a running one says. `None` while none does. One server alone leads.
    pub(crate) fn leader_of(&self, stream: &str) -> Option<usize> {
        if self.servers.len() == 1 {
            return Some(0);
        }
        let running = self.servers.iter().filter(|server| server.child.is_some());
        let leader = running.filter_map(|server| {
            let found = server.stream(stream)?;
            found["cluster"]["leader"].as_str().filter(|name| !name.is_empty()).map(str::to_owned)
        });
        leader.into_iter().find_map(|name| self.servers.iter().position(|server| server.name == name))
    }

    /// Whether all servers are in good health, one leads the stream, and every other has all that it has.
    pub(crate) fn is_whole(&self, stream: &str) -> bool {
        let healthy = |server: &Server| server.child.is_some() && server.get("/healthz").is_some();
        let followed = |found: Value| {
            let replicas = found["cluster"]["replicas"].as_array().map_or(&[][..], Vec::as_slice);
            let current = |replica: &&Value| replica["current"] == true && replica["offline"] != true;
            replicas.iter().filter(current).count() == self.servers.len() - 1
        };
        // Only the leader itself knows how the others do.
        let led = |server: &Server| {
            server.stream(stream).filter(|found| found["cluster"]["leader"] == server.name.as_str())
        };
        self.servers.iter().all(healthy)
            && (self.servers.len() == 1 || self.servers.iter().find_map(led).is_some_and(followed))
    }

    /// Has another server lead a stream, where there is one.
    pub(crate) async fn step_down(&self, stream: &str) {
        let client = async_nats::connect(self.servers[0].url()).await.unwrap();
        let path = format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}");
        // It may be leaderless just now: whoever asks looks who leads.
        let _ = client.request(path, "".into()).await;
    }

    /// What each server has of a stream: how many messages, and the sequence of the last. In a cluster in good health all have
    /// the same once nothing is written any more.
    pub(crate) fn copies_of(&self, stream: &str) -> Vec<Option<(u64, u64)>> {
        let copy = |server: &Server| {
            let state = &server.stream(stream)?["state"];
            Some((state["messages"].as_u64()?, state["last_seq"].as_u64()?))
        };
        self.servers.iter().map(copy).collect()
    }

    /// The same, waiting for one that runs.
    pub(crate) async fn until_led(&self, stream: &str) -> usize {
        let began = Instant::now();
        loop {
            match self.leader_of(stream) {
                Some(leader) if self.servers[leader].child.is_some() => return leader,
                _ => assert!(began.elapsed() < STARTED_WITHIN, "{stream} has no leader"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Ports that nobody listens on. They are taken together, so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Debian keeps it where users do not look.
fn program() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
    folders
        .find_map(|folder| Some(folder.join("nats-server")).filter(|path| path.exists()))
        .unwrap_or("nats-server".into())
}

/// Sends a process a signal: `STOP`, `CONT`, `TERM`.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}
