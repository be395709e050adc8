//! Checks one JSON value against a field's type. Messages name types, limits and allowed values, never the value.

use serde_json::{Number, Value};

use super::{
    hint::listed,
    model::FieldType,
    text::{is_absolute_url, is_timestamp},
};
use crate::error::json_type;

/// Integers up to here are exact in JavaScript, whose numbers are 64-bit floats (C32).
pub(super) const MAX_INT: i64 = 1 << 53;

/// How a value does not fit.
#[derive(Debug, PartialEq)]
pub(super) enum Misfit {
    /// It has another JSON type.
    Type { expected: String, found: &'static str },
    /// It has the right type and breaks a limit.
    Limit(String),
    /// An item of an array does not fit.
    Item(usize, Box<Self>),
}

impl FieldType {
    /// Checks one value.
    pub(super) fn check(&self, value: &Value) -> Result<(), Misfit> {
        match (self, value) {
            (Self::String { max_len }, Value::String(text)) => check_chars(text, *max_len),
            (Self::Bool, Value::Bool(_)) | (Self::Object, Value::Object(_)) => Ok(()),
            (Self::Int { min, max }, Value::Number(number)) => check_int(number, *min, *max),
            (Self::Number { min, max }, Value::Number(number)) => check_number(number, *min, *max),
            (Self::Url { max_len }, Value::String(text)) => {
                check_chars(text, *max_len)?;
                holds_or(is_absolute_url(text), || {
                    "must be an absolute URL such as `https://example.com/path`, special characters percent-encoded"
                        .to_owned()
                })
            }
            (Self::Timestamp, Value::String(text)) => holds_or(is_timestamp(text), || {
                "must be an RFC 3339 timestamp such as `2026-01-31T09:30:00Z`".to_owned()
            }),
            (Self::Enum(names), Value::String(text)) => holds_or(names.values.contains(text), || {
                format!("must be one of {}", listed(names.values.iter().map(String::as_str)))
            }),
            (Self::Array { items, max_len }, Value::Array(values)) => check_array(items, *max_len, values),
            _ => Err(Misfit::Type { expected: self.expected(), found: json_type(value) }),
        }
    }

    /// What it asks for, in the words of an error message.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::String { .. } => "a string".to_owned(),
            Self::Bool => "a boolean".to_owned(),
            Self::Int { .. } => "an integer".to_owned(),
            Self::Number { .. } => "a number".to_owned(),
            Self::Url { .. } => "a string with an absolute URL".to_owned(),
            Self::Timestamp => "a string with an RFC 3339 timestamp".to_owned(),
            Self::Enum(names) => format!("one of {}", listed(names.values.iter().map(String::as_str))),
            Self::Array { items, .. } => format!("an array ({} each)", items.expected()),
            Self::Object => "an object".to_owned(),
        }
    }
}

fn holds_or(holds: bool, limit: impl FnOnce() -> String) -> Result<(), Misfit> {
    if holds { Ok(()) } else { Err(Misfit::Limit(limit())) }
}

fn check_chars(text: &str, max_len: Option<usize>) -> Result<(), Misfit> {
    // No text has more characters than bytes, so most are not counted.
    let fits = max_len.is_none_or(|max| text.len() <= max || text.chars().nth(max).is_none());
    holds_or(fits, || format!("must have at most {} characters", max_len.unwrap_or_default()))
}

fn check_array(items: &FieldType, max_len: Option<usize>, values: &[Value]) -> Result<(), Misfit> {
    if let Some(max) = max_len.filter(|max| values.len() > *max) {
        return Err(Misfit::Limit(format!("must have at most {max} items")));
    }
    for (place, value) in values.iter().enumerate() {
        items.check(value).map_err(|misfit| Misfit::Item(place, Box::new(misfit)))?;
    }
    Ok(())
}

fn check_int(number: &Number, min: Option<i64>, max: Option<i64>) -> Result<(), Misfit> {
    if number.is_f64() {
        return Err(Misfit::Type {
            expected: "an integer".to_owned(),
            found: "a number with a decimal point",
        });
    }
    let least = min.unwrap_or(-MAX_INT).max(-MAX_INT);
    let most = max.unwrap_or(MAX_INT).min(MAX_INT);
    match number.as_i64() {
        Some(value) if value < least => Err(Misfit::Limit(format!("must be at least {least}"))),
        Some(value) if value <= most => Ok(()),
        // Also what only fits an unsigned number: it is above every limit.
        _ => Err(Misfit::Limit(format!("must be at most {most}"))),
    }
}

fn check_number(number: &Number, min: Option<f64>, max: Option<f64>) -> Result<(), Misfit> {
    match number.as_f64().filter(|value| value.is_finite()) {
        None => Err(Misfit::Limit("must be a finite number".to_owned())),
        Some(value) => {
            if let Some(least) = min.filter(|least| value < *least) {
                return Err(Misfit::Limit(format!("must be at least {least}")));
            }
            match max.filter(|most| value > *most) {
                Some(most) => Err(Misfit::Limit(format!("must be at most {most}"))),
                None => Ok(()),
            }
        }
    }
}
