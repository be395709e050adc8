use sp_sync::twilsock::message::{Message, Request};
use sp_sync::twilsock::sync::{
    Address, Confirmed, Data, DocumentResource, Event, FailedSubscription, Kind, SyncError, SyncMessage,
    SyncRequest, Target,
};

use super::*;

/// The service of every recorded conversation.
const SERVICE: &str = "IS00000000000000000000000000000000";

fn requests() -> Vec<(String, Request)> {
    let vectors = vectors();
    let frames =
        vectors.iter().flat_map(|vector| &vector.frames).filter(|recorded| recorded.method() == "message");
    let request = |recorded: &Recorded| match recorded.envelope().message {
        Message::Request(request) => (recorded.place.clone(), request),
        other => panic!("{other:?}"),
    };
    frames.map(request).collect()
}

fn text(data: Option<&Data>) -> Option<&str> {
    data.map(|data| &**data.text())
}

/// Writes what was read, in the path style in which it came.
fn rewrite(read: &SyncRequest, service: Option<&str>) -> Option<Request> {
    Some(match read {
        SyncRequest::Configuration => Request::configuration(),
        SyncRequest::CreateDocument(create) => {
            Request::create_document(create.unique_name.as_deref(), text(create.data.as_ref()), create.ttl)
        }
        SyncRequest::GetDocument(address) => Request::get_document(service, address),
        SyncRequest::UpdateDocument(address, update) => {
            let data = text(update.data.as_ref());
            Request::update_document(service, address, data, update.ttl, update.if_match.as_ref())
        }
        SyncRequest::RemoveDocument(address, _) => Request::remove_document(service, address),
        SyncRequest::Subscribe(batch) => Request::subscribe(batch),
        _ => return None,
    })
}

/// The Kotlin SDK's subscriptions have a field `type` that nobody reads.
fn body(request: &Request) -> Value {
    let mut body = without_nulls(request.body.parse().unwrap_or_default());
    for entry in body["requests"].as_array_mut().into_iter().flatten() {
        entry.as_object_mut().unwrap().remove("type");
    }
    body
}

#[test]
fn every_request_is_understood_and_those_about_documents_are_written_the_same() {
    let (mut documents, mut others) = (0, 0);
    for (place, request) in requests() {
        let read = match SyncRequest::read(&request, SERVICE) {
            Ok(read) => read,
            // Opening by a SID that does not exist ends in a name that looks like a SID, and in this refusal.
            Err(error) => {
                assert!(place.starts_with("30-") && error.code == 54302, "{place}: {error}");
                continue;
            }
        };
        let service = (request.path[1] == "Services").then_some(SERVICE);
        let Some(again) = rewrite(&read, service) else {
            assert!(
                matches!(&read, SyncRequest::Other(_, target) if !about_documents(target)),
                "{place}: {read:?}"
            );
            others += 1;
            continue;
        };
        assert_eq!((again.method, &again.path), (request.method, &request.path), "{place}");
        assert_eq!(again.header("If-Match"), request.header("If-Match"), "{place}");
        assert_eq!(body(&again), body(&request), "{place}");
        documents += 1;
    }
    assert!(documents > 200 && others > 100, "{documents} {others}");
}

fn about_documents(target: &Target) -> bool {
    matches!(
        target,
        Target::Collection(Kind::Document) | Target::Object(Kind::Document, _) | Target::Subscriptions
    )
}

/// `event` and `events` are the same; what else stands beside them (`strictly_ordered`) matters to queries only.
fn events(message: &Value) -> Vec<Value> {
    let one = message.get("event").into_iter();
    one.chain(message["events"].as_array().into_iter().flatten()).cloned().map(without_nulls).collect()
}

#[test]
fn every_event_reads_into_a_noun_and_back() {
    let (mut known, mut others) = (0, 0);
    for recorded in vectors().iter().flat_map(|vector| &vector.frames) {
        if recorded.method() != "notification" {
            continue;
        }
        let json: Value = recorded.payload.parse().unwrap();
        let message = SyncMessage::read(&recorded.payload).unwrap();
        let correlation = message.correlation.clone();
        assert_eq!(serde_json::to_value(&correlation).unwrap(), json["correlation_id"], "{}", recorded.place);
        let expected = events(&json);
        assert_eq!(message.events.len(), expected.len(), "{}", recorded.place);
        for (event, expected) in message.events.into_iter().zip(expected) {
            // A cancellation by the server has no number; this crate never sends one.
            let asked = correlation.clone().unwrap_or(sp_sync::twilsock::sync::Correlation::new(0));
            let again = match &event {
                Event::Established(confirmed) => {
                    Confirmed::notification(&asked, std::slice::from_ref(confirmed))
                }
                Event::Failed(failed) => {
                    FailedSubscription::notification(&asked, std::slice::from_ref(failed))
                }
                Event::Canceled { sid, kind } => SyncMessage::canceled(&asked, &[(sid.clone(), *kind)]),
                Event::DocumentUpdated(updated, data) => {
                    updated.notification(data.text(), correlation.as_ref())
                }
                Event::DocumentRemoved(removed) => removed.notification(),
                Event::Other { event_type, event } => {
                    assert!(!event_type.starts_with("document_"), "{}: {event:?}", recorded.place);
                    assert_eq!(without_nulls(Value::Object(event.clone())), expected);
                    others += 1;
                    continue;
                }
                other => panic!("{other:?}"),
            };
            let again: Value = again.payload.parse().unwrap();
            assert_eq!(again["event_type"], json["event_type"]);
            assert_eq!(events(&again), [expected], "{}", recorded.place);
            known += 1;
        }
    }
    assert!(known > 150 && others > 50, "{known} {others}");
}

#[test]
fn every_document_and_every_error_in_an_answer_reads_and_is_written_the_same() {
    let (mut documents, mut errors) = (0, 0);
    for recorded in vectors().iter().flat_map(|vector| &vector.frames) {
        if recorded.to_server || !recorded.header.contains_key("http_status") {
            continue;
        }
        let Message::Reply(reply) = recorded.envelope().message else { panic!() };
        let Ok(response) = reply.into_response() else { continue };
        let json: Value = response.body.parse().unwrap_or_default();
        if let Some(error) = SyncError::of(&response) {
            assert_eq!(error.response().body.parse::<Value>(), Some(json), "{}", recorded.place);
            errors += 1;
        } else if json["sid"].as_str().is_some_and(|sid| sid.starts_with(Kind::Document.prefix())) {
            let (document, data) = DocumentResource::read(&response.body).unwrap();
            let again = document.payload(text(data.as_ref()));
            assert_eq!(without_nulls(again.parse().unwrap()), without_nulls(json), "{}", recorded.place);
            assert!(matches!(Address::of(&document.sid), Address::Sid(_)));
            documents += 1;
        }
    }
    assert!(documents > 110 && errors > 90, "{documents} {errors}");
}
