//! One transaction: each command is checked and carried out, and what watchers are to be told is gathered.

use rusqlite::{Connection, params};

use super::failure::Failure;
use super::row::{self, Row, Standing, from_sql, to_sql};
use super::writer::Command;
use crate::backend::{BackendTime, Expect, Revision, Stored, Ttl, Write, Written};
use crate::id::DocumentId;
use crate::limits::{EMBEDDED_SWEEP_MAX, EMBEDDED_TOMBSTONES_KEPT};

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Done {
    Written(Written),
    Removed(bool),
    /// The expectation did not hold.
    Conflict,
    Swept,
}

/// A transaction in progress.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) at: BackendTime,
    /// Number of the newest change before, and now.
    pub(super) before: i64,
    pub(super) seq: i64,
    /// No document whose trace is gone had a greater revision: one made anew starts above it.
    pub(super) removed_revision_max: u64,
    pub(super) purged_seq: i64,
    pub(super) removals: usize,
    pub(super) changes: Vec<(DocumentId, Row)>,
}

impl Group {
    pub(super) const fn new(at: BackendTime, seq: i64, removed_revision_max: u64, purged_seq: i64) -> Self {
        Self { at, before: seq, seq, removed_revision_max, purged_seq, removals: 0, changes: Vec::new() }
    }

    /// Carries out one command. Each changes one row by one statement, which SQLite undoes alone when it fails; so no
    /// savepoint is needed for the others to go on.
    pub(super) fn carry_out(&mut self, connection: &Connection, command: &Command) -> Result<Done, Failure> {
        match command {
            Command::Write { id, write, .. } => self.write(connection, id, write),
            Command::Remove { id, expect, .. } => self.remove(connection, id, *expect),
            Command::Sweep => self.sweep(connection),
        }
    }

    /// What stands under a name, and what of it is alive: not removed, not expired.
    fn find(
        &self,
        connection: &Connection,
        id: &DocumentId,
    ) -> Result<(Option<Standing>, Option<Standing>), Failure> {
        let found = row::standing(connection, id)?;
        let is_alive = |found: &Standing| !found.is_removed && found.expires.is_none_or(|end| end > self.at);
        Ok((found, found.filter(is_alive)))
    }

    fn write(&mut self, connection: &Connection, id: &DocumentId, write: &Write) -> Result<Done, Failure> {
        let (found, alive) = self.find(connection, id)?;
        let before = match (write.expect, alive) {
            (Expect::Absent, None) => found.map_or(self.removed_revision_max, |found| found.revision),
            (Expect::Revision(expected), Some(alive)) if expected.0 == alive.revision => alive.revision,
            _ => return Ok(Done::Conflict),
        };
        let revision = Revision(before + 1);
        let created = alive.map_or(self.at, |alive| alive.created);
        let expires = match write.ttl {
            Ttl::Keep => alive.and_then(|alive| alive.expires),
            Ttl::Never => None,
            Ttl::After(ttl) => Some(self.at.after_whole_seconds(ttl)),
        };
        connection
            .prepare_cached(
                "INSERT INTO documents(name, revision, seq, created_ms, updated_ms, expires_ms, data)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT(name) DO UPDATE SET revision = excluded.revision, seq = excluded.seq,
                     created_ms = excluded.created_ms, updated_ms = excluded.updated_ms,
                     expires_ms = excluded.expires_ms, data = excluded.data",
            )?
            .execute(params![
                id.as_str().as_bytes(),
                to_sql(revision.0),
                self.seq + 1,
                to_sql(created.0),
                to_sql(self.at.0),
                expires.map(|expires| to_sql(expires.0)),
                &*write.document.to_json(),
            ])?;
        let (document, at) = (write.document.clone(), self.at);
        let stored = Stored { revision, document, expires, created, updated: at, at };
        self.changed(id, Some(stored));
        Ok(Done::Written(Written { revision, expires, at: self.at }))
    }

    fn remove(
        &mut self,
        connection: &Connection,
        id: &DocumentId,
        expect: Option<Revision>,
    ) -> Result<Done, Failure> {
        let (_, alive) = self.find(connection, id)?;
        match (expect, alive) {
            (_, None) => Ok(Done::Removed(false)),
            (Some(expected), Some(alive)) if expected.0 != alive.revision => Ok(Done::Conflict),
            _ => self.bury(connection, id).map(|()| Done::Removed(true)),
        }
    }

    fn sweep(&mut self, connection: &Connection) -> Result<Done, Failure> {
        for id in row::expired(connection, self.at, EMBEDDED_SWEEP_MAX)? {
            self.bury(connection, &id)?;
        }
        Ok(Done::Swept)
    }

    /// Takes the content of a document and leaves its trace.
    fn bury(&mut self, connection: &Connection, id: &DocumentId) -> Result<(), Failure> {
        connection
            .prepare_cached("UPDATE documents SET seq = ?2, expires_ms = NULL, data = NULL WHERE name = ?1")?
            .execute(params![id.as_str().as_bytes(), self.seq + 1])?;
        self.removals += 1;
        self.changed(id, None);
        Ok(())
    }

    fn changed(&mut self, id: &DocumentId, stored: Option<Stored>) {
        self.seq += 1;
        self.changes.push((id.clone(), Row { seq: self.seq, stored }));
    }

    /// Deletes traces of removals that every watcher should have seen by now.
    pub(super) fn purge(&mut self, connection: &Connection) -> Result<(), Failure> {
        let up_to = self.seq - EMBEDDED_TOMBSTONES_KEPT;
        let (revision, seq): (Option<i64>, Option<i64>) = connection
            .prepare_cached("SELECT max(revision), max(seq) FROM documents WHERE data IS NULL AND seq <= ?1")?
            .query_row([up_to], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let (Some(revision), Some(seq)) = (revision, seq) {
            connection
                .prepare_cached("DELETE FROM documents WHERE data IS NULL AND seq <= ?1")?
                .execute([up_to])?;
            self.removed_revision_max = self.removed_revision_max.max(from_sql(revision));
            self.purged_seq = self.purged_seq.max(seq);
        }
        Ok(())
    }
}
