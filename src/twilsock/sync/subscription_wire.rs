//! Subscriptions on the wire.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::frame::Payload;
use super::super::wire::{self, lenient, lenient_list};
use super::{
    Code, Correlation, EventId, Kind, SubscribeAction, SubscriptionAnswer, SubscriptionBatch,
    SubscriptionEntry, SyncError,
};
use crate::limits::{SYNC_ESTIMATED_DELIVERY, SYNC_SUBSCRIPTION_BATCH_MAX};

/// Version of events that all SDKs ask for.
pub(super) const EVENT_PROTOCOL_VERSION: u32 = 4;

#[derive(Serialize, Deserialize)]
struct Batch {
    #[serde(default)]
    event_protocol_version: Option<u32>,
    action: SubscribeAction,
    correlation_id: Correlation,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    retried_requests: Option<u32>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    ttl_in_s: Option<i64>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, deserialize_with = "lenient_list")]
    requests: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    object_sid: String,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    object_type: Option<Kind>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    last_event_id: Option<EventId>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    index_name: Option<String>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    query_string: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "lenient")]
    estimated_delivery_in_ms: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    max_batch_size: Option<usize>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    ttl_in_s: Option<u64>,
}

impl SubscriptionBatch {
    pub(super) fn read(body: &Payload) -> Result<Self, SyncError> {
        let object: &RawValue = body.parse().filter(is_object).ok_or(Code::NotJson)?;
        let batch = wire::read(object.get().as_bytes());
        let batch: Batch = batch.map_err(|why| SyncError::from(Code::BadParameter).saying(why))?;
        Ok(Self {
            action: batch.action,
            correlation: batch.correlation_id,
            retried: batch.retried_requests,
            ttl_in_s: batch.ttl_in_s,
            reason: batch.reason,
            entries: batch.requests.into_iter().map(SubscriptionEntry::from).collect(),
        })
    }

    pub(super) fn payload(&self) -> Payload {
        Payload::json(&Batch {
            event_protocol_version: Some(EVENT_PROTOCOL_VERSION),
            action: self.action,
            correlation_id: self.correlation.clone(),
            retried_requests: self.retried,
            ttl_in_s: self.ttl_in_s,
            reason: self.reason.clone(),
            requests: self.entries.iter().cloned().map(Entry::from).collect(),
        })
    }
}

fn is_object(text: &&RawValue) -> bool {
    text.get().starts_with('{')
}

impl From<Entry> for SubscriptionEntry {
    fn from(entry: Entry) -> Self {
        Self {
            sid: entry.object_sid,
            kind: entry.object_type,
            last_event_id: entry.last_event_id,
            query: entry.index_name.zip(entry.query_string),
        }
    }
}

impl From<SubscriptionEntry> for Entry {
    fn from(entry: SubscriptionEntry) -> Self {
        let (index_name, query_string) = entry.query.unzip();
        let SubscriptionEntry { sid, kind, last_event_id, .. } = entry;
        Self { object_sid: sid, object_type: kind, last_event_id, index_name, query_string }
    }
}

impl SubscriptionAnswer {
    /// The body of the response.
    #[must_use]
    pub fn payload(&self) -> Payload {
        Payload::json(&Answer {
            estimated_delivery_in_ms: Some(
                u64::try_from(self.estimated_delivery.as_millis()).unwrap_or(u64::MAX),
            ),
            max_batch_size: Some(self.batch_max),
            ttl_in_s: self.ttl.map(|ttl| ttl.as_secs()),
        })
    }

    /// Reads the body of a response; what is missing is what servers usually say.
    #[must_use]
    pub fn read(payload: &Payload) -> Self {
        let missing = Answer { estimated_delivery_in_ms: None, max_batch_size: None, ttl_in_s: None };
        let answer = payload.parse().unwrap_or(missing);
        let positive = |number: &u64| *number > 0;
        let estimated = answer.estimated_delivery_in_ms.filter(positive).map(Duration::from_millis);
        Self {
            estimated_delivery: estimated.unwrap_or(SYNC_ESTIMATED_DELIVERY),
            batch_max: answer.max_batch_size.filter(|max| *max > 0).unwrap_or(SYNC_SUBSCRIPTION_BATCH_MAX),
            ttl: answer.ttl_in_s.filter(positive).map(Duration::from_secs),
        }
    }
}
