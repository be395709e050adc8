//! One action in the hands of whoever carries it out. Its end is noted when the last hand lets go, so that no end is
//! ever lost: not by a panic, not by a dropped future.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::machine::{Ending, Start};
use super::shared::Shared;
use crate::action::Action;

/// Bits of a hand's state.
const SEEN: u8 = 1;
const CANCELLED: u8 = 2;

/// Shared by all who are given the same action.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) start: Start,
    shared: Arc<Shared>,
    /// Whether somebody has seen it, and whether it is taken away: one word, so that an action taken away unseen is
    /// never seen afterwards.
    state: AtomicU8,
    /// It was given to a handler, whose word counts: what listeners have seen is then not done.
    for_handler: AtomicBool,
    /// A handler has taken it and must say how it ended.
    handled: AtomicBool,
    /// The right to answer, which is used up by the first who does (C39).
    pub(super) answer: Arc<AnswerRight>,
    ending: Mutex<Option<Ending>>,
    cancel: Notify,
}

/// The right to answer one action, shared by all who are given it.
#[derive(Debug, Default)]
pub(super) struct AnswerRight(AtomicBool);

impl AnswerRight {
    /// Uses it up. Answers whether it was still there.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// What it was used for did not happen.
    pub(super) fn put_back(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// An end that was noted.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) start: Start,
    pub(super) ending: Ending,
}

impl Hand {
    pub(super) fn new(start: Start, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            start,
            shared,
            state: AtomicU8::new(0),
            for_handler: AtomicBool::new(false),
            handled: AtomicBool::new(false),
            answer: Arc::default(),
            ending: Mutex::new(None),
            cancel: Notify::new(),
        })
    }

    /// The action. What is started is never malformed.
    pub(super) fn action(&self) -> Option<&Action> {
        self.start.item.action()
    }

    /// Somebody is about to see the action. Answers whether it is still there to be carried out.
    pub(super) fn see(&self) -> bool {
        let seen = |state| (state & CANCELLED == 0).then_some(state | SEEN);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, seen).is_ok()
    }

    pub(super) fn give_to_handler(&self) {
        self.for_handler.store(true, Ordering::Relaxed);
    }

    pub(super) fn handle(&self) {
        self.handled.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self, ending: Ending) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
    }

    /// Takes the action away. Answers whether anybody had seen it.
    pub(super) fn cancel(&self) -> bool {
        let before = self.state.fetch_or(CANCELLED, Ordering::AcqRel);
        self.cancel.notify_waiters();
        before & SEEN != 0
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.state.load(Ordering::Acquire) & CANCELLED != 0
    }

    pub(super) async fn cancelled(&self) {
        loop {
            let notified = self.cancel.notified();
            if self.is_cancelled() {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let said = self.ending.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let (seen, for_handler) = (*self.state.get_mut() & SEEN != 0, *self.for_handler.get_mut());
        let ending = said.unwrap_or(if *self.handled.get_mut() || seen && for_handler {
            Ending::LetGo
        } else if seen {
            Ending::Finished { response: None, reply: None }
        } else {
            Ending::Unseen
        });
        self.shared.note_end(Ended { start: self.start.clone(), ending });
    }
}
