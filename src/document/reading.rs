//! Reading a document that anybody may have written.
//!
//! Of two states of one document most is the same, letter for letter: what is, need not be read, made and compared again.

use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::fields::is_deeper_than;
use super::item::Item;
use super::ledger::Ledger;
use super::size;
use super::{Document, executor_of};
use crate::action::BOOKKEEPING_KEY;
use crate::error::{Error, Result, json_type};
use crate::json;
use crate::limits::NESTING_MAX;

impl Document {
    /// Reads a document that anybody may have written.
    ///
    /// # Errors
    /// [`Error::NotAnObject`] or [`Error::Decode`] when the text is not one JSON object.
    pub fn from_json(text: &str) -> Result<Self> {
        match json::read(text) {
            Ok(Value::Object(object)) => Ok(Self::from_object(object)),
            Ok(other) => Err(Error::NotAnObject { what: "document", found: json_type(&other) }),
            Err(source) => Err(Error::Decode { what: "the stored document".into(), why: source.to_string() }),
        }
    }

    /// The same for a text that is shared. It is kept for [`Document::to_json`] when that would write the same. With another
    /// state of the document, whose text is known, both share what is the same: as long as only arrays and bookkeeping
    /// differ, nothing else is read.
    ///
    /// # Errors
    /// As [`Document::from_json`].
    pub fn from_shared(text: &Arc<str>, other: Option<&Self>) -> Result<Self> {
        if let Some(document) = other.and_then(|other| other.with_text(text))
            // Nothing but the least there can be stands between the members.
            && document.size_bytes() == text.len()
        {
            document.keep(text);
            return Ok(document);
        }
        let document = Self::from_json(text)?;
        if size::is_written_as(&document, text) {
            document.keep(text);
        }
        Ok(document)
    }

    /// Keeps its text. Nothing else makes it: the document is new.
    fn keep(&self, text: &Arc<str>) {
        let _ = self.lazy.text.set(text.clone());
    }

    /// This document with what differs in a text. `None` when that is more than arrays and bookkeeping, or not written as it
    /// would be here.
    fn with_text(&self, text: &str) -> Option<Self> {
        let own = Members::of(self.lazy.text.get()?)?;
        let its = Members::of(text)?;
        if own.0.len() != its.0.len() {
            return None;
        }
        let mut document = self.clone();
        let mut queue = 0;
        for ((own_key, own_value), (key, value)) in own.0.into_iter().zip(its.0) {
            if own_key != key {
                return None;
            }
            if own_value.get() != value.get() {
                document.replace(key, value.get(), queue)?;
            }
            queue += usize::from(
                self.queues.get(queue).is_some_and(|(name, _)| executor_of(key) == Some(name.as_str())),
            );
        }
        Some(document)
    }

    /// Replaces an array, which has this place among all, or the bookkeeping. `None` when it is neither, before or now.
    fn replace(&mut self, key: &str, text: &str, place: usize) -> Option<()> {
        let value = json::read(text).ok().filter(|value| !is_deeper_than(value, NESTING_MAX))?;
        let is_kept = match value {
            value if key == BOOKKEEPING_KEY => {
                let ledger = self.ledger.as_mut()?;
                *ledger = Arc::new(Ledger::from_value(value).ok()?);
                size::is_written_as(&**ledger, text)
            }
            Value::Array(items) => {
                let executor = executor_of(key)?;
                let (_, queue) = self.queues.get_mut(place).filter(|(name, _)| name.as_str() == executor)?;
                *queue = Arc::new(items.into_iter().map(Item::from_value).collect());
                size::is_written_as(&**queue, text)
            }
            _ => false,
        };
        is_kept.then_some(())
    }

    /// Takes apart an object that anybody may have written. Never fails: what has not the form it should is kept as
    /// data or passed over.
    #[must_use]
    pub fn from_object(object: Map<String, Value>) -> Self {
        let mut document = Self::default();
        let mut fields = object;
        match fields.shift_remove(BOOKKEEPING_KEY).map(Ledger::from_value) {
            None => {}
            Some(Ok(ledger)) => document.ledger = Some(Arc::new(ledger)),
            Some(Err(unknown)) => document.foreign = Some(Arc::new(unknown)),
        }
        for (key, value) in &mut fields {
            if let (Some(executor), Value::Array(items)) = (executor_of(key), &mut *value) {
                let queue = std::mem::take(items).into_iter().map(Item::from_value).collect();
                document.queues.push((executor.into(), Arc::new(queue)));
                *value = Value::Null;
            }
        }
        document.fields = Arc::new(fields.into());
        document
    }
}

/// The members of an object in their order, values as texts.
struct Members<'a>(Vec<(&'a str, &'a RawValue)>);

impl<'a> Members<'a> {
    /// `None` when the text is no object, or a key is not written as it is.
    fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
