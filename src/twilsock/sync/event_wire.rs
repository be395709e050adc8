//! Events on the wire. Sync: a message has one `event_type` and either `event` or `events`; live events are single,
//! replayed ones and confirmations come as a list with the `correlation_id` of the request.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::super::frame::Payload;
use super::super::message::Notification;
use super::super::wire::lenient;
use super::subscription_wire::EVENT_PROTOCOL_VERSION;
use super::text::with_member;
use super::{
    Confirmed, Correlation, DOCUMENT_EVENT, Data, DocumentRemoved, DocumentUpdated, Event, EventId,
    FailedSubscription, Kind, Replay, Revision, SYNC_EVENT, SyncError, SyncMessage, Timestamp,
};

const ESTABLISHED: &str = "subscription_established";
const FAILED: &str = "subscription_failed";
const CANCELED: &str = "subscription_canceled";
const DOCUMENT_UPDATED: &str = "document_updated";
const DOCUMENT_REMOVED: &str = "document_removed";

#[derive(Serialize)]
struct Head<'a> {
    event_type: &'a str,
    /// Absent where no request brought it about; `null` where a client must take it for its own all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Option<&'a Correlation>>,
    event_protocol_version: u32,
}

#[derive(Deserialize)]
struct Message<'a> {
    event_type: String,
    #[serde(default, deserialize_with = "lenient")]
    correlation_id: Option<Correlation>,
    #[serde(default, borrow)]
    event: Option<&'a RawValue>,
    #[serde(default, borrow)]
    events: Option<&'a RawValue>,
}

/// Entry of a confirmation, in all three kinds of it.
#[derive(Serialize, Deserialize)]
struct Entry {
    object_sid: String,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    object_type: Option<Kind>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    replay_status: Option<String>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    last_event_id: Option<EventId>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    error: Option<SyncError>,
}

#[derive(Serialize, Deserialize)]
struct Updated<'a> {
    id: EventId,
    document_sid: String,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    document_unique_name: Option<String>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    document_revision: Option<Revision>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    date_created: Option<Timestamp>,
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    date_expires: Option<Option<Timestamp>>,
    /// Written by whoever has the text.
    #[serde(borrow, skip_serializing)]
    document_data: Option<&'a RawValue>,
}

#[derive(Serialize, Deserialize)]
struct Removed {
    document_sid: String,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    date_created: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    id: Option<EventId>,
}

/// Tells `null` from absent. What is neither that nor a time says nothing: the event counts without it.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(text.get()).ok())
}

pub(super) fn read(payload: &Payload) -> Option<SyncMessage> {
    let message: Message<'_> = payload.parse()?;
    let list = message.events.and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok());
    let events = message.event.into_iter().chain(list.into_iter().flatten());
    let events = events.filter(|event| event.get().starts_with('{'));
    let events = events.map(|fields| event(&message.event_type, fields.get())).collect();
    Some(SyncMessage { correlation: message.correlation_id, events })
}

fn event(event_type: &str, fields: &str) -> Event {
    let read = match event_type {
        ESTABLISHED => entry(fields).map(|entry| Event::Established(entry.into())),
        FAILED => entry(fields).map(|entry| Event::Failed(entry.into())),
        CANCELED => {
            entry(fields).map(|entry| Event::Canceled { sid: entry.object_sid, kind: entry.object_type })
        }
        DOCUMENT_UPDATED => updated(fields),
        DOCUMENT_REMOVED => serde_json::from_str(fields).ok().map(removed),
        _ => None,
    };
    let other = || Event::Other {
        event_type: event_type.to_owned(),
        event: serde_json::from_str(fields).unwrap_or_default(),
    };
    read.unwrap_or_else(other)
}

fn entry(fields: &str) -> Option<Entry> {
    serde_json::from_str(fields).ok()
}

fn updated(fields: &str) -> Option<Event> {
    let event: Updated<'_> = serde_json::from_str(fields).ok()?;
    let updated = DocumentUpdated {
        id: event.id,
        sid: event.document_sid,
        unique_name: event.document_unique_name,
        revision: event.document_revision,
        date_created: event.date_created,
        date_expires: event.date_expires,
    };
    Some(Event::DocumentUpdated(updated, event.document_data.and_then(Data::of)?))
}

fn removed(event: Removed) -> Event {
    let Removed { document_sid: sid, date_created, id } = event;
    Event::DocumentRemoved(DocumentRemoved { sid, id, date_created })
}

impl From<Entry> for Confirmed {
    fn from(entry: Entry) -> Self {
        let replay = match entry.replay_status.as_deref() {
            Some("completed") => Replay::Completed,
            Some("interrupted") => Replay::Interrupted,
            other => Replay::Other(other.unwrap_or_default().to_owned()),
        };
        let Entry { object_sid: sid, object_type: kind, last_event_id, .. } = entry;
        Self { sid, kind, replay, last_event_id }
    }
}

impl From<Entry> for FailedSubscription {
    fn from(entry: Entry) -> Self {
        let unknown = SyncError { status: 500, code: 0, message: String::new() };
        let Entry { object_sid: sid, object_type: kind, error, .. } = entry;
        Self { sid, kind, error: error.unwrap_or(unknown) }
    }
}

/// A notification whose payload is this head and this member.
fn notification(
    message_type: &str,
    event_type: &str,
    correlation_id: Option<Option<&Correlation>>,
    member: (&str, &str),
) -> Notification {
    let head = Head { event_type, correlation_id, event_protocol_version: EVENT_PROTOCOL_VERSION };
    let payload = Payload::from_json_text(with_member(&head, member.0, member.1));
    Notification { message_type: message_type.to_owned(), payload }
}

fn confirmation(event_type: &str, correlation: Option<&Correlation>, entries: &[Entry]) -> Notification {
    let entries = serde_json::to_string(entries).unwrap_or_default();
    notification(SYNC_EVENT, event_type, Some(correlation), ("events", &entries))
}

/// Live without a request, replayed with the request that asked for it. Sync: replayed events must be of the type
/// [`SYNC_EVENT`], or the JavaScript SDK has them replayed again.
fn document_event(event_type: &str, replayed_for: Option<&Correlation>, event: &str) -> Notification {
    match replayed_for {
        None => notification(DOCUMENT_EVENT, event_type, None, ("event", event)),
        Some(request) => {
            notification(SYNC_EVENT, event_type, Some(Some(request)), ("events", &format!("[{event}]")))
        }
    }
}

impl Confirmed {
    /// Tells a client that these subscriptions hold.
    #[must_use]
    pub fn notification(correlation: &Correlation, confirmed: &[Self]) -> Notification {
        let entries: Vec<Entry> = confirmed.iter().map(Entry::from).collect();
        confirmation(ESTABLISHED, Some(correlation), &entries)
    }
}

impl FailedSubscription {
    /// Tells a client that these subscriptions do not hold.
    #[must_use]
    pub fn notification(correlation: &Correlation, failed: &[Self]) -> Notification {
        let entries: Vec<Entry> = failed.iter().map(Entry::from).collect();
        confirmation(FAILED, Some(correlation), &entries)
    }
}

impl SyncMessage {
    /// Tells a client that these objects' subscriptions have ended, as it asked.
    #[must_use]
    pub fn canceled(correlation: &Correlation, objects: &[(String, Option<Kind>)]) -> Notification {
        let entries: Vec<Entry> = objects.iter().map(|(sid, kind)| Entry::of(sid, *kind)).collect();
        confirmation(CANCELED, Some(correlation), &entries)
    }

    /// Tells a client that a subscription has ended though it did not ask. Sync: the number is `null`, not absent, or
    /// the JavaScript SDK passes it over. It then asks anew, and hears why not; the Kotlin SDK takes it as the end.
    #[must_use]
    pub fn ended(sid: &str, kind: Kind) -> Notification {
        confirmation(CANCELED, None, &[Entry::of(sid, Some(kind))])
    }
}

impl DocumentUpdated {
    /// Tells of the change; `data` is the document's new data, the text of a JSON object.
    #[must_use]
    pub fn notification(&self, data: &str, replayed_for: Option<&Correlation>) -> Notification {
        let event = Updated {
            id: self.id,
            document_sid: self.sid.clone(),
            document_unique_name: self.unique_name.clone(),
            document_revision: self.revision.clone(),
            date_created: self.date_created,
            date_expires: self.date_expires,
            document_data: None,
        };
        document_event(DOCUMENT_UPDATED, replayed_for, &with_member(&event, "document_data", data))
    }
}

impl DocumentRemoved {
    /// Tells of the removal, to every subscriber; the subscriptions end with it.
    #[must_use]
    pub fn notification(&self) -> Notification {
        let event = Removed { document_sid: self.sid.clone(), date_created: self.date_created, id: self.id };
        document_event(DOCUMENT_REMOVED, None, &serde_json::to_string(&event).unwrap_or_default())
    }
}

impl Entry {
    fn of(sid: &str, kind: Option<Kind>) -> Self {
        let object_sid = sid.to_owned();
        Self { object_sid, object_type: kind, replay_status: None, last_event_id: None, error: None }
    }
}

impl From<&Confirmed> for Entry {
    fn from(confirmed: &Confirmed) -> Self {
        let replay_status = match &confirmed.replay {
            Replay::Completed => Some("completed".to_owned()),
            Replay::Interrupted => Some("interrupted".to_owned()),
            Replay::Other(other) => Some(other.clone()).filter(|other| !other.is_empty()),
        };
        let last_event_id = confirmed.last_event_id;
        Self { replay_status, last_event_id, ..Self::of(&confirmed.sid, confirmed.kind) }
    }
}

impl From<&FailedSubscription> for Entry {
    fn from(failed: &FailedSubscription) -> Self {
        Self { error: Some(failed.error.clone()), ..Self::of(&failed.sid, failed.kind) }
    }
}
