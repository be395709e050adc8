//! Files that configure a server: keys, users, settings. All are TOML, read whole, and checked so that one run shows
//! everything there is to mend, each with line and column. What they hold is never printed.

mod keys;
mod pattern;
mod role;
mod users;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::catalogue::Violation;
use crate::catalogue::parse::reader::Section;
use crate::catalogue::parse::report::Report;
use crate::limits::SERVER_FILE_BYTES_MAX;

pub use keys::Keys;
pub(super) use users::in_session;
pub use users::{TokenDigest, Users};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read or written.
    #[error("{}: cannot be used", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It says something that has no meaning: one line for each.
    #[error("{}", lines(path.as_deref(), violations))]
    Wrong {
        /// Which file, if it is one.
        path: Option<PathBuf>,
        /// What is wrong, in the order of the file.
        violations: Vec<Violation>,
    },
}

fn lines(path: Option<&Path>, violations: &[Violation]) -> String {
    let file = path.map(|path| format!("{}: ", path.display())).unwrap_or_default();
    let lines: Vec<String> = violations.iter().map(|violation| format!("{file}{violation}")).collect();
    lines.join("\n")
}

impl FileError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// The same, of this file.
    fn of(self, file: &Path) -> Self {
        match self {
            Self::Wrong { violations, .. } => Self::Wrong { path: Some(file.to_owned()), violations },
            other => other,
        }
    }
}

/// Reads a file of this kind.
fn read<T>(path: &Path, parse: impl Fn(&str) -> Result<T, FileError>) -> Result<T, FileError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::io(path, source))?;
    parse(&text).map_err(|error| error.of(path))
}

/// Reads a document with this function, which says what it misses; `None` only after it has said so.
pub(crate) fn parse<T>(
    text: &str,
    with: impl FnOnce(&mut Section<'_>, &mut Report<'_>) -> Option<T>,
) -> Result<T, FileError> {
    let mut report = Report::new(text);
    let wrong = |report: Report<'_>| {
        let violations = report.into_error().violations().to_vec();
        Err(FileError::Wrong { path: None, violations })
    };
    if text.len() > SERVER_FILE_BYTES_MAX {
        report.add(0, "", format!("the file has {} bytes", text.len()), "keep it within 16 MiB");
        return wrong(report);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if report.add_syntax(document.get_ref(), &errors) {
        return wrong(report);
    }
    let mut root = Section::root(document.get_ref());
    let read = with(&mut root, &mut report);
    root.finish(&mut report);
    match read {
        Some(read) if report.is_clean() => Ok(read),
        _ => wrong(report),
    }
}

/// `format = 1`: another number is a file for another version of this crate.
fn format(root: &mut Section<'_>, report: &mut Report<'_>) {
    if !root.has("format") {
        report.add(0, "", "`format` is missing", "write `format = 1`");
    }
    root.whole(report, "format", (1, 1));
}
