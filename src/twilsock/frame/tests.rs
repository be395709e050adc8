use serde_json::{Value, json};

use super::*;
use crate::limits::{TWILSOCK_FRAME_BYTES_MAX, TWILSOCK_HEADER_BYTES_MAX};

const PING: &[u8] = b"TWILSOCK V3.0 46\r\n{\"method\":\"ping\",\"id\":\"TM01\",\"payload_size\":0}\r\n";

fn decode(message: &[u8]) -> Result<Frame<'_>, FrameError> {
    Frame::decode(message, TWILSOCK_FRAME_BYTES_MAX)
}

fn fault(message: &[u8]) -> (usize, Fault) {
    let error = decode(message).expect_err("no frame");
    (error.offset, error.fault)
}

/// A message around this header, with its true length.
fn message(header: &str, payload: &[u8]) -> Vec<u8> {
    [format!("TWILSOCK V3.0 {}\r\n{header}\r\n", header.len()).as_bytes(), payload].concat()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

#[test]
fn a_ping_is_these_66_bytes() {
    let frame = decode(PING).unwrap();
    assert_eq!((frame.method(), frame.id(), frame.payload()), ("ping", "TM01", &b""[..]));
    let encoded = Encoded::with_header(object(json!({ "method": "ping", "id": "TM01" })), &Payload::none());
    assert_eq!((encoded.bytes(), encoded.len()), (PING, 66));
}

#[test]
fn a_notification_counts_bytes_and_ends_with_a_line_end() {
    let header = json!({ "method": "notification", "id": "TM02", "message_type": "twilio.sync.event" });
    let encoded = Encoded::with_header(object(header), &Payload::json(&json!({ "k": "čaj 🐴" })));
    let bytes = encoded.bytes();
    assert!(bytes.starts_with(b"TWILSOCK V3.0 124\r\n"));
    assert!(bytes.ends_with("{\"k\":\"čaj 🐴\"}\r\n".as_bytes()));
    assert_eq!(bytes.len(), 164);
    let frame = decode(bytes).unwrap();
    assert_eq!((frame.payload().len(), frame.payload_kind()), (17, PayloadKind::Json));
}

#[test]
fn the_line_end_after_a_payload_may_be_missing() {
    let header = r#"{"method":"message","id":"a","payload_size":2}"#;
    for payload in [&b"{}"[..], b"{}\r\n"] {
        assert_eq!(decode(&message(header, payload)).unwrap().payload(), b"{}");
    }
    let start = message(header, b"").len();
    assert_eq!(fault(&message(header, b"{}\r\n!")), (start, Fault::Surplus { bytes: 3 }));
    assert_eq!(fault(&message(header, b"{}\n")), (start, Fault::Surplus { bytes: 1 }));
}

#[test]
fn without_a_size_nothing_behind_the_header_is_read() {
    for header in [
        r#"{"method":"x","id":"a"}"#,
        r#"{"method":"x","id":"a","payload_size":null}"#,
        r#"{"method":"x","id":"a","payload_size":0}"#,
    ] {
        assert_eq!(decode(&message(header, b"anything")).unwrap().payload(), b"");
    }
}

#[test]
fn unknown_methods_and_fields_are_kept() {
    let bytes = message(r#"{"method":"something_new","id":"a","more":[1]}"#, b"");
    let frame = decode(&bytes).unwrap();
    assert_eq!((frame.method(), frame.fields().get("more")), ("something_new", Some(&json!([1]))));
}

#[test]
fn payloads_are_of_the_kind_their_type_says() {
    for (kind, expected) in [
        ("", PayloadKind::Json),
        (r#","payload_type":null"#, PayloadKind::Json),
        (r#","payload_type":"application/json; charset=utf-8""#, PayloadKind::Json),
        (r#","payload_type":"text/plain;charset=utf-8""#, PayloadKind::Text),
        (r#","payload_type":"image/png""#, PayloadKind::Other),
    ] {
        let bytes = message(&format!(r#"{{"method":"x","id":"a"{kind}}}"#), b"");
        assert_eq!(decode(&bytes).unwrap().payload_kind(), expected, "{kind}");
    }
}

#[test]
fn a_fault_says_what_where_and_which_limit() {
    assert_eq!(fault(b""), (0, Fault::Magic));
    assert_eq!(fault(b"TWILSOCK V4.0 2\r\n{}\r\n"), (0, Fault::Magic));
    assert_eq!(fault(b"TWILSOCK V3.0 \r\n"), (14, Fault::HeaderLength));
    assert_eq!(fault(b"TWILSOCK V3.0 12"), (16, Fault::HeaderLength));
    assert_eq!(fault(b"TWILSOCK V3.0 -1\r\n"), (14, Fault::HeaderLength));
    assert_eq!(fault(b"TWILSOCK V3.0 9999999999\r\n"), (23, Fault::HeaderLength));
    let limit = TWILSOCK_HEADER_BYTES_MAX;
    assert_eq!(fault(b"TWILSOCK V3.0 65537\r\n"), (14, Fault::HeaderTooLong { bytes: limit + 1, limit }));
    let short = Fault::Short { part: "header", stated: 9, present: 2 };
    assert_eq!(fault(b"TWILSOCK V3.0 9\r\n{}"), (17, short));
    assert_eq!(
        fault(b"TWILSOCK V3.0 2\r\n{}"),
        (17, Fault::Field { field: "method", expected: "text that is not empty" })
    );
    assert_eq!(fault(b"TWILSOCK V3.0 2\r\n[]\r\n"), (17, Fault::Header));
    assert_eq!(fault(&PING[..64]), (64, Fault::LineEnd));
    let header = r#"{"method":"x","id":"a","payload_size":3}"#;
    let short = Fault::Short { part: "payload", stated: 3, present: 2 };
    assert_eq!(fault(&message(header, b"{}")), (message(header, b"").len(), short));
    let error = Frame::decode(PING, 65).unwrap_err();
    assert_eq!(error.to_string(), "no frame, at byte 65: the message has 66 bytes, the limit is 65");
}

#[test]
fn a_size_is_a_whole_number_that_exists() {
    for size in ["-1", "1.5", "\"2\"", "true", "1e300", "18446744073709551616"] {
        let bytes = message(&format!(r#"{{"method":"x","id":"a","payload_size":{size}}}"#), b"{}");
        assert!(matches!(fault(&bytes).1, Fault::Field { field: "payload_size", .. }), "{size}");
    }
    let bytes = message(r#"{"method":"x","id":"a","payload_size":18446744073709551615}"#, b"{}");
    assert!(matches!(fault(&bytes).1, Fault::Short { part: "payload", .. }));
}

#[test]
fn every_prefix_of_a_frame_is_refused_and_never_a_panic() {
    let header = json!({ "method": "message", "id": "a" });
    let encoded = Encoded::with_header(object(header), &Payload::from_json_text("{\"a\":1}".into()));
    let bytes = encoded.bytes();
    let whole = bytes.len() - LINE_END.len();
    for end in 0..whole {
        decode(&bytes[..end]).unwrap_err();
    }
    decode(&bytes[..whole]).unwrap();
}

#[test]
fn clones_of_a_frame_share_its_bytes() {
    let payload = Payload::json(&json!({ "data": "x".repeat(1000) }));
    let frame = Encoded::of("notification", "n", &json!({}), &payload);
    assert_eq!(frame.clone().bytes().as_ptr(), frame.bytes().as_ptr());
}

#[test]
fn a_mirror_stands_between_what_every_header_begins_and_ends_with() {
    let payload = Payload::json(&json!({}));
    let frame = Encoded::of("notification", "n", &json!({ "b": [1], "a": null }), &payload);
    let header = r#"{"method":"notification","id":"n","b":[1],"a":null,"payload_type":"application/json","payload_size":2}"#;
    let expected = format!("TWILSOCK V3.0 {}\r\n{header}\r\n{{}}\r\n", header.len());
    assert_eq!(frame.bytes(), expected.as_bytes());
}

#[test]
fn fields_that_stand_twice_are_refused() {
    let twice = message(r#"{"method":"x","id":"a","id":"b"}"#, b"");
    assert_eq!(fault(&twice).1, Fault::Header);
}

#[test]
fn what_it_carries_is_never_printed() {
    let payload = Payload::from_json_text("{\"password\":\"secret\"}".into());
    assert_eq!(format!("{payload:?}"), "Json, 21 bytes");
}

/// Found by the fuzzer: written again, an empty payload lost the kind it was read with.
#[test]
fn no_payload_is_of_no_kind() {
    let bytes = message(r#"{"method":"x","id":"a","payload_type":"image/png"}"#, b"");
    assert_eq!(decode(&bytes).unwrap().to_payload(), Payload::none());
}
