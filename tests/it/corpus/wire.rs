//! What must hold whatever bytes a peer of the Sync protocol sends. Called as the checks beside it are.

use serde_json::{Map, Value};
use sp_sync::limits::TWILSOCK_FRAME_BYTES_MAX;
use sp_sync::twilsock::frame::{Encoded, Fault, Frame, Payload, PayloadKind};
use sp_sync::twilsock::message::{Envelope, Message, Reply, Request, ping};
use sp_sync::twilsock::sync::{
    DocumentResource, Event, SubscriptionAnswer, SyncError, SyncMessage, SyncRequest,
};

const SERVICE: &str = "IS00000000000000000000000000000000";

/// A whole websocket message, as a stranger sent it.
pub fn frame(data: &[u8]) {
    let frame = match Frame::decode(data, TWILSOCK_FRAME_BYTES_MAX) {
        Ok(frame) => frame,
        Err(error) => return assert!(error.offset <= data.len(), "{error}"),
    };
    assert!(!frame.method().is_empty() && !frame.id().is_empty());
    let (method, id) = (frame.method().to_owned(), frame.id().to_owned());
    let (header, payload) = (frame.fields(), frame.to_payload());
    if header.is_empty() {
        // A number that is none, like 1e999, in a field that nobody needs.
        return;
    }
    let again = Encoded::with_header(header, &payload);
    match Frame::decode(again.bytes(), TWILSOCK_FRAME_BYTES_MAX) {
        Ok(frame) => {
            assert_eq!((frame.method(), frame.id()), (method.as_str(), id.as_str()));
            assert_eq!(frame.to_payload(), payload);
        }
        // Numbers such as 1e15 are written longer than they were read.
        Err(error) => assert!(matches!(error.fault, Fault::HeaderTooLong { .. }), "{error}"),
    }
}

/// A header, a zero byte and a payload: what is read into a noun is written so that it reads the same.
pub fn message(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let Ok(header) = serde_json::from_slice::<Map<String, Value>>(&data[..end]) else { return };
    let payload = Payload::new(PayloadKind::Json, data.get(end + 1..).unwrap_or_default());
    content(&payload);
    let Some(envelope) = read(&Encoded::with_header(header, &payload)) else { return };
    let id = envelope.id.as_str();
    let again = match &envelope.message {
        Message::Init(init) => init.frame(id),
        Message::Request(request) => {
            requested(request);
            request.frame(id)
        }
        Message::Update(update) => update.frame(id),
        Message::Telemetry(telemetry) => telemetry.frame(id),
        Message::Close(close) => close.frame(id),
        Message::Ping => ping(id),
        Message::Notification(notification) => {
            content(&notification.payload);
            notification.frame(id)
        }
        Message::ClientUpdate(update) => update.frame(id),
        Message::Reply(reply) => return replied(id, reply),
        _ => return,
    };
    // Percent-encoding may make a header longer than is read.
    if let Some(again) = read(&again) {
        assert_eq!(again, envelope);
    }
}

fn read(frame: &Encoded) -> Option<Envelope> {
    let bytes = frame.bytes();
    Envelope::read(Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).ok()?).ok()
}

fn reply(frame: &Encoded) -> Option<Reply> {
    match read(frame)?.message {
        Message::Reply(reply) => Some(reply),
        other => panic!("{other:?}"),
    }
}

fn replied(id: &str, read: &Reply) {
    if let Ok(init) = read.clone().into_init()
        && let Some(again) = reply(&init.frame(id))
    {
        assert_eq!(again.into_init(), Ok(init));
    }
    match read.clone().into_response() {
        Ok(response) => {
            let _ = SyncError::of(&response);
            if let Some(again) = reply(&response.frame(id)) {
                assert_eq!(again.into_response(), Ok(response));
            }
        }
        Err(refusal) => assert!(!refusal.status.is_success() || refusal.status.code == 502),
    }
}

fn requested(request: &Request) {
    match SyncRequest::read(request, SERVICE) {
        Ok(SyncRequest::Subscribe(batch)) => {
            let again = SyncRequest::read(&Request::subscribe(&batch), SERVICE);
            assert_eq!(again, Ok(SyncRequest::Subscribe(batch)));
        }
        Ok(_) => {}
        Err(error) => assert!((400..500).contains(&error.status), "{error}"),
    }
}

/// A payload, taken for everything that it may be.
fn content(payload: &Payload) {
    let answer = SubscriptionAnswer::read(payload);
    assert!(answer.batch_max > 0 && !answer.estimated_delivery.is_zero());
    if let Some((document, data)) = DocumentResource::read(payload) {
        let text = data.as_ref().map(|data| data.text().clone());
        assert_eq!(DocumentResource::read(&document.payload(text.as_deref())), Some((document, data)));
    }
    let Some(message) = SyncMessage::read(payload) else { return };
    for event in message.events {
        let Event::DocumentUpdated(updated, data) = event else { continue };
        let again = updated.notification(data.text(), message.correlation.as_ref()).payload;
        let events = SyncMessage::read(&again).expect("a message").events;
        assert_eq!(events, [Event::DocumentUpdated(updated, data)]);
    }
}
