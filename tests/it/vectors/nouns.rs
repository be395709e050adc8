use std::collections::HashMap;

use sp_sync::twilsock::message::{Message, Reply, Status, ping};

use super::*;

/// Reads a reply as the answer to what it answers, and writes it again.
fn rewrite_reply(reply: Reply, id: &str, answers: Option<&str>) -> Encoded {
    match answers {
        Some("init") => reply.into_init().unwrap().frame(id),
        Some("message") => match reply.into_response() {
            Ok(response) => response.frame(id),
            Err(refusal) => refusal.reply(id),
        },
        Some("update") => match reply.status.is_success() {
            true => reply.status.reply(id),
            false => reply.refusal().reply(id),
        },
        _ => reply.status.reply(id),
    }
}

fn rewrite(envelope: Envelope, answers: Option<&str>) -> Encoded {
    let id = &envelope.id;
    match envelope.message {
        Message::Init(init) => init.frame(id),
        Message::Request(request) => request.frame(id),
        Message::Update(update) => update.frame(id),
        Message::Telemetry(telemetry) => telemetry.frame(id),
        Message::Close(close) => close.frame(id),
        Message::Ping => ping(id),
        Message::Notification(notification) => notification.frame(id),
        Message::ClientUpdate(update) => update.frame(id),
        Message::Reply(reply) => rewrite_reply(reply, id, answers),
        Message::Unknown { header, payload, .. } => Encoded::with_header(header, &payload),
        other => panic!("{other:?}"),
    }
}

/// Parameters are compared decoded: the Kotlin SDK writes a blank as `+`.
fn comparable_frame(frame: &Encoded) -> (Value, Value) {
    let (mut header, payload) = comparable(frame);
    for value in header["http_request"]["params"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Value::String(text) = value {
            *text = text.replace('+', "%20");
        }
    }
    if header["http_request"].is_null() {
        header.as_object_mut().unwrap().remove("http_request");
    }
    // Lists that are empty mean the same as absent ones.
    for list in ["capabilities", "init_registrations"] {
        if header[list].as_array().is_none_or(Vec::is_empty) {
            header.as_object_mut().unwrap().remove(list);
        }
    }
    (header, payload)
}

#[test]
fn every_frame_reads_into_a_noun_and_back() {
    let mut count = 0;
    for vector in vectors() {
        // What each side asked for, by connection and id.
        let mut asked = HashMap::new();
        for recorded in &vector.frames {
            let key = (recorded.connection, recorded.to_server, recorded.id().to_owned());
            asked.insert(key, recorded.method().to_owned());
            let answers = (recorded.connection, !recorded.to_server, recorded.id().to_owned());
            let answers = asked.get(&answers).map(String::as_str);
            let again = rewrite(recorded.envelope(), answers.filter(|_| recorded.method() == "reply"));
            let (written, expected) = (comparable_frame(&again), comparable_frame(&recorded.encoded()));
            assert_eq!(written, expected, "{}", recorded.place);
            count += 1;
        }
    }
    assert!(count > 1_900, "{count} frames");
}

/// The words beside a code are this crate's own where it writes them; they are those of the recorded server.
#[test]
fn statuses_are_called_as_the_service_calls_them() {
    for recorded in vectors().iter().flat_map(|vector| &vector.frames).filter(|recorded| !recorded.to_server)
    {
        let Some(status) = recorded.header.get("http_status") else { continue };
        let code = u16::try_from(status["code"].as_u64().unwrap()).unwrap();
        assert_eq!(status["status"], Value::from(&*Status::new(code).status), "{}", recorded.place);
    }
}
