//! The wire shapes of an action and of a response (contract 1.2 and 1.3): one flat JSON object.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Result, decode};

/// The name of the one reserved key, at the top of the document and inside actions (contract 1.4).
pub(crate) const BOOKKEEPING_KEY: &str = "_sp";

/// The ending that makes a top-level key an executor's array (C19).
pub(crate) const ARRAY_SUFFIX: &str = "Actions";

/// An action or a response as the application sees it: the flat object, without bookkeeping (C20).
///
/// Cloning shares the object. It always has a string `action`; nothing else is promised of what a peer wrote.
#[derive(Clone, PartialEq)]
pub struct Action(Arc<Map<String, Value>>);

impl Action {
    /// Wraps an object that has a string `action`.
    pub(crate) fn from_object(object: Map<String, Value>) -> Option<Self> {
        object.get("action").is_some_and(Value::is_string).then(|| Self(Arc::new(object)))
    }

    /// Wraps an object that was made with a string `action`.
    pub(crate) fn from_named(object: Map<String, Value>) -> Self {
        debug_assert!(object.get("action").is_some_and(Value::is_string));
        Self(Arc::new(object))
    }

    /// The name of the action's type.
    #[must_use]
    pub fn name(&self) -> &str {
        // It comes first in what this crate writes; looking there costs no hashing.
        let named = match self.0.iter().next() {
            Some((key, value)) if key == "action" => Some(value),
            _ => self.0.get("action"),
        };
        named.and_then(Value::as_str).unwrap_or_default()
    }

    /// The `executor` written in the object. The array it lay in decides, not this (C45).
    #[must_use]
    pub fn executor(&self) -> Option<&str> {
        self.0.get("executor").and_then(Value::as_str)
    }

    /// The executor whose array takes the response, if one is asked for (C47).
    #[must_use]
    pub fn respond_to(&self) -> Option<&str> {
        self.0.get("respondTo").and_then(Value::as_str)
    }

    /// One field, or any other key of the object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The whole object.
    #[must_use]
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A copy of the whole object as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object((*self.0).clone())
    }

    /// The object as a type of the application, for example a generated response. Keys the type does not name are
    /// passed over.
    ///
    /// # Errors
    /// [`Error::Decode`](crate::Error::Decode) when a field is missing or of another type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        decode(&format!("action `{}`", self.name()), &self.0)
    }
}

impl std::fmt::Debug for Action {
    /// Shows the name and the keys, never a value: values may be sensitive (C64).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&String> = self.0.keys().collect();
        f.debug_struct("Action").field("name", &self.name()).field("keys", &keys).finish()
    }
}
