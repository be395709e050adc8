//! Removing what has expired and nobody watches, and traces of what was removed.
//!
//! Server 2.9 ends no message by itself. A process that sweeps asks for the headers of all keys, without their values:
//! about 200 bytes for a message, once in an interval for the whole bucket however many processes there are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout_at};
use tokio_stream::StreamExt as _;

use super::api::{Consumer, ConsumerConfig, Done, NewConsumer, Next, Purge, request};
use super::chain::{self, Basis, Claim};
use super::core::{Core, spread};
use super::failure::Failure;
use super::message::{self, Said};
use super::names::{CLOCK, Key, SWEEP, document_id, key_in};
use super::writes::mark_removed;
use crate::backend::BackendTime;
use crate::limits::{NATS_SURVEY_BATCH, NATS_SURVEY_FORGOTTEN_AFTER};

/// What the headers of a message say.
#[derive(Debug)]
struct Entry {
    seq: u64,
    /// The server's time when it was stored.
    time: BackendTime,
    said: Said,
}

/// The headers of all messages of each key, in their order.
type Survey = HashMap<String, Vec<Entry>>;

/// Sweeps once in an interval, unless another process does. The first time comes at a moment that is left to chance.
pub(super) async fn sweeps(core: Arc<Core>, interval: Duration) {
    loop {
        sleep(spread(interval)).await;
        // What fails is tried again after the next interval: nothing depends on when it is done.
        if let Ok(true) = take_turn(&core, interval).await {
            let _ = sweep(&core, interval).await;
        }
    }
}

/// Whether it is this process's turn: whoever first writes on the mark of the last sweep, when that is an interval old.
async fn take_turn(core: &Core, interval: Duration) -> Result<bool, Failure> {
    let last = core.standing(SWEEP, core.link.deadline()).await?;
    let time = last.as_ref().and_then(|(raw, _)| raw.time());
    // Half of it, because waits are shorter by up to a half.
    if time.is_some_and(|time| !is_older(core, time, interval / 2)) {
        return Ok(false);
    }
    let (claim, tail) = last.map_or((Claim::Over(0), 0), |(raw, tail)| (Claim::After(raw.seq), tail));
    let basis = Basis { claim, tail };
    let headers = message::of_turn(basis, core.is_replicated());
    match core.publish_on(SWEEP, basis, headers, Bytes::new()).await {
        Ok(_) => {
            core.leave_behind(basis);
            Ok(true)
        }
        Err(Failure::Conflict | Failure::Void) => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn is_older(core: &Core, time: BackendTime, age: Duration) -> bool {
    let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    time.0.saturating_add(age_ms) < core.clock.now().0
}

/// Marks expired documents as removed, and ends marks, and whatever else nobody needs, that are an interval old. Neither
/// touches what was written after the survey: the mark is a conditional write, and what is ended is named by its sequence.
async fn sweep(core: &Core, interval: Duration) -> Result<(), Failure> {
    for (key, entries) in survey(core).await? {
        let chained: Vec<_> = entries.iter().map(|entry| entry.said.chained(entry.seq)).collect();
        let stands = chain::standing(&chained).seq;
        let Some(newest) = entries.last() else { continue };
        let Some(standing) = entries.iter().find(|entry| entry.seq == stands) else { continue };
        let (is_removal, is_old) = (standing.said.is_removal, is_older(core, newest.time, interval));
        let id = document_id(&key);
        let end = standing.said.times.and_then(|times| times.expires);
        let has_expired = end.is_some_and(|end| end <= core.clock.now());
        if let Some(id) = id.as_ref().filter(|_| has_expired && !is_removal) {
            // One that cannot be removed now is met again.
            let basis = Basis { claim: Claim::After(stands), tail: newest.seq };
            let _ = mark_removed(core, &Key::of(id), basis).await;
        } else if core.is_chained() && (is_old || key == CLOCK) {
            // Whatever was on its way to the key when it was written last has come long since; but the survey may have been of a
            // copy that lacks the end.
            let last = core.newest(&key, core.link.deadline()).await?.map(|raw| raw.seq);
            if last != Some(newest.seq) {
                continue;
            }
            for seq in chain::superfluous(&chained) {
                core.delete(seq).await?;
            }
        } else if id.is_some() && is_old && is_removal && !core.is_chained() {
            let subject = core.names.subject(&key);
            let payload = request(&Purge { filter: &subject, seq: stands + 1 })?;
            let path = format!("STREAM.PURGE.{}", core.names.stream());
            core.ask::<Done>(&path, payload, core.link.deadline()).await?;
        }
    }
    Ok(())
}

/// The headers of all messages, through a consumer that lives as long as this takes.
async fn survey(core: &Core) -> Result<Survey, Failure> {
    let (stream, filter) = (core.names.stream(), core.names.republish_source());
    let config = ConsumerConfig {
        deliver_policy: "all",
        ack_policy: "none",
        replay_policy: "instant",
        filter_subject: &filter,
        headers_only: true,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanoseconds(NATS_SURVEY_FORGOTTEN_AFTER),
    };
    let payload = request(&NewConsumer { stream_name: &stream, config })?;
    let path = format!("CONSUMER.CREATE.{stream}");
    let consumer: Consumer = core.ask(&path, payload, core.link.deadline()).await?;
    let entries = read_through(core, &consumer).await;
    let path = format!("CONSUMER.DELETE.{stream}.{}", consumer.name);
    // The server forgets it anyway.
    let _ = core.ask::<Done>(&path, Vec::new(), core.link.deadline()).await;
    entries
}

async fn read_through(core: &Core, consumer: &Consumer) -> Result<Survey, Failure> {
    let client = core.link.client();
    let inbox = client.new_inbox();
    let mut messages = client.subscribe(inbox.clone()).await.map_err(|_| Failure::Closed)?;
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", core.names.stream(), consumer.name);
    let (mut entries, mut left) = (Survey::new(), consumer.num_pending);
    while left > 0 {
        let batch = left.min(NATS_SURVEY_BATCH);
        let payload = request(&Next { batch, expires: nanoseconds(NATS_SURVEY_FORGOTTEN_AFTER) })?;
        let asked = client.publish_with_reply(next.clone(), inbox.clone(), payload.into()).await;
        asked.map_err(|_| Failure::Closed)?;
        for _ in 0..batch {
            let came = timeout_at(core.link.deadline(), messages.next()).await;
            let late = |_| Failure::Unanswered("the survey stopped halfway");
            let message = came.map_err(late)?.ok_or(Failure::Closed)?;
            if message.status.is_some() {
                return Err(Failure::Unanswered("the survey stopped halfway"));
            }
            let place = message.reply.as_deref().and_then(place);
            if let Some((seq, time)) = place {
                let (key, said) = (key_in(&message.subject).to_owned(), Said::by(message.headers.as_ref()));
                entries.entry(key).or_default().push(Entry { seq, time, said });
            }
        }
        left -= batch;
    }
    Ok(entries)
}

/// The stream's sequence and the time in the reply subject of a consumer's message:
/// `$JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<nanoseconds>.…`, with two more tokens
/// behind `ACK` in later servers.
fn place(reply: &str) -> Option<(u64, BackendTime)> {
    let tokens: Vec<&str> = reply.split('.').collect();
    let at = if tokens.len() > 9 { 7 } else { 5 };
    let number = |at: usize| tokens.get(at)?.parse::<u64>().ok();
    Some((number(at)?, BackendTime(number(at + 2)? / 1_000_000)))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
