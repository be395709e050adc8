//! The latest ids of something, up to a bound.

use std::collections::{HashMap, VecDeque};

use crate::id::ActionId;
use crate::limits::FINISHED_REMEMBERED;

/// The latest 256 ids and a number with each.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    order: VecDeque<ActionId>,
    numbers: HashMap<ActionId, u32>,
}

impl Remembered {
    pub(super) fn insert(&mut self, id: ActionId, number: u32) {
        if self.numbers.insert(id.clone(), number).is_some() {
            return;
        }
        if self.order.len() >= FINISHED_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.numbers.remove(&oldest);
        }
        self.order.push_back(id);
    }

    pub(super) fn get(&self, id: &ActionId) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    pub(super) fn contains(&self, id: &ActionId) -> bool {
        self.numbers.contains_key(id)
    }
}
