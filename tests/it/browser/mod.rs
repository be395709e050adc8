//! Pages in a real browser (Chromium), with the official SDK unmodified: in its own bundle, and in the page of
//! `examples/browser` under the JavaScript helper.

mod chromium;
mod example;
mod sdk;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use sp_sync::backend::Memory;
use sp_sync::client::Builder;
use sp_sync::limits::{JWT_LIFETIME_MIN, SERVER_TOKEN_LIFETIME};
use sp_sync::server::{self, JwtGatekeeper, Limits, Service, TokenEndpoint, Users};
use sp_sync::{DocumentId, Identity, SyncClient};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;

use crate::server::LONG;
use crate::server::proxy::Proxy;
use crate::server_doors::{ACCOUNT, SERVICE, keys, users_file};
use chromium::Chromium;

/// A service that gives out tokens, and tells who has one to come through a wire that can be cut.
struct Site {
    store: Memory,
    service: Service,
    at: SocketAddr,
    wire: Proxy,
    task: JoinHandle<()>,
}

impl Site {
    async fn new() -> Self {
        Self::of(Limits::default(), SERVER_TOKEN_LIFETIME).await
    }

    /// It warns of the end of every token after so much of its life.
    async fn that_warns_after(used: Duration) -> Self {
        Self::of(Limits::default().token_warning(JWT_LIFETIME_MIN - used), JWT_LIFETIME_MIN).await
    }

    async fn of(limits: Limits, lifetime: Duration) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (store, keys, wire) = (Memory::new(), keys(), Proxy::to(at).await);
        let gatekeeper = JwtGatekeeper::new(keys.verifier());
        let service =
            Service::builder(ACCOUNT, SERVICE, store.clone(), gatekeeper).limits(limits).build().unwrap();
        // Bert's token is good for anybody, and everybody may do everything.
        let users = users_file().replacen("format = 1", "format = 1\nunlisted = \"backend\"", 1);
        let endpoint = TokenEndpoint::new(keys.minter().unwrap(), Users::from_toml_str(&users).unwrap());
        let endpoint = endpoint.lifetime(lifetime).endpoint(format!("ws://{}/v3/wsconnect", wire.at));
        let routes = server::router(&service).merge(endpoint.router());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { store, service, at, wire, task }
    }

    /// A program beside the pages: on the store itself, so that no cut of the wire reaches it.
    fn program(&self, document: &str) -> Builder {
        SyncClient::builder()
            .backend(self.store.clone())
            .document_id(DocumentId::new(document).unwrap())
            .identity(Identity::new("program").unwrap())
    }
}

/// Waits until a program's document is as wanted.
async fn sees(program: &SyncClient, wanted: impl Fn(&Value) -> bool + Sync) {
    // Heard of from here on, so that nothing between reading and hearing is missed.
    let mut updates = program.events().sp_sync_doc_updated();
    let waiting = async {
        let mut data = program.get_sync().await.unwrap().to_value();
        while !wanted(&data) {
            data = updates.next().await.unwrap().unwrap().to_value();
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap();
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}
