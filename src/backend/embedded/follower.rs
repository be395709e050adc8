//! The watching thread: it follows the changes of other processes while somebody here watches, and the expiries.
//!
//! It sleeps until the bell rings, a watched document expires, or the poll is due. Then it asks for the changes since
//! the last one that was told and reads those documents that somebody watches and that were not told already.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use notify::Watcher as _;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::Options;
use super::clock::Clock;
use super::failure::Failure;
use super::files::{Bell, Files};
use super::hub::Hub;
use super::row::{self, Row};
use super::still::Reading;
use super::writer::Command;
use crate::id::DocumentId;
use crate::limits::{EMBEDDED_IDLE_POLLS, EMBEDDED_POLL_WITHOUT_NOTICES};

pub(super) struct Follower {
    pub(super) path: PathBuf,
    pub(super) files: Arc<Files>,
    pub(super) options: Options,
    pub(super) clock: Arc<Clock>,
    /// Weak, so that the store can end while this thread sleeps.
    pub(super) hub: Weak<Hub>,
    /// The writer, who removes what has expired; none in a read-only store.
    pub(super) commands: Option<mpsc::WeakSender<Command>>,
    pub(super) wake: SyncSender<()>,
    /// Taken by the one thread that runs at a time.
    pub(super) woken: Arc<Mutex<Receiver<()>>>,
}

impl Follower {
    pub(super) fn connect(&self) -> Result<Reading, Failure> {
        Reading::open(&self.path, &self.options)
    }

    /// Without this thread nobody is told anything: every watch ends, and the next one starts it anew.
    pub(super) fn give_up(&self, failure: &Failure) {
        if let Some(hub) = self.hub.upgrade() {
            hub.unfollow(true);
            hub.fail(&failure.told("watching documents", &self.path, self.options.busy_timeout));
        }
    }

    /// Works until nobody has watched for a while, or the store ends.
    #[expect(clippy::disallowed_methods, reason = "a thread of its own keeps its own timers")]
    pub(super) fn run(self, mut reading: Reading) {
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let notices = listen(&Bell::path(&self.path), self.wake.clone());
        let interval = match notices {
            Some(_) => self.options.poll_interval,
            None => self.options.poll_interval.min(EMBEDDED_POLL_WITHOUT_NOTICES),
        };
        let (mut poll_due, mut idle_polls) = (Instant::now(), 0);
        while let Some(hub) = self.hub.upgrade() {
            let is_poll = Instant::now() >= poll_due;
            if is_poll {
                poll_due = Instant::now() + interval;
                idle_polls = if hub.is_idle() { idle_polls + 1 } else { 0 };
                if idle_polls > EMBEDDED_IDLE_POLLS && hub.unfollow(false) {
                    return;
                }
            }
            if let Err(failure) = self.look(&mut reading, &hub, is_poll) {
                hub.fail(&failure.told("watching documents", &self.path, self.options.busy_timeout));
            }
            let until_expiry = hub.next_expiry().map(|end| end.0.saturating_sub(self.clock.now().0));
            drop(hub);
            let until_poll = poll_due.saturating_duration_since(Instant::now());
            let wait = until_expiry.map_or(until_poll, |ms| until_poll.min(Duration::from_millis(ms)));
            if woken.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    fn look(&self, reading: &mut Reading, hub: &Hub, is_poll: bool) -> Result<(), Failure> {
        if is_poll {
            self.files.check()?;
        }
        let due = hub.take_expired(self.clock.now());
        if is_poll || !due.is_empty() {
            self.sweep(reading)?;
        }
        let news = reading.read(|connection| {
            if !connection.is_autocommit() {
                // A commit below failed; without this nothing could begin again.
                connection.prepare_cached("ROLLBACK")?.execute([])?;
            }
            // One read transaction: all rows below belong to the state that `progress` names.
            connection.prepare_cached("BEGIN")?.execute([])?;
            let news = self.news(connection, hub, &due);
            connection.prepare_cached("COMMIT")?.execute([])?;
            news
        })?;
        for (id, row) in news.rows {
            hub.tell(&id, row);
        }
        hub.told_up_to(news.seq);
        Ok(())
    }

    fn news(&self, connection: &Connection, hub: &Hub, due: &[DocumentId]) -> Result<News, Failure> {
        let progress = row::progress(connection, &self.clock)?;
        let mut ids = due.to_vec();
        match hub.told_seq() {
            Some(told) if told >= progress.seq => {}
            Some(told) if told >= progress.purged_seq => {
                let changed = row::changed_since(connection, told)?;
                ids.extend(changed.into_iter().filter(|(id, seq)| hub.lacks(id, *seq)).map(|(id, _)| id));
            }
            // Just begun, or so far behind that traces of removals are gone.
            _ => ids = hub.watched(),
        }
        let row = |id: DocumentId| {
            let row = row::read(connection, &self.clock, &id, hub.known(&id))?;
            Ok((id, row))
        };
        Ok(News { rows: ids.into_iter().map(row).collect::<Result<_, Failure>>()?, seq: progress.seq })
    }

    /// Asks the writer to remove what has expired, if there is any. A full channel means that it will look anyway.
    fn sweep(&self, reading: &mut Reading) -> Result<(), Failure> {
        let Some(writer) = self.commands.as_ref().and_then(mpsc::WeakSender::upgrade) else { return Ok(()) };
        if !reading.read(|connection| row::expired(connection, self.clock.now(), 1))?.is_empty() {
            let _ = writer.try_send(Command::Sweep);
        }
        Ok(())
    }
}

/// What watchers are to be told.
struct News {
    rows: Vec<(DocumentId, Row)>,
    /// Number of the newest change among all.
    seq: i64,
}

/// Has the operating system wake this thread when the bell rings. `None` where it cannot: the poll is then faster.
fn listen(bell: &Path, wake: SyncSender<()>) -> Option<notify::RecommendedWatcher> {
    let on_event = move |_: notify::Result<notify::Event>| {
        let _ = wake.try_send(());
    };
    let mut watcher = notify::recommended_watcher(on_event).ok()?;
    watcher.watch(bell, notify::RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
