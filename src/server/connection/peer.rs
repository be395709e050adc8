//! A connection, as documents see it: somebody to be told things.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::super::Counters;
use crate::id::DocumentId;
use crate::twilsock::frame::Encoded;
use crate::twilsock::message::{Notification, Response};
use crate::twilsock::server_session::{Check, Verdict};
use crate::twilsock::sync::{Code, SyncError};

/// Number of a connection within this process.
pub(crate) type PeerId = u64;

/// One connection. What it is told goes through one queue, so an answer and what follows from it keep their order.
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    /// Where it comes from, as far as is known.
    pub(crate) address: Option<IpAddr>,
    identity: OnceLock<Box<str>>,
    queue: mpsc::Sender<Told>,
    /// The connection is to end at once.
    cut: Notify,
    overrun: AtomicBool,
    /// Documents subscribed to, kept by their tasks; `None` when the connection is gone.
    subscribed: Mutex<Option<HashSet<DocumentId>>>,
    /// Documents that it heard of until its right was taken away.
    barred: Mutex<HashSet<DocumentId>>,
    subscriptions_max: usize,
    counters: Arc<Counters>,
}

/// What a connection is told. Kept small: many may wait.
#[derive(Debug)]
pub(crate) enum Told {
    /// The answer to a request.
    Answer(Box<(String, Response)>),
    /// What only this client hears.
    Own(Box<[Notification]>),
    /// What all subscribers hear.
    Shared(Arc<Shared>),
    /// What became of a token.
    Checked(Check, Box<Verdict>),
}

/// A notification for many: one frame with one id.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: String,
    pub(crate) frame: Encoded,
    /// When it was known.
    pub(crate) since: Instant,
}

impl Peer {
    pub(crate) fn new(
        id: PeerId,
        address: Option<IpAddr>,
        queue: mpsc::Sender<Told>,
        subscriptions_max: usize,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            id,
            address,
            identity: OnceLock::new(),
            queue,
            cut: Notify::new(),
            overrun: AtomicBool::new(false),
            subscribed: Mutex::new(Some(HashSet::new())),
            barred: Mutex::default(),
            subscriptions_max,
            counters,
        }
    }

    /// Who it is, once a token was accepted.
    pub(crate) fn identity(&self) -> &str {
        self.identity.get().map_or("", |identity| identity)
    }

    pub(crate) fn identify(&self, identity: &str) {
        self.identity.get_or_init(|| identity.into());
    }

    /// Tells it something, without waiting. A client that has not taken thousands of things is cut off: it will come
    /// back and be told the newest state.
    pub(crate) fn tell(&self, told: Told) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(told) {
            self.overrun.store(true, Relaxed);
            self.cut.notify_one();
        }
    }

    /// The same for a notification.
    pub(crate) fn notify(&self, told: Told) {
        self.counters.notifications.up();
        self.tell(told);
    }

    /// Waits until it has too much to take.
    pub(crate) async fn overrun(&self) {
        while !self.overrun.load(Relaxed) {
            self.cut.notified().await;
        }
    }

    /// A document takes it among its subscribers.
    pub(crate) fn subscribe(&self, document: &DocumentId) -> Result<(), SyncError> {
        let mut subscribed = self.lock();
        let Some(documents) = subscribed.as_mut() else { return Err(Code::Unavailable.into()) };
        if documents.len() >= self.subscriptions_max && !documents.contains(document) {
            return Err(Code::TooManySubscriptions.into());
        }
        if documents.insert(document.clone()) {
            self.counters.subscriptions.up();
        }
        Ok(())
    }

    /// A document has it no longer among its subscribers.
    pub(crate) fn unsubscribe(&self, document: &DocumentId) {
        if self.lock().as_mut().is_some_and(|documents| documents.remove(document)) {
            self.counters.subscriptions.down();
        }
    }

    /// A subscription ends because its right was taken away. What it knows to be there is no secret to it: it is told why.
    pub(crate) fn bar(&self, document: &DocumentId) {
        let mut barred = self.barred();
        if barred.len() < self.subscriptions_max {
            barred.insert(document.clone());
        }
    }

    /// Whether this connection hears of the document, or heard of it until its right was taken away.
    pub(crate) fn knows(&self, document: &DocumentId) -> bool {
        self.lock().as_ref().is_some_and(|documents| documents.contains(document))
            || self.barred().contains(document)
    }

    /// The document among those it is subscribed to that is meant.
    pub(crate) fn subscribed_to(&self, meant: impl Fn(&DocumentId) -> bool) -> Option<DocumentId> {
        self.lock().as_ref()?.iter().find(|document| meant(document)).cloned()
    }

    /// The connection is gone; no document takes it from now on. Answers those that have it.
    pub(crate) fn leave(&self) -> HashSet<DocumentId> {
        let documents = self.lock().take().unwrap_or_default();
        documents.iter().for_each(|_| self.counters.subscriptions.down());
        documents
    }

    fn barred(&self) -> MutexGuard<'_, HashSet<DocumentId>> {
        self.barred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashSet<DocumentId>>> {
        self.subscribed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).finish_non_exhaustive()
    }
}
