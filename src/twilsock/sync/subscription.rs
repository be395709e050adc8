//! Who wants to hear of what.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{EventId, Kind};

/// Chosen by the client, echoed in all that the request brings about. Sync: the JavaScript SDK compares it as a number,
/// so it goes back as the number that came. Unique per connection, not beyond.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Correlation(Number);

impl Correlation {
    /// A client's own number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number.into())
    }
}

/// What a subscription request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscribeAction {
    /// To hear of changes from now on, and of those since a given event.
    Establish,
    /// To hear no more.
    Cancel,
}

/// A request to `/v4/Subscriptions`. Sync: one that is larger than the server's largest batch is carried out all the
/// same, because clients learn that size from its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionBatch {
    /// What is asked for.
    pub action: SubscribeAction,
    /// What the confirmations will bear.
    pub correlation: Correlation,
    /// How many entries are asked for again because no confirmation came; absent in the Kotlin SDK.
    pub retried: Option<u32>,
    /// `ttl_in_s`: −1 from the JavaScript SDK, absent in the Kotlin SDK.
    pub ttl_in_s: Option<i64>,
    /// `"ttl"` when a subscription is renewed because its time ran out.
    pub reason: Option<String>,
    /// The objects.
    pub entries: Vec<SubscriptionEntry>,
}

/// One object of a subscription request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionEntry {
    /// Its SID, never a name.
    pub sid: String,
    /// Its kind, if it is one this crate knows.
    pub kind: Option<Kind>,
    /// Everything after this event is wanted again; absent: nothing.
    pub last_event_id: Option<EventId>,
    /// Index and text of a live query.
    pub query: Option<(String, String)>,
}

/// The answer to a subscription request; the confirmations follow as notifications, or come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionAnswer {
    /// After this time without a confirmation a client asks again. Sync: at least 5 s.
    pub estimated_delivery: Duration,
    /// Objects that later requests should name at most.
    pub batch_max: usize,
    /// Subscriptions are to be renewed after this time; better left out.
    pub ttl: Option<Duration>,
}

impl SubscriptionEntry {
    /// A document from a known event on.
    #[must_use]
    pub fn document(sid: impl Into<String>, last_event_id: EventId) -> Self {
        let (sid, last_event_id) = (sid.into(), Some(last_event_id));
        Self { sid, kind: Some(Kind::Document), last_event_id, query: None }
    }
}

impl SubscriptionBatch {
    /// Asks to hear of these.
    #[must_use]
    pub fn establish(correlation: Correlation, entries: Vec<SubscriptionEntry>) -> Self {
        let action = SubscribeAction::Establish;
        Self { action, correlation, retried: None, ttl_in_s: None, reason: None, entries }
    }

    /// Asks to hear no more of these.
    #[must_use]
    pub fn cancel(correlation: Correlation, entries: Vec<SubscriptionEntry>) -> Self {
        Self { action: SubscribeAction::Cancel, ..Self::establish(correlation, entries) }
    }
}
