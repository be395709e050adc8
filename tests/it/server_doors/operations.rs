//! Health, readiness, metrics.

use async_trait::async_trait;
use sp_sync::DocumentId;
use sp_sync::backend::{Backend, BackendError, Facts, Memory, Revision, Stored, Watch, Write, Written};
use sp_sync::server::Attempts;

use super::Site;

/// A store that is out of order.
struct Broken;

fn broken<T>() -> Result<T, BackendError> {
    Err(BackendError::Unavailable { doing: "asking".into(), why: "out of order".into(), source: None })
}

#[async_trait]
impl Backend for Broken {
    fn facts(&self) -> Facts {
        Facts::new("broken")
    }
    async fn read(&self, _: &DocumentId) -> Result<Option<Stored>, BackendError> {
        broken()
    }
    async fn write(&self, _: &DocumentId, _: Write) -> Result<Written, BackendError> {
        broken()
    }
    async fn remove(&self, _: &DocumentId, _: Option<Revision>) -> Result<bool, BackendError> {
        broken()
    }
    async fn watch(&self, _: &DocumentId) -> Result<Watch, BackendError> {
        broken()
    }
}

#[tokio::test]
async fn a_server_is_ready_while_its_store_answers_and_it_is_not_stopping() {
    let site = Site::new().await;
    let mut client = site.client().await;
    assert_eq!(client.ask("GET", "/healthz", &[], "").await.status, 200);
    assert_eq!(client.ask("GET", "/readyz", &[], "").await.status, 200);
    site.operations.stop();
    let reply = client.ask("GET", "/readyz", &[], "").await;
    assert_eq!((reply.status, reply.body.trim()), (503, "stopping"));
    assert_eq!(client.ask("GET", "/healthz", &[], "").await.status, 200);
    site.stop().await;
    let site = Site::with(Broken, Attempts::default()).await;
    let reply = site.client().await.ask("GET", "/readyz", &[], "").await;
    assert_eq!((reply.status, reply.body.trim()), (503, "the store fails"));
    assert_eq!(site.rest("GET", "/v1/Services/default/Documents", "").await.status, 501);
    site.stop().await;
}

#[tokio::test]
async fn metrics_count_writes_and_their_time_and_name_nobody() {
    let site = Site::with(Memory::new(), Attempts::default()).await;
    for n in 0..3 {
        let form = format!("UniqueName=Session_secret{n}&Data=%7B%7D");
        assert_eq!(site.rest("POST", "/v1/Services/default/Documents", &form).await.status, 201);
    }
    let reply = site.client().await.ask("GET", "/metrics", &[], "").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in ["sp_sync_writes_total{outcome=\"held\"} 3", "sp_sync_store_write_seconds_count 3"] {
        assert!(reply.body.lines().any(|found| found == line), "{line} in\n{}", reply.body);
    }
    assert!(!reply.body.contains("secret"));
    super::exposition::Exposition::read(&reply.body);
    site.stop().await;
}
