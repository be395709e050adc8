//! Application data, as text.

use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json;

/// The text of a JSON object. It is taken apart by whoever wants to know what is in it, and once.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Arc<str>);

impl Data {
    /// `None` when it is another kind of JSON.
    pub(super) fn of(text: &RawValue) -> Option<Self> {
        text.get().starts_with('{').then(|| Self(text.get().into()))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.0
    }

    /// The object; `None` when it has numbers that are none, like `1e999`.
    #[must_use]
    pub fn parse(&self) -> Option<Map<String, Value>> {
        match json::read(&self.0) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self("{}".into())
    }
}

impl From<Map<String, Value>> for Data {
    fn from(object: Map<String, Value>) -> Self {
        Self(Value::Object(object).to_string().into())
    }
}

/// Data may be sensitive (C64).
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
