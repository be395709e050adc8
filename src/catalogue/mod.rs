//! The action types: what may be sent, to whom, with which fields, and what comes back.
//!
//! A [`Catalogue`] is the one source of that knowledge. [`Catalogue::proctoring`] is built in;
//! [`Catalogue::from_toml_str`](Catalogue#method.from_toml_str) (feature `toml`) reads one of your own. Nothing
//! else in this crate knows an executor's or an action's name (C19).
//!
//! ```
//! use serde_json::{Map, Value};
//! use sp_sync::{Catalogue, TypedAction, extension::OpenExam};
//!
//! let exam = OpenExam::new("https://exam.example.com/");
//! let built = Catalogue::proctoring().build_info(OpenExam::ACTION, exam.into_info(), 0)?;
//! assert_eq!(built.executor(), "extension");
//! assert_eq!(
//!     Value::Object(built.fields).to_string(),
//!     r#"{"examURL":"https://exam.example.com/","newWindow":false}"#
//! );
//! let error = Catalogue::proctoring().build_info("openExam", Map::new(), 0).unwrap_err();
//! assert!(error.to_string().contains("the mandatory field `examURL` is missing"));
//! # Ok::<(), sp_sync::Error>(())
//! ```
//!
//! Invariants: a catalogue never changes once made, is cheap to clone and safe to share. Its checks never panic,
//! whatever JSON they meet, and their errors never contain a field's value (C64).
//!
//! * Rust types of the built-in catalogue: [`types`], through the traits in [`typed`].
//! * Types for other languages, and for a catalogue of your own: `codegen` (feature `codegen`).
//! * What a change of a catalogue means for programs in use: [`Catalogue::diff`].

mod build;
#[cfg(feature = "codegen")]
pub mod codegen;
mod compatibility;
mod hint;
mod model;
#[cfg(feature = "toml")]
pub(crate) mod parse;
pub mod table;
mod text;
pub mod typed;
// Written by a program that lays it out itself, so that rustfmt's version does not matter.
/// Rust types of the built-in catalogue: a module for each executor with a struct for each action and response, and
/// the names in `ActionTypes`. Generated; its first lines say how.
#[rustfmt::skip]
pub mod types;
mod value;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

pub use build::BuiltAction;
pub use compatibility::Change;
pub use model::{ActionType, EnumType, ExecutorType, Field, FieldType, Presence, REDACTED, Repeat};
#[cfg(feature = "toml")]
pub use parse::{CatalogueError, MAX_CATALOGUE_BYTES, MAX_VIOLATIONS, Violation};

/// Everything that can be sent: executors, and the actions each of them carries out.
///
/// Cloning is cheap: clones share one immutable value.
#[derive(Clone)]
pub struct Catalogue {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    version: String,
    executors: Vec<ExecutorType>,
    actions: Vec<Arc<ActionType>>,
    /// Place in `executors` and in `actions` by name: both are looked up for each action that is sent.
    executor_places: HashMap<String, usize>,
    action_places: HashMap<String, usize>,
}

impl Catalogue {
    /// The catalogue of this crate: the original's actions and those chosen from what proctoring systems do.
    /// It is compiled in as data, so it needs no file and cannot fail.
    #[must_use]
    pub fn proctoring() -> &'static Self {
        types::catalogue()
    }

    /// Makes a catalogue of parts that are known to be consistent.
    fn assemble(
        name: String,
        version: String,
        executors: Vec<ExecutorType>,
        actions: Vec<Arc<ActionType>>,
    ) -> Self {
        let places = |(place, name): (usize, &String)| (name.clone(), place);
        let executor_places =
            executors.iter().map(|executor| &executor.name).enumerate().map(places).collect();
        let action_places = actions.iter().map(|action| &action.name).enumerate().map(places).collect();
        Self { inner: Arc::new(Inner { name, version, executors, actions, executor_places, action_places }) }
    }

    /// Its name, for example `proctoring`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its version, in the words of its authors.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// All executors, in the order of the catalogue.
    pub fn executors(&self) -> impl ExactSizeIterator<Item = &ExecutorType> {
        self.inner.executors.iter()
    }

    /// The executor of this name.
    #[must_use]
    pub fn executor(&self, name: &str) -> Option<&ExecutorType> {
        self.inner.executor_places.get(name).and_then(|place| self.inner.executors.get(*place))
    }

    /// All actions, in the order of the catalogue.
    pub fn actions(&self) -> impl ExactSizeIterator<Item = &ActionType> {
        self.inner.actions.iter().map(AsRef::as_ref)
    }

    /// The actions of one executor, in the order of the catalogue.
    pub fn actions_of(&self, executor: &str) -> impl Iterator<Item = &ActionType> {
        self.actions().filter(move |action| action.executor == executor)
    }

    /// The action of this name.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&ActionType> {
        self.shared_action(name).map(AsRef::as_ref)
    }

    fn shared_action(&self, name: &str) -> Option<&Arc<ActionType>> {
        self.inner.action_places.get(name).and_then(|place| self.inner.actions.get(*place))
    }

    /// Hides the sensitive values of one action or response as it is on the wire, by its `action` key (C64).
    /// An action that the catalogue does not know is left as it is.
    pub fn redact(&self, object: &mut Map<String, Value>) {
        let action = object.get("action").and_then(Value::as_str).and_then(|name| self.action(name));
        if let Some(action) = action {
            action.redact(object);
        }
    }
}

/// Shares it.
impl From<&Self> for Catalogue {
    fn from(catalogue: &Self) -> Self {
        catalogue.clone()
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue")
            .field("name", &self.inner.name)
            .field("version", &self.inner.version)
            .field("executors", &self.inner.executors.len())
            .field("actions", &self.inner.actions.len())
            .finish()
    }
}
