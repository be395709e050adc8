use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::frame::Payload;
use super::super::message::{Method, Request, Response};
use super::*;

const SERVICE: &str = "IS00000000000000000000000000000000";
const DOCUMENT: &str = "ET0c1d2e3f405162738495a6b7c8d9eaf0";

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

fn read(request: &Request) -> Result<SyncRequest, SyncError> {
    SyncRequest::read(request, SERVICE)
}

fn post(path: &[&str], body: &str) -> Request {
    Request { body: Payload::from_json_text(body.to_owned()), ..Request::new(Method::Post, path) }
}

fn value(payload: &Payload) -> Value {
    payload.parse().expect("JSON")
}

#[test]
fn what_a_client_writes_a_server_reads() {
    let address = Address::of(DOCUMENT);
    let name = Address::of("a/b c?");
    let revision = EventId(42).revision();
    let data = Some(object(json!({ "rows": [1] })));
    let ttl = Some(Ttl::of(Duration::from_millis(1500)));
    let text = Some(r#"{"rows":[1]}"#);
    let batch = SubscriptionBatch::establish(
        Correlation::new(7),
        vec![SubscriptionEntry::document(DOCUMENT, EventId(0))],
    );
    for (request, expected) in [
        (Request::configuration(), SyncRequest::Configuration),
        (Request::create_document(None, None, None), SyncRequest::CreateDocument(CreateDocument::default())),
        (
            Request::create_document(Some("n"), text, ttl),
            SyncRequest::CreateDocument(CreateDocument {
                unique_name: Some("n".into()),
                data: data.clone().map(Data::from),
                ttl,
            }),
        ),
        (Request::get_document(None, &name), SyncRequest::GetDocument(name.clone())),
        (Request::get_document(Some(SERVICE), &address), SyncRequest::GetDocument(address.clone())),
        (
            Request::update_document(Some(SERVICE), &address, text, None, Some(&revision)),
            SyncRequest::UpdateDocument(
                address.clone(),
                UpdateDocument { data: data.map(Data::from), ttl: None, if_match: Some(revision) },
            ),
        ),
        (
            Request::update_document(None, &address, None, ttl, None),
            SyncRequest::UpdateDocument(address.clone(), UpdateDocument { ttl, ..UpdateDocument::default() }),
        ),
        (Request::remove_document(Some(SERVICE), &address), SyncRequest::RemoveDocument(address, None)),
        (Request::subscribe(&batch), SyncRequest::Subscribe(batch)),
    ] {
        assert_eq!(read(&request), Ok(expected));
    }
}

#[test]
fn a_bad_request_is_answered_with_its_number() {
    let of = |path: &[&str], body| read(&post(path, body)).unwrap_err();
    let documents = ["v3", "Documents"];
    let one = ["v3", "Documents", DOCUMENT];
    for (error, code) in [
        (of(&["v3", "Nothing"], "{}"), Code::NoSuchPath),
        (of(&["v3", "Documents", ""], "{}"), Code::NoSuchPath),
        (
            of(&["v3", "Services", "ISffffffffffffffffffffffffffffffff", "Documents"], "{}"),
            Code::NotYourService,
        ),
        (of(&documents, "no json"), Code::NotJson),
        (of(&documents, "[]"), Code::NotJson),
        (of(&documents, ""), Code::NotJson),
        (of(&documents, r#"{"unique_name":""}"#), Code::BadUniqueName),
        (of(&documents, &json!({ "unique_name": DOCUMENT }).to_string()), Code::BadUniqueName),
        (of(&documents, &json!({ "unique_name": "ž".repeat(321) }).to_string()), Code::BadUniqueName),
        (of(&documents, r#"{"data":null}"#), Code::BadDocumentData),
        (of(&documents, r#"{"data":[]}"#), Code::BadDocumentData),
        (of(&one, "{}"), Code::NothingToUpdate),
        (of(&one, r#"{"ttl":-1}"#), Code::BadTtl),
        (of(&one, r#"{"ttl":1.5}"#), Code::BadTtl),
        (of(&one, r#"{"ttl":31536001}"#), Code::BadTtl),
        (of(&["v4", "Subscriptions"], r#"{"action":"establish"}"#), Code::BadParameter),
        (of(&["v4", "Subscriptions"], r#"{"action":"watch","correlation_id":1}"#), Code::BadParameter),
        (read(&Request::new(Method::Put, &one)).unwrap_err(), Code::MethodNotAllowed),
    ] {
        assert!(error.is(code), "{error:?} is not {code:?}");
        let response = error.response();
        assert_eq!(SyncError::of(&response), Some(error));
    }
    let mut request = post(&one, r#"{"data":{}}"#);
    request.headers.push(("if-match".into(), String::new()));
    assert!(read(&request).unwrap_err().is(Code::BadIfMatch));
    assert!(Address::check_unique_name(&"ž".repeat(320)).is_ok());
}

#[test]
fn an_error_without_a_body_of_its_form_keeps_its_status() {
    assert_eq!(SyncError::of(&Response::empty(200)), None);
    let error = SyncError::of(&Response::empty(502)).unwrap();
    assert_eq!((error.status, error.code), (502, 0));
    let contradicting =
        Response::json(503, Payload::json(&json!({ "status": 200, "code": 1, "message": "m" })));
    assert_eq!(SyncError::of(&contradicting).map(|error| (error.status, error.code)), Some((503, 1)));
}

#[test]
fn every_path_of_the_protocol_is_told_apart() {
    let name = || Address::Name("n".into());
    for (path, target) in [
        ("v3/Configuration", Target::Configuration),
        ("v3/Documents", Target::Collection(Kind::Document)),
        ("v3/Documents/n", Target::Object(Kind::Document, name())),
        ("v3/Documents/n/Permissions", Target::Permissions(Kind::Document, name())),
        ("v3/Lists/n/Items", Target::Items(Kind::List, name())),
        ("v3/Lists/n/Items/3", Target::Item(Kind::List, name(), "3".into())),
        ("v3/Lists/n/Context", Target::Context(name())),
        ("v3/Maps/n/Items/k", Target::Item(Kind::Map, name(), "k".into())),
        ("v3/Streams/n/Messages", Target::Messages(name())),
        ("v3/Insights/tr-worker/Items", Target::Query("tr-worker".into())),
        ("v4/Subscriptions", Target::Subscriptions),
    ] {
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        let place = Place::of(&segments).unwrap_or_else(|| panic!("{path}"));
        assert_eq!((&place.target, place.segments()), (&target, segments));
        let within = target.clone().within(Some(SERVICE));
        let read = Place::of(&within.segments()).unwrap();
        assert_eq!(read.target, target);
    }
    for path in
        ["v3", "v4", "v4/Documents", "v3/Subscriptions", "v3/Documents/n/Items", "v3/Streams/n/Items", "v2/x"]
    {
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        assert_eq!(Place::of(&segments), None, "{path}");
    }
}

#[test]
fn a_sid_has_two_capitals_and_32_hexadecimal_digits() {
    assert!(is_sid(DOCUMENT) && is_sid(SERVICE));
    for text in [
        "",
        "ET",
        "ET0C1D2E3F405162738495A6B7C8D9EAF0",
        "et0c1d2e3f405162738495a6b7c8d9eaf0",
        "ETé1d2e3f405162738495a6b7c8d9eaf0",
    ] {
        assert!(!is_sid(text), "{text}");
    }
}

#[test]
fn a_revision_is_its_event_in_hexadecimal() {
    assert_eq!(EventId(0).revision().as_str(), "0");
    assert_eq!(EventId(42).revision(), Revision::new("2a"));
    assert_eq!(Revision::new("2a").event_id(), Some(EventId(42)));
    for foreign in ["", "2A", "02a", "-1", "+1", "xyz", "ffffffffffffffffff"] {
        assert_eq!(Revision::new(foreign).event_id(), None, "{foreign}");
    }
}

#[test]
fn a_time_to_live_is_whole_seconds_up_to_a_year() {
    assert_eq!(Ttl::of(Duration::ZERO), Ttl::Never);
    assert_eq!(Ttl::of(Duration::from_millis(1)).seconds(), 1);
    assert_eq!(Ttl::of(Duration::MAX).seconds(), 31_536_000);
    assert_eq!(Ttl::read(&json!(0)), Ok(Ttl::Never));
}

#[test]
fn a_document_has_data_only_where_it_was_asked_for() {
    let resource = DocumentResource {
        sid: DOCUMENT.into(),
        unique_name: Some("seat-map".into()),
        account_sid: None,
        service_sid: Some(SERVICE.into()),
        url: DocumentResource::url_of("https://cds.us1.twilio.com", SERVICE, DOCUMENT),
        links: None,
        revision: EventId(42).revision(),
        last_event_id: EventId(42),
        date_created: Some(Timestamp::from_unix_ms(0)),
        date_updated: Some(Timestamp::from_unix_ms(1)),
        date_expires: None,
        created_by: Some("alice".into()),
    };
    let data = r#"{"z":1,"a":1.50}"#;
    let (read, found) = DocumentResource::read(&resource.payload(Some(data))).unwrap();
    assert_eq!((read, &**found.unwrap().text()), (resource.clone(), data), "as it was written");
    let written = value(&resource.payload(None));
    assert_eq!((written.get("data"), written.get("date_expires")), (None, Some(&Value::Null)));
    assert_eq!(DocumentResource::read(&resource.payload(None)), Some((resource, None)));
}

#[test]
fn events_read_as_they_were_written() {
    let correlation = Correlation::new(1_780_301_400_125);
    let updated = DocumentUpdated {
        id: EventId(43),
        sid: DOCUMENT.into(),
        unique_name: None,
        revision: Some(Revision::new("2b")),
        date_created: Some(Timestamp::from_unix_ms(5)),
        date_expires: Some(None),
    };
    let removed = DocumentRemoved { sid: DOCUMENT.into(), id: Some(EventId(44)), date_created: None };
    let kind = Some(Kind::Document);
    let confirmed =
        Confirmed { sid: DOCUMENT.into(), kind, replay: Replay::Completed, last_event_id: Some(EventId(43)) };
    let failed = FailedSubscription { sid: DOCUMENT.into(), kind, error: Code::NoDocument.into() };
    let data = object(json!({ "rows": 13 }));
    let text = r#"{"rows":13}"#;
    let asked = Some(correlation.clone());
    for (notification, message_type, correlation, event) in [
        (
            updated.notification(text, None),
            DOCUMENT_EVENT,
            None,
            Event::DocumentUpdated(updated.clone(), data.clone().into()),
        ),
        (
            updated.notification(text, asked.as_ref()),
            SYNC_EVENT,
            asked.clone(),
            Event::DocumentUpdated(updated, data.into()),
        ),
        (removed.notification(), DOCUMENT_EVENT, None, Event::DocumentRemoved(removed)),
        (
            Confirmed::notification(&correlation, std::slice::from_ref(&confirmed)),
            SYNC_EVENT,
            asked.clone(),
            Event::Established(confirmed),
        ),
        (
            FailedSubscription::notification(&correlation, std::slice::from_ref(&failed)),
            SYNC_EVENT,
            asked.clone(),
            Event::Failed(failed),
        ),
        (
            SyncMessage::canceled(&correlation, &[(DOCUMENT.into(), kind)]),
            SYNC_EVENT,
            asked.clone(),
            Event::Canceled { sid: DOCUMENT.into(), kind },
        ),
        (
            SyncMessage::ended(DOCUMENT, Kind::Document),
            SYNC_EVENT,
            None,
            Event::Canceled { sid: DOCUMENT.into(), kind },
        ),
    ] {
        assert_eq!(notification.message_type, message_type);
        let read = SyncMessage::read(&notification.payload).unwrap();
        assert_eq!(read, SyncMessage { correlation, events: vec![event] });
    }
}

/// An absent number would be passed over by the JavaScript SDK.
#[test]
fn an_end_that_nobody_asked_for_has_the_number_null() {
    let ended = SyncMessage::ended(DOCUMENT, Kind::Document).payload;
    assert_eq!(value(&ended).get("correlation_id"), Some(&Value::Null));
}

#[test]
fn strange_events_are_kept_and_strange_messages_are_none() {
    let of = |value: Value| SyncMessage::read(&Payload::json(&value));
    for payload in
        [Payload::none(), Payload::from_json_text("{".into()), Payload::json(&json!({ "event": {} }))]
    {
        assert_eq!(SyncMessage::read(&payload), None);
    }
    let empty = of(json!({ "event_type": "x", "correlation_id": null })).unwrap();
    assert_eq!(empty, SyncMessage { correlation: None, events: Vec::new() });
    for event in [json!({}), json!({ "id": "x", "document_sid": DOCUMENT, "document_data": {} })] {
        let message = of(json!({ "event_type": "document_updated", "event": event })).unwrap();
        assert!(matches!(&message.events[..], [Event::Other { .. }]), "{message:?}");
    }
    let message = of(json!({ "event_type": "map_item_added", "events": [{ "item_key": "k" }] })).unwrap();
    assert!(
        matches!(&message.events[..], [Event::Other { event_type, .. }] if event_type == "map_item_added")
    );
}

/// Sync: `date_expires` sets the end or, absent, leaves it; whatever else stands in a field that may be absent, the event
/// is not lost for it.
#[test]
fn an_odd_field_that_may_be_absent_costs_no_event() {
    let expires = |odd: Option<Value>| {
        let mut event = object(json!({ "id": 3, "document_sid": DOCUMENT, "document_data": { "seat": 7 } }));
        for name in ["date_expires", "document_unique_name", "document_revision", "date_created"] {
            event.extend(odd.clone().map(|odd| (name.to_owned(), odd)));
        }
        let message = json!({ "event_type": "document_updated", "event": event });
        let message = SyncMessage::read(&Payload::json(&message)).unwrap();
        let [Event::DocumentUpdated(updated, data)] = &message.events[..] else { panic!("{message:?}") };
        assert_eq!((updated.id, &**data.text()), (EventId(3), r#"{"seat":7}"#));
        updated.date_expires
    };
    assert_eq!((expires(None), expires(Some(Value::Null))), (None, Some(None)));
    for odd in [json!(7), json!("soon"), json!(""), json!(true), json!([]), json!({ "at": 1 })] {
        assert_eq!(expires(Some(odd.clone())), None, "{odd}");
    }
    let date = "2026-03-01T10:05:00.000Z";
    assert_eq!(expires(Some(date.into())), Some(Timestamp::parse(date)));
}

#[test]
fn a_number_goes_back_as_it_came() {
    for number in ["1", "1780301400125", "18446744073709551615", "1.5", "-3"] {
        let body = format!(
            r#"{{"action":"cancel","correlation_id":{number},"requests":[{{"object_sid":"ET"}},7]}}"#
        );
        let Ok(SyncRequest::Subscribe(batch)) = read(&post(&["v4", "Subscriptions"], &body)) else {
            panic!()
        };
        assert_eq!(batch.entries.len(), 1);
        let confirmation = SyncMessage::canceled(&batch.correlation, &[]);
        let text = String::from_utf8(confirmation.payload.bytes().to_vec()).unwrap();
        assert!(text.contains(&format!("\"correlation_id\":{number},")), "{text}");
    }
}

#[test]
fn what_a_subscription_answer_leaves_out_is_the_usual() {
    let answer = SubscriptionAnswer { estimated_delivery: Duration::from_secs(6), batch_max: 50, ttl: None };
    assert_eq!(SubscriptionAnswer::read(&answer.payload()), answer);
    let usual = SubscriptionAnswer::read(&Payload::json(&json!({ "max_batch_size": 0, "ttl_in_s": -1 })));
    assert_eq!((usual.estimated_delivery, usual.batch_max, usual.ttl), (Duration::from_secs(5), 100, None));
}

#[test]
fn the_configuration_has_braces_where_ids_go() {
    let links = value(&configuration("https://cds.example", SERVICE));
    assert_eq!(
        links["links"]["map_item"],
        format!("https://cds.example/v3/Services/{SERVICE}/Maps/{{mapId}}/Items/{{itemId}}")
    );
    assert_eq!(links["links"].as_object().map(Map::len), Some(15));
}
