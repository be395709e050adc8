//! What every workload needs: runtimes, clients, and an executor that answers.

use serde_json::{Map, Value, json};
use sp_sync::backend::{Backend, Memory};
use sp_sync::extension::{GetDisplayCount, GetDisplayCountResponse};
use sp_sync::{DocumentId, Executor, Identity, Settings, SyncClient};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;

use super::load::Asks;

/// The runtimes every figure is taken on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    Current,
    Two,
}

impl Threads {
    pub const BOTH: [Self; 2] = [Self::Current, Self::Two];

    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current thread",
            Self::Two => "2 workers",
        }
    }

    pub fn runtime(self) -> Runtime {
        let mut builder = match self {
            Self::Current => Builder::new_current_thread(),
            Self::Two => Builder::new_multi_thread(),
        };
        builder.worker_threads(2).enable_all().build().expect("a runtime")
    }

    /// Runs on a worker: what `block_on` runs itself would be woken as a foreign thread.
    pub fn run<T: Send + 'static>(self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime().block_on(async { tokio::spawn(work).await.expect("the workload does not panic") })
    }
}

/// A client of one document.
pub async fn open(
    store: impl Backend,
    document: &str,
    who: &str,
    data: Value,
    settings: Settings,
) -> SyncClient {
    SyncClient::builder()
        .backend(store)
        .document_id(DocumentId::new(document).expect("a good name"))
        .identity(Identity::new(who).expect("a good name"))
        .initial_data(data)
        .settings(settings)
        .connect()
        .await
        .expect("it opens")
}

/// Application data of about this many bytes of JSON, in fields of about 200 bytes.
pub fn data(bytes: usize) -> Value {
    let field = json!({ "state": "passed", "note": "x".repeat(160) });
    let count = bytes / (field.to_string().len() + r#","field000":"#.len());
    let fields: Map<String, Value> = (0..count).map(|n| (format!("field{n:03}"), field.clone())).collect();
    Value::Object(fields)
}

/// A page that asks and an extension that answers, each with its own client of one document.
pub struct Pair {
    page: SyncClient,
    executor: JoinHandle<()>,
}

impl Pair {
    pub fn of(page: SyncClient, extension: &SyncClient) -> Self {
        let mut deliveries = extension.executor(Executor::from("extension")).subscribe();
        let executor = tokio::spawn(async move {
            while let Some(delivery) = deliveries.next().await {
                delivery.parse::<GetDisplayCount>().expect("the action that was asked");
                delivery.respond(GetDisplayCountResponse { display_count: 2 }).await.expect("it is held");
            }
        });
        Self { page, executor }
    }

    /// In memory.
    pub async fn open(store: Memory, document: &str, bytes: usize) -> Self {
        let page = open(store.clone(), document, "page", data(bytes), Settings::default()).await;
        let extension = open(store, document, "extension", data(bytes), Settings::default()).await;
        Self::of(page, &extension)
    }
}

impl Asks for Pair {
    async fn ask(&mut self) {
        let response = self.page.request(GetDisplayCount {}).respond_to("onboarding").await;
        assert_eq!(response.expect("it answers").display_count, 2);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.executor.abort();
    }
}
