//! The few requests of JetStream's interface that are made here, and their answers.
//!
//! `ADR-1` and `ADR-31` of nats-io/nats-architecture-and-design describe them; the fields are those of server 2.9, to
//! which later ones add.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::failure::{Failure, Refusal};
use super::message::Raw;

/// A stream's settings. What is not named here is left to the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) name: String,
    #[serde(default)]
    pub(super) subjects: Vec<String>,
    pub(super) retention: String,
    pub(super) discard: String,
    pub(super) storage: String,
    pub(super) num_replicas: usize,
    pub(super) max_msgs_per_subject: i64,
    pub(super) max_msg_size: i32,
    /// Nanoseconds; 0 for ever.
    pub(super) max_age: i64,
    pub(super) max_msgs: i64,
    pub(super) max_bytes: i64,
    pub(super) max_consumers: i64,
    #[serde(default)]
    pub(super) republish: Option<Republish>,
    #[serde(default)]
    pub(super) sealed: bool,
    #[serde(default)]
    pub(super) deny_delete: bool,
    #[serde(default)]
    pub(super) allow_rollup_hdrs: bool,
    /// Whether messages may name a time to live; server 2.11 and later, those before pass over it.
    #[serde(default)]
    pub(super) allow_msg_ttl: bool,
}

/// Where a stream repeats what it stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Republish {
    #[serde(default)]
    pub(super) src: String,
    pub(super) dest: String,
    #[serde(default)]
    pub(super) headers_only: bool,
}

/// What a stream is.
#[derive(Debug, Deserialize)]
pub(super) struct Stream {
    pub(super) config: Config,
    /// Tells a stream from one of the same name that was made after it was removed.
    pub(super) created: String,
    pub(super) state: State,
    /// How many subjects there are in all, where they were asked for.
    #[serde(default)]
    pub(super) total: usize,
    #[serde(default)]
    pub(super) cluster: Cluster,
}

/// Where a stream is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Cluster {
    /// A server that is alone has none.
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct State {
    pub(super) last_seq: u64,
    /// Subjects and how many messages each has.
    #[serde(default)]
    pub(super) subjects: BTreeMap<String, u64>,
}

/// Asks for a page of a stream's subjects.
#[derive(Debug, Serialize)]
pub(super) struct Subjects<'a> {
    pub(super) subjects_filter: &'a str,
    pub(super) offset: usize,
}

/// Asks for the newest message of a subject.
#[derive(Debug, Serialize)]
pub(super) struct LastBySubject<'a> {
    pub(super) last_by_subj: &'a str,
}

/// Asks for the first message of a subject from a sequence on.
#[derive(Debug, Serialize)]
pub(super) struct NextBySubject<'a> {
    pub(super) seq: u64,
    pub(super) next_by_subj: &'a str,
}

/// The answer to both.
#[derive(Debug, Deserialize)]
pub(super) struct Read {
    pub(super) message: Raw,
}

/// Asks for the end of a subject's messages before `seq`; what came after stays.
#[derive(Debug, Serialize)]
pub(super) struct Purge<'a> {
    pub(super) filter: &'a str,
    pub(super) seq: u64,
}

/// Asks for the end of one message.
#[derive(Debug, Serialize)]
pub(super) struct Delete {
    pub(super) seq: u64,
    /// Whether its place on the disk may keep its content until it is used again.
    pub(super) no_erase: bool,
}

/// That something was done.
#[derive(Debug, Deserialize)]
pub(super) struct Done {}

/// That a message was stored.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledged {
    pub(super) seq: u64,
}

/// Makes a consumer that hands out headers once.
#[derive(Debug, Serialize)]
pub(super) struct NewConsumer<'a> {
    pub(super) stream_name: &'a str,
    pub(super) config: ConsumerConfig<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct ConsumerConfig<'a> {
    pub(super) deliver_policy: &'static str,
    pub(super) ack_policy: &'static str,
    pub(super) replay_policy: &'static str,
    pub(super) filter_subject: &'a str,
    pub(super) headers_only: bool,
    pub(super) mem_storage: bool,
    pub(super) num_replicas: usize,
    /// Nanoseconds without a request after which the server forgets it.
    pub(super) inactive_threshold: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Consumer {
    pub(super) name: String,
    pub(super) num_pending: u64,
}

/// Asks a consumer for its next messages.
#[derive(Debug, Serialize)]
pub(super) struct Next {
    pub(super) batch: u64,
    /// Nanoseconds.
    pub(super) expires: u64,
}

/// Every answer is one of these.
#[derive(Deserialize)]
struct Refused {
    error: Option<Refusal>,
}

/// Reads an answer.
pub(super) fn answer<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Failure> {
    let undecodable = |error: serde_json::Error| Failure::Undecodable(error.to_string());
    let refused: Refused = serde_json::from_slice(payload).map_err(undecodable)?;
    match refused.error {
        Some(refusal) => Err(Failure::Refused(refusal)),
        None => serde_json::from_slice(payload).map_err(undecodable),
    }
}

/// A request's text.
pub(super) fn request(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Undecodable(error.to_string()))
}
