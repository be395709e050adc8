//! Reading rows: one document, the changes since a number, the names.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::clock::Clock;
use super::failure::Failure;
use crate::backend::{BackendTime, Revision, Stored};
use crate::document::Document;
use crate::id::DocumentId;
use crate::limits::EMBEDDED_LOCK_PAUSE;

/// One name in one state of the file.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Number of the change that made this state; for a name without a row, of the file's newest change.
    pub(super) seq: i64,
    pub(super) stored: Option<Stored>,
}

/// A revision whose content is at hand already, so that it need not be read and parsed again.
pub(super) type Known = (Revision, Arc<Document>);

const ONE: &str = "
    SELECT meta.seq, documents.seq, revision, expires_ms, data IS NULL,
           CASE WHEN revision = ?2 THEN NULL ELSE data END, created_ms, updated_ms
    FROM meta LEFT JOIN documents ON name = ?1";

/// The present state of a name. One statement, hence one state of the file.
pub(super) fn read(
    connection: &Connection,
    clock: &Clock,
    id: &DocumentId,
    known: Option<Known>,
) -> Result<Row, Failure> {
    let mut statement = connection.prepare_cached(ONE)?;
    let known_revision = known.as_ref().map_or(-1, |(revision, _)| to_sql(revision.0));
    let mut rows = statement.query(params![id.as_str().as_bytes(), known_revision])?;
    let Some(row) = rows.next()? else { return Err(Failure::Foreign) };
    let (newest, seq): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
    let expires = row.get::<_, Option<i64>>(3)?.map(time);
    let at = clock.now();
    if seq.is_none() || row.get(4)? || expires.is_some_and(|end| end <= at) {
        return Ok(Row { seq: seq.unwrap_or(newest), stored: None });
    }
    let revision = Revision(from_sql(row.get(2)?));
    let document = match known {
        Some((found, document)) if found == revision => document,
        _ => Arc::new(parse(&row.get_ref(5)?)?),
    };
    let (created, updated) = (time(row.get(6)?), time(row.get(7)?));
    let stored = Stored { revision, document, expires, created, updated, at };
    Ok(Row { seq: seq.unwrap_or(newest), stored: Some(stored) })
}

fn parse(data: &rusqlite::types::ValueRef<'_>) -> Result<Document, Failure> {
    let text = data.as_str().map_err(rusqlite::Error::from)?;
    Document::from_json(text).map_err(|error| Failure::Damaged(Arc::new(error)))
}

/// Names after `after`, without removed and expired documents.
pub(super) fn list(
    connection: &Connection,
    clock: &Clock,
    after: Option<&DocumentId>,
    limit: usize,
) -> Result<Vec<DocumentId>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM documents
         WHERE name > ?1 AND data IS NOT NULL AND (expires_ms IS NULL OR expires_ms > ?2)
         ORDER BY name LIMIT ?3",
    )?;
    let after = after.map_or(&b""[..], |after| after.as_str().as_bytes());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, to_sql(clock.now().0), limit])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(name(row.get_ref(0)?)?);
    }
    Ok(names)
}

/// The numbers by which a watcher follows the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Number of the newest change.
    pub(super) seq: i64,
    /// Traces of removals up to this one may be gone.
    pub(super) purged_seq: i64,
}

/// Also lets the clock catch up with the last write, should another process have made it by a later time.
pub(super) fn progress(connection: &Connection, clock: &Clock) -> Result<Progress, Failure> {
    let mut statement = connection.prepare_cached("SELECT seq, purged_seq, clock_ms FROM meta")?;
    let (progress, written_ms) = statement
        .query_row([], |row| Ok((Progress { seq: row.get(0)?, purged_seq: row.get(1)? }, row.get(2)?)))?;
    clock.not_before(BackendTime(from_sql(written_ms)));
    Ok(progress)
}

/// Names that changed after `seq`, each with the number of its change.
pub(super) fn changed_since(connection: &Connection, seq: i64) -> Result<Vec<(DocumentId, i64)>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT name, seq FROM documents WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = statement.query([seq])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        changed.push((name(row.get_ref(0)?)?, row.get(1)?));
    }
    Ok(changed)
}

/// Names of documents that have expired and were not removed yet.
pub(super) fn expired(
    connection: &Connection,
    now: BackendTime,
    limit: usize,
) -> Result<Vec<DocumentId>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM documents WHERE expires_ms <= ?1 AND expires_ms IS NOT NULL ORDER BY expires_ms LIMIT ?2",
    )?;
    let mut rows = statement.query(params![to_sql(now.0), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(name(row.get_ref(0)?)?);
    }
    Ok(names)
}

/// What a conditional write needs to know of a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) revision: u64,
    pub(super) is_removed: bool,
    pub(super) expires: Option<BackendTime>,
    pub(super) created: BackendTime,
}

pub(super) fn standing(connection: &Connection, id: &DocumentId) -> Result<Option<Standing>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, expires_ms, data IS NULL, created_ms FROM documents WHERE name = ?1",
    )?;
    let found = statement.query_row([id.as_str().as_bytes()], |row| {
        let expires: Option<i64> = row.get(1)?;
        Ok(Standing {
            revision: from_sql(row.get(0)?),
            is_removed: row.get(2)?,
            expires: expires.map(time),
            created: time(row.get(3)?),
        })
    });
    Ok(found.optional()?)
}

fn name(blob: rusqlite::types::ValueRef<'_>) -> Result<DocumentId, Failure> {
    let bytes = blob.as_blob().map_err(rusqlite::Error::from)?;
    let text = String::from_utf8_lossy(bytes).into_owned();
    DocumentId::new(text).map_err(|error| Failure::Damaged(Arc::new(error)))
}

/// SQLite counts with a sign. Nothing here comes near the difference.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn time(ms: i64) -> BackendTime {
    BackendTime(from_sql(ms))
}

/// Tries again while another process holds a lock, for at most `timeout`. Only threads of the store wait here.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, not the runtime's, may sleep and read clocks"
)]
pub(super) fn patiently<T>(
    timeout: Duration,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let began = std::time::Instant::now();
    loop {
        match attempt() {
            Err(failure) if failure.is_busy() && began.elapsed() < timeout => {
                std::thread::sleep(EMBEDDED_LOCK_PAUSE);
            }
            settled => return settled,
        }
    }
}
