//! What a catalogue says: executors, action types, fields and their types.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

/// What logs and consoles show instead of a sensitive value (C64).
pub const REDACTED: &str = "[redacted]";

/// A party that can be told to do something. It owns one array in the document.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExecutorType {
    /// Name on the wire, for example `extension`.
    pub name: String,
    /// What it is.
    pub doc: String,
    array: String,
    event: String,
}

impl ExecutorType {
    pub(super) fn new(name: &str, doc: String) -> Self {
        let (array, event) = (format!("{name}Actions"), format!("{name}ActionsAdded"));
        Self { name: name.to_owned(), doc, array, event }
    }

    /// Key of its array in the document: `<name>Actions` (C19).
    #[must_use]
    pub fn array(&self) -> &str {
        &self.array
    }

    /// Name of its event: `<name>ActionsAdded` (C19).
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }
}

/// Whether an action may run again after a crash (C41).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// It is run until an executor has said that it finished; after a crash it may run twice.
    #[default]
    AtLeastOnce,
    /// It leaves the document before it is run; after a crash it may not have run at all.
    AtMostOnce,
}

impl Repeat {
    /// Its name in a catalogue file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at-least-once",
            Self::AtMostOnce => "at-most-once",
        }
    }
}

/// One kind of action: who carries it out, what it is given, what it answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ActionType {
    /// Name on the wire; unique over all executors of the catalogue.
    pub name: String,
    /// Name of the executor that carries it out.
    pub executor: String,
    /// What it does.
    pub doc: String,
    /// Where it comes from, in the words of the catalogue's authors.
    pub origin: Option<String>,
    /// Whether it may run again after a crash.
    pub repeat: Repeat,
    /// After this time it is removed without running; `None`: it waits for ever (C43).
    pub expires: Option<Duration>,
    /// How long a requester waits for the response by default (C50).
    pub reply_within: Duration,
    /// Who is meant to send it. Advice to a server that knows roles; clients do not enforce it. Empty: anybody.
    pub senders: Vec<String>,
    /// Fields that the catalogue does not name are allowed (C26).
    pub extra_fields: bool,
    /// What the sender supplies, in the order of the catalogue.
    pub fields: Vec<Field>,
    /// What the executor answers; `None`: it does not answer.
    pub response: Option<Vec<Field>>,
}

impl ActionType {
    /// Whether it can be requested, that is, whether it has a response.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.response.is_some()
    }

    /// The field of this name that the sender supplies.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Fields of the response; empty when it does not answer.
    #[must_use]
    pub fn response_fields(&self) -> &[Field] {
        self.response.as_deref().unwrap_or_default()
    }

    /// Names of the fields whose values must not be shown (C64), of the action and of its response.
    pub fn sensitive_fields(&self) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .chain(self.response_fields())
            .filter(|field| field.sensitive)
            .map(|field| field.name.as_str())
    }

    /// Replaces sensitive values, of the action or of its response, by [`REDACTED`]. `fields` may be the flat
    /// object of the wire. Call it before an action is logged or shown (C64).
    pub fn redact(&self, fields: &mut Map<String, Value>) {
        for name in self.sensitive_fields() {
            if let Some(value) = fields.get_mut(name) {
                *value = Value::from(REDACTED);
            }
        }
    }
}

/// One field of an action or of a response.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// Name on the wire.
    pub name: String,
    /// What it means.
    pub doc: String,
    /// Its type and limits.
    pub kind: FieldType,
    /// Whether it must be given.
    pub presence: Presence,
    /// Its value is kept out of logs, traces, errors and consoles (C64).
    pub sensitive: bool,
}

impl Field {
    /// Whether it must be given: `null` in the original's ActionTypes.
    #[must_use]
    pub fn is_required(&self) -> bool {
        matches!(self.presence, Presence::Required)
    }

    /// What the sender writes when the caller gives nothing.
    #[must_use]
    pub fn default(&self) -> Option<&Value> {
        match &self.presence {
            Presence::Default(value) => Some(value),
            Presence::Required | Presence::Optional => None,
        }
    }
}

/// Whether a field must be given.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// Absent or `null` is an error (C24).
    Required,
    /// The sender writes this value when the caller gives none, so that every reader sees it.
    Default(Value),
    /// Absent from the wire unless the caller gives it.
    Optional,
}

/// Type and limits of a field. All limits are inclusive.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldType {
    /// Text.
    String {
        /// Most Unicode scalar values.
        max_len: Option<usize>,
    },
    /// `true` or `false`.
    Bool,
    /// A whole number within ±2⁵³, which JavaScript represents exactly.
    Int {
        /// Least value.
        min: Option<i64>,
        /// Greatest value.
        max: Option<i64>,
    },
    /// Any finite number.
    Number {
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
    },
    /// An absolute URL (RFC 3986) with a scheme other than `javascript` and `vbscript`.
    Url {
        /// Most characters.
        max_len: Option<usize>,
    },
    /// A moment as RFC 3339 writes it, for example `2026-11-22T12:50:07Z`.
    Timestamp,
    /// One of several texts.
    Enum(Arc<EnumType>),
    /// A list of values of one type.
    Array {
        /// Type of each item.
        items: Box<Self>,
        /// Most items.
        max_len: Option<usize>,
    },
    /// Free JSON under one key.
    Object,
}

/// The values of an enum, under a name when several fields share it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EnumType {
    /// Name in the catalogue; `None` when the field lists the values itself.
    pub name: Option<String>,
    /// What it means; empty without a name.
    pub doc: String,
    /// The values, in the order of the catalogue. Never empty.
    pub values: Vec<String>,
}
