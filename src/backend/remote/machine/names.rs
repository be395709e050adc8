//! Revisions of names. The service numbers the events of each document, and begins anew with each document of a name;
//! the contract wants revisions that grow as long as the name is used. And the service compares revisions as text,
//! which only it can make.

use std::collections::{HashMap, VecDeque};

use super::Order;
use crate::backend::Revision;
use crate::id::DocumentId;
use crate::limits::{REMOTE_NAMES_KEPT, REMOTE_REVISIONS_KEPT};
use crate::twilsock::sync;

/// What is known of the revisions of many names.
#[derive(Debug, Default)]
pub(super) struct Names {
    courses: HashMap<DocumentId, Course>,
}

/// What is known of the revisions of one name.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// The document that has this name.
    sid: String,
    /// A revision is the event's id + 1 and this. It grows with each document whose events begin anew.
    base: u64,
    /// The greatest revision seen.
    newest: u64,
    /// Documents that had this name, each with the moment when another was found instead.
    former: VecDeque<(String, Order)>,
    /// Newest last.
    states: VecDeque<State>,
    pub(super) pace: super::pace::Pace,
    used: Order,
}

/// A state that can be written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) sid: String,
    /// Goes into `If-Match`.
    pub(super) text: sync::Revision,
}

/// What is known of a revision.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// How to write over it.
    State(State),
    /// There was a greater one.
    Outdated,
    /// Nothing: it has to be read.
    Nothing,
}

impl Names {
    pub(super) fn course(&mut self, id: &DocumentId, now: Order) -> &mut Course {
        if self.courses.len() > REMOTE_NAMES_KEPT && !self.courses.contains_key(id) {
            self.forget_some();
        }
        let course = self.courses.entry(id.clone()).or_default();
        course.used = now;
        course
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.courses.len()
    }

    /// Forgets the quarter that has not been used for longest.
    fn forget_some(&mut self) {
        let mut used: Vec<Order> = self.courses.values().map(|course| course.used).collect();
        used.sort_unstable();
        let oldest = used.get(used.len() / 4).copied().unwrap_or_default();
        self.courses.retain(|_, course| course.used > oldest);
    }
}

impl Course {
    /// The revision of an event that was learned of by a request sent at `asked`; `None` when it is of a document that
    /// had this name before.
    pub(super) fn revision(
        &mut self,
        sid: &str,
        event: sync::EventId,
        asked: Order,
        now: Order,
    ) -> Option<Revision> {
        let number = u64::try_from(event.0.saturating_add(1)).unwrap_or(0);
        if self.sid != sid {
            if self.former.iter().any(|(former, gone)| former == sid && asked < *gone) {
                return None;
            }
            self.former.retain(|(former, _)| former != sid);
            if !self.sid.is_empty() {
                self.former.push_back((std::mem::take(&mut self.sid), now));
                if self.former.len() > REMOTE_REVISIONS_KEPT {
                    self.former.pop_front();
                }
            }
            sid.clone_into(&mut self.sid);
            self.base = if number > self.newest { 0 } else { self.newest };
        }
        let revision = self.base.saturating_add(number);
        self.newest = self.newest.max(revision);
        Some(Revision(revision))
    }

    /// Remembers how to write over a revision.
    pub(super) fn remember(&mut self, revision: Revision, sid: &str, text: sync::Revision) {
        if self.states.iter().any(|state| state.revision == revision) {
            return;
        }
        self.states.push_back(State { revision, sid: sid.to_owned(), text });
        if self.states.len() > REMOTE_REVISIONS_KEPT {
            self.states.pop_front();
        }
    }

    pub(super) fn known(&self, revision: Revision) -> Known {
        if revision.0 < self.newest {
            return Known::Outdated;
        }
        let state = self.states.iter().find(|state| state.revision == revision);
        state.map_or(Known::Nothing, |state| Known::State(state.clone()))
    }
}
