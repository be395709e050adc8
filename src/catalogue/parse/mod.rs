//! Reads a catalogue from TOML and checks every rule (feature `toml`).
//!
//! All violations are collected, so that one run shows everything there is to mend. The parser recovers from
//! mistakes of syntax; after one, only syntax is reported, because what it recovered may not be what was meant.

mod field;
mod kind;
pub(crate) mod reader;
pub(crate) mod report;
mod sections;

use toml::de::DeTable;

use super::Catalogue;
use report::Report;
pub use report::{CatalogueError, MAX_VIOLATIONS, Violation};

/// Longest catalogue file that is read: 1 MiB, some fifty times the built-in one. A longer file is refused before
/// it is parsed, which bounds what a hostile file can cost.
pub const MAX_CATALOGUE_BYTES: usize = 1 << 20;

impl Catalogue {
    /// Reads a catalogue of your own. The format is that of `action_types.toml` in this crate's repository, whose
    /// first lines explain it.
    ///
    /// ```
    /// let catalogue = sp_sync::catalogue::Catalogue::from_toml_str(
    ///     r#"
    ///     format  = 1
    ///     name    = "doors"
    ///     version = "1"
    ///     [executors.door]
    ///     doc = "A door."
    ///     [actions.door.open]
    ///     doc    = "Open it."
    ///     fields = { wide = { type = "bool", default = false, doc = "All the way." } }
    ///     "#,
    /// )?;
    /// assert_eq!(catalogue.actions().len(), 1);
    /// # Ok::<(), sp_sync::catalogue::CatalogueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] with every violation found, each with line and column.
    pub fn from_toml_str(text: &str) -> Result<Self, CatalogueError> {
        let mut report = Report::new(text);
        if text.len() > MAX_CATALOGUE_BYTES {
            report.add(0, "", format!("the file has {} bytes", text.len()), "keep it within 1 MiB");
            return Err(report.into_error());
        }
        let (document, errors) = DeTable::parse_recoverable(text);
        if report.add_syntax(document.get_ref(), &errors) {
            return Err(report.into_error());
        }
        match sections::catalogue(document.get_ref(), &mut report) {
            Some(catalogue) if report.is_clean() => Ok(catalogue),
            _ => Err(report.into_error()),
        }
    }
}
