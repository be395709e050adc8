//! The task that owns one document: it moves bytes and timers for the machine, and decides nothing.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

use super::hand::Hand;
use super::machine::{Asker, Cancelled, Effect, Machine};
use super::shared::{Command, Seen, Shared};
use super::trace;
use crate::alarm::Alarm;
use crate::backend::{BackendError, Change, Stored, Watch, Write, Written};
use crate::error::{Error, Result, Retry};
use crate::id::ActionId;

type Work<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Commands taken from the channel at once.
const COMMANDS_AT_ONCE: usize = 256;

pub(super) struct Driver {
    machine: Machine,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Box<Command>>,
    /// Commands received and not looked at.
    #[expect(clippy::vec_box, reason = "received as the channel holds them")]
    received: Vec<Box<Command>>,
    watch: Option<Watch>,
    watch_failures: u32,
    write: Work<Result<Written, BackendError>>,
    read: Work<Result<Option<Stored>, BackendError>>,
    watching: Work<Result<Watch, BackendError>>,
    /// Actions that somebody here has in hand, or had.
    hands: Vec<Weak<Hand>>,
    alarm: Alarm,
    closing: Option<Closing>,
    /// What was last shown to the application's subscribers.
    shown: u64,
}

struct Closing {
    until: Instant,
    replies: Vec<oneshot::Sender<Result<()>>>,
}

/// What the driver waits for.
pub(super) enum Happened {
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
        commands: mpsc::Receiver<Box<Command>>,
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
            hands: Vec::new(),
            alarm: Alarm::new(),
            closing: None,
            shown,
        }
    }

    /// Runs until the last handle is gone, the client is closed, or the document is removed.
    pub(super) async fn run(mut self) {
        let mut now = Instant::now();
        loop {
            let wake = self.act(now);
            if self.is_over(now) {
                return self.end(now);
            }
            self.alarm.set(wake);
            loop {
                let happened = self.wait().await;
                now = Instant::now();
                if self.take_in(happened, now) {
                    break;
                }
            }
        }
    }

    /// Lets the machine decide, and does as it says. Answers when to look again.
    fn act(&mut self, now: Instant) -> Option<Instant> {
        let wake = self.machine.step(now);
        self.show();
        while let Some(effect) = self.machine.next_effect() {
            self.perform(effect);
        }
        let closing = self.closing.as_ref().map(|closing| closing.until);
        wake.into_iter().chain(closing).min()
    }

    fn is_over(&self, now: Instant) -> bool {
        let closed =
            self.closing.as_ref().is_some_and(|closing| self.machine.is_idle(now) || closing.until <= now);
        closed || self.machine.state().is_none()
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Write(write) => self.write = Some(self.writing(write)),
            Effect::Read => {
                let (backend, id) = (self.shared.backend.clone(), self.shared.id.clone());
                self.read = Some(Box::pin(async move { backend.read(&id).await }));
            }
            Effect::Start(start) => {
                trace::started(&self.shared, &start);
                let hand = Hand::new(start, self.shared.clone());
                self.hands.retain(|hand| hand.strong_count() > 0);
                self.hands.push(Arc::downgrade(&hand));
                self.shared.hand_out(&hand);
            }
            Effect::Cancel(id) => drop(cancel(&self.hands, &id)),
            Effect::RenewToken => self.shared.token_refused.send_modify(|times| *times += 1),
            Effect::Notice(notice) => {
                trace::told(&self.shared, &notice);
                self.shared.tell(notice);
            }
            // Whoever asked may have gone; what was asked is done all the same.
            Effect::Answer(reply, result) => drop(reply.send(result)),
            Effect::Recorded(reply, result) => drop(reply.send(result)),
        }
    }

    fn writing(&self, write: Write) -> Pin<Box<dyn Future<Output = Result<Written, BackendError>> + Send>> {
        let (backend, id) = (self.shared.backend.clone(), self.shared.id.clone());
        Box::pin(trace::write(&self.shared, &self.machine, async move { backend.write(&id, write).await }))
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
        // Before any subscriber is told: whoever was shown a revision must not read an older one (C10).
        show_to(&self.shared.states, seen.clone());
        if state.changes > self.shown {
            self.shown = state.changes;
            show_to(&self.shared.updates, seen);
        }
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
            () = self.alarm.rings() => Happened::Time,
        }
    }

    /// Tells the machine what has happened. Answers whether it has anything to decide.
    fn take_in(&mut self, happened: Happened, now: Instant) -> bool {
        trace::happened(&self.shared, &happened);
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
                // The watch also tells of this client's own writes.
                return self.machine.saw(change, now);
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
                    self.obey(*command, now);
                }
            }
            Happened::Woken => {
                self.take_in_ended(now);
                self.machine.update_wanted(|executor| self.shared.is_wanted(executor.as_str()));
            }
            Happened::Time => {}
        }
        true
    }

    fn take_in_ended(&mut self, now: Instant) {
        for ended in self.shared.take_ended() {
            trace::ended(&self.shared, &ended);
            let start = ended.start;
            self.machine.ended(&start.executor, &start.id, start.attempt, ended.ending, now);
        }
    }

    fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Submit(operation, ttl, reply, room) => {
                self.machine.submit(operation, ttl, Asker::Caller(reply), Some(room), now)
            }
            Command::Add(additions, reply, room) => {
                self.machine.add(additions, Asker::Caller(reply), Some(room), now)
            }
            Command::Ask(addition, wait, room) => self.machine.ask(*addition, wait, Some(room), now),
            Command::GiveUp(key, reply) => self.machine.give_up(key, reply, now),
            Command::Resume => {
                self.machine.resume();
                // Also when it waits out a refusal.
                if self.watch.is_none() {
                    self.watch_after(Duration::ZERO);
                }
            }
            Command::TokenExpired => self.machine.token_expired(),
            Command::Close(reply) => self.close(Some(reply), now),
        }
    }

    fn close(&mut self, reply: Option<oneshot::Sender<Result<()>>>, now: Instant) {
        let until = now + self.shared.settings.close_within;
        self.take_in_ended(now);
        self.machine.close(|id| cancel(&self.hands, id), now);
        self.closing.get_or_insert(Closing { until, replies: Vec::new() }).replies.extend(reply);
    }

    /// Watches anew after a pause that grows. The new watch begins with the present state, so nothing is missed.
    fn watch_broken(&mut self, error: Option<BackendError>, now: Instant) {
        self.watch = None;
        self.watch_failures = self.watch_failures.saturating_add(1);
        if let Some(error) = error {
            self.machine.watch_failed(error, now);
        }
        // Without a token every connection would be refused; installing one resumes (C8).
        if !self.machine.waits_for_token() {
            let rest = self
                .machine
                .rests_until()
                .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
            self.watch_after(rest.max(self.shared.settings.backoff(self.watch_failures)));
        }
    }

    fn watch_after(&mut self, wait: Duration) {
        let (backend, id) = (self.shared.backend.clone(), self.shared.id.clone());
        self.watching = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            backend.watch(&id).await
        }));
    }

    /// Tells everybody that it is over, and why.
    fn end(&mut self, now: Instant) {
        let (idle, removed) = (self.machine.is_idle(now), self.machine.state().is_none());
        let why =
            if removed { Error::NotFound { document: self.shared.id.to_string() } } else { Error::Closed };
        self.let_go(&why);
        let result = match (removed, idle) {
            (true, _) => Err(why),
            (false, true) => Ok(()),
            (false, false) => {
                let after = self.shared.settings.close_within;
                let why = "what was not written is left to the lease";
                let retry = Retry::MaybeApplied;
                Err(Error::Timeout {
                    what: "answer from the backend while closing".into(),
                    after,
                    why,
                    retry,
                })
            }
        };
        for reply in self.closing.take().into_iter().flat_map(|closing| closing.replies) {
            let _ = reply.send(result.clone());
        }
    }

    fn let_go(&mut self, why: &Error) {
        self.machine.abandon();
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Answer(reply, result) => drop(reply.send(result)),
                Effect::Recorded(reply, result) => drop(reply.send(result)),
                Effect::Notice(notice) => self.shared.tell(notice),
                _ => {}
            }
        }
        for hand in self.hands.drain(..).filter_map(|hand| hand.upgrade()) {
            let _ = hand.cancel();
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

/// Replaces what readers see. Waking nobody is not free, so it is left out where nobody waits; who subscribes at this
/// moment either waits already or reads the new value.
fn show_to(channel: &watch::Sender<Seen>, seen: Seen) {
    channel.send_if_modified(|shown| {
        *shown = seen;
        channel.receiver_count() > 0
    });
}

/// Takes an action away from whoever has it in hand.
fn cancel(hands: &[Weak<Hand>], id: &ActionId) -> Cancelled {
    let hands = hands.iter().filter_map(Weak::upgrade).filter(|hand| hand.start.id == *id);
    // An earlier attempt may lie about still; only the latest can be unseen.
    match hands.fold(None, |_, hand| Some(hand.cancel())) {
        Some(true) => Cancelled::Seen,
        Some(false) => Cancelled::Unseen,
        None => Cancelled::Ended,
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
