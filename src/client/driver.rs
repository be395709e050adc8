//! The task that owns one document: it moves bytes and timers for the machine, and decides nothing.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};
use tokio_stream::StreamExt as _;

use super::hand::Hand;
use super::machine::{Effect, Machine};
use super::shared::{Command, Seen, Shared};
use crate::backend::{BackendError, Change, Stored, Watch, Write, Written};
use crate::error::{Error, Result};
use crate::id::Executor;

type Work<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Commands taken from the channel at once.
const COMMANDS_AT_ONCE: usize = 256;

/// A deadline far enough away to stand for none.
const NEVER: Duration = Duration::from_secs(86_400);

pub(super) struct Driver {
    machine: Machine,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    /// Commands received and not looked at.
    received: Vec<Command>,
    watch: Option<Watch>,
    watch_failures: u32,
    write: Work<Result<Written, BackendError>>,
    read: Work<Result<Option<Stored>, BackendError>>,
    watching: Work<Result<Watch, BackendError>>,
    hands: HashMap<Executor, Weak<Hand>>,
    timer: Pin<Box<Sleep>>,
    closing: Option<Closing>,
    /// What was last shown to the application's subscribers.
    shown: u64,
}

struct Closing {
    until: Instant,
    replies: Vec<oneshot::Sender<Result<()>>>,
}

enum Happened {
    Written(Result<Written, BackendError>),
    Read(Result<Option<Stored>, BackendError>),
    Watching(Result<Watch, BackendError>),
    Changed(Option<Result<Change, BackendError>>),
    Commands(usize),
    Woken,
    Time,
}

impl Driver {
    pub(super) fn new(
        machine: Machine,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        watch: Watch,
    ) -> Self {
        let shown = machine.state().map_or(0, |state| state.changes);
        Self {
            machine,
            shared,
            commands,
            received: Vec::new(),
            watch: Some(watch),
            watch_failures: 0,
            write: None,
            read: None,
            watching: None,
            hands: HashMap::new(),
            timer: Box::pin(tokio::time::sleep(NEVER)),
            closing: None,
            shown,
        }
    }

    /// Runs until the last handle is gone, the client is closed, or the document is removed.
    pub(super) async fn run(mut self) {
        while let Some(wake) = self.act() {
            self.set_timer(wake);
            let happened = self.wait().await;
            self.take_in(happened);
        }
        self.end();
    }

    /// Lets the machine decide, and does as it says until it has nothing more to say. Answers when to look again, or
    /// `None` when this is the end.
    fn act(&mut self) -> Option<Instant> {
        loop {
            let now = Instant::now();
            let wake = self.machine.step(now);
            self.show();
            let mut did = false;
            while let Some(effect) = self.machine.next_effect() {
                did = true;
                self.perform(effect);
            }
            if did {
                continue;
            }
            let over = match &self.closing {
                Some(closing) => self.machine.is_idle() || closing.until <= now,
                None => false,
            };
            if over || self.machine.state().is_none() {
                return None;
            }
            let wake = wake.unwrap_or(now + NEVER);
            return Some(self.closing.as_ref().map_or(wake, |closing| closing.until.min(wake)));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Write(write) => self.write = Some(self.writing(write)),
            Effect::Read => {
                let (backend, id) = (self.shared.backend.clone(), self.shared.id.clone());
                self.read = Some(Box::pin(async move { backend.read(&id).await }));
            }
            Effect::Start(start) => {
                let executor = start.executor.clone();
                let hand = Hand::new(start, self.shared.clone());
                self.hands.insert(executor, Arc::downgrade(&hand));
                self.shared.hand_out(&hand);
            }
            Effect::Cancel(executor, id) => {
                let hand = self.hands.remove(&executor).and_then(|hand| hand.upgrade());
                if let Some(hand) = hand.filter(|hand| hand.start.id == id) {
                    hand.cancel();
                }
            }
            Effect::Notice(notice) => self.shared.tell(notice),
        }
    }

    fn writing(&self, write: Write) -> Pin<Box<dyn Future<Output = Result<Written, BackendError>> + Send>> {
        let (backend, id) = (self.shared.backend.clone(), self.shared.id.clone());
        Box::pin(async move { backend.write(&id, write).await })
    }

    /// Shows readers the newest state, if it is newer than what they have.
    fn show(&mut self) {
        let Some(state) = self.machine.state() else { return };
        let newer = match &*self.shared.states.borrow() {
            Seen::State(shown) => shown.revision < state.revision,
            Seen::Over(_) => false,
        };
        if !newer {
            return;
        }
        let seen = Seen::State(state.clone());
        if state.changes > self.shown {
            self.shown = state.changes;
            self.shared.updates.send_replace(seen.clone());
        }
        self.shared.states.send_replace(seen);
    }

    /// Waits for the next thing to happen. Answers to writes come first, since they let the next write go; commands
    /// come before changes seen by the watch, so that a busy document does not keep its own callers waiting.
    async fn wait(&mut self) -> Happened {
        tokio::select! {
            biased;
            result = work(&mut self.write) => Happened::Written(result),
            result = work(&mut self.read) => Happened::Read(result),
            () = self.shared.wake.notified() => Happened::Woken,
            count = self.commands.recv_many(&mut self.received, COMMANDS_AT_ONCE), if self.closing.is_none() => Happened::Commands(count),
            change = next(&mut self.watch) => Happened::Changed(change),
            result = work(&mut self.watching) => Happened::Watching(result),
            () = &mut self.timer => Happened::Time,
        }
    }

    fn take_in(&mut self, happened: Happened) {
        let now = Instant::now();
        match happened {
            Happened::Written(result) => {
                self.write = None;
                self.machine.written(result, now);
            }
            Happened::Read(result) => {
                self.read = None;
                self.machine.read(result, now);
            }
            Happened::Changed(Some(Ok(change))) => {
                self.watch_failures = 0;
                self.machine.saw(change, now);
            }
            Happened::Changed(Some(Err(error))) => self.watch_broken(Some(error), now),
            Happened::Changed(None) => self.watch_broken(None, now),
            Happened::Watching(result) => {
                self.watching = None;
                match result {
                    Ok(watch) => self.watch = Some(watch),
                    Err(error) => self.watch_broken(Some(error), now),
                }
            }
            Happened::Commands(0) => self.close(None, now),
            Happened::Commands(_) => {
                for command in std::mem::take(&mut self.received) {
                    self.obey(command, now);
                }
            }
            Happened::Woken => {
                for ended in self.shared.take_ended() {
                    let start = ended.start;
                    self.machine.ended(&start.executor, &start.id, start.attempt, ended.ending, now);
                }
                self.machine.update_wanted(|executor| self.shared.is_wanted(executor.as_str()));
            }
            Happened::Time => {}
        }
    }

    fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Submit(operation, ttl, reply) => self.machine.submit(operation, ttl, Some(reply), now),
            Command::Add(additions, wait, reply) => self.machine.add(additions, wait, Some(reply), now),
            Command::Resume => self.machine.resume(),
            Command::TokenExpired => self.machine.token_expired(),
            Command::Close(reply) => self.close(Some(reply), now),
        }
    }

    fn close(&mut self, reply: Option<oneshot::Sender<Result<()>>>, now: Instant) {
        let until = now + self.shared.settings.close_within;
        self.machine.close(now);
        self.closing.get_or_insert(Closing { until, replies: Vec::new() }).replies.extend(reply);
    }

    /// Watches anew after a pause that grows. The new watch begins with the present state, so nothing is missed.
    fn watch_broken(&mut self, error: Option<BackendError>, now: Instant) {
        self.watch = None;
        self.watch_failures = self.watch_failures.saturating_add(1);
        if let Some(error) = error
            && self.watch_failures == 1
        {
            self.machine.watch_failed(error, now);
        }
        let wait = self.shared.settings.backoff(self.watch_failures);
        let (backend, id) = (self.shared.backend.clone(), self.shared.id.clone());
        self.watching = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            backend.watch(&id).await
        }));
    }

    fn set_timer(&mut self, wake: Instant) {
        if self.timer.deadline() != wake {
            self.timer.as_mut().reset(wake);
        }
    }

    /// Tells everybody that it is over, and why.
    fn end(&mut self) {
        let (idle, removed) = (self.machine.is_idle(), self.machine.state().is_none());
        let why =
            if removed { Error::NotFound { document: self.shared.id.to_string() } } else { Error::Closed };
        self.let_go(&why);
        let result = match (removed, idle) {
            (true, _) => Err(why),
            (false, true) => Ok(()),
            (false, false) => {
                let after = self.shared.settings.close_within;
                Err(Error::Timeout { what: "answer from the backend while closing".into(), after })
            }
        };
        for reply in self.closing.take().into_iter().flat_map(|closing| closing.replies) {
            let _ = reply.send(result.clone());
        }
    }

    fn let_go(&mut self, why: &Error) {
        for hand in self.hands.drain().filter_map(|(_, hand)| hand.upgrade()) {
            hand.cancel();
        }
        self.shared.end(why);
    }
}

/// A runtime that shuts down drops the driver where it waits: handles that outlive it must not wait for ever.
impl Drop for Driver {
    fn drop(&mut self) {
        self.let_go(&Error::Closed);
    }
}

async fn work<T>(work: &mut Work<T>) -> T {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}

async fn next(watch: &mut Option<Watch>) -> Option<Result<Change, BackendError>> {
    match watch {
        Some(watch) => watch.next().await,
        None => pending().await,
    }
}
