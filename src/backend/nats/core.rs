//! What every part of the backend works with: the connection, the clock, who watches, and reading.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt as _;

use super::api::{self, Acknowledged, LastBySubject, Read};
use super::clock::Clock;
use super::failure::{Failure, code};
use super::hub::{Hub, Subscription};
use super::link::{EndOnDrop, Link};
use super::message::{self, Found, Place, Said};
use super::names::{CLOCK, Key, Names, key_in};
use crate::backend::BackendError;
use crate::limits::{NATS_READ_AGAIN, NATS_READ_PAUSE};

#[derive(Debug)]
pub(super) struct Core {
    pub(super) link: Arc<Link>,
    pub(super) clock: Clock,
    pub(super) names: Names,
    pub(super) hub: Arc<Hub>,
}

impl Core {
    /// One request of JetStream's interface.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        payload: Vec<u8>,
        deadline: Instant,
    ) -> Result<T, Failure> {
        let answer = self.link.request(format!("$JS.API.{path}"), None, payload, deadline).await?;
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
    pub(super) async fn newest(&self, key: &str, deadline: Instant) -> Result<Option<message::Raw>, Failure> {
        let payload = api::request(&LastBySubject { last_by_subj: &self.names.subject(key) })?;
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
            let raw =
                self.newest(key.as_str(), deadline).await.map_err(|failure| failure.of_read(&doing()))?;
            let found = match raw {
                Some(raw) => raw.found(key.as_str(), self.clock.now())?,
                None => Found::default(),
            };
            // A leader that was just elected may not have caught up with itself.
            if found.seq == 0 || found.seq >= seq_before {
                self.hub.tell(key, self.without_expired(found.clone()), seq_before);
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
                    core.hear(&message);
                }
            });
            Ok(EndOnDrop(task.abort_handle()))
        };
        subscription.task.get_or_try_init(begin).await.map(|_| ())
    }

    /// Tells watchers what the servers repeat.
    fn hear(&self, message: &Message) {
        // What nobody watches only shares a shard with a document that is watched.
        let Some((key, known)) = self.hub.watched_as(key_in(&message.subject)) else { return };
        let Some(Place { seq, before }) = Place::of(message.headers.as_ref()) else { return };
        if seq <= known {
            return;
        }
        if before > known && known > 0 {
            // This document is up to date with this message. Others may have lost their last.
            self.link.suspect();
        }
        let said = Said::by(message.headers.as_ref());
        if said.is_removal {
            self.hub.tell(&key, Found { seq, stored: None }, known);
            return;
        }
        let document = match self.hub.written_here(&key, &message.payload) {
            Some(document) => document,
            None => match message::document(key.as_str(), &message.payload) {
                Ok(document) => document,
                // The next read says what is wrong with it.
                Err(_) => return self.link.suspect(),
            },
        };
        let stored = said.times.stored(seq, document, self.clock.now());
        self.hub.tell(&key, self.without_expired(Found { seq, stored: Some(stored) }), known);
    }

    /// Publishes a message, and answers its sequence when it is stored. [`Failure::Conflict`] when its condition does not
    /// hold.
    pub(super) async fn publish(
        &self,
        key: &str,
        headers: Option<async_nats::HeaderMap>,
        payload: Vec<u8>,
        deadline: Instant,
    ) -> Result<u64, Failure> {
        let answer = self.link.request(self.names.subject(key), headers, payload, deadline).await?;
        match api::answer::<Acknowledged>(&answer.payload) {
            Ok(stored) if stored.duplicate => Err(Failure::Conflict),
            Ok(stored) => Ok(stored.seq),
            Err(failure) => Err(match failure.code() {
                Some(code::WRONG_LAST_SEQUENCE | code::DUPLICATE_ON_ITS_WAY) => Failure::Conflict,
                _ => failure,
            }),
        }
    }

    /// Sets the clock by a message that the server stores.
    pub(super) async fn set_clock(&self) -> Result<(), Failure> {
        let deadline = self.link.deadline();
        let sent = Clock::moment();
        let seq = self.publish(CLOCK, None, Vec::new(), deadline).await?;
        let answered = Clock::moment();
        // Another process may have overwritten it since; its time is as good, but not its journey.
        if let Some(raw) = self.newest(CLOCK, deadline).await?.filter(|raw| raw.seq == seq)
            && let Some(stored) = raw.time()
        {
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
