//! Documents in a NATS JetStream key-value bucket, on one server or a cluster of them.

mod options;

use async_trait::async_trait;

pub use options::{NatsOptions, Storage};

use super::{Backend, BackendError, Directory, Facts, Revision, Stored, Watch, Write, Written};
use crate::id::DocumentId;

/// Documents in a JetStream bucket, shared by every clone and every process that opens the same bucket.
#[derive(Clone, Debug)]
pub struct Nats {
    bucket: std::sync::Arc<str>,
}

impl Nats {
    /// Settings to open a bucket with.
    pub fn options() -> NatsOptions {
        NatsOptions::default()
    }

    /// The name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Sends what was accepted, and ends every watch and task of all clones.
    pub async fn close(self) {}

    async fn open_with(options: NatsOptions) -> Result<Self, BackendError> {
        let _ = (options.servers, options.replicas, options.storage, options.create, options.login);
        Err(not_yet())
    }
}

fn not_yet() -> BackendError {
    BackendError::Unavailable {
        doing: "opening the bucket".into(),
        why: "not built yet".into(),
        source: None,
    }
}

#[async_trait]
impl Backend for Nats {
    fn facts(&self) -> Facts {
        Facts::new("nats")
    }

    async fn read(&self, _: &DocumentId) -> Result<Option<Stored>, BackendError> {
        Err(not_yet())
    }

    async fn write(&self, _: &DocumentId, _: Write) -> Result<Written, BackendError> {
        Err(not_yet())
    }

    async fn remove(&self, _: &DocumentId, _: Option<Revision>) -> Result<bool, BackendError> {
        Err(not_yet())
    }

    async fn watch(&self, _: &DocumentId) -> Result<Watch, BackendError> {
        Err(not_yet())
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

#[async_trait]
impl Directory for Nats {
    async fn list(&self, _: Option<&DocumentId>, _: usize) -> Result<Vec<DocumentId>, BackendError> {
        Err(not_yet())
    }
}
