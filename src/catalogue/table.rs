//! A catalogue as constant data, the form in which generated files carry it.
//!
//! Written by `codegen` from a catalogue that passed every check, and turned back into a [`Catalogue`] without any
//! step that could fail. It is public so that files generated into other crates compile; it is not meant to be
//! written by hand, because nothing checks it.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{Catalogue, model};
use model::{ActionType, EnumType, ExecutorType, Field, FieldType, Presence, Repeat};

/// A whole catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its executors.
    pub executors: &'static [Executor],
    /// The enums that several fields share.
    pub types: &'static [Enum],
    /// Its actions.
    pub actions: &'static [Action],
}

/// One executor.
#[derive(Clone, Copy, Debug)]
pub struct Executor {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
}

/// One shared enum.
#[derive(Clone, Copy, Debug)]
pub struct Enum {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Its values.
    pub values: &'static [&'static str],
}

/// One action.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Its name.
    pub name: &'static str,
    /// Who carries it out.
    pub executor: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Where it comes from.
    pub origin: Option<&'static str>,
    /// Whether it may run again.
    pub repeat: Repeat,
    /// When it expires, in milliseconds.
    pub expires_ms: Option<u64>,
    /// How long a requester waits, in milliseconds.
    pub reply_within_ms: u64,
    /// Who is meant to send it.
    pub senders: &'static [&'static str],
    /// Whether unnamed fields are allowed.
    pub extra_fields: bool,
    /// What is sent.
    pub fields: &'static [Row],
    /// What is answered.
    pub response: Option<&'static [Row]>,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it must be given.
    pub given: Given,
    /// Whether its value is hidden.
    pub sensitive: bool,
}

/// Type of a field; see [`FieldType`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "mirrors FieldType word for word")]
pub enum Kind {
    String { max_len: Option<usize> },
    Bool,
    Int { min: Option<i64>, max: Option<i64> },
    Number { min: Option<f64>, max: Option<f64> },
    Url { max_len: Option<usize> },
    Timestamp,
    Values(&'static [&'static str]),
    Named(&'static str),
    Array { items: &'static Self, max_len: Option<usize> },
    Object,
}

/// Whether a field must be given; see [`Presence`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "mirrors Presence word for word")]
pub enum Given {
    Required,
    Default(Constant),
    Optional,
}

/// A JSON value.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "mirrors JSON word for word")]
pub enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Number(f64),
    String(&'static str),
    Array(&'static [Self]),
    Object(&'static [(&'static str, Self)]),
}

impl Catalogue {
    /// Makes a catalogue from generated data. It cannot fail, and does not check anything.
    #[must_use]
    pub fn from_table(table: &'static Table) -> Self {
        let types: Vec<Arc<EnumType>> = table.types.iter().map(shared_enum).collect();
        let executors = table
            .executors
            .iter()
            .map(|executor| ExecutorType::new(executor.name, executor.doc.to_owned()))
            .collect();
        let actions = table.actions.iter().map(|action| Arc::new(action_type(action, &types))).collect();
        Self::assemble(table.name.to_owned(), table.version.to_owned(), executors, actions)
    }
}

fn shared_enum(shared: &Enum) -> Arc<EnumType> {
    Arc::new(EnumType {
        name: Some(shared.name.to_owned()),
        doc: shared.doc.to_owned(),
        values: owned(shared.values),
    })
}

fn action_type(action: &Action, types: &[Arc<EnumType>]) -> ActionType {
    let fields = |rows: &'static [Row]| rows.iter().map(|row| field(row, types)).collect();
    ActionType {
        name: action.name.to_owned(),
        executor: action.executor.to_owned(),
        doc: action.doc.to_owned(),
        origin: action.origin.map(str::to_owned),
        repeat: action.repeat,
        expires: action.expires_ms.map(Duration::from_millis),
        reply_within: Duration::from_millis(action.reply_within_ms),
        senders: owned(action.senders),
        extra_fields: action.extra_fields,
        fields: fields(action.fields),
        response: action.response.map(fields),
    }
}

fn field(row: &Row, types: &[Arc<EnumType>]) -> Field {
    Field {
        name: row.name.to_owned(),
        doc: row.doc.to_owned(),
        kind: field_type(&row.kind, types),
        presence: match &row.given {
            Given::Required => Presence::Required,
            Given::Default(constant) => Presence::Default(constant.value()),
            Given::Optional => Presence::Optional,
        },
        sensitive: row.sensitive,
    }
}

fn field_type(kind: &Kind, types: &[Arc<EnumType>]) -> FieldType {
    match *kind {
        Kind::String { max_len } => FieldType::String { max_len },
        Kind::Bool => FieldType::Bool,
        Kind::Int { min, max } => FieldType::Int { min, max },
        Kind::Number { min, max } => FieldType::Number { min, max },
        Kind::Url { max_len } => FieldType::Url { max_len },
        Kind::Timestamp => FieldType::Timestamp,
        Kind::Values(values) => {
            FieldType::Enum(Arc::new(EnumType { name: None, doc: String::new(), values: owned(values) }))
        }
        // A name without a type cannot be generated; as an enum without values it would accept nothing.
        Kind::Named(name) => {
            FieldType::Enum(types.iter().find(|shared| shared.name.as_deref() == Some(name)).map_or_else(
                || Arc::new(EnumType { name: Some(name.to_owned()), doc: String::new(), values: Vec::new() }),
                Arc::clone,
            ))
        }
        Kind::Array { items, max_len } => {
            FieldType::Array { items: Box::new(field_type(items, types)), max_len }
        }
        Kind::Object => FieldType::Object,
    }
}

impl Constant {
    fn value(&self) -> Value {
        match *self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::from(value),
            Self::Int(value) => Value::from(value),
            Self::Number(value) => Value::from(value),
            Self::String(value) => Value::from(value),
            Self::Array(items) => items.iter().map(Self::value).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| ((*key).to_owned(), value.value())).collect()
            }
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
