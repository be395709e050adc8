//! Responses that are meant for one client (C51): others may have them after a lease, and in the end they go.

use std::collections::HashSet;

use tokio::time::Instant;

use super::lane::{Lane, View, Wishes};
use crate::document::{Document, Item, Operation};
use crate::id::ActionId;
use crate::limits::{UNREAD_LEASES, UNREAD_LEASES_OWN};

/// Removed by one write; more go with the next.
const UNREAD_PER_WRITE: usize = 64;

impl Lane {
    pub(super) fn look_at_addressed(&mut self, document: &Document, now: Instant) {
        let items = document.waiting(self.executor.as_str()).iter();
        let mut lying = items.filter(|item| item.is_addressed()).filter_map(|item| item.id()).peekable();
        if lying.peek().is_none() {
            return self.addressed.clear();
        }
        let known = std::mem::take(&mut self.addressed);
        let since = |id: &ActionId| known.get(id).copied().unwrap_or(now);
        self.addressed = lying.map(|id| (id.clone(), since(id))).collect();
    }

    fn lies_since(&self, id: Option<&ActionId>) -> Option<Instant> {
        self.addressed.get(id?).copied()
    }

    /// Responses to other clients that have lain here for a lease: anybody may have them (C51).
    pub(super) fn released(
        &self,
        document: &Document,
        view: &View<'_>,
        wishes: &mut Wishes,
    ) -> HashSet<ActionId> {
        let mut released = HashSet::new();
        for item in document.waiting(self.executor.as_str()) {
            let Some(since) = self.lies_since(item.id()) else { continue };
            let at = since + view.lease;
            match item.id().filter(|_| at <= view.now) {
                Some(id) => drop(released.insert(id.clone())),
                None if item.tag().to.as_ref() != Some(view.by) => wishes.wake(at),
                None => {}
            }
        }
        released
    }

    /// Since when a response is one that nobody will ever read, if it is: an array without a reader must not fill up
    /// with answers to clients that have gone (C56). The client that asked removes its own; what others left behind
    /// goes with the next write.
    fn unread_from(&self, item: &Item, view: &View<'_>) -> Option<Instant> {
        let own = item.tag().to.as_ref()? == view.by;
        let leases = if own { UNREAD_LEASES_OWN } else { UNREAD_LEASES };
        self.lies_since(item.id()).map(|since| since + view.lease * leases)
    }

    pub(super) fn is_unread(&self, item: &Item, view: &View<'_>) -> bool {
        self.unread_from(item, view).is_some_and(|from| from <= view.now)
    }

    pub(super) fn wish_unread_away(&self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        if self.wanted || self.addressed.is_empty() {
            return;
        }
        let mut removed = 0;
        for item in document.waiting(self.executor.as_str()) {
            let Some(from) = self.unread_from(item, view) else { continue };
            let own = item.tag().to.as_ref() == Some(view.by);
            if from <= view.now && removed < UNREAD_PER_WRITE {
                removed += 1;
                let (executor, item) = (self.executor.clone(), item.clone());
                wishes.operations.push(Operation::TakeResponse { executor, item });
                wishes.urgent |= own;
            } else if own {
                wishes.wake(from);
            }
        }
    }
}
