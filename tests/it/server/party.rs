//! A client made of frames: it does what a test says and nothing else, but for acknowledging what it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use sp_sync::token::Token;
use sp_sync::twilsock::frame::{Encoded, Frame, Payload};
use sp_sync::twilsock::message::{
    ClientUpdate, Close, Envelope, Init, InitReply, Message, Method, Notification, Reply, Request, Response,
    Update, acknowledge,
};
use tokio::net::TcpStream;
use tokio_stream::StreamExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Piece;

use super::LONG;
use futures_util::SinkExt as _;

pub(crate) struct Party {
    socket: WebSocketStream<TcpStream>,
    asked: u64,
    /// What was told while something else was waited for.
    notifications: VecDeque<Notification>,
    updates: VecDeque<ClientUpdate>,
    close: Option<Close>,
    /// Whether what it is told is acknowledged.
    pub(crate) acknowledges: bool,
}

impl Party {
    pub(crate) async fn connect(at: SocketAddr) -> Self {
        Self::try_connect(at).await.unwrap()
    }

    pub(crate) async fn try_connect(at: SocketAddr) -> Result<Self, tokio_tungstenite::tungstenite::Error> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{at}/v3/wsconnect"), stream).await?;
        Ok(Self {
            socket,
            asked: 0,
            notifications: VecDeque::new(),
            updates: VecDeque::new(),
            close: None,
            acknowledges: true,
        })
    }

    pub(crate) async fn join(at: SocketAddr, token: &str) -> Self {
        let mut party = Self::connect(at).await;
        match party.init(token, None).await {
            InitReply::Accepted(_) => party,
            InitReply::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    pub(crate) async fn init(&mut self, token: &str, continuation: Option<&str>) -> InitReply {
        let init = Init::new(Token::new(token), continuation.map(str::to_owned), Map::new());
        let id = self.id();
        self.send(&init.frame(&id)).await;
        self.reply(&id).await.into_init().unwrap()
    }

    pub(crate) async fn update_token(&mut self, token: &str) -> Reply {
        let id = self.id();
        self.send(&Update { token: Token::new(token) }.frame(&id)).await;
        self.reply(&id).await
    }

    pub(crate) fn id(&mut self) -> String {
        self.asked += 1;
        format!("TM{:032}", self.asked)
    }

    pub(crate) async fn send(&mut self, frame: &Encoded) {
        self.send_bytes(frame.bytes().to_vec()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.socket.send(Piece::Binary(bytes.into())).await.unwrap();
    }

    /// Whether the connection still took it.
    pub(crate) async fn try_send_bytes(&mut self, bytes: Vec<u8>) -> bool {
        self.socket.send(Piece::Binary(bytes.into())).await.is_ok()
    }

    /// Sends a request without waiting for the answer, whose id is given.
    pub(crate) async fn ask(&mut self, request: &Request) -> String {
        let id = self.id();
        self.send(&request.frame(&id)).await;
        id
    }

    pub(crate) async fn answer(&mut self, id: &str) -> Response {
        self.reply(id).await.into_response().unwrap()
    }

    pub(crate) async fn request(&mut self, request: &Request) -> Response {
        let id = self.ask(request).await;
        self.answer(&id).await
    }

    /// A request by its parts: status and body.
    pub(crate) async fn call(&mut self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.call_if(method, path, body, None).await
    }

    pub(crate) async fn call_if(
        &mut self,
        method: Method,
        path: &str,
        body: Value,
        if_match: Option<&str>,
    ) -> (u16, Value) {
        let response = self.request(&plain(method, path, &body, if_match)).await;
        (response.code, response.body.parse().unwrap_or_default())
    }

    pub(crate) async fn create(&mut self, name: &str, data: Value) -> Value {
        let body = json!({ "unique_name": name, "data": data });
        let (code, body) = self.call(Method::Post, "/v3/Documents", body).await;
        assert_eq!(code, 201, "{body}");
        body
    }

    pub(crate) async fn get(&mut self, name: &str) -> Value {
        let (code, body) = self.call(Method::Get, &format!("/v3/Documents/{name}"), Value::Null).await;
        assert_eq!(code, 200, "{body}");
        body
    }

    pub(crate) async fn set(&mut self, name: &str, data: Value) -> Value {
        let (code, body) =
            self.call(Method::Post, &format!("/v3/Documents/{name}"), json!({ "data": data })).await;
        assert_eq!(code, 200, "{body}");
        body
    }

    /// Subscribes to one document and waits for the confirmation.
    pub(crate) async fn establish(
        &mut self,
        sid: &str,
        last_event_id: Value,
        correlation: u64,
    ) -> Vec<Value> {
        let entry = json!({ "object_sid": sid, "object_type": "document", "last_event_id": last_event_id });
        self.subscribe("establish", vec![entry], correlation).await
    }

    /// Sends a subscription request; answers all it brought about, one confirmation for each entry included.
    pub(crate) async fn subscribe(
        &mut self,
        action: &str,
        entries: Vec<Value>,
        correlation: u64,
    ) -> Vec<Value> {
        let count = entries.len();
        let body = json!({ "event_protocol_version": 4, "action": action, "correlation_id": correlation,
            "retried_requests": 0, "ttl_in_s": -1, "requests": entries });
        let (code, body) = self.call(Method::Post, "/v4/Subscriptions", body).await;
        assert_eq!(code, 200, "{body}");
        assert!(body["estimated_delivery_in_ms"].as_u64() >= Some(5000) && body["max_batch_size"] == 100);
        let mut told = Vec::new();
        let mut confirmed = 0;
        while confirmed < count {
            let message = self.told().await;
            assert_eq!(message["message_type"], "twilio.sync.event", "{message}");
            assert_eq!(message["correlation_id"], correlation, "{message}");
            confirmed += usize::from(message["event_type"].as_str().unwrap().starts_with("subscription_"));
            told.push(message);
        }
        told
    }

    /// The next notification's payload, its message type added.
    pub(crate) async fn told(&mut self) -> Value {
        while self.notifications.is_empty() {
            assert!(self.close.is_none(), "closed: {:?}", self.close);
            self.hear().await.expect("the connection lives");
        }
        let notification = self.notifications.pop_front().unwrap();
        let mut payload: Value = notification.payload.parse().unwrap();
        payload["message_type"] = notification.message_type.into();
        payload
    }

    pub(crate) async fn client_update(&mut self) -> ClientUpdate {
        while self.updates.is_empty() {
            self.hear().await.expect("the connection lives");
        }
        self.updates.pop_front().unwrap()
    }

    /// Waits for the server's last word.
    pub(crate) async fn closed(&mut self) -> Close {
        while self.close.is_none() {
            self.hear().await.expect("a last word");
        }
        self.close.take().unwrap()
    }

    pub(crate) async fn closed_with_308(&mut self) {
        let why = self.closed().await.why.unwrap();
        assert_eq!(why.status.code, 308);
        let backoff = why.backoff.expect("when to come back");
        assert!(backoff.max() > backoff.min());
        self.ended().await;
    }

    /// The answer, unless the server says its last word first.
    pub(crate) async fn answer_or_end(&mut self, id: &str) -> Option<Response> {
        while self.close.is_none() {
            match self.hear().await? {
                Envelope { id: own, message: Message::Reply(reply) } if own == id => {
                    return Some(reply.into_response().unwrap());
                }
                _ => {}
            }
        }
        None
    }

    /// Waits for the end of the socket.
    pub(crate) async fn ended(&mut self) {
        while self.hear().await.is_some() {}
    }

    /// Asks something and hears the answer: whatever the server had to say before has been heard by then.
    pub(crate) async fn nothing_more(&mut self) {
        self.call(Method::Get, "/v3/Configuration", Value::Null).await;
        assert!(self.notifications.is_empty(), "{:?}", self.told().await);
    }

    async fn reply(&mut self, id: &str) -> Reply {
        loop {
            match self.hear().await {
                Some(Envelope { id: own, message: Message::Reply(reply) }) if own == id => return reply,
                Some(_) => {}
                None => panic!("the connection ended without an answer"),
            }
        }
    }

    /// The next frame; `None` when there are no more.
    async fn hear(&mut self) -> Option<Envelope> {
        let piece = tokio::time::timeout(LONG, self.socket.next()).await.expect("something comes")?;
        let Ok(Piece::Binary(bytes)) = piece else { return None };
        let envelope = Envelope::read(Frame::decode(&bytes, 1 << 24).unwrap()).unwrap();
        let acknowledged = !matches!(envelope.message, Message::Reply(_));
        if acknowledged && self.acknowledges {
            self.send(&acknowledge(&envelope.id)).await;
        }
        match &envelope.message {
            Message::Notification(notification) => self.notifications.push_back(notification.clone()),
            Message::ClientUpdate(update) => self.updates.push_back(update.clone()),
            Message::Close(close) => self.close = Some(close.clone()),
            _ => {}
        }
        Some(envelope)
    }
}

/// A request by its parts; a body is text or JSON.
pub(crate) fn plain(method: Method, path: &str, body: &Value, if_match: Option<&str>) -> Request {
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let mut request = Request::new(method, &path);
    request.body = match body {
        Value::Null => Payload::none(),
        Value::String(text) => Payload::from_json_text(text.clone()),
        json => Payload::json(json),
    };
    request.headers.extend(if_match.map(|revision| ("if-match".into(), revision.into())));
    request
}
