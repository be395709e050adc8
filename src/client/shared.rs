//! What the handles of one client and its driver share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::{Notify, Semaphore, broadcast, oneshot, watch};

use super::hand::{Ended, Hand};
use super::machine::{Addition, Reply, Room, State, Wait};
use super::notice::Notice;
use super::place::Place;
use super::settings::Settings;
use super::token::Fresh;
use crate::backend::{Backend, Ttl};
use crate::catalogue::Catalogue;
use crate::document::Operation;
use crate::error::{Error, Result};
use crate::id::{DocumentId, Executor, Identity};
use crate::limits::{NOTICES_KEPT, OPERATIONS_WAITING_MAX, REQUESTS_WAITING_MAX};

/// What handles ask of the driver. Bounded: a caller waits for a place.
#[derive(Debug)]
pub(super) enum Command {
    /// An operation of the application, and what becomes of the time to live.
    Submit(Operation, Ttl, Reply, Room),
    /// Actions to be added.
    Add(Vec<Addition>, Reply, Room),
    /// A request to be added, and the wait for its response.
    Ask(Box<Addition>, Wait, Room),
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
    pub(super) settings: Arc<Settings>,
    /// Every state.
    pub(super) states: watch::Sender<Seen>,
    /// States that look different to the application.
    pub(super) updates: watch::Sender<Seen>,
    /// The token in use, where the backend needs one.
    pub(super) token: watch::Sender<Option<Fresh>>,
    /// How often the backend has refused a token.
    pub(super) token_refused: watch::Sender<u64>,
    /// Places for operations, from when they are handed to the driver until they are answered (C58).
    pub(super) rooms: Arc<Semaphore>,
    /// Places for requests that wait for their response (C58).
    pub(super) requests: Semaphore,
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
    /// Made when somebody first listens: it would be by far the largest part of an idle client.
    notices: Option<broadcast::Sender<Notice>>,
    /// The driver is gone: nothing more can be recorded.
    over: bool,
}

#[derive(Debug)]
struct Taker {
    key: u64,
    executor: Executor,
    kind: Kind,
    place: Arc<Place>,
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
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        id: DocumentId,
        identity: Identity,
        instance: Arc<str>,
        catalogue: Catalogue,
        settings: Arc<Settings>,
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
            states: watch::Sender::new(seen.clone()),
            updates: watch::Sender::new(seen),
            token: watch::Sender::new(None),
            token_refused: watch::Sender::new(0),
            rooms: Arc::new(Semaphore::new(OPERATIONS_WAITING_MAX)),
            requests: Semaphore::new(REQUESTS_WAITING_MAX),
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

    pub(super) fn register(&self, executor: Executor, kind: Kind) -> (u64, Arc<Place>) {
        let place = Arc::<Place>::default();
        let key = self.next_key();
        let mut hub = self.hub();
        if hub.over {
            place.end();
        } else {
            hub.takers.push(Taker { key, executor, kind, place: place.clone() });
        }
        drop(hub);
        self.wake.notify_one();
        (key, place)
    }

    /// A number not used before by this client.
    pub(super) fn next_key(&self) -> u64 {
        self.keys.fetch_add(1, Ordering::Relaxed)
    }

    /// The subscriber is gone. What lay unread in its place is for others.
    pub(super) fn unregister(&self, key: u64) {
        let mut hub = self.hub();
        let gone = hub.takers.iter().position(|taker| taker.key == key).map(|place| hub.takers.remove(place));
        drop(hub);
        // Outside the lock: the last hand that lets go notes its end in the hub.
        drop(gone.and_then(|taker| taker.place.end()));
        self.wake.notify_one();
    }

    /// Whether anybody here takes actions of an executor.
    pub(super) fn is_wanted(&self, executor: &str) -> bool {
        self.hub().takers.iter().any(|taker| taker.executor.as_str() == executor)
    }

    /// Gives an action to every listener, and to one handler.
    pub(super) fn hand_out(&self, hand: &Arc<Hand>) {
        let mut hub = self.hub();
        let is_for = |taker: &&Taker| taker.executor == hand.start.executor;
        let listeners = hub.takers.iter().filter(is_for).filter(|taker| taker.kind == Kind::Listener);
        let mut before: Vec<_> = listeners.map(|taker| taker.place.give(hand.clone())).collect();
        let handlers = || {
            let places = hub.takers.iter().enumerate();
            places.filter(|(_, taker)| is_for(taker) && taker.kind == Kind::Handler)
        };
        // Handlers take turns, those that wait before those that are busy.
        let waiting = handlers().find(|(_, taker)| taker.place.is_awaited());
        if let Some((handler, _)) = waiting.or_else(|| handlers().next()) {
            hand.give_to_handler();
            let taker = hub.takers.remove(handler);
            before.push(taker.place.give(hand.clone()));
            hub.takers.push(taker);
        }
        // Only now may hands let go: the last one notes its end in the hub.
        drop(hub);
        drop(before);
    }

    /// Takes an action that was given to another subscription of its executor and not looked at: a subscriber that is
    /// busy must not hold up one that waits. Answers whether there was one.
    pub(super) fn take_from_the_busy(&self, key: u64) -> bool {
        let hub = self.hub();
        let Some(own) = hub.takers.iter().find(|taker| taker.key == key) else { return false };
        let others = hub.takers.iter().filter(|taker| {
            taker.key != key && taker.kind == Kind::Handler && taker.executor == own.executor
        });
        let Some(hand) = others.into_iter().find_map(|taker| taker.place.take_back()) else { return false };
        let before = own.place.give(hand);
        drop(hub);
        drop(before);
        true
    }

    /// Notes an end for the driver. Without one it is dropped, which tells whoever waits for it to be recorded.
    pub(super) fn note_end(&self, ended: Ended) {
        let mut hub = self.hub();
        if !hub.over {
            hub.ended.push(ended);
        }
        drop(hub);
        self.wake.notify_one();
    }

    pub(super) fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut self.hub().ended)
    }

    /// The driver is gone: readers are told why, streams of actions end, and no end waits to be recorded.
    pub(super) fn end(&self, why: &Error) {
        let mut hub = self.hub();
        if std::mem::replace(&mut hub.over, true) {
            return;
        }
        hub.notices = None;
        self.rooms.close();
        self.requests.close();
        let left = (std::mem::take(&mut hub.takers), std::mem::take(&mut hub.ended));
        drop(hub);
        let seen = Seen::Over(why.clone());
        self.states.send_replace(seen.clone());
        self.updates.send_replace(seen);
        let (takers, ended) = left;
        takers.iter().for_each(|taker| drop(taker.place.end()));
        drop(ended);
    }

    /// Notices from now on; none, and the end, when the driver is gone.
    pub(super) fn notices(&self) -> broadcast::Receiver<Notice> {
        let mut hub = self.hub();
        if hub.over {
            return broadcast::Sender::new(1).subscribe();
        }
        hub.notices.get_or_insert_with(|| broadcast::Sender::new(NOTICES_KEPT)).subscribe()
    }

    pub(super) fn tell(&self, notice: Notice) {
        // Without a listener there is nobody to tell.
        if let Some(notices) = &self.hub().notices {
            let _ = notices.send(notice);
        }
    }
}

/// A JSON value that must be an object.
pub(super) fn object(what: &'static str, value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Error::NotAnObject { what, found: crate::error::json_type(&other) }),
    }
}
