//! The least client of the server: it opens one document, subscribes, and acknowledges what it is told, as late as the
//! crate's own client does.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use sp_sync::limits::REMOTE_ACKNOWLEDGE_WITHIN;
use sp_sync::token::Token;
use sp_sync::twilsock::frame::{Encoded, Frame, Payload};
use sp_sync::twilsock::message::{Envelope, Init, Message, Method, Request, acknowledge};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Piece;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// A notification that waits for its acknowledgement.
#[must_use]
pub struct Told(String);

pub struct Subscriber {
    socket: WebSocketStream<TcpStream>,
    asked: u64,
}

impl Subscriber {
    /// Opens a document, making it with this data if it is missing.
    pub async fn open(at: SocketAddr, document: &str, data: &Value) -> Self {
        let stream = TcpStream::connect(at).await.expect("it listens");
        stream.set_nodelay(true).expect("it is open");
        let config = WebSocketConfig::default().read_buffer_size(4 * 1_024).write_buffer_size(0);
        let uri = format!("ws://{at}/v3/wsconnect");
        let (socket, _) = client_async_with_config(uri, stream, Some(config)).await.expect("a WebSocket");
        let mut subscriber = Self { socket, asked: 0 };
        subscriber.ask(|id| Init::new(Token::new("subscriber"), None, Map::new()).frame(id)).await;
        let body = json!({ "unique_name": document, "data": data });
        let (mut code, mut body) = subscriber.call(Method::Post, &["v3", "Documents"], &body).await;
        if code == 409 {
            let path = ["v3", "Documents", document];
            (code, body) = subscriber.call(Method::Get, &path, &Value::Null).await;
        }
        assert!(code < 300, "{body}");
        let entry = json!({ "object_sid": body["sid"], "object_type": "document",
            "last_event_id": body["last_event_id"] });
        let body = json!({ "event_protocol_version": 4, "action": "establish", "correlation_id": 1,
            "retried_requests": 0, "ttl_in_s": -1, "requests": [entry] });
        let (code, body) = subscriber.call(Method::Post, &["v4", "Subscriptions"], &body).await;
        assert_eq!(code, 200, "{body}");
        // The confirmation.
        let confirmed = subscriber.told().await.expect("the server is there");
        subscriber.acknowledge(confirmed).await;
        subscriber
    }

    /// Waits for a notification; `None` when the server is gone. It is to be acknowledged.
    pub async fn told(&mut self) -> Option<Told> {
        loop {
            let Envelope { id, message } = self.hear().await?;
            if matches!(message, Message::Notification(_)) {
                return Some(Told(id));
            }
        }
    }

    pub async fn acknowledge(&mut self, told: Told) {
        tokio::time::sleep(REMOTE_ACKNOWLEDGE_WITHIN).await;
        self.send(&acknowledge(&told.0)).await;
    }

    async fn call(&mut self, method: Method, path: &[&str], body: &Value) -> (u16, Value) {
        let mut request = Request::new(method, path);
        request.body = if body.is_null() { Payload::none() } else { Payload::json(body) };
        let Message::Reply(reply) = self.ask(|id| request.frame(id)).await else { unreachable!() };
        let response = reply.into_response().expect("a response");
        (response.code, response.body.parse().unwrap_or_default())
    }

    async fn ask(&mut self, frame: impl FnOnce(&str) -> Encoded) -> Message {
        self.asked += 1;
        let own = format!("TM{:032}", self.asked);
        self.send(&frame(&own)).await;
        loop {
            let Envelope { id, message } = self.hear().await.expect("the server is there");
            match message {
                Message::Reply(_) if id == own => return message,
                Message::Reply(_) => {}
                _ => self.send(&acknowledge(&id)).await,
            }
        }
    }

    async fn send(&mut self, frame: &Encoded) {
        // A server that is gone is noticed by hearing nothing.
        let _ = self.socket.send(Piece::Binary(frame.bytes().to_vec().into())).await;
    }

    async fn hear(&mut self) -> Option<Envelope> {
        loop {
            match self.socket.next().await?.ok()? {
                Piece::Binary(bytes) => {
                    let frame = Frame::decode(&bytes, 1 << 24).expect("a frame");
                    return Some(Envelope::read(frame).expect("a message"));
                }
                Piece::Close(_) => return None,
                _ => {}
            }
        }
    }
}
