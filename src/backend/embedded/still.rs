//! Reading a store beside which nothing may be written.
//!
//! SQLite reads a file with a log only through its companions, `-wal` and `-shm`. While another process has the store
//! open they are there; otherwise the reader must make them, which it cannot in a directory, or on a file system, that
//! it may not write. A read-only store then takes the file as it lies there: nobody is using it, so it is whole. Around
//! each read it is looked whether that still holds; as soon as somebody has begun to use it, it is opened anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::Connection;

use super::Options;
use super::failure::Failure;
use super::files::beside;
use super::row::patiently;
use super::schema::{Purpose, connect, connect_still};

/// How often a read begins anew because the file has changed under it.
const CHANGES_MAX: usize = 8;

/// A connection that reads.
pub(super) struct Reading {
    connection: Connection,
    /// What the file was when it was taken as it lies there.
    still: Option<Still>,
    path: PathBuf,
    options: Options,
}

impl Reading {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, Failure> {
        let (connection, still) = open(path, options)?;
        Ok(Self { connection, still, path: path.to_owned(), options: options.clone() })
    }

    /// Reads from one state of the file; waits for locks.
    pub(super) fn read<T>(
        &mut self,
        mut attempt: impl FnMut(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        for _ in 0..CHANGES_MAX {
            if self.has_moved() {
                (self.connection, self.still) = open(&self.path, &self.options)?;
            }
            let found = patiently(self.options.busy_timeout, || attempt(&self.connection));
            if !self.has_moved() {
                return found;
            }
        }
        Err(Failure::Moving)
    }

    fn has_moved(&self) -> bool {
        self.still.as_ref().is_some_and(|still| Still::of(&self.path).as_ref() != Some(still))
    }
}

fn open(path: &Path, options: &Options) -> Result<(Connection, Option<Still>), Failure> {
    match patiently(options.busy_timeout, || connect(path, options, Purpose::Read)) {
        Err(failure) if cfg!(unix) && options.read_only && failure.is_denied() => {
            if log_holds_changes(path) {
                return Err(Failure::Unmerged);
            }
            let Some(still) = Still::of(path) else { return Err(failure) };
            Ok((connect_still(path, options)?, Some(still)))
        }
        connected => Ok((connected?, None)),
    }
}

/// A file that nobody uses.
#[derive(Debug, PartialEq, Eq)]
struct Still {
    len: u64,
    modified: Option<SystemTime>,
}

impl Still {
    /// `None` while the log holds anything: what is in there would be missed.
    fn of(path: &Path) -> Option<Self> {
        if log_holds_changes(path) {
            return None;
        }
        let found = fs::metadata(path).ok()?;
        Some(Self { len: found.len(), modified: found.modified().ok() })
    }
}

fn log_holds_changes(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}
