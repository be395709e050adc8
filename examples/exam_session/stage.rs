//! Where the session takes place, and who says what when.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sp_sync::backend::BackendUrl;
use sp_sync::{DocumentId, Identity, SyncClient};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One session of one student, in one store.
#[derive(Clone)]
pub(crate) struct Session {
    /// Where the store is; there may be a password in it.
    pub(crate) address: String,
    /// The same, read: shown without one.
    pub(crate) store: BackendUrl,
    pub(crate) document: DocumentId,
}

impl Session {
    /// A new one.
    pub(crate) fn new() -> Outcome<Self> {
        Self::of(DocumentId::session(&format!("ES{}", Uuid::new_v4().simple()))?.as_str())
    }

    /// That of this document.
    pub(crate) fn of(document: &str) -> Outcome<Self> {
        let address = match std::env::var("SP_SYNC_BACKEND") {
            Ok(address) => address,
            Err(_) => {
                let file = std::env::temp_dir().join(format!("sp-sync-exam-{}.db", std::process::id()));
                format!("file:{}", file.display())
            }
        };
        Ok(Self { store: address.parse()?, address, document: DocumentId::new(document)? })
    }

    /// Opens the store and the document: every party for itself.
    pub(crate) async fn join(&self, identity: &str) -> Outcome<SyncClient> {
        let client = SyncClient::builder()
            .backend(self.store.open().await?)
            .document_id(self.document.clone())
            .identity(Identity::new(identity)?)
            .initial_data(json!({ "reliableConnection": true }))
            .settings(crate::settings());
        Ok(client.connect().await?)
    }
}

/// What an executor did with an action.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deed {
    pub(crate) who: String,
    pub(crate) action: String,
    pub(crate) attempt: u32,
    pub(crate) end: String,
}

/// Prints the story and remembers the deeds.
#[derive(Clone)]
pub(crate) struct Stage {
    began: Instant,
    deeds: Arc<watch::Sender<Vec<Deed>>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), deeds: Arc::new(watch::Sender::default()) }
    }

    pub(crate) fn heading(&self, text: &str) {
        println!("\n── {text}");
    }

    pub(crate) fn say(&self, who: &str, text: impl std::fmt::Display) {
        println!("{:>6.2} s  {who:<12} {text}", self.began.elapsed().as_secs_f64());
    }

    pub(crate) fn note(&self, deed: Deed) {
        self.deeds.send_modify(|deeds| deeds.push(deed));
    }

    pub(crate) fn deeds(&self) -> Vec<Deed> {
        self.deeds.borrow().clone()
    }

    /// Waits until somebody has said how it stands with an action.
    pub(crate) async fn until(&self, who: &str, action: &str, end: &str) -> Outcome {
        let told = |deed: &Deed| deed.who == who && deed.action == action && deed.end == end;
        let mut deeds = self.deeds.subscribe();
        let waited = timeout(Duration::from_secs(20), deeds.wait_for(|deeds| deeds.iter().any(told))).await;
        match waited {
            Ok(told) => told.map(drop).map_err(Into::into),
            Err(_) => Err(format!("{who} never said of {action} that it is {end}").into()),
        }
    }
}
