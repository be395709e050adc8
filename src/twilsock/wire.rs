//! Helpers of the private structs that mirror JSON on the wire.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::error::unquoted;

/// Reads an object into its mirror. The refusal names the field or type and never a value: headers carry tokens.
pub(super) fn read<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(object)).map_err(|error| unquoted(&error.to_string()))
}

/// Fields of a mirror, in its order.
pub(super) fn fields<T: Serialize>(mirror: &T) -> Map<String, Value> {
    match serde_json::to_value(mirror) {
        Ok(Value::Object(fields)) => fields,
        // Mirrors are structs with string keys.
        _ => Map::new(),
    }
}

/// For fields that may be absent, `null`, or of a form nobody here needs: those are passed over.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// The same for arrays, element by element.
pub(super) fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(items) => {
            items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect()
        }
        _ => Vec::new(),
    })
}
