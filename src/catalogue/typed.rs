//! The traits that generated types implement, and the little that generated code calls.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::value::MAX_INT;
use crate::error::Result;

#[doc(hidden)]
pub use super::model::REDACTED;
#[doc(hidden)]
pub use {serde, serde_json};

/// An action whose fields are checked by the compiler. Implemented by generated structs.
pub trait TypedAction {
    /// Name of the action on the wire.
    const ACTION: &'static str;
    /// Name of the executor that carries it out.
    const EXECUTOR: &'static str;

    /// The fields as `info`. What is `None` is left out, so that the default applies or nothing is written.
    ///
    /// The compiler does not know limits: [`Catalogue::build_info`](super::Catalogue::build_info) still checks them.
    fn into_info(self) -> Map<String, Value>;
}

/// An action that answers.
pub trait TypedRequest: TypedAction {
    /// What it answers.
    type Response: DeserializeOwned + serde::Serialize + Send + 'static;
}

/// Builds `info`, leaving out what is `null`: absent optional fields, and numbers that JSON cannot write.
#[must_use]
pub fn info<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Adds fields that the catalogue does not name. One that it does name keeps its value.
#[must_use]
pub fn with_extra(mut info: Map<String, Value>, extra: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in extra {
        info.entry(name).or_insert(value);
    }
    info
}

/// Reads received fields into a generated type. Fields that the type does not know are passed over (C32), `null`
/// counts as absent, and an integer that a peer wrote as `3.0` is accepted. `what` names it in the error, for
/// example `response to getDisplayCount`.
///
/// # Errors
///
/// [`Error::Decode`](crate::Error::Decode) when a mandatory field is missing or a value has another type.
pub fn decode<T: DeserializeOwned>(what: &str, mut fields: Map<String, Value>) -> Result<T> {
    fields.retain(|_, value| !value.is_null());
    for value in fields.values_mut() {
        match value {
            Value::Number(number) => make_whole(number),
            Value::Array(items) => items.iter_mut().for_each(|item| {
                if let Value::Number(number) = item {
                    make_whole(number);
                }
            }),
            _ => {}
        }
    }
    crate::error::decode(what, &fields)
}

/// JavaScript has one type of number, and JSON two ways to write an integer. Both bounds are exact as floats, and
/// so is every integer between them.
fn make_whole(number: &mut Number) {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "exact within ±2⁵³")]
    if let Some(value) = number.as_f64().filter(|_| number.is_f64())
        && value.fract() == 0.0
        && value.abs() <= MAX_INT as f64
    {
        *number = Number::from(value as i64);
    }
}
