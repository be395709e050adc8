//! One element of an executor's array: an action, a response, or something that is neither.

use std::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::fields::{is_deeper_than, refuse_deep};
use super::size::{Len, json_len};
use crate::action::{Action, BOOKKEEPING_KEY};
use crate::error::{Result, json_type};
use crate::id::ActionId;
use crate::limits::{ACTION_ID_CHARS_MAX, NESTING_MAX};

/// An element of an array, with its bookkeeping taken apart and its length counted once.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    body: Body,
    tag: Tag,
    len: Len,
}

#[derive(Clone, PartialEq)]
enum Body {
    Action(Action),
    /// Not an object, without a string `action`, or nested too deeply (C45). Kept as it was.
    Malformed(Value),
}

/// Never shows a value: it may be a sensitive one in the wrong place (C64).
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(action) => action.fmt(f),
            Self::Malformed(value) => write!(f, "malformed: {}", json_type(value)),
        }
    }
}

/// The bookkeeping of one action: its `_sp` (contract 1.4). Keys not known here are kept in `rest`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tag {
    /// Identity of the action.
    pub id: Option<ActionId>,
    /// `<identity>#<instance>` of a client that waits for the response.
    pub from: Option<Arc<str>>,
    /// On a response: the request's id.
    pub re: Option<ActionId>,
    /// On a response: the request's `from`.
    pub to: Option<Arc<str>>,
    /// On a response: why the handler failed (C52).
    pub error: Option<Failure>,
    /// Backend time in Unix milliseconds after which it must no longer start (C43).
    pub exp: Option<u64>,
    /// Attempts already begun, on an action that was given back. Absent means none.
    pub n: Option<u32>,
    /// Keys of a newer peer, kept as they are.
    pub rest: Unknown,
}

/// Keys of a newer peer, kept as they are. Its `Debug` shows the keys alone (C64).
#[derive(Clone, Default, PartialEq)]
pub struct Unknown(pub Map<String, Value>);

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a handler failed, as it travels in a response (C52).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// A short stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl Item {
    /// An action made by this client.
    #[must_use]
    pub fn new(action: Action, tag: Tag) -> Self {
        Self { body: Body::Action(action), tag, len: Len::default() }
    }

    /// An element as it was read.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        let body_and_tag = match value {
            // Taken, it would lie deeper, and nobody could read the document any more.
            deep if is_deeper_than(&deep, NESTING_MAX) => (Body::Malformed(deep), Tag::default()),
            Value::Object(mut object) if object.get("action").is_some_and(Value::is_string) => {
                let tag = match object.contains_key(BOOKKEEPING_KEY) {
                    true => object.shift_remove(BOOKKEEPING_KEY).map(Tag::from_value).unwrap_or_default(),
                    false => Tag::default(),
                };
                match Action::from_object(object) {
                    Some(action) => (Body::Action(action), tag),
                    None => (Body::Malformed(Value::Null), tag),
                }
            }
            other => (Body::Malformed(other), Tag::default()),
        };
        Self { body: body_and_tag.0, tag: body_and_tag.1, len: Len::default() }
    }

    /// The action without its bookkeeping, or `None` when the element is malformed (C45).
    #[must_use]
    pub fn action(&self) -> Option<&Action> {
        match &self.body {
            Body::Action(action) => Some(action),
            Body::Malformed(_) => None,
        }
    }

    /// The JSON type of a malformed element, for messages.
    #[must_use]
    pub fn malformed_type(&self) -> Option<&'static str> {
        match &self.body {
            Body::Action(_) => None,
            Body::Malformed(value) => Some(json_type(value)),
        }
    }

    /// The bookkeeping.
    #[must_use]
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The identity, where the writer gave one.
    #[must_use]
    pub fn id(&self) -> Option<&ActionId> {
        self.tag.id.as_ref()
    }

    /// Whether it is a response meant for a certain client, which holds up nothing behind it (C51). One without an id
    /// could never be released to others, so it is for anybody.
    #[must_use]
    pub fn is_addressed(&self) -> bool {
        self.tag.to.is_some() && self.tag.id.is_some()
    }

    /// The same action without bookkeeping.
    #[must_use]
    pub(super) fn untagged(self: &Arc<Self>) -> Arc<Self> {
        if self.tag.is_empty() { self.clone() } else { Arc::new(self.with_tag(Tag::default())) }
    }

    /// The same action with other bookkeeping.
    #[must_use]
    pub fn with_tag(&self, tag: Tag) -> Self {
        Self { body: self.body.clone(), tag, len: Len::default() }
    }

    /// Whether both are the same action: by id where there is one, otherwise by content.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.id(), other.id()) {
            (Some(mine), Some(theirs)) => mine == theirs,
            (None, None) => self.body == other.body,
            _ => false,
        }
    }

    /// Refuses an action that is nested so deeply that it would be none when it is read.
    pub(super) fn refuse_deep(&self) -> Result<()> {
        let values = self.action().into_iter().flat_map(|action| action.as_object().values());
        refuse_deep("action", values.chain(self.tag.rest.0.values()), NESTING_MAX - 2)
    }

    /// Bytes as compact JSON, bookkeeping included.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.len.get(|| json_len(self))
    }

    /// Whether both look the same to a reader that ignores bookkeeping.
    pub(super) fn public_eq(&self, other: &Self) -> bool {
        self.body == other.body
    }

    /// The element without bookkeeping, as a reader of the original sees it.
    pub(super) fn public_value(&self) -> Value {
        match &self.body {
            Body::Action(action) => action.to_value(),
            Body::Malformed(value) => value.clone(),
        }
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let action = match &self.body {
            Body::Action(action) => action,
            Body::Malformed(value) => return value.serialize(serializer),
        };
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in action.as_object() {
            map.serialize_entry(key, value)?;
        }
        if !self.tag.is_empty() {
            map.serialize_entry(BOOKKEEPING_KEY, &self.tag)?;
        }
        map.end()
    }
}

fn text(value: &Value) -> Option<Arc<str>> {
    value.as_str().map(Into::into)
}

fn id(value: &Value) -> Option<ActionId> {
    value
        .as_str()
        .filter(|text| !text.is_empty() && text.chars().count() <= ACTION_ID_CHARS_MAX)
        .map(Into::into)
}

impl Tag {
    /// Reads a tag leniently (C60). A known key without the form it should have is dropped: kept, it would stand
    /// beside the right one as soon as that is written, and hide it from the next reader.
    fn from_value(value: Value) -> Self {
        let Value::Object(object) = value else { return Self::default() };
        let mut tag = Self::default();
        for (key, value) in object {
            match key.as_str() {
                "id" => tag.id = id(&value),
                "from" => tag.from = text(&value),
                "re" => tag.re = id(&value),
                "to" => tag.to = text(&value),
                "error" => tag.error = serde_json::from_value(value).ok(),
                "exp" => tag.exp = value.as_u64(),
                "n" => tag.n = value.as_u64().and_then(|n| u32::try_from(n).ok()),
                _ => {
                    tag.rest.0.insert(key, value);
                }
            }
        }
        tag
    }

    fn is_empty(&self) -> bool {
        let Self { id, from, re, to, error, exp, n, rest } = self;
        let texts = id.is_none() && from.is_none() && re.is_none() && to.is_none();
        texts && error.is_none() && exp.is_none() && n.is_none() && rest.0.is_empty()
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut entry = |key: &str, value: Option<&str>| match value {
            Some(value) => map.serialize_entry(key, value),
            None => Ok(()),
        };
        entry("id", self.id.as_ref().map(ActionId::as_str))?;
        entry("from", self.from.as_deref())?;
        entry("re", self.re.as_ref().map(ActionId::as_str))?;
        entry("to", self.to.as_deref())?;
        if let Some(error) = &self.error {
            map.serialize_entry("error", error)?;
        }
        if let Some(exp) = self.exp {
            map.serialize_entry("exp", &exp)?;
        }
        if let Some(n) = self.n {
            map.serialize_entry("n", &n)?;
        }
        for (key, value) in &self.rest.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
