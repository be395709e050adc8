//! Values as they stand in their text.
//!
//! Two words are not for everybody in `serde_json`: an object that begins with one of them is read as something else, or not at
//! all, as soon as any crate of the program asks for raw values or for numbers of any length. Here they are keys like all others,
//! because anybody may have written them.

use std::fmt;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How `serde_json` tells of numbers where they may have any length.
const NUMBER: &str = "$serde_json::private::Number";

/// Whether it does: then this one word cannot be told from a number.
static NUMBERS_ARE_OBJECTS: LazyLock<bool> = LazyLock::new(|| {
    let text = format!(r#"{{"{NUMBER}":"1"}}"#);
    serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_number())
});

/// Reads one value.
pub(crate) fn read(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).map(|Any(value)| value)
}

struct Any(Value);

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(Self)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Any(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.is_empty() && key == NUMBER && *NUMBERS_ARE_OBJECTS {
                let number: Number = members.next_value::<String>()?.parse().map_err(A::Error::custom)?;
                return Ok(Value::Number(number));
            }
            let Any(value) = members.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_stands_there() {
        for text in [
            r#"{"$serde_json::private::RawValue":"oops"}"#,
            r#"[{"a":{"$serde_json::private::RawValue":"[1,2]","b":2}}]"#,
            r#"{"$serde_json::private::RawValue":5}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"a":[null,true,-1,18446744073709551615,1.5,1e+300,-0.0,"é\n"],"b":{}}"#,
        ] {
            if *NUMBERS_ARE_OBJECTS && text.contains(NUMBER) {
                continue;
            }
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_json_is_refused_as_elsewhere() {
        let deep = "[".repeat(200);
        for text in ["", "{", "1 2", r#"{"a":1e999}"#, r#"{"a"}"#, "nul", &deep] {
            let (own, other) = (read(text).unwrap_err(), serde_json::from_str::<Value>(text).unwrap_err());
            assert_eq!(own.to_string(), other.to_string(), "{text}");
        }
    }

    mod any_text {
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn is_read_as_elsewhere(text in r#"[\[\]{}:,"a1e.\- tfn]{0,24}"#) {
                let other = serde_json::from_str::<serde_json::Value>(&text);
                prop_assert_eq!(super::read(&text).map_err(|error| error.to_string()), other.map_err(|error| error.to_string()));
            }
        }
    }
}
