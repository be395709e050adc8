use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};
use sp_sync::limits::TWILSOCK_FRAME_BYTES_MAX;
use sp_sync::twilsock::frame::{Encoded, Frame, Payload, PayloadKind};
use sp_sync::twilsock::message::{Envelope, Message, Method, Request};
use sp_sync::twilsock::sync::{Address, Kind, Place, SyncRequest, Target, Timestamp};

const SERVICE: &str = "IS00000000000000000000000000000000";

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn header() -> impl Strategy<Value = Map<String, Value>> {
    (vec((any::<String>(), json()), 0..5), "[a-z_.0-9]{1,12}", "\\PC{1,36}").prop_map(
        |(fields, method, id)| {
            let mut header: Map<String, Value> = fields.into_iter().collect();
            header.remove("payload_type");
            header.insert("method".into(), method.into());
            header.insert("id".into(), id.into());
            header
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop_oneof![Just(Method::Get), Just(Method::Post), Just(Method::Put), Just(Method::Delete)];
    // One name, all of its values: that is how they stand on the wire.
    let params = proptest::collection::btree_map("\\PC{1,8}", vec(any::<String>(), 1..3), 0..4);
    let params = params.prop_map(|params| {
        let pairs = params.into_iter();
        pairs.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value))).collect()
    });
    (method, vec(any::<String>(), 1..6), params, any::<String>(), vec(any::<u8>(), 0..20)).prop_map(
        |(method, path, params, revision, body)| {
            let reads_body = matches!(method, Method::Post | Method::Put);
            let body = if reads_body { Payload::new(PayloadKind::Json, &body) } else { Payload::none() };
            let headers = vec![("If-Match".to_owned(), revision)];
            Request { path, params, headers, body, ..Request::new(method, &[]) }
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    let kind = prop_oneof![Just(Kind::Document), Just(Kind::List), Just(Kind::Map), Just(Kind::Stream)];
    let id = "\\PC{1,12}|ET[0-9a-f]{32}".prop_map(|id: String| Address::of(&id));
    (kind, id, "\\PC{1,12}", 0..9_u8).prop_map(|(kind, id, text, which)| match which {
        0 => Target::Configuration,
        1 => Target::Collection(kind),
        2 => Target::Object(kind, id),
        3 => Target::Items(Kind::List, id),
        4 => Target::Item(Kind::Map, id, text),
        5 => Target::Context(id),
        6 => Target::Messages(id),
        7 => Target::Query(text),
        _ => Target::Subscriptions,
    })
}

proptest! {
    #[test]
    fn any_frame_reads_as_it_was_written(header in header(), payload in vec(any::<u8>(), 0..200)) {
        let payload = Payload::new(PayloadKind::Json, &payload);
        let encoded = Encoded::with_header(header.clone(), &payload);
        let frame = Frame::decode(encoded.bytes(), TWILSOCK_FRAME_BYTES_MAX).unwrap();
        for (field, value) in &header {
            prop_assert!(field == "payload_size" || frame.fields().get(field) == Some(value));
        }
        prop_assert_eq!(frame.to_payload(), payload);
    }

    #[test]
    fn a_frame_with_a_wrong_byte_is_read_or_refused(
        header in header(), payload in vec(any::<u8>(), 0..50), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = Encoded::with_header(header, &Payload::new(PayloadKind::Json, &payload)).bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        match Frame::decode(&bytes, TWILSOCK_FRAME_BYTES_MAX) {
            Ok(frame) => { let _ = Envelope::read(frame); }
            Err(error) => prop_assert!(error.offset <= bytes.len()),
        }
    }

    #[test]
    fn any_request_reads_as_it_was_written(request in request()) {
        let frame = request.frame("i");
        let envelope = Envelope::read(Frame::decode(frame.bytes(), TWILSOCK_FRAME_BYTES_MAX).unwrap()).unwrap();
        prop_assert_eq!(envelope.message, Message::Request(request.clone()));
        // Whatever it asks for, there is an answer.
        let _ = SyncRequest::read(&request, SERVICE);
    }

    #[test]
    fn any_target_is_found_behind_its_path(target in target(), within in any::<bool>()) {
        let place = target.clone().within(within.then_some(SERVICE));
        prop_assert_eq!(Place::of(&place.segments()).map(|place| place.target), Some(target));
    }

    #[test]
    fn any_time_reads_as_it_was_written(ms in any::<i64>()) {
        let time = Timestamp::from_unix_ms(ms);
        prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }

    #[test]
    fn any_text_is_a_time_or_none(text in "[-0-9TZ:.é]{0,30}") {
        if let Some(time) = Timestamp::parse(&text) {
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }
    }
}
