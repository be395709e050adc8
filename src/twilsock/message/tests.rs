use std::time::Duration;

use serde_json::json;

use super::*;
use crate::limits::TWILSOCK_FRAME_BYTES_MAX;
use crate::token::Token;

fn read(encoded: &Encoded) -> Envelope {
    let bytes = encoded.bytes();
    Envelope::read(Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap()).unwrap()
}

fn header(encoded: &Encoded) -> Value {
    let bytes = encoded.bytes();
    Value::Object(Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap().fields())
}

/// Reads a frame with this header.
fn given(header: Value, payload: &str) -> Result<Envelope, MessageError> {
    let Value::Object(header) = header else { panic!() };
    let encoded = Encoded::with_header(header, &Payload::from_json_text(payload.to_owned()));
    let bytes = encoded.bytes();
    Envelope::read(Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap())
}

fn request(header: Value, payload: &str) -> Request {
    match given(json!({ "method": "message", "id": "a", "http_request": header }), payload).unwrap().message {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_noun_reads_as_it_was_written() {
    let refusal = Refusal {
        status: Status::new(429).because(51202, "Too many requests"),
        backoff: Some(BackoffPolicy::new(Duration::from_secs(5), Duration::from_secs(10))),
    };
    let init = Init {
        registrations: Some(vec![Registration {
            notification_ctx_id: None,
            kind: "ers".into(),
            product: DATA_SYNC.into(),
            notification_protocol_version: Some(0),
            message_types: vec!["twilio.sync.event".into()],
        }]),
        ..Init::new(Token::new("secret"), Some("c".into()), Map::new())
    };
    let update = Update { token: Token::new("newer") };
    let request = Request {
        params: vec![("a".into(), "1 +é".into()), ("a".into(), "2".into()), ("b".into(), String::new())],
        headers: vec![("If-Match".into(), "2a".into())],
        body: Payload::json(&json!({ "data": {} })),
        ..Request::new(Method::Post, &["v3", "Documents", "a/b c"])
    };
    let notification = Notification {
        message_type: "twilio.sync.event".into(),
        payload: Payload::json(&json!({ "event_type": "x" })),
    };
    let client_update = ClientUpdate {
        kind: ClientUpdateKind::TokenAboutToExpire,
        message: "Your token is about to expire".into(),
    };
    let close = Close { why: Some(refusal) };
    for (frame, message) in [
        (init.frame("i"), Message::Init(init)),
        (update.frame("i"), Message::Update(update)),
        (request.frame("i"), Message::Request(request)),
        (notification.frame("i"), Message::Notification(notification)),
        (client_update.frame("i"), Message::ClientUpdate(client_update)),
        (close.frame("i"), Message::Close(close)),
        (Close::default().frame("i"), Message::Close(Close::default())),
        (ping("i"), Message::Ping),
    ] {
        assert_eq!(read(&frame), Envelope { id: "i".into(), message });
    }
}

#[test]
fn a_reply_means_what_it_answers() {
    let reply = |frame: &Encoded| match read(frame).message {
        Message::Reply(reply) => reply,
        other => panic!("{other:?}"),
    };
    let accepted = Accepted {
        continuation_token: Some("opaque".into()),
        account: Some(AccountDescriptor {
            account_sid: "AC".into(),
            instance_sids: [(DATA_SYNC.to_owned(), "IS".to_owned())].into(),
            identity: "alice".into(),
        }),
        ..Accepted::default()
    };
    assert_eq!(reply(&accepted.frame("i")).into_init(), Ok(InitReply::Accepted(accepted)));
    let refusal =
        Refusal::from(Status::new(401).because(20104, "Access Token expired or expiration date invalid"));
    assert_eq!(reply(&refusal.reply("i")).into_init(), Ok(InitReply::Refused(refusal.clone())));
    let response =
        Response::json(404, Payload::json(&json!({ "status": 404, "code": 54100, "message": "gone" })));
    assert_eq!(reply(&response.frame("i")).into_response(), Ok(response));
    assert_eq!(reply(&refusal.reply("i")).into_response(), Err(refusal));
    assert!(reply(&acknowledge("i")).status.is_success());
    // Without an HTTP status the Kotlin SDK takes 200; so does this crate.
    assert_eq!(reply(&acknowledge("i")).into_response().map(|response| response.code), Ok(200));
}

#[test]
fn parameters_and_headers_come_as_text_and_as_arrays() {
    let javascript = request(
        json!({ "host": "h", "path": "/v3/Lists/a%2Fb/Items", "method": "GET",
            "params": { "From": "a%2Bb%20c", "x": ["1", "2"] }, "headers": { "If-Match": "2a" } }),
        "",
    );
    let kotlin = request(
        json!({ "path": "/v3/Lists/a%2Fb/Items", "method": "GET",
            "params": { "From": ["a%2Bb+c"], "x": ["1", "2"] }, "headers": { "if-match": ["2a"] } }),
        "",
    );
    for request in [javascript, kotlin] {
        assert_eq!(request.path, ["v3", "Lists", "a/b", "Items"]);
        assert_eq!((request.param("From"), request.header("IF-match")), (Some("a+b c"), Some("2a")));
        assert_eq!(request.params.iter().filter(|(name, _)| name == "x").count(), 2);
    }
}

#[test]
fn bodies_of_reads_and_removals_are_not_looked_at() {
    for (method, bytes) in [("DELETE", 0), ("GET", 0), ("POST", 9), ("PUT", 9)] {
        let request = request(json!({ "path": "/v3/x", "method": method }), "data_sync");
        assert_eq!(request.body.len(), bytes, "{method}");
    }
}

#[test]
fn a_message_without_what_its_method_needs_is_refused_without_its_values() {
    for (fields, why) in [
        (json!({ "method": "init", "id": "a" }), "missing field `token`"),
        (json!({ "method": "init", "id": "a", "token": 17 }), "it should be a string"),
        (json!({ "method": "update", "id": "a" }), "missing field `token`"),
        (json!({ "method": "message", "id": "a" }), "missing field `http_request`"),
        (
            json!({ "method": "message", "id": "a", "http_request": { "path": "x", "method": "GET" } }),
            "the path does not begin with a slash",
        ),
        (
            json!({ "method": "message", "id": "a", "http_request": { "path": "/%ff", "method": "GET" } }),
            "the path is not percent-encoded UTF-8",
        ),
        (
            json!({ "method": "message", "id": "a", "http_request": { "path": "/", "method": "HEAD" } }),
            "the method is none of GET, POST, PUT and DELETE",
        ),
        (json!({ "method": "reply", "id": "a" }), "missing field `status`"),
        (json!({ "method": "reply", "id": "a", "status": { "code": "200" } }), "`status` has no code"),
    ] {
        let error = given(fields, "").unwrap_err();
        assert_eq!((error.id.as_str(), error.why.as_str()), ("a", why));
    }
}

#[test]
fn what_nobody_needs_may_have_any_form() {
    let odd = json!({ "method": "init", "id": "a", "token": "t", "continuation_token": 5, "capabilities": [1, "x"],
        "metadata": "none", "registrations": [{ "product": 1 }, { "product": "data_sync" }], "tweaks": null });
    let Message::Init(init) = given(odd, "").unwrap().message else { panic!() };
    assert_eq!((init.continuation_token, init.capabilities), (None, vec!["x".to_owned()]));
    assert_eq!(init.registrations.map(|registrations| registrations.len()), Some(1));
    let odd = json!({ "method": "telemetry.v1", "id": "a", "events": [1, { "start": -1, "end": 0, "title": "t" }] });
    let Message::Telemetry(telemetry) = given(odd, "").unwrap().message else { panic!() };
    assert_eq!(telemetry.events.len(), 1);
    let odd = json!({ "method": "close", "id": "a", "status": "bye" });
    assert_eq!(given(odd, "[1]").unwrap().message, Message::Close(Close::default()));
}

#[test]
fn unknown_methods_are_kept_whole() {
    let Message::Unknown { method, header, payload } =
        given(json!({ "method": "something_new", "id": "a", "more": true }), "{}").unwrap().message
    else {
        panic!()
    };
    assert_eq!(
        (method.as_str(), header.get("more"), payload.len()),
        ("something_new", Some(&json!(true)), 2)
    );
}

#[test]
fn an_acknowledgement_is_as_short_as_the_sdks() {
    let expected =
        json!({ "method": "reply", "id": "a", "status": { "code": 200, "status": "OK" }, "payload_size": 0 });
    assert_eq!(header(&acknowledge("a")), expected);
}

#[test]
fn the_longest_absence_exceeds_the_shortest() {
    let second = Duration::from_secs(1);
    let policy = BackoffPolicy::new(second, second);
    assert!(policy.max() > policy.min());
    let payload = Payload::json(&json!({ "backoff_policy": { "reconnect_min_ms": 700 } }));
    let read = BackoffPolicy::read(&payload).unwrap();
    assert_eq!((read.min().as_millis(), read.max().as_millis()), (700, 1400));
    assert_eq!(
        BackoffPolicy::read(&Payload::json(&json!({ "backoff_policy": { "reconnect_min_ms": -1 } }))),
        None
    );
}

#[test]
fn tokens_and_bodies_are_never_printed() {
    let init = Init::new(Token::new("top secret"), None, Map::new());
    let request = Request { body: Payload::json(&"top secret"), ..Request::new(Method::Post, &["v3"]) };
    for text in [format!("{init:?}"), format!("{request:?}")] {
        assert!(!text.contains("top secret"), "{text}");
    }
}
