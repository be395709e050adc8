//! One action in the hands of whoever carries it out. Its end is noted when the last hand lets go, so that no end is
//! ever lost: not by a panic, not by a dropped future.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::machine::{Ending, Start};
use super::shared::Shared;
use crate::action::Action;

/// Shared by all who are given the same action.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) start: Start,
    shared: Arc<Shared>,
    /// A listener has seen it.
    seen: AtomicBool,
    /// A handler has taken it and must say how it ended.
    handled: AtomicBool,
    ending: Mutex<Option<Ending>>,
    cancelled: AtomicBool,
    cancel: Notify,
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
            seen: AtomicBool::new(false),
            handled: AtomicBool::new(false),
            ending: Mutex::new(None),
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
        })
    }

    /// The action. What is started is never malformed.
    pub(super) fn action(&self) -> Option<&Action> {
        self.start.item.action()
    }

    pub(super) fn see(&self) {
        self.seen.store(true, Ordering::Relaxed);
    }

    pub(super) fn handle(&self) {
        self.handled.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self, ending: Ending) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.cancel.notify_waiters();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
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
        let ending = said.unwrap_or(if *self.handled.get_mut() {
            Ending::LetGo
        } else if *self.seen.get_mut() {
            Ending::Finished { response: None, reply: None }
        } else {
            Ending::Unseen
        });
        self.shared.note_end(Ended { start: self.start.clone(), ending });
    }
}
