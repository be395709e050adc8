//! The server over loopback: with a client made of the crate's own frames, and with the official SDK.

mod access;
mod documents;
mod fanout;
mod official;
pub(crate) mod party;
mod permissions;
pub(crate) mod proxy;
pub(crate) mod puppet;
mod sessions;
mod storm;
mod subscriptions;
mod troubles;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::Identity;
use sp_sync::backend::{Backend, Memory};
use sp_sync::server::{self, Admitted, Builder, Gatekeeper, Refusal, Service};
use sp_sync::token::Token;
use tokio::task::JoinHandle;

pub(crate) use party::Party;

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SERVICE: &str = "IS00000000000000000000000000000000";

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A token is an identity; `identity/milliseconds` is one with an end, `bad` and `expired` are not good.
struct Trusting;

#[async_trait]
impl Gatekeeper for Trusting {
    async fn admit(&self, token: &Token) -> Result<Admitted, Refusal> {
        let text = token.secret();
        if text.starts_with("expired") {
            return Err(Refusal::new(401, 20104, "Access Token expired"));
        }
        let (identity, lasts) = match text.split_once('/') {
            Some((identity, ms)) => (identity, Some(Duration::from_millis(ms.parse().unwrap()))),
            None => (text, None),
        };
        match Identity::new(identity) {
            Ok(identity) if identity.as_str() != "bad" => Ok(Admitted::new(identity, lasts)),
            _ => Err(Refusal::new(401, 20101, "Invalid Access Token")),
        }
    }
}

pub(crate) fn service(backend: impl Backend) -> Builder {
    Service::builder(ACCOUNT, SERVICE, backend, Trusting).base_url("https://sync.example.com")
}

/// A server on a free port, until it is dropped.
pub(crate) struct Running {
    service: Service,
    pub(crate) at: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn new(builder: Builder) -> Self {
        Self::at(builder, "127.0.0.1:0".parse().unwrap()).await
    }

    async fn at(builder: Builder, at: SocketAddr) -> Self {
        let service = builder.build().unwrap();
        let listener = tokio::net::TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let served = service.clone();
        let task = tokio::spawn(async move { server::serve(&served, listener).await });
        Self { service, at, task }
    }

    async fn over_memory() -> (Self, Memory) {
        let store = Memory::new();
        (Self::new(service(store.clone())).await, store)
    }

    async fn join(&self, token: &str) -> Party {
        Party::join(self.at, token).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until something holds that only other tasks bring about.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool + Sync) {
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LONG, polling).await.unwrap_or_else(|_| panic!("never: {what}"));
}
