//! The parties of this crate, each over a connection of its own.

use std::time::Duration;

use sp_sync::Settings;
use sp_sync::backend::Nats;

use super::stage::{Pair, data, open};

/// How long what is written over is kept.
pub const KEPT: Duration = Duration::from_secs(1);

pub struct Places {
    pub page: Nats,
    pub extension: Nats,
}

impl Places {
    pub async fn reach(url: &str, bucket: &str) -> Self {
        // What is written over is removed a second later, so that it can be waited for.
        let options = Nats::options().server(url).bucket(bucket).sweep_interval(KEPT);
        let options = options.reply_within(KEPT - Duration::from_millis(100));
        let nats = async || options.clone().open().await.expect("the server is up");
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
