//! The files on the disk: whether they are still those that were opened, and the bell beside them.
//!
//! SQLite keeps two companions beside the file: `-wal`, which holds the newest commits, and `-shm`, through which
//! processes coordinate. When somebody deletes or replaces one of the three while it is open, SQLite goes on with the
//! nameless old one, and everything written there is lost at the end. So each is compared before and after a commit.
//!
//! The bell is a fourth file, `-bell`, of one byte. A writer rewrites it after each commit, so that watchers in other
//! processes are woken by the operating system when the commit can already be read. The `-wal` itself would wake them
//! too early, before its fsync, and they would find nothing new.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// What tells a file from another of the same name.
type Identity = (u64, u64);

/// The opened file and its companions.
#[derive(Debug)]
pub(super) struct Files {
    seen: Vec<(PathBuf, Identity)>,
}

impl Files {
    /// Remembers the files of a store that was just opened: they all exist while a connection is open.
    pub(super) fn of(path: &Path) -> Self {
        let names = [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
        Self {
            seen: names.into_iter().filter_map(|path| identity(&path).map(|found| (path, found))).collect(),
        }
    }

    /// That nobody deleted or replaced them since.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.seen.iter().find(|(path, seen)| identity(path) != Some(*seen)) {
            None => Ok(()),
            Some((path, _)) => Err(Failure::Replaced(path.display().to_string())),
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Where the system tells no identity, existence must do; an open file cannot be deleted on Windows anyway.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|_| (0, 0))
}

/// The path with something behind its last name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes an empty file, for its owner's eyes only, where there is none; SQLite gives its companions the same mode. A file that
/// is there keeps its own.
pub(super) fn make(path: &Path) {
    let mut new = OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    // Where it cannot be made, SQLite says why.
    let _ = new.open(path);
}

/// The absolute path without links, as SQLite resolves it too, so that a later change of directory does no harm.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    if path.as_os_str().is_empty() {
        return Err(Failure::NoPath);
    }
    if let Ok(found) = fs::canonicalize(path) {
        return if found.is_dir() { Err(Failure::IsDirectory) } else { Ok(found) };
    }
    if let Some(file) = path.ancestors().skip(1).find(|ancestor| ancestor.is_file()) {
        return Err(Failure::NotADirectory(file.display().to_string()));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = fs::canonicalize(parent).map_err(|_| Failure::NoDirectory)?;
    match path.file_name() {
        Some(name) if parent.is_dir() => Ok(parent.join(name)),
        _ => Err(Failure::NoDirectory),
    }
}

/// Rings after each commit. Without it, for lack of rights or space, watchers elsewhere notice by their slow poll.
#[derive(Debug)]
pub(super) struct Bell(Option<File>);

impl Bell {
    /// The path of the bell of a store.
    pub(super) fn path(store: &Path) -> PathBuf {
        beside(store, "-bell")
    }

    /// It is made with the mode of the store, as SQLite makes the other companions.
    pub(super) fn of(store: &Path) -> Self {
        let mut bell = OpenOptions::new();
        bell.create(true).truncate(false).write(true);
        #[cfg(unix)]
        if let Ok(store) = fs::metadata(store) {
            use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
            bell.mode(store.permissions().mode() & 0o666);
        }
        Self(bell.open(Self::path(store)).ok())
    }

    pub(super) fn ring(&mut self) {
        let Some(file) = &mut self.0 else { return };
        // Nothing is lost when it cannot ring: the poll is behind it.
        let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(b"\n"));
    }
}
