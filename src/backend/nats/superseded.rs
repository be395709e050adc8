//! Removing messages that others came after, where the bucket has no limit of messages for a key; see
//! [`chain`](super::chain).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::api::{Delete, Done, request};
use super::chain::Basis;
use super::core::Core;
use super::failure::Failure;
use crate::limits::{NATS_DELETES_AT_ONCE, NATS_SUPERSEDED_MAX};

/// What writes of this process came after, the oldest first, and when it may go.
#[derive(Debug)]
pub(super) struct Superseded {
    kept: Duration,
    waiting: Mutex<VecDeque<(Instant, u64)>>,
    come: Notify,
}

impl Superseded {
    pub(super) fn new(kept: Duration) -> Self {
        Self { kept, waiting: Mutex::default(), come: Notify::new() }
    }

    /// What the message stood on that now stands is no longer needed after a time, nor is the void message that came behind
    /// that. More than there is room for is left to the sweep.
    fn add(&self, basis: Basis) {
        let (due, seq) = (Instant::now() + self.kept, basis.claim.seq());
        let mut waiting = self.lock();
        let was_empty = waiting.is_empty();
        for seq in [Some(seq), Some(basis.tail).filter(|tail| *tail != seq)].into_iter().flatten() {
            if seq > 0 && waiting.len() < NATS_SUPERSEDED_MAX {
                waiting.push_back((due, seq));
            }
        }
        if was_empty {
            self.come.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, u64)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some that may go, once there are any.
    async fn due(&self) -> Vec<u64> {
        loop {
            let first = self.lock().front().map(|(due, _)| *due);
            match first {
                None => self.come.notified().await,
                Some(due) => {
                    sleep_until(due).await;
                    let (mut waiting, now) = (self.lock(), Instant::now());
                    let count = waiting.iter().take(NATS_DELETES_AT_ONCE).take_while(|(due, _)| *due <= now);
                    let count = count.count();
                    return waiting.drain(..count).map(|(_, seq)| seq).collect();
                }
            }
        }
    }
}

/// Removes them as their time comes.
pub(super) async fn ends(core: Arc<Core>) {
    loop {
        let due = core.superseded.due().await;
        // What cannot be removed now is left to the sweep.
        let _ = core.delete_all(&due).await;
    }
}

impl Core {
    /// A message was stored that holds and stands on this.
    pub(super) fn leave_behind(&self, basis: Basis) {
        if self.is_chained() {
            self.superseded.add(basis);
        }
    }

    /// Removes messages that are still there. An answer is a quarter of what that costs, and the server takes one request of a
    /// connection after the other: only the last is to be answered.
    async fn delete_all(&self, seqs: &[u64]) -> Result<(), Failure> {
        let Some((last, others)) = seqs.split_last() else { return Ok(()) };
        for seq in others {
            let payload = request(&Delete { seq: *seq, no_erase: true })?;
            self.link.send(format!("$JS.API.{}", self.deleting()), payload.into()).await?;
        }
        self.delete(*last).await
    }

    /// Removes one message, if it is still there.
    pub(super) async fn delete(&self, seq: u64) -> Result<(), Failure> {
        let payload = request(&Delete { seq, no_erase: true })?;
        match self.ask::<Done>(&self.deleting(), payload, self.link.deadline()).await {
            // It has gone already: another process was quicker.
            Ok(Done {}) | Err(Failure::Refused(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    fn deleting(&self) -> String {
        format!("STREAM.MSG.DELETE.{}", self.names.stream())
    }
}
