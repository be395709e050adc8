//! Actions that were removed from their array to be carried out: plain mode (C46).

use std::sync::Arc;

use super::lane::{Lane, View, Wishes};
use crate::document::{Document, Item, Operation};
use crate::id::ActionId;

/// An action that exists only here since it was removed from the array (C46). The mode of a document may change under
/// it; how it was taken decides how it ends.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) id: ActionId,
    pub(super) item: Arc<Item>,
}

impl Lane {
    /// Without bookkeeping there are no claims to look after, whatever others have written.
    pub(super) fn wish_plain(&mut self, document: &Document, view: &View<'_>, wishes: &mut Wishes) {
        (self.giving_back, self.observed) = (None, None);
        match &self.retry {
            Some(retry) => wishes.wake(retry.until),
            None if self.wanted && self.running.is_none() => self.wish_claim(document, view, wishes),
            None => {}
        }
    }

    /// What was removed and is not carried out here goes back to its array (C44, C46). Without ids only the array
    /// tells whether a write whose answer was lost has put it there; taken again meanwhile, it is put back twice.
    pub(super) fn wish_put_back(&mut self, document: &Document, wishes: &mut Wishes) -> bool {
        if !self.wanted && self.running.is_none() && !self.removed.is_empty() {
            self.retry = None;
            self.putting_back = true;
        }
        let waiting = document.waiting(self.executor.as_str());
        let is_there = || self.removed.iter().zip(waiting).all(|(removed, item)| removed.item.is_same(item));
        if self.put_back_in_doubt && waiting.len() >= self.removed.len() && is_there() {
            self.put_back(self.removed.len());
        }
        self.putting_back &=
            !self.removed.is_empty() && document.corrupt_array(self.executor.as_str()).is_none();
        if self.putting_back {
            let items = self.removed.iter().map(|removed| removed.item.clone()).collect();
            wishes.push(Operation::PutBack { executor: self.executor.clone(), items });
        }
        self.putting_back
    }

    /// So many of what was removed are in the array again.
    pub(super) fn put_back(&mut self, count: usize) {
        self.removed.drain(..count.min(self.removed.len()));
        (self.putting_back, self.put_back_in_doubt) = (false, false);
    }
}
