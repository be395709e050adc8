//! Which message stands under a key, and whether one that was just stored holds: asked of the servers, where what they
//! repeated does not tell.

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::chain::{self, Basis, Chained, Claim};
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
            let tail = newest.seq;
            let claim = newest.said()?.chained(tail).claim;
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
    async fn judge(&self, key: &str, seq: u64, tail: u64, deadline: Instant) -> Result<Option<Raw>, Failure> {
        let messages = self.messages(key, seq, tail, deadline).await?;
        if messages.last().is_none_or(|(raw, _)| raw.seq != tail) {
            return Ok(None);
        }
        let chained: Vec<_> = messages.iter().map(|(_, chained)| *chained).collect();
        let stands = chain::standing(&chained).seq;
        Ok(messages.into_iter().map(|(raw, _)| raw).find(|raw| raw.seq == stands))
    }

    /// The messages of a key behind one and up to another, as far as there are any.
    async fn messages(
        &self,
        key: &str,
        mut behind: u64,
        up_to: u64,
        deadline: Instant,
    ) -> Result<Vec<(Raw, Chained)>, Failure> {
        let mut messages = Vec::new();
        while behind < up_to {
            let next = self.next(key, behind + 1, deadline).await?;
            let Some(raw) = next.filter(|raw| raw.seq <= up_to) else { break };
            behind = raw.seq;
            let chained = raw.said()?.chained(behind);
            messages.push((raw, chained));
        }
        Ok(messages)
    }

    async fn pause(&self, deadline: Instant, why: &'static str) -> Result<(), Failure> {
        if Instant::now() + NATS_READ_PAUSE >= deadline {
            return Err(Failure::Unanswered(why));
        }
        sleep(NATS_READ_PAUSE).await;
        Ok(())
    }

    /// Whether a message of this process that stands on something was stored as `seq` and holds. Where the servers repeated it
    /// and nothing between, that is known here; otherwise they are asked, by one request and one more for each rival and
    /// each message that came later.
    async fn holds(&self, key: &str, basis: Basis, seq: u64) -> Result<(), Failure> {
        let holds = match self.hub.holds(key, seq).await {
            Some(holds) => Some(holds),
            None => {
                let message = Chained { seq, claim: basis.claim, is_removal: false };
                let found = self.messages(key, basis.tail, u64::MAX, self.link.deadline()).await;
                found.ok().and_then(|found| {
                    let chained: Vec<_> = found.into_iter().map(|(_, chained)| chained).collect();
                    chain::held(message, &chained)
                })
            }
        };
        match holds {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::Void),
            None => Err(Failure::Unanswered("it is stored, and it was not told whether it holds")),
        }
    }

    /// Publishes a message that stands on something, and answers its sequence when it holds.
    ///
    /// # Errors
    /// [`Failure::Conflict`] when it was refused, because that is not the newest; [`Failure::Void`] when it was stored but
    /// does not hold; [`Failure::Unanswered`] when either is not known.
    pub(super) async fn publish_on(
        &self,
        key: &str,
        basis: Basis,
        headers: async_nats::HeaderMap,
        payload: Bytes,
    ) -> Result<u64, Failure> {
        let seq = Box::pin(self.publish(key, Some(headers), payload, self.link.deadline())).await?;
        if self.is_replicated() {
            Box::pin(self.holds(key, basis, seq)).await?;
        }
        Ok(seq)
    }
}
