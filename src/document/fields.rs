//! The application's own keys, in their order, with their length counted as they change.

use serde_json::{Map, Value};

use super::is_reserved;
use super::size::{Len, json_len, text_len};
use crate::action::BOOKKEEPING_KEY;
use crate::error::{Error, Result};
use crate::limits::NESTING_MAX;

#[derive(Clone, Default, PartialEq)]
pub(super) struct Fields {
    map: Map<String, Value>,
    /// Bytes of all `"key":value`, without commas and braces.
    len: Len,
}

fn entry_len(key: &str, value: &Value) -> usize {
    text_len(key) + 1 + json_len(value)
}

impl Fields {
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map.iter()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key)
    }

    pub(super) fn count(&self) -> usize {
        self.map.len()
    }

    pub(super) fn len(&self) -> usize {
        self.len.get(|| self.map.iter().map(|(key, value)| entry_len(key, value)).sum())
    }

    pub(super) fn set(&mut self, key: String, value: Value) {
        let before = self.map.get(&key);
        self.len.change(|| {
            signed(entry_len(&key, &value)) - before.map_or(0, |before| signed(entry_len(&key, before)))
        });
        self.map.insert(key, value);
    }

    /// Removes a key; the others keep their order.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let Some(before) = self.map.shift_remove(key) else { return false };
        self.len.change(|| -signed(entry_len(key, &before)));
        true
    }

    /// How many bytes longer the fields would be with these, and how many keys more.
    pub(super) fn growth(&self, data: &Map<String, Value>) -> isize {
        data.iter().fold(0, |sum, (key, value)| {
            let (before, comma) = match self.map.get(key) {
                Some(before) => (entry_len(key, before), 0),
                None => (0, 1),
            };
            sum + signed(entry_len(key, value)) - signed(before) + comma
        })
    }

    /// Equal to a reader, who does not look at the order of keys.
    pub(super) fn shows_the_same_as(&self, other: &Self) -> bool {
        same_entries(&self.map, &other.map)
    }

    /// The reserved keys with their values: what `replace_sync` keeps (C13).
    pub(super) fn reserved(&self) -> impl Iterator<Item = (String, Value)> {
        self.map.iter().filter(|(key, _)| is_reserved(key)).map(|(key, value)| (key.clone(), value.clone()))
    }
}

/// Two states of one document mostly have their keys in the same order: then none has to be looked up.
fn same_entries(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    if a.keys().eq(b.keys()) {
        return a.values().zip(b.values()).all(|(a, b)| same(a, b));
    }
    a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_entries(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}

/// Whether a value has more levels of arrays and objects than are left.
pub(super) fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(items), Some(left)) => items.iter().any(|item| is_deeper_than(item, left)),
        (Value::Object(object), Some(left)) => object.values().any(|item| is_deeper_than(item, left)),
        (Value::Array(_) | Value::Object(_), None) => true,
        _ => false,
    }
}

/// Refuses what no reader could read back: one such value would make the whole document unreadable for everybody.
pub(super) fn refuse_deep<'a>(
    what: &'static str,
    mut values: impl Iterator<Item = &'a Value>,
    levels: usize,
) -> Result<()> {
    if values.any(|value| is_deeper_than(value, levels)) {
        let why = format!("it has more than {NESTING_MAX} levels of arrays and objects");
        return Err(Error::Invalid { what, why });
    }
    Ok(())
}

impl From<Map<String, Value>> for Fields {
    fn from(map: Map<String, Value>) -> Self {
        Self { map, len: Len::default() }
    }
}

pub(super) fn signed(len: usize) -> isize {
    isize::try_from(len).unwrap_or(isize::MAX)
}

/// Refuses keys that belong to the protocol (C6, C13).
pub(crate) fn refuse_reserved<'a>(what: &str, keys: impl IntoIterator<Item = &'a String>) -> Result<()> {
    let Some(key) = keys.into_iter().find(|key| is_reserved(key)) else { return Ok(()) };
    let instead = match key.as_str() {
        BOOKKEEPING_KEY => "it is this crate's bookkeeping",
        _ => {
            "keys that end in `Actions` hold what executors are to do: add_action adds to them, executors, withdraw and clear_actions remove"
        }
    };
    Err(Error::Reserved { what: what.to_owned(), key: key.clone(), instead })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::same;

    #[test]
    fn keys_in_another_order_show_the_same() {
        let document = json!({ "a": [{ "b": 1, "c": null }], "d": "e" });
        assert!(same(&document, &json!({ "d": "e", "a": [{ "c": null, "b": 1 }] })));
        for other in [
            json!({ "a": [{ "b": 1, "c": null }], "f": "e" }),
            json!({ "d": "e", "a": [{ "c": 1, "b": null }] }),
            json!({ "a": [{ "b": 1 }], "d": "e" }),
            json!({ "a": [], "d": "e" }),
            json!({ "a": [{ "b": 1.0, "c": null }], "d": "e" }),
            json!({ "a": [{ "b": 1, "c": null }] }),
        ] {
            assert!(!same(&document, &other) && !same(&other, &document), "{other}");
        }
    }
}
