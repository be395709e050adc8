//! The exchange without this crate: both parties watch the key and update it at the revision they saw. The requester
//! adds the action, the executor claims it, then answers and removes the claim, the requester takes the answer away:
//! four conditional updates for a command, each of the whole document.

use async_nats::jetstream;
use async_nats::jetstream::kv::{Operation, Store, Watch};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;

use super::load::Asks;
use super::stage::data;

/// The bucket of both parties, each over a connection of its own.
pub struct Places {
    page: Store,
    extension: Store,
}

impl Places {
    /// An ordinary bucket, of one message per key, made as a stream: with server 2.9 the client crate cannot make one.
    pub async fn reach(url: &str, bucket: &str) -> Self {
        let config = json!({
            "name": format!("KV_{bucket}"), "subjects": [format!("$KV.{bucket}.>")], "max_msgs_per_subject": 1,
            "discard": "new", "retention": "limits", "storage": "file", "num_replicas": 1, "deny_delete": true,
        });
        let client = async_nats::connect(url).await.expect("the server is up");
        let path = format!("$JS.API.STREAM.CREATE.KV_{bucket}");
        client.request(path, config.to_string().into()).await.expect("the server has JetStream");
        let store = async || {
            let client = async_nats::connect(url).await.expect("the server is up");
            jetstream::new(client).get_key_value(bucket).await.expect("the bucket is there")
        };
        Self { page: store().await, extension: store().await }
    }
}

/// One party's view of the document.
struct Party {
    store: Store,
    key: String,
    watch: Watch,
    revision: u64,
    document: Value,
}

impl Party {
    async fn open(store: &Store, key: &str) -> Self {
        let watch = store.watch_with_history(key).await.expect("it can be watched");
        let mut party =
            Self { store: store.clone(), key: key.into(), watch, revision: 0, document: Value::Null };
        party.see().await;
        party
    }

    /// Waits for a newer state than the one it knows.
    async fn see(&mut self) {
        loop {
            let entry = self.watch.next().await.expect("it lasts").expect("it can be read");
            if entry.revision > self.revision && entry.operation == Operation::Put {
                self.revision = entry.revision;
                self.document = serde_json::from_slice(&entry.value).expect("JSON");
                return;
            }
        }
    }

    async fn update(&mut self) {
        let text = serde_json::to_vec(&self.document).expect("JSON");
        self.revision =
            self.store.update(&self.key, text.into(), self.revision).await.expect("nobody else writes now");
    }
}

/// A page that asks and an extension that answers.
pub struct Pair {
    page: Party,
    executor: JoinHandle<()>,
}

impl Pair {
    pub async fn open(places: &Places, key: &str, bytes: usize) -> Self {
        let mut document = data(bytes);
        document["extensionActions"] = json!([]);
        document["onboardingActions"] = json!([]);
        document["claims"] = json!([]);
        let text = serde_json::to_vec(&document).expect("JSON");
        places.page.put(key, text.into()).await.expect("it is stored");
        let page = Party::open(&places.page, key).await;
        let extension = Party::open(&places.extension, key).await;
        Self { page, executor: tokio::spawn(answer(extension)) }
    }
}

impl Asks for Pair {
    async fn ask(&mut self) {
        let page = &mut self.page;
        page.document["extensionActions"] =
            json!([{ "action": "getDisplayCount", "executor": "extension", "respondTo": "onboarding" }]);
        page.update().await;
        loop {
            page.see().await;
            if page.document["onboardingActions"][0]["displayCount"] == 2 {
                break;
            }
        }
        page.document["onboardingActions"] = json!([]);
        page.update().await;
    }
}

async fn answer(mut extension: Party) {
    loop {
        extension.see().await;
        if extension.document["extensionActions"][0]["action"] == "getDisplayCount" {
            extension.document["claims"] = extension.document["extensionActions"].take();
            extension.document["extensionActions"] = json!([]);
            extension.update().await;
            extension.document["claims"] = json!([]);
            extension.document["onboardingActions"] =
                json!([{ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 2 }]);
            extension.update().await;
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.executor.abort();
    }
}
