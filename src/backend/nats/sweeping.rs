//! Removing what has expired and nobody watches, and traces of what was removed.
//!
//! Server 2.9 ends no message by itself. A process that sweeps asks for the headers of all keys, without their values:
//! about 200 bytes for a document, once in an interval for the whole bucket however many processes there are.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout_at};
use tokio_stream::StreamExt as _;

use super::api::{Consumer, ConsumerConfig, Done, NewConsumer, Next, Purge, request};
use super::bucket;
use super::core::{Core, spread};
use super::failure::Failure;
use super::message::{self, Said};
use super::names::{Key, SWEEP, document_id, key_in};
use super::writes::mark_removed;
use crate::backend::BackendTime;
use crate::limits::{NATS_SURVEY_BATCH, NATS_SURVEY_FORGOTTEN_AFTER};

/// What the headers of a key's newest message say.
#[derive(Debug)]
struct Entry {
    key: Key,
    seq: u64,
    said: Said,
}

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
    let last = core.newest(SWEEP, core.link.deadline()).await?;
    let (seq, time) = last.map_or((0, None), |raw| (raw.seq, raw.time()));
    // Half of it, because waits are shorter by up to a half.
    if time.is_some_and(|time| !is_older(core, time, interval / 2)) {
        return Ok(false);
    }
    let deadline = core.link.deadline();
    match core.publish(SWEEP, Some(message::of_turn(seq)), Vec::new(), deadline).await {
        Ok(_) => Ok(true),
        Err(Failure::Conflict) => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn is_older(core: &Core, time: BackendTime, age: Duration) -> bool {
    let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    time.0.saturating_add(age_ms) < core.clock.now().0
}

/// Marks expired documents as removed, and ends marks that are an interval old. Neither touches what was written after
/// the survey: the mark is a conditional write, and the end of a mark names its sequence.
async fn sweep(core: &Core, interval: Duration) -> Result<(), Failure> {
    // A replica of server 2.9 that repeats such a purge when it starts empties its whole copy (nats-server issue 4196): with
    // several of them marks stay.
    let may_purge = bucket::look(core).await?.config.num_replicas == 1;
    for Entry { key, seq, said } in survey(core).await? {
        let is_old = |time: Option<BackendTime>| time.is_none_or(|time| is_older(core, time, interval));
        if said.is_removal && may_purge && is_old(said.times.written) {
            let subject = core.names.subject(key.as_str());
            let payload = request(&Purge { filter: &subject, seq: seq + 1 })?;
            let path = format!("STREAM.PURGE.{}", core.names.stream());
            core.ask::<Done>(&path, payload, core.link.deadline()).await?;
        } else if !said.is_removal && said.times.expires.is_some_and(|end| end <= core.clock.now()) {
            // One that cannot be removed now is met again.
            let _ = mark_removed(core, &key, seq).await;
        }
    }
    Ok(())
}

/// The headers of all documents and marks, through a consumer that lives as long as this takes.
async fn survey(core: &Core) -> Result<Vec<Entry>, Failure> {
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

async fn read_through(core: &Core, consumer: &Consumer) -> Result<Vec<Entry>, Failure> {
    let client = core.link.client();
    let inbox = client.new_inbox();
    let mut messages = client.subscribe(inbox.clone()).await.map_err(|_| Failure::Closed)?;
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", core.names.stream(), consumer.name);
    let (mut entries, mut left) = (Vec::new(), consumer.num_pending);
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
            let seq = message.reply.as_deref().and_then(sequence);
            let key = document_id(key_in(&message.subject)).map(|id| Key::of(&id));
            if let (Some(key), Some(seq)) = (key, seq) {
                entries.push(Entry { key, seq, said: Said::by(message.headers.as_ref()) });
            }
        }
        left -= batch;
    }
    Ok(entries)
}

/// The stream's sequence in the reply subject of a consumer's message:
/// `$JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.…`, with two more tokens behind `ACK` in later servers.
fn sequence(reply: &str) -> Option<u64> {
    let tokens: Vec<&str> = reply.split('.').collect();
    let at = if tokens.len() > 9 { 7 } else { 5 };
    tokens.get(at)?.parse().ok()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
