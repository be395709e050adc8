//! The floor: a relay of WebSocket messages. Whatever one member of a room says, the others hear; nothing is kept,
//! nothing is read, nothing survives anything.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use super::floor::{Exchange, assert_answers, read, request, response, text};
use super::load::Asks;

type Rooms = Arc<Mutex<HashMap<String, HashMap<u64, mpsc::UnboundedSender<Message>>>>>;

/// Starts a relay; it ends with its runtime.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let rooms = Rooms::default();
        for number in 0.. {
            let (stream, _) = listener.accept().await.expect("it listens");
            tokio::spawn(carry(stream, number, rooms.clone()));
        }
    });
    at
}

async fn carry(stream: TcpStream, number: u64, rooms: Rooms) {
    stream.set_nodelay(true).expect("it is open");
    let (mut sink, mut reader) = accept_async(stream).await.expect("a WebSocket").split();
    let Some(Ok(Message::Text(room))) = reader.next().await else { return };
    let room = room.to_string();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    rooms.lock().expect("nobody panics").entry(room.clone()).or_default().insert(number, sender);
    tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message @ Message::Text(_))) = reader.next().await {
        let rooms = rooms.lock().expect("nobody panics");
        for (_, member) in rooms[&room].iter().filter(|(member, _)| **member != number) {
            // Who has left does not mind.
            let _ = member.send(message.clone());
        }
    }
    rooms.lock().expect("nobody panics").get_mut(&room).expect("it was entered").remove(&number);
}

/// A member of a room.
pub struct Member(WebSocketStream<TcpStream>);

impl Member {
    pub async fn enter(at: SocketAddr, room: &str) -> Self {
        let stream = TcpStream::connect(at).await.expect("it listens");
        stream.set_nodelay(true).expect("it is open");
        let (socket, _) = client_async(format!("ws://{at}/"), stream).await.expect("a WebSocket");
        let mut member = Self(socket);
        member.say(room.to_owned()).await;
        member
    }

    pub async fn say(&mut self, text: String) {
        self.0.send(Message::text(text)).await.expect("the relay is there");
    }

    /// `None` when the relay is gone.
    pub async fn hear(&mut self) -> Option<Utf8Bytes> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Some(text),
            _ => None,
        }
    }

    async fn tell(&mut self, message: &Value) {
        self.say(text(message)).await;
    }
}

/// A page that asks and an extension that answers, through a relay.
pub struct Pair {
    exchange: Exchange,
    page: Member,
    asked: u64,
    executor: JoinHandle<()>,
}

impl Pair {
    pub async fn open(at: SocketAddr, room: &str, exchange: Exchange) -> Self {
        let extension = Member::enter(at, room).await;
        let executor = tokio::spawn(carry_out(extension, exchange));
        let page = Member::enter(at, room).await;
        // Until both have entered, what is said may be lost.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        Self { exchange, page, asked: 0, executor }
    }
}

impl Asks for Pair {
    async fn ask(&mut self) {
        self.asked += 1;
        let id = format!("k3v9s0a1b2c3{}", self.asked);
        self.page.tell(&request(&id)).await;
        if self.exchange == Exchange::Four {
            let taken = read(&self.page.hear().await.expect("the relay is there"));
            assert_eq!(taken.get("taken").and_then(Value::as_str), Some(id.as_str()));
        }
        assert_answers(read(&self.page.hear().await.expect("the relay is there")), &id);
        if self.exchange == Exchange::Four {
            self.page.tell(&json!({ "received": id })).await;
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.executor.abort();
    }
}

async fn carry_out(mut extension: Member, exchange: Exchange) {
    while let Some(message) = extension.hear().await {
        let action = read(&message);
        if action.get("received").is_some() {
            continue;
        }
        if exchange == Exchange::Four {
            let id = &action["_sp"]["id"];
            extension.tell(&json!({ "taken": id })).await;
        }
        extension.tell(&response(action)).await;
    }
}
