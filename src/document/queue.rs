//! An executor's array: elements in the order in which writes were accepted (C36).

use std::sync::Arc;

use serde::ser::{Serialize, Serializer};

use super::fields::signed;
use super::item::Item;
use super::size::{Len, enclosed_len};
use crate::id::ActionId;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    items: Vec<Arc<Item>>,
    /// Bytes of all elements, without commas and brackets.
    members: Len,
}

fn members(items: &[Arc<Item>]) -> usize {
    items.iter().map(|item| item.len()).sum()
}

impl Queue {
    pub(super) fn items(&self) -> &[Arc<Item>] {
        &self.items
    }

    /// Bytes of the array as compact JSON.
    pub(super) fn len(&self) -> usize {
        enclosed_len(self.items.len(), self.members.get(|| members(&self.items)))
    }

    pub(super) fn push(&mut self, item: Arc<Item>) {
        self.members.change(|| signed(item.len()));
        self.items.push(item);
    }

    /// Puts elements back before all others, in their order (C44).
    pub(super) fn push_front(&mut self, items: Vec<Arc<Item>>) {
        self.members.change(|| signed(members(&items)));
        self.items.splice(0..0, items);
    }

    /// Removes the first element that `matches`.
    pub(super) fn take_first(&mut self, matches: impl Fn(&Item) -> bool) -> Option<Arc<Item>> {
        let place = self.items.iter().position(|item| matches(item))?;
        let item = self.items.remove(place);
        self.members.change(|| -signed(item.len()));
        Some(item)
    }

    /// Replaces all elements.
    pub(super) fn set(&mut self, items: Vec<Arc<Item>>) {
        *self = Self { items, members: Len::default() };
    }

    pub(super) fn holds(&self, id: &ActionId) -> bool {
        self.items.iter().any(|item| item.id() == Some(id))
    }

    /// Equal to a reader that ignores bookkeeping.
    pub(super) fn shows_the_same_as(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<Item>, &Arc<Item>)| Arc::ptr_eq(a, b) || a.public_eq(b);
        self.items.len() == other.items.len() && self.items.iter().zip(&other.items).all(same)
    }
}

impl FromIterator<Item> for Queue {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut queue = Self::default();
        queue.set(items.into_iter().map(Arc::new).collect());
        queue
    }
}

impl Serialize for Queue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.items.iter().map(|item| &**item))
    }
}
