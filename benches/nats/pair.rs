//! The parties of this crate, each over a connection of its own.

use sp_sync::Settings;
use sp_sync::backend::Nats;

use super::stage::{Pair, data, open};

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
pub async fn open_pair(places: &Places, document: &str, bytes: usize) -> Pair {
    let page = open(places.page.clone(), document, "page", data(bytes), settings()).await;
    let extension = open(places.extension.clone(), document, "extension", data(bytes), settings()).await;
    Pair::of(page, &extension)
}

pub fn settings() -> Settings {
    Settings { waiting_max: 128, ..Settings::default() }
}
