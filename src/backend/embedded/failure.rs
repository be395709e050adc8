//! What can go wrong with a file of documents, and how each case is told: which file, what happened, what to do next.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE};

use crate::backend::BackendError;

/// A failure inside this backend; [`Failure::told`] translates it at the edge.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Sql(Arc<rusqlite::Error>),
    /// `COMMIT` itself failed while writing to the disk: what reached it cannot be known.
    #[error("the commit failed: {0}")]
    Commit(Arc<rusqlite::Error>),
    #[error("the path is empty")]
    NoPath,
    #[error("the directory does not exist")]
    NoDirectory,
    /// Something on the way to the file.
    #[error("`{0}` is a file, not a directory")]
    NotADirectory(String),
    #[error("the file does not exist")]
    NoFile,
    #[error("it is a directory")]
    IsDirectory,
    #[error("it is a SQLite file of another application")]
    Foreign,
    /// Empty, or without any table: as good as missing for whoever only reads.
    #[error("the file is empty")]
    Empty,
    #[error("its schema has version {found}, this program knows {known}")]
    Newer { found: i64, known: i64 },
    #[error("write-ahead logging is not possible there")]
    NoLog,
    /// The file or one of its companions is no longer the one that was opened.
    #[error("`{0}` was deleted or replaced")]
    Replaced(String),
    /// A commit went into files that were deleted or replaced meanwhile.
    #[error("{0}")]
    Lost(Box<Self>),
    /// Where nothing may be written beside the file, it is read only while nobody uses it.
    #[error("it changes too fast to be read without the files beside it")]
    Moving,
    #[error("its log holds changes that cannot be read by who may not write beside the file")]
    Unmerged,
    #[error("the stored document is damaged: {0}")]
    Damaged(Arc<crate::error::Error>),
    #[error("it was opened read-only")]
    ReadOnly,
    #[error("a thread could not be started: {0}")]
    Thread(Arc<std::io::Error>),
    #[error("the thread of the store has ended")]
    Ended,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

impl Failure {
    /// Whether another process holds a lock that this one needs: worth waiting for.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Whether one statement alone is to blame, so that the rest of its transaction may go on.
    pub(super) fn spares_the_others(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
        )
    }

    /// Whether this user lacks the right to open the file, or to make its companions.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen))
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sql(error) | Self::Commit(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    fn is_full(&self) -> bool {
        let extended = match self {
            Self::Sql(error) | Self::Commit(error) => error.sqlite_error().map(|error| error.extended_code),
            _ => None,
        };
        self.code() == Some(ErrorCode::DiskFull)
            || matches!(extended, Some(SQLITE_IOERR_SHMSIZE | SQLITE_IOERR_SHMMAP))
    }

    /// The failure as the contract has it. `waited` is how long a lock was waited for.
    pub(super) fn told(&self, doing: &str, path: &Path, waited: Duration) -> BackendError {
        let file = path.display();
        let doing = format!("{doing} in `{file}`");
        let next = self.next_step(waited);
        let why = match self {
            Self::Commit(_) | Self::Lost(_) if !self.is_full() => {
                return BackendError::Unknown { why: format!("{doing}: {self}; {next}") };
            }
            _ => format!("{self}; {next}"),
        };
        let source: Option<crate::error::Source> = match self {
            Self::Sql(error) | Self::Commit(error) => Some(error.clone()),
            Self::Damaged(error) => Some(error.clone()),
            Self::Thread(error) => Some(error.clone()),
            _ => None,
        };
        match self {
            Self::Thread(_) | Self::Ended | Self::Moving => BackendError::Unavailable { doing, why, source },
            _ if self.is_busy() => BackendError::Unavailable { doing, why, source },
            _ => BackendError::Fatal { doing, why, source },
        }
    }

    fn next_step(&self, waited: Duration) -> String {
        let text = match self {
            Self::Lost(failure) => return failure.next_step(waited),
            Self::NoPath => "give the path of a file",
            Self::NoDirectory => "make it first, or give another path",
            Self::NotADirectory(_) => "give the path of a file in a directory",
            Self::NoFile => "give the path of an existing file, or let options().create(true) make it",
            Self::IsDirectory => "give the path of a file in it",
            Self::Foreign => "give another path; nothing in it was changed",
            Self::Empty => "open it once for writing: that makes a store of it",
            Self::Newer { .. } => "use the newer program that wrote it; nothing in it was changed",
            Self::NoLog => {
                "put the file on a local disk: network file systems lack the shared memory it needs"
            }
            Self::Replaced(_) => {
                "stop every process that uses the file, put the right one (with its -wal) back in place, and open it again"
            }
            Self::Moving => "let this user write the directory, or try again later",
            Self::Unmerged => "let somebody who may write there open it, or mend the rights",
            Self::Damaged(_) => "restore a backup, or remove the document",
            Self::ReadOnly => "open it without read_only to write",
            Self::Thread(_) => "look at the limits of threads and memory of this process",
            Self::Ended => "open the store again",
            Self::Sql(_) | Self::Commit(_) if self.is_full() => {
                "the disk is full: free space there, then go on; nothing else is needed"
            }
            Self::Sql(_) | Self::Commit(_) => return self.next_step_by_code(waited),
        };
        text.into()
    }

    fn next_step_by_code(&self, waited: Duration) -> String {
        let text = match self.code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                return format!(
                    "another process has held its lock for {waited:?}: look for one that is stopped, \
                     that runs a long transaction, or that copies the file (`fuser` names them)"
                );
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                "this user may not write the file or its directory: mend their rights, or open it with read_only"
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                "the file is damaged: stop every process that uses it, keep a copy, \
                 then restore a backup or salvage it with the `.recover` command of `sqlite3`"
            }
            Some(ErrorCode::NotADatabase) => {
                "the file is not a SQLite database, or its beginning is damaged: give another path or restore a backup"
            }
            Some(ErrorCode::CannotOpen) => {
                "look whether this user may read and write the file and its directory"
            }
            Some(ErrorCode::SystemIoFailure) => "look at the disk and at the system's log",
            _ => "this is not expected: please report it",
        };
        text.into()
    }
}
