//! What every part of the backend works with: the connection, the clock, who watches, and reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use async_nats::Message;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt as _;

use super::api::{self, Acknowledged, Config, LastBySubject, NextBySubject, Read};
use super::bucket;
use super::chain::Claim;
use super::clock::Clock;
use super::failure::{Failure, code};
use super::hub::{Hub, Subscription};
use super::link::{EndOnDrop, Link};
use super::message::{self, Found, Place, Raw, Said, Times};
use super::names::{CLOCK, Key, Names, key_in};
use super::superseded::Superseded;
use super::turns::Turns;
use crate::backend::BackendError;
use crate::limits::{NATS_READ_AGAIN, NATS_READ_PAUSE};

#[derive(Debug)]
pub(super) struct Core {
    pub(super) link: Arc<Link>,
    pub(super) clock: Clock,
    pub(super) names: Names,
    pub(super) hub: Arc<Hub>,
    pub(super) turns: Turns,
    pub(super) superseded: Superseded,
    /// Whether the bucket keeps all messages of a key, and a stored one may be void; see [`chain`](super::chain).
    pub(super) is_chained: AtomicBool,
    /// Whether several servers keep the bucket: then what a write expects is not compared where it is stored.
    pub(super) is_replicated: AtomicBool,
    /// Whether the server removes messages by itself when told so. Otherwise a sweep does.
    pub(super) ends_messages: AtomicBool,
}

impl Core {
    pub(super) fn is_chained(&self) -> bool {
        self.is_chained.load(Relaxed)
    }

    pub(super) fn is_replicated(&self) -> bool {
        self.is_replicated.load(Relaxed)
    }

    /// Takes over what follows from the bucket's settings.
    pub(super) fn follow(&self, config: &Config) {
        self.is_chained.store(bucket::is_chained(config), Relaxed);
        self.is_replicated.store(config.num_replicas > 1, Relaxed);
    }

    /// One request of JetStream's interface.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        payload: Vec<u8>,
        deadline: Instant,
    ) -> Result<T, Failure> {
        let answer = self.link.request(format!("$JS.API.{path}"), None, payload.into(), deadline).await?;
        api::answer(&answer.payload)
    }

    /// Asks again what stores nothing, for as long as one call may take: while a leader is elected nobody answers.
    pub(super) async fn ask_patiently<T: DeserializeOwned>(
        &self,
        path: &str,
        payload: Vec<u8>,
        deadline: Instant,
    ) -> Result<T, Failure> {
        loop {
            let soon = deadline.min(Instant::now() + NATS_READ_AGAIN);
            match self.ask(path, payload.clone(), soon).await {
                Err(failure) if failure.passes() && Instant::now() + NATS_READ_PAUSE < deadline => {
                    sleep(NATS_READ_PAUSE).await;
                }
                settled => return settled,
            }
        }
    }

    /// The newest message of a subject, `None` when there is none.
    ///
    /// The stream's leader is asked. `DIRECT.GET` would be cheaper, but any replica answers it, also one that has not yet
    /// heard of a write that was acknowledged.
    pub(super) async fn newest(&self, key: &str, deadline: Instant) -> Result<Option<Raw>, Failure> {
        self.get(&LastBySubject { last_by_subj: &self.names.subject(key) }, deadline).await
    }

    /// The first message of a subject from a sequence on, `None` when there is none.
    pub(super) async fn next(&self, key: &str, seq: u64, deadline: Instant) -> Result<Option<Raw>, Failure> {
        self.get(&NextBySubject { seq, next_by_subj: &self.names.subject(key) }, deadline).await
    }

    async fn get(
        &self,
        wanted: &(impl serde::Serialize + Sync),
        deadline: Instant,
    ) -> Result<Option<Raw>, Failure> {
        let payload = api::request(wanted)?;
        let path = format!("STREAM.MSG.GET.{}", self.names.stream());
        match self.ask_patiently::<Read>(&path, payload, deadline).await {
            Ok(read) => Ok(Some(read.message)),
            Err(failure) if failure.code() == Some(code::NO_MESSAGE) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// What stands under a key, never older than what this process was told of it. Watchers are told too.
    pub(super) async fn read(&self, key: &Key) -> Result<Found, BackendError> {
        let doing = || format!("reading `{key}`");
        let deadline = self.link.deadline();
        loop {
            let seq_before = self.hub.seq(key).unwrap_or_default();
            let standing = self.standing(key.as_str(), deadline).await;
            let found = match standing.map_err(|failure| failure.of_read(&doing()))? {
                Some((raw, tail)) => raw.found(key.as_str(), tail, self.clock.now())?,
                None => Found::default(),
            };
            // A leader that was just elected may not have caught up with itself. Of what was swept it has no message, but
            // later ones of others.
            let has_caught_up = match found.seq {
                0 if seq_before > 0 => {
                    self.has_stored(seq_before).await.map_err(|failure| failure.of_read(&doing()))?
                }
                seq => seq >= seq_before,
            };
            if has_caught_up {
                self.hub.tell(key, self.without_expired(found.clone()), seq_before);
                if self.hub.take_unjudged(key.as_str(), found.tail) {
                    continue;
                }
                return Ok(found);
            }
            if Instant::now() + NATS_READ_PAUSE >= deadline {
                let why = "the servers show an older state than was seen before: has the bucket been restored from a \
                           copy? Then open it again";
                return Err(BackendError::Unavailable { doing: doing(), why: why.into(), source: None });
            }
            sleep(NATS_READ_PAUSE).await;
        }
    }

    /// Whether the stream's leader has had a message so far.
    async fn has_stored(&self, seq: u64) -> Result<bool, Failure> {
        Ok(bucket::look(self).await?.state.last_seq >= seq)
    }

    pub(super) fn without_expired(&self, found: Found) -> Found {
        let is_alive = found.alive(self.clock.now()).is_some();
        Found { stored: found.stored.filter(|_| is_alive), ..found }
    }

    /// Subscribes to the shard of a key, unless that was done.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        key: &Key,
        subscription: &Subscription,
    ) -> Result<(), BackendError> {
        let begin = || async {
            let subject = self.names.republished(key.shard());
            let mut messages = self
                .link
                .client()
                .subscribe(subject)
                .await
                .map_err(|_| Failure::Closed.of_read("watching"))?;
            let core = Arc::downgrade(self);
            let task = tokio::spawn(async move {
                while let Some(message) = messages.next().await {
                    let Some(core) = core.upgrade() else { return };
                    if let Some(key) = core.hear(&message) {
                        tokio::spawn(async move { core.read(&key).await });
                    }
                }
            });
            Ok(EndOnDrop(task.abort_handle()))
        };
        subscription.task.get_or_try_init(begin).await.map(|_| ())
    }

    /// Tells watchers what the servers repeat, and answers the key that has to be read, because what came between was not
    /// heard.
    fn hear(&self, message: &Message) -> Option<Key> {
        // What nobody watches only shares a shard with a document that is watched.
        let (key, known, tail) = self.hub.watched_as(key_in(&message.subject))?;
        let said = Said::by(message.headers.as_ref());
        // Without its numbers it was not the server that repeated it: somebody published on its subject.
        let Place { seq, before } = said.place?;
        if seq <= tail {
            return None;
        }
        let claim = said.chained(seq).claim;
        let is_sure = !self.is_chained() || claim == Claim::Anything;
        // What stood may have been removed and swept since it was told here.
        if before > tail || !is_sure && before < known.seq {
            let is_to_be_read = !is_sure && self.hub.heard_unjudged(key.as_str(), seq);
            if is_to_be_read || is_sure && tail > 0 {
                // Other documents may have lost their last message.
                self.link.suspect();
            }
            if !is_sure {
                return is_to_be_read.then_some(key);
            }
        } else if !is_sure && !known.admits(claim) {
            self.hub.heard_void(key.as_str(), seq);
            return None;
        }
        let mut found = Found { seq, is_document: !said.is_removal, tail: seq, stored: None };
        if found.is_document {
            let document = match self.hub.written_here(&key, &message.payload) {
                Some(document) => document,
                None => match message::document(
                    key.as_str(),
                    &message.payload,
                    self.hub.document(&key).as_deref(),
                ) {
                    Ok(document) => document,
                    Err(_) => {
                        // The next read says what is wrong with it.
                        self.link.suspect();
                        return None;
                    }
                },
            };
            let now = self.clock.now();
            found.stored = Some(said.times.unwrap_or_else(|| Times::at(now)).stored(seq, document, now));
        }
        self.hub.tell(&key, self.without_expired(found), known.seq);
        None
    }

    /// Publishes a message, and answers its sequence when it is stored; again and again while nobody takes it.
    /// [`Failure::Conflict`] when its condition does not hold.
    pub(super) async fn publish(
        &self,
        key: &str,
        headers: Option<async_nats::HeaderMap>,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<u64, Failure> {
        let failure = loop {
            let sent = self.link.request(self.names.subject(key), headers.clone(), payload.clone(), deadline);
            match sent.await.and_then(|answer| api::answer::<Acknowledged>(&answer.payload)) {
                Ok(stored) => return Ok(stored.seq),
                // Surely not stored: while a leader is elected nobody takes it.
                Err(Failure::NoResponders) if Instant::now() + NATS_READ_PAUSE < deadline => {
                    sleep(NATS_READ_PAUSE).await;
                }
                Err(failure) => break failure,
            }
        };
        Err(match failure.code() {
            Some(code::WRONG_LAST_SEQUENCE | code::WRONG_LAST_SEQUENCE_UNNAMED) => Failure::Conflict,
            // Another write of the key is on its way, and nobody can tell yet what the newest will be.
            Some(code::LAST_SEQUENCE_NOT_READY) if self.is_replicated() => Failure::Conflict,
            // Only this replica could not; the others may have.
            Some(code::STORE_FAILED | code::SEQUENCE_NOT_MATCHED) if self.is_replicated() => {
                Failure::Unanswered(
                    "the stream's leader could not store it: is its disk full, or the bucket?",
                )
            }
            _ => failure,
        })
    }

    /// Sets the clock by a message that the server stores.
    pub(super) async fn set_clock(&self) -> Result<(), Failure> {
        let deadline = self.link.deadline();
        let sent = Clock::moment();
        let seq = self.publish(CLOCK, None, Bytes::new(), deadline).await?;
        let acknowledged = Clock::moment();
        // Another process may have written after it: that was stored before this answer.
        if let Some(raw) = self.newest(CLOCK, deadline).await?.filter(|raw| raw.seq >= seq)
            && let Some(stored) = raw.time()
        {
            let answered = if raw.seq == seq { acknowledged } else { Clock::moment() };
            self.clock.set(stored, sent, answered);
        }
        Ok(())
    }
}

/// A wait that is shorter by up to a half, by chance: what many processes begin together they do not repeat together.
pub(super) fn spread(wait: Duration) -> Duration {
    let chance = uuid::Uuid::new_v4().as_bytes()[0];
    wait.mul_f64(1.0 - f64::from(chance) / 510.0)
}
