//! Every recorded conversation once more, with a server of this crate that runs: what the recorded client sent goes over a
//! real WebSocket, and what comes back is compared with what the recorded server said. SIDs are the server's own and are
//! mapped as they are met; dates are left out.
//!
//! Differences, all on purpose or the recording's own making: see [`EXPLAINED`]. And everywhere:
//! * lists, maps and streams are answered with 404, and subscriptions to them fail: this server has documents only;
//! * a subscription request for several objects is confirmed one by one and in any order, not in one notification;
//! * event ids of a document begin at 1 here and at 0 there, and so do revisions; `created_by` is not kept;
//! * of the answer to the first frame only the status is compared here (see [`server`](super::server) for the rest).

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::SinkExt as _;
use sp_sync::Identity;
use sp_sync::backend::Memory;
use sp_sync::server::{self, Admitted, Gatekeeper, Limits, Refusal, Service};
use sp_sync::token::Token;
use sp_sync::twilsock::message::{Message, acknowledge};
use sp_sync::twilsock::sync::{Kind, SyncRequest, Target};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Piece;

use super::*;

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SERVICE: &str = "IS00000000000000000000000000000000";

/// Longer than the recorded server took for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the running server says something else, whether it always does, and why. The place is a vector, or a frame of
/// it; from there on a vector's conversation has another course, so the rest of it is not compared.
const EXPLAINED: &[(&str, bool, &str)] = &[
    ("08", true, "the stand-in was made to refuse good tokens"),
    ("21", true, "the stand-in was made to refuse good tokens"),
    ("24", true, "the stand-in knows when its tokens end; these do not"),
    ("26", true, "the stand-in was made to refuse good tokens for a while"),
    ("11", true, "the stand-in was made to refuse requests in the transport's status"),
    ("12", true, "the stand-in was made to answer requests with every error there is"),
    ("17", true, "the stand-in was made to answer requests with 503"),
    ("34", true, "the stand-in wrote between a client's read and its write"),
    ("38", true, "the stand-in made up events, in an order that no server has"),
    ("53", true, "the stand-in was made to answer without the usual members"),
    ("77", true, "the stand-in was made to refuse a subscription"),
    (
        "72",
        true,
        "the stand-in promises confirmations after 600 ms, this server after 5 s; then it refuses some",
    ),
    ("70", true, "the stand-in takes 4 objects a batch, this server 100"),
    ("71", true, "the stand-in takes 1 000 objects a batch, this server 100"),
    ("74", true, "the stand-in wants subscriptions renewed every second, this server never"),
    ("30-document-open-modes:27", true, "the words of the refusal are more exact; its code is the same"),
    (
        "36-document-ttl:38",
        true,
        "the end of a document has neither event id nor date here: clients need none",
    ),
    (
        "37-document-remove:33",
        true,
        "the end of a document has neither event id nor date here: clients need none",
    ),
    (
        "09",
        false,
        "a client writes while its subscription is on its way: it may be confirmed after the write",
    ),
    (
        "10",
        false,
        "a client writes while its subscription is on its way: it may be confirmed after the write",
    ),
    (
        "35",
        false,
        "a client writes while its subscription is on its way: it may be confirmed after the write",
    ),
];

/// A token names somebody: `<TOKEN:alice:1>`.
struct Recordings;

#[async_trait]
impl Gatekeeper for Recordings {
    async fn admit(&self, token: &Token) -> Result<Admitted, Refusal> {
        let name = token.secret().split(':').nth(1).unwrap_or("somebody");
        Ok(Admitted::new(Identity::new(name).unwrap(), None))
    }
}

async fn serving() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let limits = Limits::default().acknowledge_within(Duration::from_secs(300));
    let service = Service::builder(ACCOUNT, SERVICE, Memory::new(), Recordings).limits(limits);
    let service = service.base_url("https://cds.us1.twilio.com").build().unwrap();
    tokio::spawn(async move { server::serve(&service, listener).await });
    at
}

/// One recorded connection, made again.
struct Line {
    socket: WebSocketStream<TcpStream>,
    replies: HashMap<String, Recorded>,
    /// Events about documents, one by one.
    events: VecDeque<Value>,
}

impl Line {
    async fn connect(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let uri = format!("ws://{at}/v3/wsconnect");
        let (socket, _) = tokio_tungstenite::client_async(uri, stream).await.unwrap();
        Self { socket, replies: HashMap::new(), events: VecDeque::new() }
    }

    /// The server may have ended a connection that the recorded one went on with.
    async fn send(&mut self, frame: Vec<u8>) {
        let _ = self.socket.send(Piece::Binary(frame.into())).await;
    }

    /// Hears one frame and acknowledges it; whether there was one.
    async fn hear(&mut self) -> bool {
        let Ok(Some(Ok(Piece::Binary(bytes)))) = tokio::time::timeout(PATIENCE, self.socket.next()).await
        else {
            return false;
        };
        let frame = Frame::decode(&bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap();
        let (header, payload) = (frame.fields(), frame.to_payload());
        let heard = Recorded {
            place: "heard".into(),
            connection: 0,
            at_ms: 0,
            to_server: false,
            header,
            payload,
            hex: None,
        };
        match heard.method() {
            "reply" => drop(self.replies.insert(heard.id().to_owned(), heard)),
            method => {
                if method == "notification" {
                    self.events.extend(events(&heard));
                }
                let acknowledged = acknowledge(heard.id()).bytes().to_vec();
                self.send(acknowledged).await;
            }
        }
        true
    }

    async fn reply(&mut self, id: &str) -> Option<Recorded> {
        while !self.replies.contains_key(id) && self.hear().await {}
        self.replies.remove(id)
    }

    async fn event(&mut self) -> Option<Value> {
        while self.events.is_empty() && self.hear().await {}
        self.events.pop_front()
    }
}

/// What a notification tells of documents and subscriptions to them.
fn events(notification: &Recorded) -> Vec<Value> {
    let message: Value = notification.payload.parse().unwrap_or_default();
    let kind = message["event_type"].as_str().unwrap_or_default().to_owned();
    let of_documents = |event: &Value| {
        kind.starts_with("document_")
            || kind.starts_with("subscription_") && event["object_type"] == "document"
    };
    let one = message.get("event").into_iter();
    let all =
        one.chain(message["events"].as_array().into_iter().flatten()).filter(|event| of_documents(event));
    let told = |event: &Value| {
        let number = &message["correlation_id"];
        undated(&serde_json::json!({ "type": kind, "number": number, "event": event }))
    };
    all.map(told).collect()
}

/// Without dates and authors, and without keys that are `null`.
fn undated(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let dated = |key: &str, value: &Value| match key.starts_with("date_") && value.is_string() {
                true => "a date".into(),
                false => undated(value),
            };
            let kept = object.iter().filter(|(key, value)| !value.is_null() && *key != "created_by");
            Value::Object(kept.map(|(key, value)| (key.clone(), dated(key, value))).collect())
        }
        Value::Array(array) => Value::Array(array.iter().map(undated).collect()),
        other => other.clone(),
    }
}

/// With the numbers that this server gives.
fn renumbered(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("revision" | "document_revision" | "If-Match" | "if-match", Value::String(hex)) => {
            u64::from_str_radix(hex, 16)
                .map_or_else(|_| value.clone(), |number| format!("{:x}", number + 1).into())
        }
        ("last_event_id" | "id", Value::Number(number)) => {
            number.as_u64().map_or_else(|| value.clone(), |number| (number + 1).into())
        }
        (_, Value::Object(object)) => {
            let of = |(key, value): (&String, &Value)| (key.clone(), renumbered(key, value));
            Value::Object(object.iter().map(of).collect())
        }
        (_, Value::Array(array)) => Value::Array(array.iter().map(|value| renumbered(key, value)).collect()),
        (_, other) => other.clone(),
    }
}

/// The members in which two values differ.
fn difference(place: &str, own: &Value, expected: &Value, into: &mut String) {
    match (own, expected) {
        _ if own == expected => {}
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                difference(&format!("{place}.{key}"), &own[key], &expected[key], into);
            }
        }
        _ => into.push_str(&format!("{place} is {own}, not {expected}; ")),
    }
}

fn same(what: &str, own: &Value, expected: &Value) -> Result<(), String> {
    let mut said = String::new();
    difference(what, own, expected, &mut said);
    if said.is_empty() { Ok(()) } else { Err(said) }
}

/// One conversation, as far as it has come.
struct Stage {
    at: SocketAddr,
    lines: HashMap<u64, Line>,
    /// SIDs of the server, by those of the recording.
    sids: HashMap<String, String>,
    /// Requests by id: whether they are about documents.
    asked: HashMap<String, bool>,
    compared: usize,
}

impl Stage {
    fn mapped(&self, value: &Value) -> Value {
        let mut text = value.to_string();
        for (recorded, own) in &self.sids {
            text = text.replace(recorded, own);
        }
        renumbered("", &serde_json::from_str(&text).unwrap())
    }

    async fn client_said(&mut self, recorded: &Recorded) {
        if recorded.method() == "reply" {
            return;
        }
        if recorded.method() == "init" {
            let line = Line::connect(self.at).await;
            self.lines.insert(recorded.connection, line);
        }
        if let Message::Request(request) = recorded.envelope().message {
            let about_documents = match SyncRequest::read(&request, SERVICE) {
                Ok(SyncRequest::Other(_, target)) => {
                    matches!(target, Target::Collection(Kind::Document) | Target::Object(Kind::Document, _))
                }
                _ => true,
            };
            self.asked.insert(recorded.id().to_owned(), about_documents);
        }
        let Value::Object(header) = self.mapped(&Value::Object(recorded.header.clone())) else { panic!() };
        let payload = match recorded.payload.parse::<Value>() {
            Some(json) => Payload::json(&self.mapped(&json)),
            None => recorded.payload.clone(),
        };
        let frame = Encoded::with_header(header, &payload).bytes().to_vec();
        if let Some(line) = self.lines.get_mut(&recorded.connection) {
            line.send(frame).await;
        }
    }

    /// Compares what the server says with the recording; the difference, if there is one.
    async fn server_said(&mut self, recorded: &Recorded) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&recorded.connection) else { return Ok(()) };
        match recorded.method() {
            "reply" => {
                let own = line.reply(recorded.id()).await.ok_or("no answer")?;
                self.compared += 1;
                match self.asked.get(recorded.id()) {
                    None => {
                        let (status, expected) = (own.status(), recorded.status());
                        (status == expected)
                            .then_some(())
                            .ok_or(format!("status {status:?}, not {expected:?}"))
                    }
                    Some(false) => {
                        let code = &own.header["http_status"]["code"];
                        (*code == 404).then_some(()).ok_or(format!("{code} to what is no document"))
                    }
                    Some(true) => self.same_answer(&own, recorded),
                }
            }
            "notification" => {
                let (mut said, mut expected) = (Vec::new(), Vec::new());
                for event in events(recorded) {
                    let Some(line) = self.lines.get_mut(&recorded.connection) else { return Ok(()) };
                    said.push(line.event().await.ok_or("nothing was told")?);
                    expected.push(self.mapped(&event));
                    self.compared += 1;
                }
                said.sort_by_key(Value::to_string);
                expected.sort_by_key(Value::to_string);
                for (said, expected) in said.iter().zip(&expected) {
                    same("event", said, expected)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn same_answer(&mut self, own: &Recorded, recorded: &Recorded) -> Result<(), String> {
        let code = |of: &Recorded| of.header.get("http_status").map(|status| status["code"].clone());
        let body = |of: &Recorded| of.payload.parse::<Value>().unwrap_or_default();
        let (own_body, recorded_body) = (body(own), body(recorded));
        if let (Some(own), Some(recorded)) = (own_body["sid"].as_str(), recorded_body["sid"].as_str()) {
            self.sids.entry(recorded.to_owned()).or_insert_with(|| own.to_owned());
        }
        let whole = |code: Option<Value>, body: Value| serde_json::json!({ "code": code, "body": body });
        let said = whole(code(own), undated(&own_body));
        same("answer", &said, &whole(code(recorded), undated(&self.mapped(&recorded_body))))
    }
}

/// What was compared, and the first difference.
async fn replay(vector: Vector) -> (usize, Option<String>) {
    let at = serving().await;
    let mut stage =
        Stage { at, lines: HashMap::new(), sids: HashMap::new(), asked: HashMap::new(), compared: 0 };
    for recorded in &vector.frames {
        match recorded.to_server {
            true => stage.client_said(recorded).await,
            false => {
                if let Err(difference) = stage.server_said(recorded).await {
                    return (stage.compared, Some(format!("{}: {difference}", recorded.place)));
                }
            }
        }
    }
    (stage.compared, None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_says_what_the_recorded_one_said() {
    let mut replays = JoinSet::new();
    for vector in vectors() {
        replays.spawn(replay(vector));
    }
    let (mut compared, mut differences) = (0, Vec::new());
    for (more, difference) in replays.join_all().await {
        compared += more;
        differences.extend(difference);
    }
    let explains = |place: &str, difference: &str| {
        difference.strip_prefix(place).is_some_and(|rest| rest.starts_with([':', '-']))
    };
    differences.sort();
    let unexplained: Vec<_> = differences
        .iter()
        .filter(|difference| !EXPLAINED.iter().any(|(place, ..)| explains(place, difference)))
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    for (place, _, why) in EXPLAINED.iter().filter(|(_, always, _)| *always) {
        let met = differences.iter().any(|difference| explains(place, difference));
        assert!(met, "there is no difference any more at {place}: {why}");
    }
    println!("{compared} answers and events are the same, {} vectors differ", differences.len());
    assert!(compared > 300, "{compared}");
}
