//! JSON text put together from parts, so that application data is not parsed to be sent.

use serde::Serialize;

/// The object as text, with one more member whose value is JSON text already.
pub(crate) fn with_member<T: Serialize>(object: &T, name: &str, json: &str) -> String {
    let mut text = serde_json::to_string(object).unwrap_or_default();
    // What is given is a struct with at least one member: its text ends with a brace and needs a comma.
    if text.pop().is_none() {
        text.push('{');
    } else if !text.ends_with('{') {
        text.push(',');
    }
    text.reserve(name.len() + json.len() + 4);
    text.push('"');
    text.push_str(name);
    text.push_str("\":");
    text.push_str(json);
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn members_are_added_to_full_and_to_empty_objects() {
        let mut object = Map::new();
        assert_eq!(with_member(&object, "data", "{}"), r#"{"data":{}}"#);
        object.insert("a".into(), Value::from(1));
        assert_eq!(with_member(&object, "data", "[1]"), r#"{"a":1,"data":[1]}"#);
    }
}
