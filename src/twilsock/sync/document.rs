//! A document as the service shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::super::frame::Payload;
use super::super::wire::lenient;
use super::text::with_member;
use super::{Data, EventId, Kind, Revision, Timestamp};

/// Everything about a document but its data. Sync: `sid`, `url`, `revision` and `last_event_id` are what no SDK works
/// without; the dates are required by the Kotlin SDK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentResource {
    /// `ET…`.
    pub sid: String,
    /// Its name, if it has one.
    #[serde(default, deserialize_with = "lenient")]
    pub unique_name: Option<String>,
    /// `AC…`.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<String>,
    /// `IS…`.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub service_sid: Option<String>,
    /// Where to write and remove it: absolute, `http` or `https`. Any host will do.
    #[serde(default)]
    pub url: String,
    /// Further addresses; nobody follows them.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub links: Option<BTreeMap<String, String>>,
    /// Its state.
    pub revision: Revision,
    /// Its last event.
    pub last_event_id: EventId,
    /// When it was made.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub date_created: Option<Timestamp>,
    /// When it was last written.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub date_updated: Option<Timestamp>,
    /// When it ends, if it does.
    #[serde(default, deserialize_with = "lenient")]
    pub date_expires: Option<Timestamp>,
    /// The identity that made it.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// What a client goes by: the state of a document without its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DocumentState {
    /// `ET…`.
    pub sid: String,
    /// Its state.
    pub revision: Revision,
    /// Its last event.
    pub last_event_id: EventId,
    /// When it was made.
    #[serde(default, deserialize_with = "lenient")]
    pub date_created: Option<Timestamp>,
    /// When it was last written.
    #[serde(default, deserialize_with = "lenient")]
    pub date_updated: Option<Timestamp>,
    /// When it ends, if it does.
    #[serde(default, deserialize_with = "lenient")]
    pub date_expires: Option<Timestamp>,
}

/// What stands beside it in the body of a response.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

impl DocumentState {
    /// Reads the body of an answer to a write.
    #[must_use]
    pub fn read(payload: &Payload) -> Option<Self> {
        payload.parse()
    }

    /// Reads the body of an answer to a GET, with the data if there is some.
    #[must_use]
    pub fn read_with_data(payload: &Payload) -> Option<(Self, Option<Data>)> {
        let Body { data } = payload.parse()?;
        Some((Self::read(payload)?, data.and_then(Data::of)))
    }
}

impl DocumentResource {
    /// The body of a response. Sync: `data`, the text of a JSON object, belongs into the answer to a GET and must not be
    /// in the answer to a write, which makes the Kotlin SDK abort.
    #[must_use]
    pub fn payload(&self, data: Option<&str>) -> Payload {
        match data {
            Some(data) => Payload::from_json_text(with_member(self, "data", data)),
            None => Payload::json(self),
        }
    }

    /// Reads the body of a response, with the data if there is some.
    #[must_use]
    pub fn read(payload: &Payload) -> Option<(Self, Option<Data>)> {
        let Body { data } = payload.parse()?;
        Some((payload.parse()?, data.and_then(Data::of)))
    }

    /// The address of a document of this service. `base` is scheme and host: `https://cds.us1.twilio.com`.
    #[must_use]
    pub fn url_of(base: &str, service_sid: &str, sid: &str) -> String {
        format!("{base}/v3/Services/{service_sid}/{}/{sid}", Kind::Document.segment())
    }
}

/// The body of the answer to a request for the configuration. Sync: the Kotlin SDK wants every address below, with
/// braces as placeholders, and derives the addresses of objects from the first segments of those of items.
#[must_use]
pub fn configuration(base: &str, service_sid: &str) -> Payload {
    let service = format!("{base}/v3/Services/{service_sid}");
    Payload::json(&json!({ "links": {
        "subscriptions": format!("{base}/v4/Subscriptions"),
        "documents": format!("{base}/v3/Documents"),
        "document": format!("{service}/Documents/{{id}}"),
        "lists": format!("{base}/v3/Lists"),
        "list": format!("{service}/Lists/{{listId}}"),
        "list_items": format!("{service}/Lists/{{listId}}/Items"),
        "list_item": format!("{service}/Lists/{{listId}}/Items/{{itemId}}"),
        "maps": format!("{base}/v3/Maps"),
        "map": format!("{service}/Maps/{{mapId}}"),
        "map_items": format!("{service}/Maps/{{mapId}}/Items"),
        "map_item": format!("{service}/Maps/{{mapId}}/Items/{{itemId}}"),
        "streams": format!("{base}/v3/Streams"),
        "stream": format!("{service}/Streams/{{streamId}}"),
        "stream_messages": format!("{service}/Streams/{{streamId}}/Messages"),
        "insights_items": format!("{base}/v3/Insights/{{indexName}}/Items"),
    } }))
}
