//! A server of this crate on a free port.

use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

use sp_sync::backend::{Backend, Expect, Memory, Ttl, Write};
use sp_sync::server::{self, Admitted, Gatekeeper, Refusal, Service};
use sp_sync::token::Token;
use sp_sync::{DocumentId, Identity};
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

#[tokio::test]
async fn a_client_that_has_just_come_knows_what_time_it_is() {
    let served = Served::over(Memory::new()).await;
    let id = DocumentId::new("old").unwrap();
    let write = Write { document: Arc::default(), expect: Expect::Absent, ttl: Ttl::Keep };
    let made = super::remote(&served.uri).write(&id, write).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let read = super::remote(&served.uri).read(&id).await.unwrap().unwrap();
    // A service says it to the second.
    assert!(read.at.0 >= made.at.0 + 1_400, "{} ms", read.at.0 - made.at.0);
}
