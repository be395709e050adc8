//! Writers of one key in this process, one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// Who writes what. Of a key one message of this process is on its way at a time, so that a bucket's history holds all
/// that may be on their way together; see [`chain`](super::chain).
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<Turn<()>>>>);

/// The turn to write a key. It ends when this is dropped.
pub(super) struct MyTurn<'a> {
    turns: &'a Turns,
    key: &'a str,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Turn<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn.
    pub(super) async fn take<'a>(&'a self, key: &'a str) -> MyTurn<'a> {
        // Made first, so that nothing is left behind by whoever stops waiting.
        let mut mine = MyTurn { turns: self, key, turn: None };
        let turn = self.lock().entry(key.to_owned()).or_default().clone();
        mine.turn = Some(turn.lock_owned().await);
        mine
    }
}

impl Drop for MyTurn<'_> {
    fn drop(&mut self) {
        self.turn = None;
        let mut turns = self.turns.lock();
        // Whoever waits holds another.
        if turns.get(self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_nothing_is_left_behind() {
        let turns = Turns::default();
        let first = turns.take("a").await;
        let _other = turns.take("b").await;
        let mut second = Box::pin(turns.take("a"));
        assert!(is_pending(&mut second), "somebody else has the turn");
        drop(first);
        let second = second.await;
        let third = turns.take("a");
        drop(third);
        drop(second);
        assert_eq!(turns.lock().len(), 1, "of b");
    }

    /// Whether a future that is polled once is not ready.
    fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::Pin::new(future).poll(&mut context).is_pending()
    }
}
