//! What happened.

use serde_json::{Map, Value};

use super::super::frame::Payload;
use super::{Correlation, Data, EventId, Kind, Revision, SyncError, Timestamp};

/// The payload of a notification.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncMessage {
    /// The subscription request that brought it about; absent in live events. Sync: `null` is read as absent.
    pub correlation: Option<Correlation>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// Something that happened to an object or to a subscription.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// From now on every change is told; those before have been.
    Established(Confirmed),
    /// There will be no events of this object.
    Failed(FailedSubscription),
    /// There will be no more events of this object.
    Canceled {
        /// Its SID.
        sid: String,
        /// Its kind, if it is one this crate knows.
        kind: Option<Kind>,
    },
    /// A document has new data.
    DocumentUpdated(DocumentUpdated, Data),
    /// A document was removed or has expired.
    DocumentRemoved(DocumentRemoved),
    /// Anything else, whole: items, streams, queries, and what is newer than this crate.
    Other {
        /// Its type.
        event_type: String,
        /// Its fields.
        event: Map<String, Value>,
    },
}

/// A subscription holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The object's SID.
    pub sid: String,
    /// Its kind, if it is one this crate knows.
    pub kind: Option<Kind>,
    /// Whether all that was missed has been told.
    pub replay: Replay,
    /// The last event told; absent for streams.
    pub last_event_id: Option<EventId>,
}

/// How far a server came in telling what was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// All of it was sent before the confirmation.
    Completed,
    /// Only a part: ask again from there.
    Interrupted,
    /// Sync: any other value leaves the subscription unconfirmed.
    Other(String),
}

/// A subscription does not hold. Sync: 404 means that the object is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSubscription {
    /// The object's SID.
    pub sid: String,
    /// Its kind, if it is one this crate knows.
    pub kind: Option<Kind>,
    /// Why.
    pub error: SyncError,
}

/// A document has new data, which stands beside this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentUpdated {
    /// Number of the event.
    pub id: EventId,
    /// The document's SID.
    pub sid: String,
    /// Its name, if it has one.
    pub unique_name: Option<String>,
    /// Its new revision. Absent from a stranger's server: then it has to be read before it can be written.
    pub revision: Option<Revision>,
    /// When it was changed.
    pub date_created: Option<Timestamp>,
    /// When it ends: `None` when nothing is said, `Some(None)` when it does not.
    pub date_expires: Option<Option<Timestamp>>,
}

/// A document is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRemoved {
    /// The document's SID.
    pub sid: String,
    /// Number of the event, if it has one.
    pub id: Option<EventId>,
    /// When it was removed.
    pub date_created: Option<Timestamp>,
}

impl SyncMessage {
    /// Reads the payload of a notification; `None` when it is not one of this service. An event that lacks what it
    /// needs is kept as [`Event::Other`].
    #[must_use]
    pub fn read(payload: &Payload) -> Option<Self> {
        super::event_wire::read(payload)
    }
}
