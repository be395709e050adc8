//! The parties of this crate, each over a connection of its own.

use sp_sync::backend::Nats;
use sp_sync::extension::{GetDisplayCount, GetDisplayCountResponse};
use sp_sync::{Executor, Settings, SyncClient};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;

use super::stage::{data, open};

pub struct Places {
    pub page: Nats,
    pub extension: Nats,
}

impl Places {
    pub async fn reach(url: &str, bucket: &str) -> Self {
        let nats =
            async || Nats::options().server(url).bucket(bucket).open().await.expect("the server is up");
        Self { page: nats().await, extension: nats().await }
    }
}

/// A page that asks and an extension that answers.
pub struct Pair {
    page: SyncClient,
    executor: JoinHandle<()>,
}

impl Pair {
    pub async fn open(places: &Places, document: &str, bytes: usize) -> Self {
        let page = open(places.page.clone(), document, "page", data(bytes), settings()).await;
        let extension = open(places.extension.clone(), document, "extension", data(bytes), settings()).await;
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

pub fn settings() -> Settings {
    Settings { waiting_max: 128, ..Settings::default() }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.executor.abort();
    }
}
