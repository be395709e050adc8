//! Every recorded conversation once more, with a server of this crate that runs: what the recorded client sent goes over a
//! real WebSocket, and what comes back is compared with what the recorded server said. SIDs are the server's own and are
//! mapped as they are met; dates are left out.
//!
//! Differences, all on purpose or the recording's own making: see [`EXPLAINED`]. And everywhere:
//! * lists, maps and streams are answered with 404, and subscriptions to them fail: this server has documents only;
//! * a subscription request for several objects is confirmed one by one, not in one notification;
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

/// Where the running server says something else, and why. The place is a vector, or a frame of it; from the first
/// difference on a vector's conversation has another course, so the rest of it is not compared.
const EXPLAINED: &[(&str, &str)] = &[];

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
        let (header, payload) = Frame::decode(&bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap().into_parts();
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
                let acknowledged = acknowledge(heard.id()).to_bytes();
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

/// Without dates, and without keys that are `null`.
fn undated(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let dated = |key: &str, value: &Value| match key.starts_with("date_") && value.is_string() {
                true => "a date".into(),
                false => undated(value),
            };
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), dated(key, value))).collect())
        }
        Value::Array(array) => Value::Array(array.iter().map(undated).collect()),
        other => other.clone(),
    }
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
        serde_json::from_str(&text).unwrap()
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
        let frame = Encoded::new(header, payload).to_bytes();
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
                for expected in events(recorded) {
                    let own = line.event().await.unwrap_or_default();
                    let expected = {
                        let mut text = expected.to_string();
                        for (recorded, own) in &self.sids {
                            text = text.replace(recorded, own);
                        }
                        serde_json::from_str::<Value>(&text).unwrap()
                    };
                    self.compared += 1;
                    if own != expected {
                        return Err(format!("told {own}, not {expected}"));
                    }
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
        let said = (code(own), undated(&own_body));
        let expected = (code(recorded), undated(&self.mapped(&recorded_body)));
        (said == expected).then_some(()).ok_or_else(|| format!("{said:?}, not {expected:?}"))
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
        .filter(|difference| !EXPLAINED.iter().any(|(place, _)| explains(place, difference)))
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    for (place, why) in EXPLAINED {
        let met = differences.iter().any(|difference| explains(place, difference));
        assert!(met, "there is no difference any more at {place}: {why}");
    }
    println!("{compared} answers and events are the same, {} vectors differ", differences.len());
    assert!(compared > 400, "{compared}");
}
