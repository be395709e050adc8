//! Documents at hand: one task owns each, as long as somebody subscribes to it or asks for something.
//!
//! The task carries out writes one after the other, watches the backend while there are subscribers, and tells them of
//! every new state in order. Sync: the author of a write is answered first, then every other subscriber is told, and the
//! author's own connection is not.

mod subscribers;
mod task;
mod watching;
mod write;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub(super) use subscribers::timestamp;
pub(super) use write::{event_id, refusal, too_large};

use super::connection::{Peer, PeerId};
use super::rights::Rows;
use super::service::Core;
use crate::backend::Stored;
use crate::id::DocumentId;
use crate::limits::SERVER_COMMANDS_MAX;
use crate::twilsock::sync::{Code, Correlation, Data, EventId, Revision, SyncError, Ttl};

/// Tasks of documents, by name.
#[derive(Debug, Default)]
pub(super) struct Documents {
    tasks: Mutex<HashMap<DocumentId, mpsc::Sender<Command>>>,
}

/// Something for a document's task to do. Kept small: each document has room for many.
#[derive(Debug)]
pub(super) enum Command {
    /// A write, and who is to hear of its outcome.
    Change(Box<Change>),
    /// This connection wants to hear of changes, and of those since an event.
    Subscribe(Box<Subscription>),
    /// This connection asks to hear no more.
    Cancel(Box<(Arc<Peer>, Correlation)>),
    /// This connection is gone.
    Leave(PeerId),
    /// Who may do what has changed.
    Judge(Box<Rows>),
}

/// A connection that wants to hear of changes.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) peer: Arc<Peer>,
    /// The last event it knows.
    pub(super) last_event_id: Option<EventId>,
    pub(super) correlation: Correlation,
}

/// A write.
pub(super) struct Change {
    pub(super) edit: Edit,
    /// The connection it came from, which is not told of it.
    pub(super) author: Option<PeerId>,
    /// When it is given up.
    pub(super) until: Instant,
    pub(super) answer: Answer,
}

/// Takes the outcome of a write; called before anybody else hears of it.
pub(super) type Answer = Box<dyn FnOnce(Result<Done, SyncError>) + Send>;

/// What a write does.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// Makes the document.
    Create { data: Data, ttl: Option<Ttl> },
    /// Gives it other data, or another time to live, or both; only over this revision if there is one.
    Update { data: Option<Data>, ttl: Option<Ttl>, if_match: Option<Revision> },
    /// Removes it.
    Remove { if_match: Option<Revision> },
}

/// A write that held.
#[derive(Clone, Debug)]
pub(super) enum Done {
    /// The document has this state.
    Written(Stored),
    /// It is no more.
    Removed,
}

impl Edit {
    /// Bytes of new data, as they came.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Create { data, .. } | Self::Update { data: Some(data), .. } => data.text().len(),
            Self::Update { data: None, .. } | Self::Remove { .. } => 0,
        }
    }
}

impl Core {
    /// Hands something to a document's task, which is started if there is none.
    pub(super) async fn command(self: &Arc<Self>, document: &DocumentId, mut command: Command) {
        // A task that has just ended gives the command back; the next one takes it.
        while let Err(mpsc::error::SendError(back)) = self.task(document).send(command).await {
            command = back;
        }
    }

    /// Tells a document that a connection is gone, if it is at hand.
    pub(super) async fn leave(&self, document: &DocumentId, peer: PeerId) {
        let task = self.documents.lock().get(document).cloned();
        if let Some(task) = task {
            // A task that has ended has no subscribers.
            let _ = task.send(Command::Leave(peer)).await;
        }
    }

    /// Tells a document who may do what from now on, if it is at hand. What it is told afterwards is judged by that.
    pub(super) async fn judge(&self, document: &DocumentId, rows: Rows) {
        let task = self.documents.lock().get(document).cloned();
        if let Some(task) = task {
            // A task that has ended has nobody to judge.
            let _ = task.send(Command::Judge(Box::new(rows))).await;
        }
    }

    /// Carries out a write that comes from no connection.
    ///
    /// # Cancel safety
    /// A write that was begun goes on.
    pub(super) async fn change(
        self: &Arc<Self>,
        document: &DocumentId,
        edit: Edit,
    ) -> Result<Done, SyncError> {
        let (sender, outcome) = oneshot::channel();
        // Whoever asked may be gone.
        let answer: Answer = Box::new(move |outcome| drop(sender.send(outcome)));
        let until = Instant::now() + self.limits.write_within;
        let change = Change { edit, author: None, until, answer };
        self.command(document, Command::Change(Box::new(change))).await;
        outcome.await.unwrap_or_else(|_| Err(Code::Internal.into()))
    }

    /// The present state of a document. Always the backend's answer: a client that was told of a write, by whichever
    /// server, reads it or a newer one.
    pub(super) async fn read(&self, document: &DocumentId) -> Result<Stored, SyncError> {
        if !self.reads.take(document, 0, Instant::now()) {
            return Err(Code::RateLimit.into());
        }
        match self.backend.read(document).await {
            Ok(Some(stored)) => Ok(stored),
            Ok(None) => Err(Code::NoDocument.into()),
            Err(error) => Err(write::refusal(&error)),
        }
    }

    fn task(self: &Arc<Self>, document: &DocumentId) -> mpsc::Sender<Command> {
        let mut tasks = self.documents.lock();
        match tasks.entry(document.clone()) {
            Entry::Occupied(task) if !task.get().is_closed() => task.get().clone(),
            entry => {
                let (sender, commands) = mpsc::channel(SERVER_COMMANDS_MAX);
                entry.insert_entry(sender.clone());
                drop(tasks);
                task::start(self.clone(), document.clone(), commands);
                sender
            }
        }
    }

    /// Forgets a task that has nothing to do, unless somebody has just found it.
    pub(super) fn forget(&self, document: &DocumentId, commands: &mpsc::Receiver<Command>) -> bool {
        let mut tasks = self.documents.lock();
        // The only sender left is the one in the map.
        let alone = commands.is_empty() && commands.sender_strong_count() <= 1;
        if alone {
            tasks.remove(document);
        }
        alone
    }
}

impl Documents {
    /// Lets go of all: a task ends with what it has begun, and holds the store no longer.
    pub(super) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DocumentId, mpsc::Sender<Command>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never a value (C64).
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("edit", &self.edit)
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}
