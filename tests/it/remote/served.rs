//! A server of this crate on a free port.

use async_trait::async_trait;
use sp_sync::Identity;
use sp_sync::backend::Backend;
use sp_sync::server::{self, Admitted, Gatekeeper, Refusal, Service};
use sp_sync::token::Token;
use tokio::task::JoinHandle;

/// Whoever has a token may do everything.
struct Trusting;

#[async_trait]
impl Gatekeeper for Trusting {
    async fn admit(&self, _: &Token) -> Result<Admitted, Refusal> {
        Ok(Admitted::new(Identity::new("agent").unwrap(), None))
    }
}

/// Serves until it is dropped.
pub(crate) struct Served {
    pub(crate) uri: String,
    task: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn over(backend: impl Backend) -> Self {
        let (account, service) = ("AC00000000000000000000000000000000", "IS00000000000000000000000000000000");
        let service = Service::builder(account, service, backend, Trusting).build().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("ws://{}/v3/wsconnect", listener.local_addr().unwrap());
        let router = server::router(&service);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { uri, task }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}
