//! The writing thread: it takes all writes that wait and commits them as one group.
//!
//! A commit costs an fsync, however much it holds. While one runs, the next group gathers in the channel; nobody
//! waits for a group to fill, so a lone writer pays one fsync per write and two hundred share one. Callers are
//! answered only when `COMMIT` has returned.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};

use super::Tally;
use super::clock::Clock;
use super::failure::Failure;
use super::files::{Bell, Files};
use super::group::{Done, Group};
use super::hub::Hub;
use super::options::{OnCommit, Options};
use super::row::{from_sql, patiently, to_sql};
use crate::backend::{BackendError, BackendTime, Revision, Write, Written};
use crate::error::Error;
use crate::id::DocumentId;
use crate::limits::{EMBEDDED_GROUP_MAX, EMBEDDED_PURGE_AFTER, EMBEDDED_RIVAL_REMEMBERED, EMBEDDED_TURN};

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Write {
        id: DocumentId,
        write: Write,
        answer: oneshot::Sender<Result<Written, BackendError>>,
    },
    Remove {
        id: DocumentId,
        expect: Option<Revision>,
        answer: oneshot::Sender<Result<bool, BackendError>>,
    },
    /// Remove what has expired.
    Sweep,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) files: Arc<Files>,
    pub(super) bell: Bell,
    pub(super) options: Options,
    pub(super) clock: Arc<Clock>,
    pub(super) hub: Arc<Hub>,
    pub(super) tally: Arc<Tally>,
    pub(super) pace: Pace,
}

/// What the writer remembers between commits.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Number of the newest change after the last commit here.
    seq: Option<i64>,
    /// When another process was last seen writing.
    rival: Option<std::time::Instant>,
    removals: usize,
}

/// No store comes here by writing; a damaged one may.
const SEQUENCE_MAX: i64 = i64::MAX / 2;

impl Writer {
    /// Works until the last handle of the store is dropped.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut waiting = Vec::new();
        while commands.blocking_recv_many(&mut waiting, EMBEDDED_GROUP_MAX) > 0 {
            let outcome = self.commit(&waiting);
            self.answer(waiting.drain(..), outcome);
            self.give_way();
        }
        // SQLite merges the log when the last connection closes, but several that close at once may each take another
        // for the last: so this one merges it first. Where somebody else is busy with the file, it is theirs to do.
        let merge = || self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = self.connection.busy_timeout(std::time::Duration::ZERO).and_then(|()| merge());
    }

    /// Carries out all commands in one transaction. On failure none of them holds.
    fn commit(&mut self, commands: &[Command]) -> Result<Vec<Result<Done, Failure>>, Failure> {
        self.files.check()?;
        patiently(self.options.busy_timeout, || Ok(self.execute("BEGIN IMMEDIATE")?))?;
        let settled = self.transact(commands);
        if settled.is_err() && !self.connection.is_autocommit() {
            // A failing rollback has nothing to tell: the failure that led here is the news.
            let _ = self.execute("ROLLBACK");
        }
        let (group, done) = settled?;
        if group.seq == group.before {
            return Ok(done);
        }
        self.bell.ring();
        self.tally.commits.fetch_add(1, Relaxed);
        self.tally.writes.fetch_add(u64::try_from(group.changes.len()).unwrap_or(0), Relaxed);
        self.hub.tell_commit(group.before, group.seq, group.changes);
        match self.files.check() {
            Ok(()) => Ok(done),
            // Committed, but perhaps into a file that has no name any more: only the honest answer is left.
            Err(failure) => Err(Failure::Lost(Box::new(failure))),
        }
    }

    fn transact(&mut self, commands: &[Command]) -> Result<(Group, Vec<Result<Done, Failure>>), Failure> {
        let mut group = self.begin()?;
        let mut done = Vec::with_capacity(commands.len());
        for command in commands {
            let settled = group.carry_out(&self.connection, command);
            match settled {
                Err(failure) if !failure.spares_the_others() => return Err(failure),
                settled => done.push(settled),
            }
        }
        if group.seq == group.before {
            self.execute("ROLLBACK")?;
            return Ok((group, done));
        }
        self.pace.removals += group.removals;
        if self.pace.removals >= EMBEDDED_PURGE_AFTER {
            self.pace.removals = 0;
            group.purge(&self.connection)?;
        }
        let numbers =
            params![group.seq, to_sql(group.removed_revision_max), group.purged_seq, to_sql(group.at.0)];
        self.connection
            .prepare_cached(
                "UPDATE meta SET seq = ?1, removed_revision_max = ?2, purged_seq = ?3, clock_ms = ?4",
            )?
            .execute(numbers)?;
        self.end()?;
        self.pace.seq = Some(group.seq);
        Ok((group, done))
    }

    #[expect(clippy::disallowed_methods, reason = "what the disk takes is a matter of real time")]
    fn end(&self) -> Result<(), Failure> {
        let began = self.options.on_commit.as_ref().map(|hear| (hear, std::time::Instant::now()));
        self.execute("COMMIT").map_err(|error| Failure::Commit(Arc::new(error)))?;
        if let Some((OnCommit(hear), began)) = began {
            hear(began.elapsed());
        }
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "fairness among processes is a matter of real time")]
    fn begin(&mut self) -> Result<Group, Failure> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, removed_revision_max, purged_seq, clock_ms FROM meta")?;
        let group = statement.query_row([], |row| {
            let at = self.clock.now().max(self.clock.not_before(BackendTime(from_sql(row.get(3)?))));
            Ok(Group::new(at, row.get(0)?, from_sql(row.get(1)?), row.get(2)?))
        })?;
        if group.before > SEQUENCE_MAX {
            let why = "its count of changes is used up".into();
            return Err(Failure::Damaged(Arc::new(Error::Decode {
                what: "the store's bookkeeping".into(),
                why,
            })));
        }
        if self.pace.seq.is_some_and(|seq| seq != group.before) {
            self.pace.rival = Some(std::time::Instant::now());
        }
        Ok(group)
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute([])
    }

    /// Between two commits the file is free for some microseconds only. While another process writes too, a pause
    /// lets it in; the group that gathers meanwhile is the larger.
    #[expect(clippy::disallowed_methods, reason = "a thread of its own, not the runtime's, may sleep")]
    fn give_way(&mut self) {
        match self.pace.rival {
            Some(seen) if seen.elapsed() < EMBEDDED_RIVAL_REMEMBERED => std::thread::sleep(EMBEDDED_TURN),
            _ => self.pace.rival = None,
        }
    }

    fn answer(
        &self,
        commands: impl Iterator<Item = Command>,
        outcome: Result<Vec<Result<Done, Failure>>, Failure>,
    ) {
        let waited = self.options.busy_timeout;
        let told = |failure: Failure, verb: &str, id: &DocumentId| {
            failure.told(&format!("{verb} `{id}`"), &self.path, waited)
        };
        let (mut done, failure) = match outcome {
            Ok(done) => (done.into_iter(), None),
            Err(failure) => (Vec::new().into_iter(), Some(failure)),
        };
        for command in commands {
            let one = match &failure {
                Some(failure) => Err(failure.clone()),
                None => done.next().unwrap_or(Err(Failure::Ended)),
            };
            // Whoever no longer waits for the answer dropped it knowingly.
            match command {
                Command::Write { id, answer, .. } => {
                    let _ = answer.send(match one {
                        Ok(Done::Written(written)) => Ok(written),
                        Ok(_) => Err(BackendError::Conflict),
                        Err(failure) => Err(told(failure, "writing", &id)),
                    });
                }
                Command::Remove { id, answer, .. } => {
                    let _ = answer.send(match one {
                        Ok(Done::Removed(was)) => Ok(was),
                        Ok(_) => Err(BackendError::Conflict),
                        Err(failure) => Err(told(failure, "removing", &id)),
                    });
                }
                Command::Sweep => {}
            }
        }
    }
}
