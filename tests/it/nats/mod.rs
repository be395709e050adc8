//! The NATS backend, over servers that the tests start.

mod logins;
mod losses;
mod promises;
mod rivals;
mod settings;
mod sweeping;
mod voids;
mod watching;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sp_sync::DocumentId;
use sp_sync::backend::{
    Backend, BackendError, Change, Expect, Nats, NatsOptions, Revision, Ttl, Watch, Write, Written,
};
use sp_sync::document::Document;
use tokio_stream::StreamExt as _;

use crate::support::nats::Server;

/// Longer than anything that comes takes to come on the busiest machine.
const AGES: Duration = Duration::from_secs(90);

/// Options for a bucket of a test's own.
fn bucket(server: &Server, name: &str) -> NatsOptions {
    Nats::options().server(server.url()).bucket(name).connect_within(Duration::from_secs(30))
}

fn id(name: &str) -> DocumentId {
    DocumentId::new(name).unwrap()
}

fn numbered(number: u64) -> Arc<Document> {
    Arc::new(Document::from_json(&json!({ "number": number }).to_string()).unwrap())
}

fn number(document: &Document) -> u64 {
    document.field("number").and_then(serde_json::Value::as_u64).unwrap()
}

async fn write(
    backend: &Nats,
    name: &str,
    before: Option<Revision>,
    content: u64,
) -> Result<Written, BackendError> {
    let expect = before.map_or(Expect::Absent, Expect::Revision);
    backend.write(&id(name), Write { document: numbered(content), expect, ttl: Ttl::Keep }).await
}

/// The same, as a patient client would: what stored nothing is tried again, and what may have is looked up.
async fn write_at_last(backend: &Nats, name: &str, content: u64) -> Revision {
    let patiently = async {
        loop {
            match backend.read(&id(name)).await {
                Ok(Some(found)) if number(&found.document) == content => return found.revision,
                Ok(found) => {
                    let before = found.map(|found| found.revision);
                    if let Ok(written) = write(backend, name, before, content).await {
                        return written.revision;
                    }
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(AGES, patiently).await.expect("the write never held")
}

/// What a watch tells next.
async fn next(watch: &mut Watch) -> Option<u64> {
    let change = tokio::time::timeout(AGES, watch.next()).await.expect("nothing was told");
    match change.expect("the watch has ended").unwrap() {
        Change::Updated(stored) => Some(number(&stored.document)),
        Change::Removed => None,
    }
}

/// Waits until a watch tells this, and that it never went back before.
async fn until(watch: &mut Watch, content: u64) {
    let mut newest = 0;
    while newest < content {
        let told = next(watch).await.unwrap_or_default();
        assert!(told >= newest, "{told} was told after {newest}");
        newest = told;
    }
}

/// The error with which a bucket does not open.
async fn refused(options: NatsOptions) -> BackendError {
    match options.open().await {
        Err(error) => error,
        Ok(_) => panic!("the bucket opened"),
    }
}
