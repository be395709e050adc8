//! Streams of documents: `spSyncDocUpdated` (C16, C17).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;

use super::shared::{Command, Seen, Shared};
use super::snapshot::Snapshot;
use crate::error::{Error, Result};

/// The document after a change, and what was missed since the one before.
#[derive(Clone, Debug)]
pub struct Update {
    /// The whole document.
    pub snapshot: Snapshot,
    /// How many states this subscriber has not been given since its last update, because it or the network was slow;
    /// `None` where the backend does not number its states one by one.
    pub skipped: Option<u64>,
}

impl std::ops::Deref for Update {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// Every update of the document from now on, by this client or another, the newest always (C16, C17). A slow
/// subscriber skips states; it costs no memory and delays nobody. The last item before the end is
/// [`Error::NotFound`] when the document was removed; when the client is closed the stream just ends.
#[must_use]
pub struct Updates {
    states: WatchStream<Seen>,
    /// Keeps the client alive.
    _commands: mpsc::Sender<Box<Command>>,
    /// Changes counted up to the last item.
    seen: u64,
    dense: bool,
    over: bool,
}

impl Updates {
    pub(super) fn new(shared: &Arc<Shared>, commands: mpsc::Sender<Box<Command>>) -> Self {
        let receiver = shared.updates.subscribe();
        let seen = match &*receiver.borrow() {
            Seen::State(state) => state.changes,
            Seen::Over(_) => 0,
        };
        let dense = shared.backend.facts().dense_revisions;
        Self { states: WatchStream::new(receiver), _commands: commands, seen, dense, over: false }
    }
}

impl Stream for Updates {
    type Item = Result<Update>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            let state = match ready!(Pin::new(&mut self.states).poll_next(context)) {
                Some(Seen::State(state)) => state,
                Some(Seen::Over(error)) => {
                    self.over = true;
                    let told = matches!(error, Error::NotFound { .. }).then_some(Err(error));
                    return Poll::Ready(told);
                }
                None => return Poll::Ready(None),
            };
            // The state from before the subscription is no update.
            if state.changes > self.seen {
                let skipped = self.dense.then(|| state.changes - self.seen - 1);
                self.seen = state.changes;
                return Poll::Ready(Some(Ok(Update { snapshot: Snapshot::new(state), skipped })));
            }
        }
    }
}

impl std::fmt::Debug for Updates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Updates").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// Every change of one top-level key from now on: its new value, or `None` when it was removed.
#[must_use]
#[derive(Debug)]
pub struct KeyUpdates {
    updates: Updates,
    key: String,
    last: Option<Value>,
}

impl KeyUpdates {
    pub(super) fn new(updates: Updates, key: String, last: Option<Value>) -> Self {
        Self { updates, key, last }
    }
}

impl Stream for KeyUpdates {
    type Item = Result<Option<Value>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let update = match ready!(Pin::new(&mut self.updates).poll_next(context)) {
                Some(Ok(update)) => update,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            let value = update.snapshot.key(&self.key);
            if value != self.last {
                self.last.clone_from(&value);
                return Poll::Ready(Some(Ok(value)));
            }
        }
    }
}
