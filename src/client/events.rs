//! The event emitter of the original, as streams and as callbacks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use serde_json::Value;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt as _};

use super::SyncClient;
use super::delivery::Responder;
use super::notice::Notice;
use super::place::Place;
use super::shared::Kind;
use super::updates::{KeyUpdates, Updates};
use crate::action::Action;
use crate::error::{Error, Result};
use crate::id::{ActionId, Executor};

/// Name of the event for changes of the document (C16).
pub(super) const DOCUMENT_UPDATED: &str = "spSyncDocUpdated";

/// Ending of the events for actions: `<executor>ActionsAdded` (C19).
const ACTIONS_ADDED: &str = "ActionsAdded";

/// The events of one client.
#[derive(Clone, Debug)]
pub struct Events {
    client: SyncClient,
}

impl Events {
    pub(super) fn new(client: SyncClient) -> Self {
        Self { client }
    }

    /// `spSyncDocUpdated`: the whole document each time it is updated, by this client or another (C16).
    pub fn sp_sync_doc_updated(&self) -> Updates {
        Updates::new(&self.client.shared, self.client.commands.clone())
    }

    /// Changes of one top-level key.
    pub fn key_updated(&self, key: impl Into<String>) -> KeyUpdates {
        let key = key.into();
        // Subscribed before looking, so that no change falls between.
        let updates = self.sp_sync_doc_updated();
        let last = self.client.shared.state().ok().and_then(|state| super::Snapshot::new(state).key(&key));
        KeyUpdates::new(updates, key, last)
    }

    /// `<executor>ActionsAdded`: one action at a time, oldest first, also those that wait already (C18, C34). An
    /// action is finished and gone when every listener of this client has it (C37). To say how it ended, or to be
    /// able to crash without losing it, take [deliveries](SyncClient::executor) instead.
    ///
    /// # Errors
    /// [`Error::UnknownExecutor`] when the catalogue has no such executor.
    pub fn actions_added(&self, executor: impl Into<Executor>) -> Result<ActionsAdded> {
        let executor = executor.into();
        self.client.shared.check_executor(&executor)?;
        let (key, place) = self.client.shared.register(executor, Kind::Listener);
        Ok(ActionsAdded { client: self.client.clone(), key, place })
    }

    /// `extensionActionsAdded` of the proctoring catalogue; see [`actions_added`](Self::actions_added).
    ///
    /// # Errors
    /// [`Error::UnknownExecutor`] when the client's catalogue has no executor `extension`.
    pub fn extension_actions_added(&self) -> Result<ActionsAdded> {
        self.actions_added("extension")
    }

    /// `onboardingActionsAdded` of the proctoring catalogue; see [`actions_added`](Self::actions_added).
    ///
    /// # Errors
    /// [`Error::UnknownExecutor`] when the client's catalogue has no executor `onboarding`.
    pub fn onboarding_actions_added(&self) -> Result<ActionsAdded> {
        self.actions_added("onboarding")
    }

    /// Failures, expiries and whatever else an operator may want to know, from now on. A subscriber that lags by
    /// more than 256 loses the oldest and is told how many. It ends with the client, after the last notice.
    pub fn notices(&self) -> Notices {
        Notices { stream: BroadcastStream::new(self.client.shared.notices()) }
    }

    /// Calls back for an event by its original name: `spSyncDocUpdated` with the whole document,
    /// `<executor>ActionsAdded` with one action object. Calls come one at a time, in order, on a task of the current
    /// runtime, until the returned guard is dropped. The guard keeps the client alive.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such event.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn on(&self, event: &str, mut call: impl FnMut(Value) + Send + 'static) -> Result<Subscription> {
        if event == DOCUMENT_UPDATED {
            let mut updates = self.sp_sync_doc_updated();
            return Ok(Subscription::run(async move {
                while let Some(Ok(update)) = updates.next().await {
                    call(update.to_value());
                }
            }));
        }
        let Some(Ok(mut actions)) =
            event.strip_suffix(ACTIONS_ADDED).map(|executor| self.actions_added(executor))
        else {
            let catalogue = &self.client.shared.catalogue;
            let known: Vec<&str> = catalogue.executors().map(crate::catalogue::ExecutorType::event).collect();
            let why =
                format!("there is no event `{event}`: there are {DOCUMENT_UPDATED}, {}", known.join(", "));
            return Err(Error::Invalid { what: "event", why });
        };
        Ok(Subscription::run(async move {
            while let Some(event) = actions.next().await {
                call(event.action.to_value());
            }
        }))
    }
}

/// Stops calling back when dropped.
#[must_use = "dropping it ends the calls"]
#[derive(Debug)]
pub struct Subscription {
    task: AbortHandle,
}

impl Subscription {
    fn run(calls: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { task: tokio::spawn(calls).abort_handle() }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An action as an event gives it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActionEvent {
    /// The action, as the original would give it (C20).
    pub action: Action,
    /// Its identity.
    pub id: ActionId,
    /// Attempt, from 1. A repeat carries more (C41).
    pub attempt: u32,
    responder: Option<Responder>,
}

impl ActionEvent {
    /// The right to answer, where the action asks for a response.
    #[must_use]
    pub fn into_responder(self) -> Option<Responder> {
        self.responder
    }
}

/// Actions of one executor as events; see [`Events::actions_added`]. Dropping it unsubscribes.
#[must_use]
#[derive(Debug)]
pub struct ActionsAdded {
    client: SyncClient,
    key: u64,
    place: Arc<Place>,
}

impl Stream for ActionsAdded {
    type Item = ActionEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(hand) = ready!(self.place.poll_take(context)) else { return Poll::Ready(None) };
            let Some(action) = hand.action().cloned() else { continue };
            let responder = Responder::new(&self.client, &hand);
            let (id, attempt) = (hand.start.id.clone(), hand.start.attempt);
            return Poll::Ready(Some(ActionEvent { action, id, attempt, responder }));
        }
    }
}

impl Drop for ActionsAdded {
    fn drop(&mut self) {
        self.client.shared.unregister(self.key);
    }
}

/// A stream of [`Notice`]s; see [`Events::notices`]. `Err(n)` tells that `n` were lost to this subscriber.
#[must_use]
#[derive(Debug)]
pub struct Notices {
    stream: BroadcastStream<Notice>,
}

impl Stream for Notices {
    type Item = std::result::Result<Notice, u64>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let lagged = |BroadcastStreamRecvError::Lagged(lost)| lost;
        Pin::new(&mut self.stream).poll_next(context).map(|item| item.map(|notice| notice.map_err(lagged)))
    }
}
