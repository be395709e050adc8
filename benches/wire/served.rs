//! A server of this crate, and clients of it that each have a connection of their own.

use std::net::SocketAddr;

use async_trait::async_trait;
use serde_json::Value;
use sp_sync::backend::{Backend, Remote};
use sp_sync::extension::{GetDisplayCount, GetDisplayCountResponse};
use sp_sync::server::{self, Admitted, Gatekeeper, Limits, Refusal, Service};
use sp_sync::token::Token;
use sp_sync::{Executor, Identity, Settings, SyncClient};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;

use super::stage::{data, open};

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

/// A page that asks and an extension that answers.
pub struct Pair {
    page: SyncClient,
    executor: JoinHandle<()>,
}

impl Pair {
    pub async fn open(at: SocketAddr, document: &str) -> Self {
        let page = client(at, document, "page", data(0), Settings::default()).await;
        let extension = client(at, document, "extension", data(0), Settings::default()).await;
        let mut deliveries = extension.executor(Executor::from("extension")).subscribe();
        let executor = tokio::spawn(async move {
            while let Some(delivery) = deliveries.next().await {
                delivery.parse::<GetDisplayCount>().expect("the action that was asked");
                delivery.respond(GetDisplayCountResponse { display_count: 2 }).await.expect("it is held");
            }
        });
        Self { page, executor }
    }

    /// One command round trip: added, taken, responded, response received.
    pub async fn ask(&mut self) {
        let response = self.page.request(GetDisplayCount {}).respond_to("onboarding").await;
        assert_eq!(response.expect("it answers").display_count, 2);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.executor.abort();
    }
}
