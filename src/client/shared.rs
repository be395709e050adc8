//! What the handles of one client and its driver share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use super::hand::{Ended, Hand};
use super::machine::{Addition, Reply, State, Wait};
use super::notice::Notice;
use super::settings::Settings;
use super::token::Fresh;
use crate::backend::{Backend, Ttl};
use crate::catalogue::Catalogue;
use crate::document::Operation;
use crate::error::{Error, Result};
use crate::id::{DocumentId, Executor, Identity};
use crate::limits::NOTICES_KEPT;

/// What handles ask of the driver. Bounded: a caller waits for a place.
#[derive(Debug)]
pub(super) enum Command {
    /// An operation of the application, and what becomes of the time to live.
    Submit(Operation, Ttl, Reply),
    /// Actions to be added.
    Add(Vec<Addition>, Reply),
    /// A request to be added, and the wait for its response.
    Ask(Addition, Wait),
    /// Nobody waits for this response any more: the request is to be withdrawn.
    GiveUp(u64, Reply),
    /// A new token was installed.
    Resume,
    /// No token can be had.
    TokenExpired,
    /// Give back, write what waits, end.
    Close(oneshot::Sender<Result<()>>),
}

/// What readers see.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    State(State),
    /// The document was removed, or the client closed.
    Over(Error),
}

pub(super) struct Shared {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) id: DocumentId,
    pub(super) identity: Identity,
    pub(super) instance: Arc<str>,
    pub(super) catalogue: Catalogue,
    pub(super) settings: Settings,
    pub(super) plain: bool,
    /// Every state.
    pub(super) states: watch::Sender<Seen>,
    /// States that look different to the application.
    pub(super) updates: watch::Sender<Seen>,
    pub(super) notices: broadcast::Sender<Notice>,
    /// The token in use, where the backend needs one.
    pub(super) token: watch::Sender<Option<Fresh>>,
    /// How often the backend has refused a token.
    pub(super) token_refused: watch::Sender<u64>,
    keys: AtomicU64,
    hub: Mutex<Hub>,
    /// The driver has something to look at here.
    pub(super) wake: Notify,
}

/// Who takes actions here, and what has ended.
#[derive(Debug, Default)]
struct Hub {
    takers: Vec<Taker>,
    /// At most one for each action handed out.
    ended: Vec<Ended>,
}

#[derive(Debug)]
struct Taker {
    key: u64,
    executor: Executor,
    kind: Kind,
    /// One place: actions of an executor come one at a time.
    sender: mpsc::Sender<Arc<Hand>>,
}

/// How a taker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every listener sees every action (C37).
    Listener,
    /// One of the handlers gets it and says how it ended.
    Handler,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "called once, by the builder")]
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        id: DocumentId,
        identity: Identity,
        instance: Arc<str>,
        catalogue: Catalogue,
        settings: Settings,
        plain: bool,
        state: State,
    ) -> Self {
        let seen = Seen::State(state);
        Self {
            backend,
            id,
            identity,
            instance,
            catalogue,
            settings,
            plain,
            states: watch::Sender::new(seen.clone()),
            updates: watch::Sender::new(seen),
            notices: broadcast::Sender::new(NOTICES_KEPT),
            token: watch::Sender::new(None),
            token_refused: watch::Sender::new(0),
            keys: AtomicU64::new(1),
            hub: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// A poisoned lock is taken over: each change below is complete in itself.
    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest document, or why there is none.
    pub(super) fn state(&self) -> Result<State> {
        match &*self.states.borrow() {
            Seen::State(state) => Ok(state.clone()),
            Seen::Over(error) => Err(error.clone()),
        }
    }

    pub(super) fn check_executor(&self, executor: &Executor) -> Result<()> {
        match self.catalogue.executor(executor.as_str()) {
            Some(_) => Ok(()),
            None => Err(self.catalogue.unknown_executor(executor.as_str())),
        }
    }

    pub(super) fn register(&self, executor: Executor, kind: Kind) -> (u64, mpsc::Receiver<Arc<Hand>>) {
        let (sender, receiver) = mpsc::channel(1);
        let key = self.next_key();
        let mut hub = self.hub();
        hub.takers.push(Taker { key, executor, kind, sender });
        drop(hub);
        self.wake.notify_one();
        (key, receiver)
    }

    /// A number not used before by this client.
    pub(super) fn next_key(&self) -> u64 {
        self.keys.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn unregister(&self, key: u64) {
        self.hub().takers.retain(|taker| taker.key != key);
        self.wake.notify_one();
    }

    /// Whether anybody here takes actions of an executor.
    pub(super) fn is_wanted(&self, executor: &str) -> bool {
        self.hub().takers.iter().any(|taker| taker.executor.as_str() == executor)
    }

    /// Gives an action to every listener, and to one handler.
    pub(super) fn hand_out(&self, hand: &Arc<Hand>) {
        let mut hub = self.hub();
        let mut handed = None;
        for taker in hub.takers.iter().filter(|taker| taker.executor == hand.start.executor) {
            // A place is free: the action before has ended. A closed receiver is on its way to unregister.
            let given = match taker.kind {
                Kind::Listener => taker.sender.try_send(hand.clone()).is_ok(),
                Kind::Handler => handed.is_none() && taker.sender.try_send(hand.clone()).is_ok(),
            };
            if given && taker.kind == Kind::Handler {
                handed = Some(taker.key);
            }
        }
        // Handlers take turns.
        if let Some(place) = handed.and_then(|key| hub.takers.iter().position(|taker| taker.key == key)) {
            let taker = hub.takers.remove(place);
            hub.takers.push(taker);
        }
    }

    pub(super) fn note_end(&self, ended: Ended) {
        self.hub().ended.push(ended);
        self.wake.notify_one();
    }

    pub(super) fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut self.hub().ended)
    }

    /// Ends all streams of actions.
    pub(super) fn dismiss_takers(&self) {
        let takers = std::mem::take(&mut self.hub().takers);
        drop(takers);
    }

    pub(super) fn tell(&self, notice: Notice) {
        // Without a listener there is nobody to tell.
        let _ = self.notices.send(notice);
    }
}

/// A JSON value that must be an object.
pub(super) fn object(what: &'static str, value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Error::NotAnObject { what, found: crate::error::json_type(&other) }),
    }
}
