//! Where one subscriber is given its next action.
//!
//! There is room for one: actions of an executor come one at a time. An action that was lost before its subscriber
//! looked is passed over, and gives way to the next; it must neither be carried out late nor stand in the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::hand::Hand;

/// Shared by the subscriber, who takes, and the hub, which gives.
#[derive(Debug, Default)]
pub(super) struct Place {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hand: Option<Arc<Hand>>,
    waker: Option<Waker>,
    over: bool,
}

impl Place {
    /// A poisoned lock is taken over: every change below is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its subscriber waits for the next action.
    pub(super) fn is_awaited(&self) -> bool {
        let state = self.lock();
        state.waker.is_some() && state.hand.is_none()
    }

    /// Takes back what its subscriber has not looked at.
    pub(super) fn take_back(&self) -> Option<Arc<Hand>> {
        self.lock().hand.take()
    }

    /// Gives an action. Answers what lay here before: lost, or (never) an action still to be carried out.
    pub(super) fn give(&self, hand: Arc<Hand>) -> Option<Arc<Hand>> {
        let mut state = self.lock();
        let before = state.hand.replace(hand);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        before
    }

    /// The next action that is still to be carried out; `None` when there will be none.
    pub(super) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Arc<Hand>>> {
        let mut state = self.lock();
        let hand = state.hand.take();
        let (over, live) = (state.over, hand.as_ref().is_some_and(|hand| hand.see()));
        if !live && !over {
            state.waker = Some(context.waker().clone());
        }
        // Before the hand lets go: its end is noted under the hub's lock, from under which this one is taken.
        drop(state);
        match hand {
            Some(hand) if live => Poll::Ready(Some(hand)),
            _ if over => Poll::Ready(None),
            _ => Poll::Pending,
        }
    }

    /// Nothing will be given any more. Answers what nobody has taken.
    pub(super) fn end(&self) -> Option<Arc<Hand>> {
        let mut state = self.lock();
        state.over = true;
        let waker = state.waker.take();
        let left = state.hand.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        left
    }
}
