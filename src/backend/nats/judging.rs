//! Which message stands under a key, and whether one that was just stored holds: asked of the servers, where what they
//! repeated does not tell.

use tokio::time::{Instant, sleep};

use super::chain::{self, Claim};
use super::core::Core;
use super::failure::Failure;
use super::message::Raw;
use crate::limits::NATS_READ_PAUSE;

impl Core {
    /// The message that stands under a subject, and the sequence of the newest, which may be void; `None` when there is
    /// none.
    ///
    /// Where a message may be void, this takes two requests rather than one, unless it is known here that the newest
    /// holds, and one more for each rival of it. The first message that a key ever had names none, so where a late one
    /// of that kind is the newest, all that the bucket has of the key are read.
    pub(super) async fn standing(&self, key: &str, deadline: Instant) -> Result<Option<(Raw, u64)>, Failure> {
        loop {
            let Some(newest) = self.newest(key, deadline).await? else { return Ok(None) };
            let (claim, tail) = (newest.said()?.claim, newest.seq);
            let is_known = || self.hub.watched_as(key).is_some_and(|(_, stand, _)| stand.seq == tail);
            if !self.is_chained() || claim == Claim::Anything || is_known() {
                return Ok(Some((newest, tail)));
            }
            if let Some(found) = self.judge(key, claim.seq(), tail, deadline).await? {
                return Ok(Some((found, tail)));
            }
            self.pause(deadline, "the servers do not show a message any more that they showed before")
                .await?;
        }
    }

    /// Which message of a key stands when the one numbered `tail` is stored, from those behind `seq`, where that one held.
    /// `None` when the servers do not show `tail`: a new leader may not have caught up yet, or it was swept.
    async fn judge(
        &self,
        key: &str,
        mut seq: u64,
        tail: u64,
        deadline: Instant,
    ) -> Result<Option<Raw>, Failure> {
        let (mut messages, mut chained) = (Vec::new(), Vec::new());
        while seq < tail {
            let Some(raw) = self.next(key, seq + 1, deadline).await?.filter(|raw| raw.seq <= tail) else {
                return Ok(None);
            };
            seq = raw.seq;
            chained.push(raw.said()?.chained(seq));
            messages.push(raw);
        }
        let stands = chain::standing(&chained).seq;
        Ok(messages.into_iter().find(|raw| raw.seq == stands))
    }

    async fn pause(&self, deadline: Instant, why: &'static str) -> Result<(), Failure> {
        if Instant::now() + NATS_READ_PAUSE >= deadline {
            return Err(Failure::Unanswered(why));
        }
        sleep(NATS_READ_PAUSE).await;
        Ok(())
    }

    /// Whether a message of this process, stored as `seq`, holds. The newest message that was known before it was `tail`.
    /// Where the servers repeated it and nothing between, that is known here; otherwise they are asked, by one request
    /// and one more for each rival.
    async fn holds(&self, key: &str, tail: u64, seq: u64) -> Result<(), Failure> {
        let deadline = self.link.deadline();
        let holds = match self.hub.holds(key, seq).await {
            Some(holds) => holds,
            None => loop {
                let why = "the servers do not show the message that they stored";
                // It is stored: whatever fails now, this is not known.
                let judged = self.judge(key, tail, seq, deadline).await;
                match judged.map_err(|_| Failure::Unanswered("it was not told whether the message holds"))? {
                    Some(raw) => break raw.seq == seq,
                    None => self.pause(deadline, why).await?,
                }
            },
        };
        if holds { Ok(()) } else { Err(Failure::Void) }
    }

    /// Publishes a message that stands on something, and answers its sequence when it holds. `tail` is the newest message of
    /// its key that is known.
    ///
    /// # Errors
    /// [`Failure::Conflict`] when it was refused, because that is not the newest; [`Failure::Void`] when it was stored but
    /// does not hold; [`Failure::Unanswered`] when either is not known.
    pub(super) async fn publish_on(
        &self,
        key: &str,
        tail: u64,
        headers: async_nats::HeaderMap,
        payload: Vec<u8>,
    ) -> Result<u64, Failure> {
        let seq = self.publish(key, Some(headers), payload, self.link.deadline()).await?;
        if self.is_chained() {
            self.holds(key, tail, seq).await?;
        }
        Ok(seq)
    }
}
