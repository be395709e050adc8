//! The one error type of the crate.
//!
//! A variant exists only where a caller would branch on it. Messages name what was attempted, on what, which limit
//! was met and the next step. They never contain a field's value: values may be sensitive (C64).

use std::{sync::Arc, time::Duration};

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
    #[error("action {index} of the batch: the catalogue has no action `{action}`{hint}")]
    UnknownAction {
        /// The name given.
        action: String,
        /// Place in the batch, from 0.
        index: usize,
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
        "action {index} of the batch, `{action}`: the mandatory field `{field}` is missing (null counts as missing)"
    )]
    MissingField {
        /// Name of the action.
        action: String,
        /// Name of the field.
        field: String,
        /// Place in the batch, from 0.
        index: usize,
    },
    /// The catalogue knows no such field for this action (C26). No request was made.
    #[error("action {index} of the batch, `{action}`: there is no field `{field}`; {known}")]
    UnknownField {
        /// Name of the action.
        action: String,
        /// Name of the field.
        field: String,
        /// Place in the batch, from 0.
        index: usize,
        /// The fields that exist.
        known: String,
    },
    /// A field has a value of another type than its own (C26). No request was made.
    #[error("action {index} of the batch, `{action}`: field `{field}` must be {expected}, not {found}")]
    WrongType {
        /// Name of the action.
        action: String,
        /// Name of the field; an item of an array is `field[3]`.
        field: String,
        /// Place in the batch, from 0.
        index: usize,
        /// The type the catalogue asks for.
        expected: String,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// A field's value is outside its limits (C26). No request was made.
    #[error("action {index} of the batch, `{action}`: field `{field}` {limit}")]
    OutOfRange {
        /// Name of the action.
        action: String,
        /// Name of the field; an item of an array is `field[3]`.
        field: String,
        /// Place in the batch, from 0.
        index: usize,
        /// The limit, for example `must be at most 30`.
        limit: String,
    },
    /// The document would become longer than the backend allows (C55). Nothing was written.
    #[error(
        "the document would be {size_bytes} bytes of JSON, the limit is {limit_bytes}: remove data or finish waiting actions first"
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
    #[error("no {what} within {after:?}")]
    Timeout {
        /// What was awaited, for example `response to getDisplayCount`.
        what: String,
        /// How long was waited.
        after: Duration,
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
    #[error("{what} does not fit the type asked for")]
    Decode {
        /// What was decoded.
        what: String,
        /// The decoder's message.
        #[source]
        source: Source,
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
            Self::Timeout { .. } => Retry::Now,
            Self::MaybeApplied { .. } => Retry::MaybeApplied,
            Self::Backend { retry, .. } => *retry,
            _ => Retry::Never,
        }
    }
}

/// The JSON type of a value, in the words of error messages. Never the value itself (C64).
pub(crate) fn json_type(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "a boolean",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Array(_) => "an array",
        serde_json::Value::Object(_) => "an object",
    }
}

/// The error of a decoder. Its message may quote the offending value, which may be sensitive (C64): only its kind is
/// kept.
pub(crate) fn unfit(what: &str, error: &serde_json::Error) -> Error {
    let source = Arc::new(Unfit(unquoted(&error.to_string())));
    Error::Decode { what: what.to_owned(), source }
}

/// Why received fields do not fit, without the values.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unfit(String);

/// serde's messages quote the value as `invalid type: string "…", expected …`. Field names stand in backticks, but so do
/// unknown enum values and numbers; only messages about fields are kept whole.
pub(crate) fn unquoted(message: &str) -> String {
    if message.starts_with("missing field") {
        return message.to_owned();
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("a value does not have its type: expected {expected}"),
        None => "a value does not have its type".to_owned(),
    }
}
