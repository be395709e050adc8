//! The one error type of the crate.
//!
//! A variant exists only where a caller would branch on it. Messages name what was attempted, on what, which limit
//! was met and the next step. They never contain a field's value: values may be sensitive (C64).

use std::{sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::limits::BOOKKEEPING_RESERVE_BYTES;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The original cause of an [`Error`], shared because one failed write may answer many callers.
pub type Source = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// Everything that can go wrong, by what a caller can do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An identifier or setting has a form that is never accepted. No request was made.
    #[error("invalid {what}: {why}")]
    Invalid {
        /// What was given, for example `document id`.
        what: &'static str,
        /// What is wrong with it, and what to write instead.
        why: String,
    },
    /// Data for the document was not a JSON object (C6, C13). No request was made.
    #[error("{what} must be a JSON object, not {found}")]
    NotAnObject {
        /// What was given, for example `initial data`.
        what: &'static str,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// A key belongs to the protocol (C6, C13, C27). No request was made.
    #[error("{what} may not contain the key `{key}`: {instead}")]
    Reserved {
        /// Where the key stood, for example `set_sync data` or `info of stopSession (index 0)`.
        what: String,
        /// The reserved key.
        key: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// The catalogue has no action of this name (C26). No request was made.
    #[error("{}the catalogue has no action `{action}`{hint}", place(*index))]
    UnknownAction {
        /// The name given.
        action: String,
        /// Place in a batch of several, from 0.
        index: Option<usize>,
        /// ` (did you mean …?)`, or empty.
        hint: String,
    },
    /// The catalogue has no executor of this name (C26). No request was made.
    #[error("the catalogue has no executor `{executor}`; it knows {known}")]
    UnknownExecutor {
        /// The name given.
        executor: String,
        /// The names that exist, separated by commas.
        known: String,
    },
    /// A mandatory field is absent or `null` (C24, C25, C53). No request was made.
    #[error(
        "{}`{action}`: the mandatory field `{field}` is missing (null counts as missing)", place(*index)
    )]
    MissingField {
        /// Name of the action.
        action: String,
        /// Name of the field.
        field: String,
        /// Place in a batch of several, from 0.
        index: Option<usize>,
    },
    /// The catalogue knows no such field for this action (C26). No request was made.
    #[error("{}`{action}`: there is no field `{field}`; {known}", place(*index))]
    UnknownField {
        /// Name of the action.
        action: String,
        /// Name of the field.
        field: String,
        /// Place in a batch of several, from 0.
        index: Option<usize>,
        /// The fields that exist.
        known: String,
    },
    /// A field has a value of another type than its own (C26). No request was made.
    #[error("{}`{action}`: field `{field}` must be {expected}, not {found}", place(*index))]
    WrongType {
        /// Name of the action.
        action: String,
        /// Name of the field; an item of an array is `field[3]`.
        field: String,
        /// Place in a batch of several, from 0.
        index: Option<usize>,
        /// The type the catalogue asks for.
        expected: String,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// A field's value is outside its limits (C26). No request was made.
    #[error("{}`{action}`: field `{field}` {limit}", place(*index))]
    OutOfRange {
        /// Name of the action.
        action: String,
        /// Name of the field; an item of an array is `field[3]`.
        field: String,
        /// Place in a batch of several, from 0.
        index: Option<usize>,
        /// The limit, for example `must be at most 30`.
        limit: String,
    },
    /// The document would become longer than the backend allows (C55). Nothing was written.
    #[error(
        "the document would be {size_bytes} bytes of JSON, the limit is {limit_bytes} (while actions wait or run, {BOOKKEEPING_RESERVE_BYTES} bytes are kept free for their bookkeeping): remove data, or have what waits carried out first"
    )]
    TooLarge {
        /// Bytes of compact UTF-8 JSON that the write would have stored.
        size_bytes: usize,
        /// The most that may be stored. While actions wait, a reserve for their bookkeeping is already taken off.
        limit_bytes: usize,
    },
    /// Too many actions wait for one executor (C56). Nothing was written.
    #[error(
        "{waiting} actions already wait for `{executor}`, the limit is {limit}: subscribe to it, withdraw actions, or clear them"
    )]
    Full {
        /// The executor.
        executor: String,
        /// Actions that wait now.
        waiting: usize,
        /// The most that may wait.
        limit: usize,
    },
    /// An executor's array holds something that is no array (C14). Nothing was written, nothing was overwritten.
    #[error(
        "`{executor}Actions` holds {found}, not an array: clear_actions(\"{executor}\") empties it on purpose"
    )]
    CorruptArray {
        /// The executor.
        executor: String,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// Nothing came within the time allowed (C50).
    #[error("no {what} within {after:?}: {why}")]
    Timeout {
        /// What was awaited, for example `response to getDisplayCount`.
        what: String,
        /// How long was waited.
        after: Duration,
        /// What is known of it, and the next step.
        why: &'static str,
        /// What to do next; [`Retry::MaybeApplied`] for a request that was taken.
        retry: Retry,
    },
    /// An executor answered a request with a failure (C52).
    #[error("the executor failed to carry out `{action}`: {message} ({code})")]
    Failed {
        /// Name of the action.
        action: String,
        /// Code given by the handler.
        code: String,
        /// Message given by the handler.
        message: String,
    },
    /// The action is done and recorded, its response was not posted: the requester will time out (C55, C56).
    #[error(
        "`{action}` is done, but its response was not posted to `{executor}Actions`: {why}; the requester will time out"
    )]
    ResponseDropped {
        /// Name of the action that was answered.
        action: String,
        /// Where the response should have gone.
        executor: String,
        /// Why.
        why: Dropped,
    },
    /// The access token has expired and no new one could be had (C8). No request was made.
    #[error("the access token has expired: install a new one to go on, nothing that was accepted is lost")]
    TokenExpired,
    /// The answer to the write was lost and the document no longer shows whether it held (C29).
    #[error(
        "the answer to {what} was lost and the document does not show whether it held: read before repeating it"
    )]
    MaybeApplied {
        /// What was attempted.
        what: &'static str,
    },
    /// The document does not exist, or no longer.
    #[error(
        "document `{document}` does not exist: it was removed or has expired; connect again to create it"
    )]
    NotFound {
        /// Name of the document.
        document: String,
    },
    /// This identity may not do this, or another client took its place (C63).
    #[error("refused ({code}): {message}")]
    Refused {
        /// The backend's code.
        code: i64,
        /// The backend's words.
        message: String,
    },
    /// The client was closed, or its runtime has shut down. Nothing was written after that.
    #[error("the client is closed: connect a new one")]
    Closed,
    /// A claim, delivery or subscription is no longer this client's (C39). Nothing was written.
    #[error("{what} is no longer held by this client: another has taken it over or it was removed")]
    NotHeld {
        /// What was lost.
        what: String,
    },
    /// The document's JSON does not fit the application's own type.
    #[error("{what} does not fit the type asked for: {why}")]
    Decode {
        /// What was decoded, for example ``field `step` of the document``.
        what: String,
        /// What does not fit, without the value.
        why: String,
    },
    /// The backend could not do its work.
    #[error("{backend}: {doing} failed: {why}")]
    Backend {
        /// Which backend.
        backend: &'static str,
        /// What was attempted, on what.
        doing: String,
        /// What happened, and the next step.
        why: String,
        /// When to try again.
        retry: Retry,
        /// The original cause, where there is one.
        #[source]
        source: Option<Source>,
    },
}

/// Why a response was not appended, or was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// As many actions wait for the requester as may wait (C56).
    Full,
    /// The document would be too long, or too full to take the response out of it again (C55); or the response has
    /// more levels of arrays and objects than may be written.
    TooLarge,
    /// The requester's array is not an array (C14).
    CorruptArray,
    /// Its requester left it unread for so long that it was removed.
    Unread,
    /// In plain mode: the backend did not take it, or did not say so.
    Unwritten,
}

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "as many actions wait there as may wait",
            Self::TooLarge => "it does not fit into the document",
            Self::CorruptArray => "what stands there is no array",
            Self::Unread => "its requester never read it",
            Self::Unwritten => "the backend did not take it, or did not say so",
        })
    }
}

/// What to do after an [`Error`]; see [`Error::retry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// The same call fails again: mend the input, the settings or the rights first.
    Never,
    /// The same call may succeed at once.
    Now,
    /// The same call may succeed after this time.
    After(Duration),
    /// It may have been carried out: look before repeating it.
    MaybeApplied,
}

impl Error {
    /// What to do next.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Full { .. } => Retry::After(Duration::from_secs(1)),
            Self::MaybeApplied { .. } => Retry::MaybeApplied,
            Self::Timeout { retry, .. } | Self::Backend { retry, .. } => *retry,
            _ => Retry::Never,
        }
    }
}

/// The JSON type of a value, in the words of error messages. Never the value itself (C64).
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Where an action stands in its batch, for the beginning of a message.
fn place(index: Option<usize>) -> String {
    index.map(|index| format!("action {index} of the batch: ")).unwrap_or_default()
}

/// Reads fields as a type of the application. The decoder's message may quote the offending value, which may be
/// sensitive (C64): only its place and its kind are told.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, fields: &Map<String, Value>) -> Result<T> {
    T::deserialize(fields).map_err(|error| {
        let what = match offending::<T>(fields) {
            Some(field) => format!("field `{field}` of {what}"),
            None => what.to_owned(),
        };
        Error::Decode { what, why: unquoted(&error.to_string()) }
    })
}

/// The top-level field at which decoding stops: a value knows no place, its text does.
fn offending<T: DeserializeOwned>(fields: &Map<String, Value>) -> Option<&str> {
    let error = serde_json::from_str::<T>(&serde_json::to_string(fields).ok()?).err()?;
    let mut start = "{".len();
    for (key, value) in fields {
        let end = start + serde_json::to_string(key).ok()?.len() + ":".len() + value.to_string().len();
        if (start + 1..=end).contains(&error.column()) {
            return Some(key);
        }
        start = end + ",".len();
    }
    None
}

/// serde's messages quote the value as `invalid type: string "…", expected …`. Field names stand in backticks, but so do
/// unknown enum values and numbers; only messages about fields are kept whole.
pub(crate) fn unquoted(message: &str) -> String {
    if message.starts_with("missing field") {
        return message.to_owned();
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("it should be {expected}"),
        None => "it is of another type".to_owned(),
    }
}
