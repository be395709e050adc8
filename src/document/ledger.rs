//! The top-level `_sp`: who has taken what, and who wrote last (contract 1.4).

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::item::{Item, Unknown};
use super::size::{digits, enclosed_len, json_len, text_len};
use crate::id::{ActionId, Executor};
use crate::limits::WRITERS_MAX;

/// Stands first in `w` in place of writers that were forgotten to make room. No instance has an empty name.
const FORGOTTEN: &str = "";

/// The version of the bookkeeping that this crate writes.
pub(super) const LEDGER_VERSION: u64 = 1;

/// Claims and writers of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    claims: Vec<(Executor, Vec<Claim>)>,
    next: Vec<(Executor, Arc<str>)>,
    writers: Vec<(Arc<str>, u64)>,
    rest: Unknown,
}

/// One action that was taken and is not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Holder: `<identity>#<instance>`.
    pub by: Arc<str>,
    /// Attempt, from 1.
    pub n: u32,
    /// Renewals so far.
    pub t: u64,
    /// The action, or what is left of it.
    pub held: Held,
}

/// What a claim holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// The action itself: whoever takes the claim over runs it.
    Action(Arc<Item>),
    /// Only the id of an at-most-once action that has been started (C41): the action has lost its claim to be run
    /// again, the place in the order is kept until its handler ends. Written as `once` instead of `a`.
    Once(ActionId),
}

impl Claim {
    /// The id of the claimed action. Always there on a claim that was read: taking gives one to an action without.
    #[must_use]
    pub fn id(&self) -> Option<&ActionId> {
        match &self.held {
            Held::Action(item) => item.id(),
            Held::Once(id) => Some(id),
        }
    }

    /// The action, unless only its id is left.
    #[must_use]
    pub fn item(&self) -> Option<&Arc<Item>> {
        match &self.held {
            Held::Action(item) => Some(item),
            Held::Once(_) => None,
        }
    }

    fn from_value(value: Value) -> Option<Self> {
        let Value::Object(mut object) = value else { return None };
        let by = object.get("by")?.as_str()?.into();
        let n =
            object.get("n").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1);
        let t = object.get("t").and_then(Value::as_u64).unwrap_or(0);
        let held = match (object.swap_remove("a"), object.get("once")) {
            (Some(action), _) => {
                let item = Item::from_value(action);
                // Without an id nobody could ever finish it, and it would hold up its executor for good.
                item.action().and(item.id())?;
                Held::Action(Arc::new(item))
            }
            (None, Some(id)) => Held::Once(id.as_str()?.into()),
            (None, None) => return None,
        };
        Some(Self { by, n, t, held })
    }

    /// Bytes of `{"by":…,"n":…,"t":…,"a":…}`.
    fn len(&self) -> usize {
        let held = match &self.held {
            Held::Action(item) => r#","a":"#.len() + item.len(),
            Held::Once(id) => r#","once":"#.len() + text_len(id.as_str()),
        };
        r#"{"by":,"n":,"t":}"#.len() + text_len(&self.by) + digits(self.n.into()) + digits(self.t) + held
    }
}

impl Serialize for Claim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("by", &*self.by)?;
        map.serialize_entry("n", &self.n)?;
        map.serialize_entry("t", &self.t)?;
        match &self.held {
            Held::Action(item) => map.serialize_entry("a", &**item)?,
            Held::Once(id) => map.serialize_entry("once", id.as_str())?,
        }
        map.end()
    }
}

impl Ledger {
    /// Reads a ledger leniently. `Err` gives the value back when its version is not ours (C60).
    pub(super) fn from_value(value: Value) -> Result<Self, Value> {
        let Value::Object(object) = value else { return Ok(Self::default()) };
        if object.get("v").and_then(Value::as_u64) != Some(LEDGER_VERSION) {
            return Err(Value::Object(object));
        }
        let mut ledger = Self::default();
        for (key, value) in object {
            match (key.as_str(), value) {
                ("v", _) => {}
                ("claims", Value::Object(executors)) => {
                    ledger.claims = executors
                        .into_iter()
                        .filter_map(|(name, claims)| {
                            let Value::Array(claims) = claims else { return None };
                            let claims: Vec<_> = claims.into_iter().filter_map(Claim::from_value).collect();
                            (!claims.is_empty()).then(|| (name.as_str().into(), claims))
                        })
                        .collect();
                }
                ("next", Value::Object(executors)) => {
                    let takers = executors.into_iter();
                    let takers =
                        takers.filter_map(|(name, by)| Some((name.as_str().into(), by.as_str()?.into())));
                    ledger.next = takers.collect();
                }
                ("w", Value::Array(writers)) => {
                    ledger.writers = writers.iter().filter_map(writer_from_value).collect();
                    let excess = ledger.writers.len().saturating_sub(WRITERS_MAX);
                    ledger.writers.drain(..excess);
                }
                ("claims" | "next" | "w", _) => {}
                (_, value) => {
                    ledger.rest.0.insert(key, value);
                }
            }
        }
        Ok(ledger)
    }

    /// What is claimed of one executor, oldest first.
    #[must_use]
    pub fn claims(&self, executor: &str) -> &[Claim] {
        self.claims.iter().find(|(name, _)| name.as_str() == executor).map_or(&[], |(_, claims)| claims)
    }

    /// Every executor that has claims.
    pub fn claimed(&self) -> impl Iterator<Item = (&Executor, &[Claim])> {
        self.claims.iter().map(|(executor, claims)| (executor, claims.as_slice()))
    }

    pub(super) fn claims_mut(&mut self, executor: &Executor) -> &mut Vec<Claim> {
        let place = match self.claims.iter().position(|(name, _)| name == executor) {
            Some(place) => place,
            None => {
                self.claims.push((executor.clone(), Vec::new()));
                self.claims.len() - 1
            }
        };
        &mut self.claims[place].1
    }

    /// Forgets executors without claims: a finished document carries no trace of them.
    pub(super) fn tidy(&mut self) {
        self.claims.retain(|(_, claims)| !claims.is_empty());
    }

    /// Who takes what comes next for an executor, if somebody has said so: whoever adds an action while its taker is
    /// alive writes the claim for it. Everybody who takes says so.
    #[must_use]
    pub fn next(&self, executor: &str) -> Option<&Arc<str>> {
        self.next.iter().find(|(name, _)| name.as_str() == executor).map(|(_, by)| by)
    }

    pub(super) fn set_next(&mut self, executor: &Executor, by: Option<&Arc<str>>) {
        match (self.next.iter_mut().find(|(name, _)| name == executor), by) {
            (Some((_, taker)), Some(by)) => *taker = by.clone(),
            (None, Some(by)) => self.next.push((executor.clone(), by.clone())),
            (_, None) => self.next.retain(|(name, _)| name != executor),
        }
    }

    /// The last write of a writer, while it is among the latest 16.
    #[must_use]
    pub fn last_write(&self, instance: &str) -> Option<u64> {
        self.writers.iter().find(|(writer, _)| &**writer == instance).map(|(_, number)| *number)
    }

    /// The latest writers and their write numbers, most recent last.
    #[must_use]
    pub fn writers(&self) -> &[(Arc<str>, u64)] {
        &self.writers
    }

    pub(super) fn stamp(&mut self, instance: &Arc<str>, number: u64) {
        self.writers.retain(|(writer, _)| writer != instance);
        if self.writers.len() >= WRITERS_MAX {
            self.writers.drain(..=self.writers.len() - WRITERS_MAX);
        }
        if self.writers.is_empty() {
            // Most documents lie idle with the name of their creator.
            self.writers.reserve_exact(1);
        }
        self.writers.push((instance.clone(), number));
    }

    /// Whether every writer since the list was begun is still in it: a writer that is not there has never written.
    pub(super) fn knows_every_writer(&self) -> bool {
        self.writers.len() < WRITERS_MAX && !self.writers.iter().any(Self::is_mark)
    }

    /// Whether this entry only says that writers were forgotten.
    pub(super) fn is_mark((writer, _): &(Arc<str>, u64)) -> bool {
        &**writer == FORGOTTEN
    }

    /// Forgets who takes what comes next, then the writer that wrote longest ago, while there is one. Makes room in a
    /// full document.
    pub(super) fn forget_something(&mut self) -> bool {
        if self.next.pop().is_some() {
            return true;
        }
        let Some(oldest) = self.writers.iter().position(|entry| !Self::is_mark(entry)) else {
            return false;
        };
        self.writers.drain(..=oldest);
        self.writers.insert(0, (FORGOTTEN.into(), 0));
        true
    }

    /// Bytes of the whole ledger as compact JSON.
    pub(super) fn len(&self) -> usize {
        let claims: usize = self
            .claims
            .iter()
            .map(|(executor, claims)| {
                text_len(executor.as_str())
                    + 1
                    + enclosed_len(claims.len(), claims.iter().map(Claim::len).sum())
            })
            .sum();
        let writers =
            self.writers.iter().map(|(writer, number)| "[,]".len() + text_len(writer) + digits(*number));
        let mut parts = r#""v":1"#.len();
        let mut count = 1;
        if !self.claims.is_empty() {
            parts += r#""claims":"#.len() + enclosed_len(self.claims.len(), claims);
            count += 1;
        }
        if !self.next.is_empty() {
            let takers =
                self.next.iter().map(|(executor, by)| text_len(executor.as_str()) + 1 + text_len(by));
            parts += r#""next":"#.len() + enclosed_len(self.next.len(), takers.sum());
            count += 1;
        }
        if !self.writers.is_empty() {
            parts += r#""w":"#.len() + enclosed_len(self.writers.len(), writers.sum());
            count += 1;
        }
        parts += self.rest.0.iter().map(|(key, value)| text_len(key) + 1 + json_len(value)).sum::<usize>();
        enclosed_len(count + self.rest.0.len(), parts)
    }
}

fn writer_from_value(value: &Value) -> Option<(Arc<str>, u64)> {
    match value.as_array()?.as_slice() {
        // What no number of writes can have reached was not written by this protocol.
        [writer, number] => {
            Some((writer.as_str()?.into(), number.as_u64().filter(|number| *number < 1 << 53)?))
        }
        _ => None,
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &LEDGER_VERSION)?;
        if !self.claims.is_empty() {
            map.serialize_entry("claims", &ClaimsByExecutor(&self.claims))?;
        }
        if !self.next.is_empty() {
            map.serialize_entry("next", &TakersByExecutor(&self.next))?;
        }
        if !self.writers.is_empty() {
            map.serialize_entry("w", &Writers(&self.writers))?;
        }
        for (key, value) in &self.rest.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

struct ClaimsByExecutor<'a>(&'a [(Executor, Vec<Claim>)]);

impl Serialize for ClaimsByExecutor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (executor, claims) in self.0 {
            map.serialize_entry(executor.as_str(), claims)?;
        }
        map.end()
    }
}

struct TakersByExecutor<'a>(&'a [(Executor, Arc<str>)]);

impl Serialize for TakersByExecutor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(executor, by)| (executor.as_str(), &**by)))
    }
}

struct Writers<'a>(&'a [(Arc<str>, u64)]);

impl Serialize for Writers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (writer, number) in self.0 {
            list.serialize_element(&(&**writer, number))?;
        }
        list.end()
    }
}
