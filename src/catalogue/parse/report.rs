//! Violations with their places.

use std::{collections::HashSet, fmt};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::catalogue::hint::shown;

/// Most violations that are kept; of a file with more, those that were found first.
pub const MAX_VIOLATIONS: usize = 1000;

/// Levels of tables and arrays that are searched; the parser itself refuses more.
const MAX_DEPTH: usize = 128;

/// Everything that is wrong with a catalogue file, one violation a line when displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueError {
    violations: Vec<Violation>,
}

impl CatalogueError {
    /// What is wrong, in the order of the file. Never empty, at most [`MAX_VIOLATIONS`].
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl std::error::Error for CatalogueError {}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, violation) in self.violations.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            violation.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where in the catalogue, for example `actions.extension.openExam.fields.examURL`. Empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}; {}", self.problem, self.instead)
    }
}

/// Collects violations.
pub(crate) struct Report<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    found: Vec<(usize, Violation)>,
    /// Where the file says `null`. These values are reported once, and then passed over.
    nulls: HashSet<usize>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { text, line_starts, found: Vec::new(), nulls: HashSet::new() }
    }

    pub(crate) fn add(
        &mut self,
        at: usize,
        path: &str,
        problem: impl Into<String>,
        instead: impl Into<String>,
    ) {
        if self.is_full() {
            return;
        }
        let (line, column) = self.place(at);
        let (problem, instead) = (problem.into(), instead.into());
        self.found.push((at, Violation { line, column, path: path.to_owned(), problem, instead }));
    }

    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    pub(crate) fn line_of(&self, at: usize) -> usize {
        self.place(at).0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_VIOLATIONS
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn is_null(&self, value: &Spanned<DeValue<'_>>) -> bool {
        self.nulls.contains(&value.span().start)
    }

    pub(crate) fn into_error(mut self) -> CatalogueError {
        self.found.sort_by_key(|(at, _)| *at);
        let mut violations: Vec<_> = self.found.into_iter().map(|(_, violation)| violation).collect();
        // The parser reports some mistakes twice.
        violations.dedup();
        CatalogueError { violations }
    }

    /// Adds what the parser found. True when the rest of the document cannot be trusted.
    pub(crate) fn add_syntax(&mut self, document: &DeTable<'_>, errors: &[toml::de::Error]) -> bool {
        let mut broken = false;
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            if self.text.get(span.clone()) == Some("null") {
                self.nulls.insert(span.start);
            } else {
                broken = true;
                self.add(span.start, "", error.message(), "mend the TOML");
            }
        }
        if !self.nulls.is_empty() {
            self.add_nulls(document, "", 0);
        }
        broken
    }

    /// The parser says of `null` only that it is no value. Who writes it means the original's mandatory fields.
    fn add_nulls(&mut self, table: &DeTable<'_>, path: &str, depth: usize) {
        for (key, value) in table {
            self.add_null(value, &joined(path, key.get_ref()), depth);
        }
    }

    fn add_null(&mut self, value: &Spanned<DeValue<'_>>, path: &str, depth: usize) {
        if self.is_null(value) {
            let instead =
                "for a mandatory field write `required = true`; for anything else leave the key out";
            self.add(value.span().start, path, "TOML has no null", instead);
        } else if depth < MAX_DEPTH {
            match value.get_ref() {
                DeValue::Table(inner) => self.add_nulls(inner, path, depth + 1),
                DeValue::Array(items) => items.iter().for_each(|item| self.add_null(item, path, depth + 1)),
                _ => {}
            }
        }
    }
}

/// A path with one more key.
pub(crate) fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { shown(key) } else { format!("{path}.{}", shown(key)) }
}
