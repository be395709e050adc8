//! Documents in a NATS JetStream key-value bucket, on one server or a cluster of them.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sp_sync::backend::Nats;
//!
//! let nats = Nats::options()
//!     .server("nats://a.example.com:4222")
//!     .server("nats://b.example.com:4222")
//!     .bucket("exams")
//!     .replicas(3)
//!     .credentials_file("/etc/sp-sync/exams.creds")
//!     .open()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! * **Durable** means stored by a majority of the bucket's replicas before the caller hears of it; with one replica, by
//!   that server, which writes to its disk at once and syncs it every two minutes unless its `sync_interval` says otherwise.
//! * **Conditional writes.** The revision is the sequence of the message that stands. One server compares it and stores in one step.
//!   A cluster does not: the leader compares, and several messages that expect the same may be stored after it did. So each
//!   says what it stands on (`Sp-After`, `Sp-Over`), and of rivals the one that is stored first holds; the others are void for
//!   good, and every reader passes over them. A write answers when it is known to hold. A write whose answer did not come is
//!   [`BackendError::Unknown`]; one that found no leader, no room or no permission stored nothing and says so.
//! * **What was written over** is kept for a minute, then its writer removes it, one small request more each; what writers
//!   that died left behind goes when a key has rested for a sweep's interval. A document that this process watches is read
//!   and written with one request each, for the servers repeat what is written; of another a read takes two, and a write
//!   to several replicas one more. All this is so where the bucket has several replicas, and over servers before 2.10, which enforce a limit of
//!   messages per key on the wrong ones after they were killed: documents were lost. A bucket of one replica over a later
//!   server keeps one message per key and needs none of it.
//! * **Reads** ask the stream's leader. They are never older than what this process was told before, and never older than
//!   an acknowledged write of another, with one exception: a leader that was cut off from the others does not notice for
//!   some seconds, and shows those who are cut off with it the past. It takes no writes then.
//! * **Watching** costs no consumer: the server repeats every stored message on a plain subject
//!   (`sp.kv.<bucket>.<shard>.<key>`), and a process subscribes to the shards of the documents that it has open. After
//!   a lost connection each is read once. Whatever else may have been missed is found within two minutes.
//! * **Time** is the clock of the server that leads the stream, estimated from messages that it stored. The clocks of
//!   the processes do not matter; those of a cluster's servers are to be kept together, as NATS itself needs it.
//! * **Time to live.** Expired documents are hidden at once. Who watches one removes it; of the others, processes take turns
//!   to remove what they find. Servers from 2.11 on also remove them by themselves, in buckets of one replica made there.
//! * **The bucket** is an ordinary one: `nats kv get exams Session_ES…` shows a document as plain JSON. When it was made,
//!   written, and expires stands in headers. What `nats kv put` writes is a document like others, if it is a JSON object;
//!   it counts whatever stood there before, as does `nats kv del`. With several replicas `nats kv get` and `nats kv watch`
//!   may show a void message. The number of replicas is changed while nobody has the bucket open (opening it says how); one
//!   that ever had several goes on to keep all messages. Do not purge subjects of such a bucket over servers before 2.9.18: one
//!   that is then restarted may purge all the others from its copy (nats-server issue 4196). Rights to publish to single keys
//!   part nobody from the others where the bucket allows roll-ups, as those that `nats kv add` makes do.
//!   Two keys are the bucket's own: `=clock` and `=sweep`.
//!
//! # Permissions
//!
//! A client publishes to `$KV.<bucket>.>`, `$JS.API.STREAM.INFO.KV_<bucket>`, `$JS.API.STREAM.MSG.GET.KV_<bucket>`,
//! `$JS.API.STREAM.MSG.DELETE.KV_<bucket>` (`$JS.API.STREAM.PURGE.KV_<bucket>` where it keeps one message per key),
//! `$JS.API.CONSUMER.*.KV_<bucket>.>` and `$JS.API.CONSUMER.*.KV_<bucket>`, `$JS.API.CONSUMER.MSG.NEXT.KV_<bucket>.*`, and where
//! it may make the bucket, `$JS.API.STREAM.CREATE.KV_<bucket>`. It subscribes to `sp.kv.<bucket>.>` and `_INBOX.>`.

mod api;
mod bucket;
mod chain;
mod clock;
mod connecting;
mod core;
mod failure;
mod hub;
mod judging;
mod keeping;
mod link;
mod listing;
mod message;
mod names;
mod opening;
mod options;
mod superseded;
mod sweeping;
mod turns;
mod writes;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::task::JoinSet;

pub use options::{NatsOptions, Storage};

use self::core::Core;
use super::{Backend, BackendError, Directory, Facts, Revision, Stored, Watch, Write, Written};
use crate::id::DocumentId;
use names::Key;

/// Documents in a JetStream bucket, shared by every clone and by every process that opens the same bucket. See
/// [the module](self).
///
/// Clones share one connection, which ends when the last of them and their last watch are gone.
#[derive(Clone, Debug)]
pub struct Nats {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    document_bytes_max: usize,
    replicas: usize,
    has_made_bucket: bool,
    is_in_cluster: bool,
    /// Emptied by closing; dropped, they end.
    tasks: Mutex<JoinSet<()>>,
}

impl Nats {
    /// Settings to open a bucket with.
    pub fn options() -> NatsOptions {
        NatsOptions::default()
    }

    /// The name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        self.shared.core.names.bucket()
    }

    /// On how many servers each document is, as found when the bucket was opened.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.shared.replicas
    }

    /// Whether there was no such bucket when it was opened, and it was made.
    #[must_use]
    pub fn has_made_bucket(&self) -> bool {
        self.shared.has_made_bucket
    }

    /// Whether the server is one of a cluster, as found when the bucket was opened.
    #[must_use]
    pub fn is_in_cluster(&self) -> bool {
        self.shared.is_in_cluster
    }

    /// Sends what was accepted, and ends every call and every watch, for all clones.
    pub async fn close(self) {
        let tasks = std::mem::take(&mut *self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
        self.shared.core.hub.close();
        self.shared.core.link.close().await;
    }
}

#[async_trait]
impl Backend for Nats {
    fn facts(&self) -> Facts {
        Facts { document_bytes_max: self.shared.document_bytes_max, ..Facts::new("nats") }
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        let core = &self.shared.core;
        let found = core.read(&Key::of(id)).await?;
        Ok(core.without_expired(found).stored)
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let (size_bytes, limit_bytes) = (write.document.to_json().len(), self.shared.document_bytes_max);
        if size_bytes > limit_bytes {
            return Err(BackendError::TooLarge { size_bytes, limit_bytes });
        }
        writes::write(&self.shared.core, &Key::of(id), &write).await
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        writes::remove(&self.shared.core, &Key::of(id), expect).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let (core, key) = (&self.shared.core, Key::of(id));
        let (watching, subscription) = core.hub.join(&key);
        core.subscribe(&key, &subscription).await?;
        core.read(&key).await?;
        Ok(Box::pin(watching.keeping(self.shared.clone())))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }
}

#[async_trait]
impl Directory for Nats {
    async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>, BackendError> {
        listing::list(&self.shared.core, after, limit).await
    }
}
