//! A server of this crate, and clients of it that each have a connection of their own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use async_trait::async_trait;
use serde_json::Value;
use sp_sync::backend::{Backend, Remote};
use sp_sync::server::{self, Admitted, Gatekeeper, Limits, Refusal, Service};
use sp_sync::token::Token;
use sp_sync::{Identity, Settings, SyncClient};
use tokio::net::TcpListener;

use super::stage::{Pair, Threads, data, open};

/// Whoever has a token may do everything: what is measured begins after that.
struct Trusting;

#[async_trait]
impl Gatekeeper for Trusting {
    async fn admit(&self, token: &Token) -> Result<Admitted, Refusal> {
        Ok(Admitted::new(Identity::new(token.secret()).expect("a good name"), None))
    }
}

/// Starts a server; it ends with its runtime.
pub async fn start(store: impl Backend) -> SocketAddr {
    let (account, service) = ("AC00000000000000000000000000000000", "IS00000000000000000000000000000000");
    // What is measured is work, not the pauses of a client that asks for more than its share.
    let mut limits = Limits::default().requests_per_s(u32::MAX);
    limits.connections_max = 20_000;
    let service = Service::builder(account, service, store, Trusting).limits(limits).build();
    let service = service.expect("the parts are good");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { server::serve(&service, listener).await });
    at
}

/// A server of this program in a process of its own. Dropped, it ends.
pub struct Process {
    pub at: SocketAddr,
    child: Child,
}

impl Process {
    /// Starts this program with these words, which make it call [`host`].
    pub fn start(words: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        let command = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let at = said.next().expect("it says where it is").expect("text").parse().expect("an address");
        Self { at, child }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves a store, says where, and goes on until the input ends.
pub fn host<B: Backend>(store: impl Future<Output = B>) {
    let runtime = Threads::Two.runtime();
    let at = runtime.block_on(async { start(store.await).await });
    let mut output = std::io::stdout();
    writeln!(output, "{at}").and_then(|()| output.flush()).expect("somebody listens");
    std::io::stdin().lines().for_each(drop);
}

/// A connection of its own, as fast as the server lets it be.
pub fn remote(at: SocketAddr, who: &str) -> Remote {
    let remote = Remote::builder().uri(format!("ws://{at}/v3/wsconnect")).token(Token::new(who)).unpaced();
    remote.build().expect("the parts are good")
}

pub async fn client(
    at: SocketAddr,
    document: &str,
    who: &str,
    data: Value,
    settings: Settings,
) -> SyncClient {
    open(remote(at, who), document, who, data, settings).await
}

/// A page that asks and an extension that answers, each over a connection to a server.
pub async fn pair(page: SocketAddr, extension: SocketAddr, document: &str) -> Pair {
    let page = client(page, document, "page", data(0), Settings::default()).await;
    let extension = client(extension, document, "extension", data(0), Settings::default()).await;
    Pair::of(page, &extension)
}
