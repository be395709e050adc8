//! The heart: pure functions from a document and operations to the next document.
//!
//! Nothing here waits, reads a clock, draws a random number or touches the outside. A [`Document`] is an immutable
//! value that shares its parts: the next one costs only what an operation changed, however large the rest is.
//!
//! Invariants, held by every operation and checked by the model tests:
//! * a document is a JSON object that satisfies contract 1.1–1.3 for a reader that ignores `_sp` (C59);
//! * an element of an array is in exactly one place: its array, the claims, or gone;
//! * claims of an executor stand in the order in which the array held them;
//! * application keys that no operation names keep their value, and their place among the keys (C32).

mod apply;
mod claims;
mod fields;
mod item;
mod ledger;
mod operation;
mod queue;
mod reading;
mod resolve;
mod size;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

pub use crate::error::Dropped;
pub use apply::{Applied, apply};
pub(crate) use fields::refuse_reserved;
pub use item::{Failure, Item, Tag, Unknown};
pub use ledger::{Claim, Held, Ledger};
pub use operation::{Mark, Operation, Outcome, Response, Rules, Taken, Writer};
pub use resolve::{Verdict, resolve};

use crate::action::{ARRAY_SUFFIX, BOOKKEEPING_KEY};
use crate::error::{Error, Result, json_type};
use crate::id::Executor;
use crate::limits::NESTING_MAX;
use fields::Fields;
use queue::Queue;
use size::{enclosed_len, json_len};

/// One shared document: application fields, executors' arrays, and the bookkeeping.
#[derive(Clone, Default)]
pub struct Document {
    /// Application keys in their order. An array's key stands here too, with `null`, to keep its place.
    fields: Arc<Fields>,
    queues: Vec<(Executor, Arc<Queue>)>,
    ledger: Option<Arc<Ledger>>,
    /// Bookkeeping of an unknown version: plain mode for this document, the value is kept as it is (C60).
    foreign: Option<Arc<Value>>,
    lazy: Lazy,
}

/// Shows keys, types and names, never a value: values may be sensitive (C64). [`Document::to_json`] has them all.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, member) in self.members() {
            match member {
                Member::Queue(queue) => map.entry(key, &queue.items()),
                Member::Field(value) => map.entry(key, &json_type(value)),
            };
        }
        match &self.foreign {
            Some(_) => map.entry(&BOOKKEEPING_KEY, &"of an unknown version"),
            None => map.entry(&BOOKKEEPING_KEY, &self.ledger),
        };
        map.finish()
    }
}

/// What is derived from a document when somebody first asks; a changed copy starts anew.
#[derive(Default)]
struct Lazy {
    text: OnceLock<Arc<str>>,
    view: OnceLock<Arc<Map<String, Value>>>,
}

impl Clone for Lazy {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Document {
    /// A document with these application fields.
    ///
    /// # Errors
    /// [`Error::Reserved`] when they name an `…Actions` array or `_sp` (C6), [`Error::Invalid`] when they are nested
    /// deeper than [`NESTING_MAX`].
    pub fn with_fields(what: &str, data: Map<String, Value>) -> Result<Self> {
        fields::refuse_reserved(what, data.keys())?;
        fields::refuse_deep("initial data", data.values(), NESTING_MAX)?;
        Ok(Self { fields: Arc::new(data.into()), ..Self::default() })
    }

    /// The same with a list of writers that begins with its creator, who has written nothing yet.
    #[must_use]
    pub fn begun_by(mut self, instance: &Arc<str>) -> Self {
        self.ledger_mut().stamp(instance, 0);
        self
    }

    /// The whole document as compact JSON, bookkeeping included. Made once and shared.
    #[must_use]
    pub fn to_json(&self) -> Arc<str> {
        let text = || {
            let mut bytes = Vec::with_capacity(self.size_bytes());
            let written = serde_json::to_writer(&mut bytes, self).is_ok();
            String::from_utf8(bytes).ok().filter(|_| written).unwrap_or_else(|| "{}".into()).into()
        };
        self.lazy.text.get_or_init(text).clone()
    }

    /// The whole content without any bookkeeping: what a reader of the original sees (C9, C10). Made once and shared.
    #[must_use]
    pub fn view(&self) -> Arc<Map<String, Value>> {
        let view = || {
            let entries = self.members().map(|(key, member)| match member {
                Member::Queue(queue) => (
                    key.clone(),
                    Value::Array(queue.items().iter().map(|item| item.public_value()).collect()),
                ),
                Member::Field(value) => (key.clone(), value.clone()),
            });
            Arc::new(entries.collect())
        };
        self.lazy.view.get_or_init(view).clone()
    }

    /// Bytes of the whole document as compact JSON, counted from the parts unless the text is there.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        if let Some(text) = self.lazy.text.get() {
            return text.len();
        }
        let (mut count, mut members) = (self.fields.count(), self.fields.len());
        for (_, queue) in &self.queues {
            // Added first: an empty array is shorter than the `null` that keeps its place.
            members = members + queue.len() - "null".len();
        }
        let ledger = || self.ledger.as_ref().map(|ledger| ledger.len());
        if let Some(len) = self.foreign.as_ref().map(|value| json_len(&**value)).or_else(ledger) {
            count += 1;
            members += len + r#""_sp":"#.len();
        }
        enclosed_len(count, members)
    }

    /// What waits for an executor, oldest first. Nothing when its array is missing, `null`, or corrupt.
    #[must_use]
    pub fn waiting(&self, executor: &str) -> &[Arc<Item>] {
        self.queue(executor).map_or(&[], Queue::items)
    }

    /// Every executor with an array, and what waits in it.
    pub fn queues(&self) -> impl Iterator<Item = (&Executor, &[Arc<Item>])> {
        self.queues.iter().map(|(executor, queue)| (executor, queue.items()))
    }

    /// What is claimed of an executor, oldest first.
    #[must_use]
    pub fn claims(&self, executor: &str) -> &[Claim] {
        self.ledger().map_or(&[], |ledger| ledger.claims(executor))
    }

    /// The bookkeeping, when it is there and of a known version.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
    }

    /// Whether `_sp` has a version this crate does not know: taking then means removing (C46, C60).
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// The JSON type of what stands where an executor's array should be, if it is neither an array nor `null` (C14).
    #[must_use]
    pub fn corrupt_array(&self, executor: &str) -> Option<&'static str> {
        if self.queue(executor).is_some() {
            return None;
        }
        match self.fields.get(&array_key(executor)) {
            None | Some(Value::Null) => None,
            Some(other) => Some(json_type(other)),
        }
    }

    /// One application field.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|_| !is_reserved(key))
    }

    /// Whether both show the same to a reader that ignores bookkeeping: no update needs to be told (C16).
    #[must_use]
    pub fn shows_the_same_as(&self, other: &Self) -> bool {
        let same_fields =
            Arc::ptr_eq(&self.fields, &other.fields) || self.fields.shows_the_same_as(&other.fields);
        let same_queue = |(executor, queue): &(Executor, Arc<Queue>)| {
            other
                .queue_arc(executor.as_str())
                .is_some_and(|its| Arc::ptr_eq(its, queue) || its.shows_the_same_as(queue))
        };
        same_fields && self.queues.len() == other.queues.len() && self.queues.iter().all(same_queue)
    }

    fn queue(&self, executor: &str) -> Option<&Queue> {
        self.queue_arc(executor).map(|queue| &**queue)
    }

    fn queue_arc(&self, executor: &str) -> Option<&Arc<Queue>> {
        self.queues.iter().find(|(name, _)| name.as_str() == executor).map(|(_, queue)| queue)
    }

    /// All members but the bookkeeping, in their order. Arrays mostly have the same order here and there: then none has to be
    /// looked for, however many there are.
    fn members(&self) -> impl Iterator<Item = (&String, Member<'_>)> {
        let mut in_order = self.queues.iter().peekable();
        self.fields.entries().map(move |(key, value)| {
            let Some(executor) = executor_of(key) else { return (key, Member::Field(value)) };
            let next = in_order.next_if(|(name, _)| name.as_str() == executor).map(|(_, queue)| queue);
            let queue = next.or_else(|| value.is_null().then(|| self.queue_arc(executor)).flatten());
            (key, queue.map_or(Member::Field(value), |queue| Member::Queue(queue)))
        })
    }

    /// The array of an executor, made when it is missing or `null`.
    fn queue_mut(&mut self, executor: &Executor) -> Result<&mut Queue> {
        self.check_array(executor)?;
        Ok(self.queue_made(executor))
    }

    /// Whether an executor can have an array, and has one or none (C14).
    fn check_array(&self, executor: &Executor) -> Result<()> {
        check_executor(executor)?;
        match self.corrupt_array(executor.as_str()) {
            Some(found) => Err(Error::CorruptArray { executor: executor.to_string(), found }),
            None => Ok(()),
        }
    }

    fn queue_made(&mut self, executor: &Executor) -> &mut Queue {
        let place = match self.queues.iter().position(|(name, _)| name == executor) {
            Some(place) => place,
            None => {
                Arc::make_mut(&mut self.fields).set(array_key(executor.as_str()), Value::Null);
                self.queues.push((executor.clone(), Arc::default()));
                self.queues.len() - 1
            }
        };
        Arc::make_mut(&mut self.queues[place].1)
    }

    /// The ledger for writing. Nothing is written to it where bookkeeping is foreign or unwanted.
    fn ledger_mut(&mut self) -> &mut Ledger {
        Arc::make_mut(self.ledger.get_or_insert_default())
    }
}

/// Documents are equal when they store the same JSON, the order of keys apart.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
            && self.ledger == other.ledger
            && self.foreign == other.foreign
            && self.queues.len() == other.queues.len()
            && self.queues.iter().all(|(executor, queue)| other.queue_arc(executor.as_str()) == Some(queue))
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, member) in self.members() {
            match member {
                Member::Queue(queue) => map.serialize_entry(key, queue)?,
                Member::Field(value) => map.serialize_entry(key, value)?,
            }
        }
        match (&self.foreign, &self.ledger) {
            (Some(value), _) => map.serialize_entry(BOOKKEEPING_KEY, &**value)?,
            (None, Some(ledger)) => map.serialize_entry(BOOKKEEPING_KEY, &**ledger)?,
            (None, None) => {}
        }
        map.end()
    }
}

/// What stands behind a key.
enum Member<'a> {
    Field(&'a Value),
    Queue(&'a Queue),
}

/// The key of an executor's array (C19).
#[must_use]
pub fn array_key(executor: &str) -> String {
    format!("{executor}{ARRAY_SUFFIX}")
}

/// Refuses the one name whose array would be an application key.
fn check_executor(executor: &Executor) -> Result<()> {
    if executor.as_str().is_empty() {
        return Err(Error::Invalid { what: "executor", why: "it is empty".into() });
    }
    Ok(())
}

/// The executor whose array this key would be.
fn executor_of(key: &str) -> Option<&str> {
    key.strip_suffix(ARRAY_SUFFIX).filter(|executor| !executor.is_empty())
}

/// Whether application code may not write this key (C13).
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    key == BOOKKEEPING_KEY || executor_of(key).is_some()
}
