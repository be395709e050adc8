//! NATS servers on this machine, one or three, each a process that can be killed, paused and started again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::wire::free_port;

pub(crate) struct Cluster {
    nodes: Vec<Node>,
}

struct Node {
    child: Option<Child>,
    /// For clients.
    at: SocketAddr,
    /// For who looks how it does.
    monitor: SocketAddr,
    configuration: PathBuf,
}

impl Cluster {
    pub(crate) fn start(directory: &Path, size: usize) -> Self {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let routes: Vec<SocketAddr> = (0..size).map(|_| at(free_port())).collect();
        let named = routes.iter().map(|route| format!("\"nats://{route}\"")).collect::<Vec<_>>().join(", ");
        let mut cluster = Self { nodes: Vec::new() };
        for (place, route) in routes.iter().enumerate() {
            let (client, monitor) = (at(free_port()), at(free_port()));
            let folder = directory.join(format!("nats-{place}"));
            let configuration = directory.join(format!("nats-{place}.conf"));
            // Clients are not told of the others' addresses: some are to stay behind a wire.
            let mut text = format!(
                "server_name: n{place}\nlisten: \"{client}\"\nhttp: \"{monitor}\"\n\
                 jetstream {{ store_dir: {folder:?}, max_mem: 64M, max_file: 4G }}\n"
            );
            if size > 1 {
                text += &format!(
                    "cluster {{ name: storm, listen: \"{route}\", no_advertise: true, routes: [{named}] }}\n"
                );
            }
            std::fs::write(&configuration, text).unwrap();
            cluster.nodes.push(Node { child: None, at: client, monitor, configuration });
        }
        for place in 0..size {
            cluster.revive(place);
        }
        cluster
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.at).collect()
    }

    pub(crate) fn kill(&mut self, place: usize) {
        if let Some(mut child) = self.nodes[place].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts a server again over the files it has.
    pub(crate) fn revive(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let log = node.configuration.with_extension("log");
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&node.configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        node.child = Some(command.spawn().expect("nats-server, of Debian's package of this name"));
    }

    /// Sends a signal to a server: `STOP`, `CONT`, `TERM`.
    pub(crate) fn signal(&self, place: usize, signal: &str) {
        let Some(child) = &self.nodes[place].child else { return };
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Asks a server to end, and waits for it.
    pub(crate) fn end(&mut self, place: usize) {
        self.signal(place, "TERM");
        if let Some(mut child) = self.nodes[place].child.take() {
            child.wait().unwrap();
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Where the leader of the stream is, if it knows itself as such. One server alone leads.
    pub(crate) fn leader(&self) -> Option<usize> {
        (0..self.size()).find(|place| self.size() == 1 || self.leads(*place).is_some())
    }

    /// Whether all servers are in good health, there is a leader, and every other server has all that it has.
    pub(crate) fn is_whole(&self) -> bool {
        let healthy = |node: &Node| node.ask("/healthz").is_some_and(|health| health["status"] == "ok");
        let followed = |cluster: Value| {
            let replicas = cluster["replicas"].as_array().map_or(&[][..], Vec::as_slice);
            let current = |replica: &&Value| replica["current"] == true && replica["offline"] != true;
            replicas.iter().filter(current).count() == self.size() - 1
        };
        let led = || (0..self.size()).find_map(|place| self.leads(place)).is_some_and(followed);
        self.nodes.iter().all(healthy) && (self.size() == 1 || led())
    }

    /// What each server has of the stream: how many messages, and the sequence of the last. In a cluster in good health
    /// all have the same once nothing is written any more.
    pub(crate) fn copies(&self) -> Vec<Option<(u64, u64)>> {
        let copy = |node: &Node| {
            let told = node.ask("/jsz?accounts=true&streams=true")?;
            let state = &told["account_details"][0]["stream_detail"][0]["state"];
            Some((state["messages"].as_u64()?, state["last_seq"].as_u64()?))
        };
        self.nodes.iter().map(copy).collect()
    }

    /// What a server that leads the stream says of its cluster.
    fn leads(&self, place: usize) -> Option<Value> {
        let told = self.nodes[place].ask("/jsz?accounts=true&streams=true")?;
        let cluster = told["account_details"][0]["stream_detail"][0]["cluster"].clone();
        (cluster["leader"] == format!("n{place}")).then_some(cluster)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for place in 0..self.size() {
            self.kill(place);
        }
    }
}

impl Node {
    /// What it answers, if it runs and does so soon.
    fn ask(&self, path: &str) -> Option<Value> {
        self.child.as_ref()?;
        let soon = Some(Duration::from_secs(2));
        let mut socket = TcpStream::connect_timeout(&self.monitor, Duration::from_secs(2)).ok()?;
        socket.set_read_timeout(soon).ok()?;
        write!(socket, "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.monitor).ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }
}
