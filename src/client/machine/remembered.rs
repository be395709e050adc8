//! The latest ids of something, up to a bound.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::id::ActionId;
use crate::limits::FINISHED_REMEMBERED;

/// The latest 256 ids and a number with each.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    order: VecDeque<ActionId>,
    numbers: HashMap<ActionId, u32, BuildHasherDefault<Fnv>>,
}

/// FNV-1a: short keys, few of them, and looked up for every action.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Remembered {
    pub(super) fn insert(&mut self, id: ActionId, number: u32) {
        if self.numbers.insert(id.clone(), number).is_some() {
            // What comes again and again is among the latest, however long ago it first came.
            self.order.retain(|other| *other != id);
        } else if self.order.len() >= FINISHED_REMEMBERED
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

#[cfg(test)]
mod tests {
    use super::*;

    /// C61
    #[test]
    fn what_comes_again_is_among_the_latest() {
        let mut remembered = Remembered::default();
        let id = |number: usize| ActionId::from(format!("id{number}"));
        for number in 0..10 * FINISHED_REMEMBERED {
            remembered.insert(id(number), 1);
            remembered.insert("again".into(), 2);
        }
        assert_eq!(remembered.get(&"again".into()), Some(2));
        assert!(remembered.contains(&id(10 * FINISHED_REMEMBERED - 1)));
        assert!(!remembered.contains(&id(9 * FINISHED_REMEMBERED)));
        assert_eq!(
            (remembered.order.len(), remembered.numbers.len()),
            (FINISHED_REMEMBERED, FINISHED_REMEMBERED)
        );
    }
}
