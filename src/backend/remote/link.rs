//! What clones, watches and the task share: the machine behind a lock that is held for moments only.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::driver::{self, Place};
use super::machine::{Call, Machine, Output, Settled};
use super::watching::{News, Watching};
use crate::backend::{BackendError, Facts, Write};
use crate::id::DocumentId;
use crate::limits::REMOTE_FAREWELL_WITHIN;
use crate::token::Token;
use crate::twilsock::client_session::Moment;

/// Held by every clone and every watch; the last one ends the connection.
pub(super) struct Link {
    shared: Arc<Shared>,
    facts: Facts,
}

/// Held by the task as well.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the task: there is something for the socket, or another deadline.
    pub(super) wake: Notify,
    pub(super) place: Place,
}

pub(super) struct State {
    pub(super) machine: Machine,
    calls: HashMap<Call, oneshot::Sender<Result<Settled, BackendError>>>,
    called: u64,
    topics: HashMap<DocumentId, watch::Sender<News>>,
    /// For the socket, in order. Bounded by the requests that may wait and by what was received.
    pub(super) socket: VecDeque<Output>,
    task: Option<JoinHandle<()>>,
    chance: u64,
    /// Whether the service has said that the token in use is about to end.
    token_ends: watch::Sender<bool>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("place", &self.shared.place)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.act(|state, moment| state.machine.close(moment));
    }
}

impl Shared {
    /// A poisoned lock is taken over: the machine is told of facts, and a fact that it lost is made up for as a lost
    /// connection's are.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the machine and whatever it says then; wakes the task.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut State, Moment) -> R) -> R {
        let done = self.quietly(act);
        self.wake.notify_one();
        done
    }

    /// The same by the task itself, which is awake.
    pub(super) fn quietly<R>(&self, act: impl FnOnce(&mut State, Moment) -> R) -> R {
        let mut state = self.lock();
        let moment = state.moment();
        let done = act(&mut state, moment);
        state.carry_out();
        done
    }
}

impl State {
    fn moment(&mut self) -> Moment {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        Moment { now: Instant::now(), chance: self.chance }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Settled(call, how) => {
                    if let Some(caller) = self.calls.remove(&call) {
                        // A caller that is gone does not mind.
                        let _ = caller.send(how);
                    }
                }
                Output::Told(id, Ok(change)) => {
                    if let Some(topic) = self.topics.get(&id) {
                        topic.send_modify(|news| news.change = Some(change));
                    }
                }
                Output::Told(id, Err(error)) => {
                    if let Some(topic) = self.topics.remove(&id) {
                        topic.send_modify(|news| news.failure = Some(error));
                    }
                }
                Output::TokenEnds => drop(self.token_ends.send_replace(true)),
                for_the_socket => self.socket.push_back(for_the_socket),
            }
        }
    }
}

impl Link {
    pub(super) fn new(machine: Machine, place: Place, facts: Facts, seed: u64) -> Self {
        let state = State {
            machine,
            calls: HashMap::new(),
            called: 0,
            topics: HashMap::new(),
            socket: VecDeque::new(),
            task: None,
            chance: seed | 1,
            token_ends: watch::Sender::new(false),
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), wake: Notify::new(), place }), facts }
    }

    pub(super) fn facts(&self) -> Facts {
        self.facts
    }

    /// Makes a call and waits for its end.
    pub(super) async fn call(
        &self,
        begin: impl FnOnce(&mut Machine, Call, Moment) + Send,
    ) -> Result<Settled, BackendError> {
        let ended = self.shared.act(|state, moment| {
            state.called += 1;
            let call = Call(state.called);
            let (sender, ended) = oneshot::channel();
            state.calls.insert(call, sender);
            begin(&mut state.machine, call, moment);
            self.see_to_the_task(state, moment);
            ended
        });
        ended.await.unwrap_or_else(|_| {
            Err(BackendError::Unknown { why: "the runtime that carried the connection has ended".into() })
        })
    }

    /// A task that has ended without being told to went with its runtime.
    fn see_to_the_task(&self, state: &mut State, moment: Moment) {
        let needed = state.machine.has_session() && !state.machine.is_closed();
        if !needed || state.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        if state.task.is_some() {
            state.socket.clear();
            state.machine.socket_lost(moment);
        }
        state.task = Some(tokio::spawn(driver::run(self.shared.clone())));
    }

    /// Waits until one more write of this document keeps within the service's rate (C57).
    pub(super) async fn take_turn(&self, id: &DocumentId, write: &Write) {
        let Some(rate) = self.facts.writes_per_second else { return };
        let reserve = |state: &mut State, moment: Moment| state.machine.reserve(id, write, rate, moment.now);
        let wait: Duration = self.shared.quietly(reserve);
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    pub(super) fn install_token(&self, token: Token) {
        self.shared.act(|state, moment| {
            state.token_ends.send_replace(false);
            state.machine.install_token(token, moment);
        });
    }

    pub(super) async fn token_about_to_end(&self) {
        let mut ends = self.shared.quietly(|state, _| state.token_ends.subscribe());
        if ends.wait_for(|ends| *ends).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// See [`Machine::continuation_token`].
    pub(super) fn continuation_token(&self) -> Option<String> {
        self.shared.quietly(|state, _| state.machine.continuation_token())
    }

    /// Takes part in a name.
    pub(super) fn join(self: &Arc<Self>, id: &DocumentId) -> Watching {
        let receiver = self.shared.quietly(|state, _| {
            state.topics.entry(id.clone()).or_insert_with(|| watch::Sender::new(News::default())).subscribe()
        });
        Watching::new(receiver, self.clone(), id.clone())
    }

    /// A watcher of this name is gone.
    pub(super) fn leave(&self, id: &DocumentId) {
        self.shared.act(|state, moment| {
            if state.topics.get(id).is_some_and(|topic| topic.receiver_count() == 0) {
                state.topics.remove(id);
                state.machine.unwatch(id, moment);
            }
        });
    }

    pub(super) async fn close(&self) {
        let task = self.shared.act(|state, moment| {
            state.machine.close(moment);
            state.task.take()
        });
        if let Some(task) = task {
            // It says farewell within the same time itself.
            let _ = timeout(2 * REMOTE_FAREWELL_WITHIN, task).await;
        }
    }
}

/// The machine has ended a call as another: a defect.
pub(super) fn mistaken(settled: &Settled) -> BackendError {
    BackendError::Unknown { why: format!("a defect of this crate, please report it: {settled:?}") }
}
