//! A server of this crate on a free port.

use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sp_sync::backend::{Backend, Expect, Memory, Ttl, Write};
use sp_sync::extension::GetDisplayCount;
use sp_sync::server::{self, Admitted, Gatekeeper, Limits, Refusal, Service};
use sp_sync::token::Token;
use sp_sync::{DocumentId, Failure, Identity, SyncClient};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;

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
        Self::within(Limits::default(), backend).await
    }

    pub(crate) async fn within(limits: Limits, backend: impl Backend) -> Self {
        let (account, service) = ("AC00000000000000000000000000000000", "IS00000000000000000000000000000000");
        let service = Service::builder(account, service, backend, Trusting).limits(limits).build().unwrap();
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

/// C55: the service takes less than it says. What does not fit is dropped; it does not stop everything after it.
#[tokio::test]
async fn a_service_with_less_room_than_it_says_stops_nobody() {
    let mut limits = Limits::default();
    limits.document_bytes_max = Some(2_000);
    let served = Served::within(limits, Memory::new()).await;
    let open = async |who: &str| {
        let builder = SyncClient::builder().backend(super::remote(&served.uri));
        let builder = builder.document_id(DocumentId::new("small").unwrap());
        builder.identity(Identity::new(who).unwrap()).connect().await.unwrap()
    };
    let (page, extension) = (open("page").await, open("extension").await);
    let mut deliveries = extension.executor("extension").subscribe();
    let failing = tokio::spawn(async move {
        let delivery = deliveries.next().await.unwrap();
        // Rejected: it is not tried again, and the requester is told at length.
        let _ = delivery.reject(Failure::new("long", "x".repeat(3_000))).await;
        deliveries
    });
    let asked =
        page.request(GetDisplayCount {}).respond_to("onboarding").within(Duration::from_secs(2)).await;
    asked.unwrap_err();
    let _deliveries = failing.await.unwrap();
    // One call may be carried by the write that is refused.
    let _ = extension.set_sync(json!({ "small": 0 })).await;
    let settled = async { while extension.set_sync(json!({ "small": 1 })).await.is_err() {} };
    tokio::time::timeout(super::LONG, settled).await.expect("it can write again");
    assert_eq!(extension.get_sync().await.unwrap().data()["small"], 1);
}
