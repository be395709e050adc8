//! The tables, and connections to them.
//!
//! A row of `documents` is one name. A removed document leaves its row without data for a while (a tombstone), so that
//! watchers in other processes find the removal by its `seq` and its revision goes on growing when it is made anew.
//! `seq` numbers the changes of the whole file: a watcher asks for what is greater than it has seen.
//!
//! Names are blobs: they are compared and ordered byte by byte, whatever characters they hold.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failure::Failure;
use super::{Options, files};

/// `spsy` in the header of the file: tells our files from those of other applications.
const APPLICATION_ID: i64 = 0x7370_7379;

/// Version of the tables below.
const SCHEMA_VERSION: i64 = 1;

/// Bytes to which the write-ahead log shrinks after it grew in a burst.
const LOG_BYTES_KEPT: i64 = 16 * 1024 * 1024;

/// Statements kept prepared per connection; there are fewer.
const STATEMENTS_KEPT: usize = 32;

const TABLES: &str = "
    CREATE TABLE documents(
        id INTEGER PRIMARY KEY,
        name BLOB NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        expires_ms INTEGER,
        data TEXT
    );
    CREATE UNIQUE INDEX documents_seq ON documents(seq);
    CREATE INDEX documents_expiry ON documents(expires_ms) WHERE expires_ms IS NOT NULL;
    CREATE INDEX documents_removed ON documents(seq) WHERE data IS NULL;
    CREATE TABLE meta(
        id INTEGER PRIMARY KEY CHECK(id = 1),
        seq INTEGER NOT NULL,
        removed_revision_max INTEGER NOT NULL,
        purged_seq INTEGER NOT NULL,
        clock_ms INTEGER NOT NULL
    );
    INSERT INTO meta VALUES(1, 0, 0, 0, 0);
";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Writing; the first connection, which makes the tables when the file is new.
    Write,
    /// Reading only.
    Read,
}

/// Opens a connection to a store, and makes the store when it is new and may be made.
pub(super) fn connect(path: &Path, options: &Options, purpose: Purpose) -> Result<Connection, Failure> {
    if !path.exists() && (!options.create || options.read_only || purpose == Purpose::Read) {
        return Err(Failure::NoFile);
    }
    let access = match (options.read_only, purpose) {
        (true, _) => OpenFlags::SQLITE_OPEN_READ_ONLY,
        (false, Purpose::Read) => OpenFlags::SQLITE_OPEN_READ_WRITE,
        (false, Purpose::Write) => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    files::make(path);
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&connection, options)?;
    let is_new = identify_at_once(&connection)?;
    if purpose == Purpose::Write && !options.read_only {
        keep_log(&connection)?;
        if is_new {
            create(&connection)?;
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "fullfsync", true)?;
        let _: i64 =
            connection
                .pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |row| row.get(0))?;
        // From here on the writer waits for locks itself: SQLite's own waits grow to 100 ms and would be unfair.
        connection.busy_timeout(Duration::ZERO)?;
    } else {
        connection.pragma_update(None, "query_only", true)?;
        if is_new {
            return Err(Failure::Empty);
        }
    }
    Ok(connection)
}

/// A connection for reading that takes the file as it lies there, without its companions and without locks: right
/// only while nobody uses the file.
pub(super) fn connect_still(path: &Path, options: &Options) -> Result<Connection, Failure> {
    let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let mut address = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                address.push(char::from(*byte))
            }
            other => address.push_str(&format!("%{other:02X}")),
        }
    }
    address.push_str("?immutable=1");
    let connection = Connection::open_with_flags(address, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&connection, options)?;
    connection.pragma_update(None, "query_only", true)?;
    if identify_at_once(&connection)? { Err(Failure::Empty) } else { Ok(connection) }
}

fn prepare(connection: &Connection, options: &Options) -> Result<(), Failure> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.busy_timeout(options.busy_timeout)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

/// As [`identify`], from one state of the file: another process may be making the store at this moment, and its marks
/// and its tables must be seen together or not at all.
fn identify_at_once(connection: &Connection) -> Result<bool, Failure> {
    connection.execute_batch("BEGIN")?;
    let is_new = identify(connection);
    // Nothing was changed; a failure to end is told by whatever comes next.
    let _ = connection.execute_batch("ROLLBACK");
    is_new
}

/// Whether the file is empty; an error when it is not ours. To be asked within a transaction.
fn identify(connection: &Connection) -> Result<bool, Failure> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    match (application, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(false),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            Err(Failure::Newer { found, known: SCHEMA_VERSION })
        }
        (0, 0) => {
            let tables = "SELECT count(*) FROM sqlite_schema";
            let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
            if tables == 0 { Ok(true) } else { Err(Failure::Foreign) }
        }
        _ => Err(Failure::Foreign),
    }
}

/// Switches a new file to write-ahead logging; a file that has it is not changed.
fn keep_log(connection: &Connection) -> Result<(), Failure> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(Failure::NoLog) }
}

fn create(connection: &Connection) -> Result<(), Failure> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    // Another process may have been faster.
    let made = identify(connection).and_then(|is_new| {
        if is_new {
            connection.execute_batch(TABLES)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        Ok(connection.execute_batch("COMMIT")?)
    });
    if made.is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    made
}
