//! The content of a document at one revision.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::machine::State;
use crate::backend::Revision;
use crate::error::{Result, decode};

/// The whole content of a document at one revision, arrays included, bookkeeping left out (C9, C10). Cloning shares
/// it; it reads like a [`Map`].
#[derive(Clone)]
pub struct Snapshot {
    state: State,
    view: OnceLock<Arc<Map<String, Value>>>,
}

impl Snapshot {
    pub(super) fn new(state: State) -> Self {
        Self { state, view: OnceLock::new() }
    }

    /// The revision. Later snapshots of one client never have a smaller one (C17).
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.state.revision
    }

    /// The content. Made when somebody first looks, then shared by every subscriber of this client.
    #[must_use]
    pub fn data(&self) -> &Map<String, Value> {
        self.view.get_or_init(|| self.state.document.view())
    }

    /// A copy of the content as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.data().clone())
    }

    /// The content as a type of the application. Keys the type does not name are passed over.
    ///
    /// # Errors
    /// [`Error::Decode`](crate::Error::Decode) when a field is missing or of another type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        decode("the document", self.data())
    }

    /// One top-level key, without making the rest.
    pub(super) fn key(&self, key: &str) -> Option<Value> {
        self.state.document.field(key).cloned().or_else(|| self.data().get(key).cloned())
    }
}

impl Deref for Snapshot {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        self.data()
    }
}

impl std::fmt::Debug for Snapshot {
    /// Shows the revision and the keys: values may be sensitive (C64).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&String> = self.data().keys().collect();
        f.debug_struct("Snapshot").field("revision", &self.revision()).field("keys", &keys).finish()
    }
}
