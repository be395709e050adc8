//! Recorded conversations of the official SDK, against this crate's frames, messages and sessions.
//!
//! What is compared leaves out, everywhere:
//! * the order of keys, and `null`, which means the same as an absent key;
//! * `payload_size` 0, and `payload_type` where there is no payload: the JavaScript SDK writes both, the Kotlin SDK
//!   neither, and this crate the former;
//! * `; charset=utf-8` behind `application/json`;
//! * whether one value stands alone or in an array of one (parameters and headers of the Kotlin SDK);
//! * bodies of GET and DELETE, which nobody reads.

mod bytes;
mod client;
mod nouns;
#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "server")]
mod running;
mod server;
mod service;

use std::path::Path;

use serde_json::{Map, Value};
use sp_sync::limits::TWILSOCK_FRAME_BYTES_MAX;
use sp_sync::twilsock::frame::{Encoded, Frame, Payload, PayloadKind};
use sp_sync::twilsock::message::Envelope;

/// One recorded frame.
struct Recorded {
    /// `04-reconnect-replay.json:17`, for messages.
    place: String,
    connection: u64,
    at_ms: u64,
    to_server: bool,
    header: Map<String, Value>,
    payload: Payload,
    hex: Option<String>,
}

struct Vector {
    name: String,
    frames: Vec<Recorded>,
}

/// All recorded conversations.
fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(paths.len() > 50, "{} recorded conversations", paths.len());
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vector {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let frames = value["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "frame");
    let frames = frames.map(|entry| Recorded {
        place: format!("{name}:{}", entry["seq"]),
        connection: entry["conn"].as_u64().unwrap(),
        at_ms: entry["t_ms"].as_u64().unwrap(),
        to_server: entry["dir"] == "client->server",
        header: entry["header"].as_object().unwrap().clone(),
        payload: match entry.get("payload") {
            None => Payload::none(),
            Some(Value::String(text)) => Payload::new(PayloadKind::Json, text.as_bytes()),
            Some(json) => Payload::json(json),
        },
        hex: entry.get("hex").map(|hex| hex.as_str().unwrap().to_owned()),
    });
    Vector { frames: frames.collect(), name }
}

impl Recorded {
    fn method(&self) -> &str {
        self.header["method"].as_str().unwrap()
    }

    fn id(&self) -> &str {
        self.header["id"].as_str().unwrap()
    }

    fn status(&self) -> Option<u64> {
        self.header.get("status")?["code"].as_u64()
    }

    /// The frame as this crate would write its header and payload.
    fn encoded(&self) -> Encoded {
        Encoded::with_header(self.header.clone(), &self.payload)
    }

    fn envelope(&self) -> Envelope {
        envelope(self.encoded().bytes()).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }
}

fn envelope(message: &[u8]) -> Result<Envelope, String> {
    let frame = Frame::decode(message, TWILSOCK_FRAME_BYTES_MAX).map_err(|error| error.to_string())?;
    Envelope::read(frame).map_err(|error| error.to_string())
}

/// Header and payload of a frame, in the form in which they are compared.
fn comparable(frame: &Encoded) -> (Value, Value) {
    let bytes = frame.bytes();
    let frame = Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap();
    let mut header = frame.fields().clone();
    let unread =
        header.get("http_request").is_some_and(|http| http["method"] == "GET" || http["method"] == "DELETE");
    if unread || frame.payload().is_empty() {
        header.remove("payload_type");
        header.remove("payload_size");
    }
    if let Some(Value::String(kind)) = header.get_mut("payload_type") {
        *kind = kind.replace("; charset=utf-8", "");
    }
    if let Some(http) = header.get_mut("http_request") {
        for part in ["params", "headers"] {
            for value in http[part].as_object_mut().into_iter().flat_map(Map::values_mut) {
                if let Value::Array(values) = value
                    && values.len() == 1
                {
                    *value = values.remove(0);
                }
            }
        }
    }
    let payload = match serde_json::from_slice(frame.payload()) {
        _ if unread => Value::Null,
        Ok(json) => json,
        Err(_) => String::from_utf8_lossy(frame.payload()).into_owned().into(),
    };
    (without_nulls(Value::Object(header)), without_nulls(payload))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
