//! Documents of a remote service.

#[cfg(feature = "server")]
mod afar;
mod causes;
#[cfg(feature = "server")]
mod certificates;
mod losses;
pub(crate) mod peer;
pub(crate) mod proxy;
mod refusals;
#[cfg(feature = "server")]
pub(crate) mod served;
mod service;
mod tokens;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use sp_sync::DocumentId;
use sp_sync::backend::{
    Backend as _, BackendError, Change, Expect, Remote, Revision, Stored, Ttl, Watch, Write, Written,
};
use sp_sync::document::Document;
use sp_sync::token::Token;
use tokio_stream::StreamExt as _;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn remote(uri: &str) -> Remote {
    Remote::builder().uri(uri).token(Token::new("good")).unpaced().build().unwrap()
}

fn id(name: &str) -> DocumentId {
    DocumentId::new(name).unwrap()
}

fn document(number: u64) -> Arc<Document> {
    Arc::new(Document::from_json(&format!("{{\"number\":{number}}}")).unwrap())
}

async fn create(remote: &Remote, name: &str) -> Result<Written, BackendError> {
    remote.write(&id(name), Write { document: document(0), expect: Expect::Absent, ttl: Ttl::Keep }).await
}

async fn update(remote: &Remote, name: &str, before: Revision, number: u64) -> Result<Written, BackendError> {
    let write = Write { document: document(number), expect: Expect::Revision(before), ttl: Ttl::Keep };
    remote.write(&id(name), write).await
}

fn number(stored: &Stored) -> u64 {
    stored.document.field("number").and_then(serde_json::Value::as_u64).unwrap()
}

/// The next thing told.
async fn next(watch: &mut Watch) -> Result<Change, BackendError> {
    tokio::time::timeout(LONG, watch.next()).await.expect("nothing was told").expect("the watch has ended")
}

/// Waits until this number is told.
async fn until_number(watch: &mut Watch, wanted: u64) -> Stored {
    loop {
        match next(watch).await.unwrap() {
            Change::Updated(stored) if number(&stored) == wanted => return stored,
            _ => {}
        }
    }
}

async fn until_removed(watch: &mut Watch) {
    while !matches!(next(watch).await.unwrap(), Change::Removed) {}
}

/// Waits until something holds that only other tasks bring about.
async fn until(what: &str, holds: impl Fn() -> bool + Sync) {
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LONG, polling).await.unwrap_or_else(|_| panic!("never: {what}"));
}
