//! The floor: a requester and an executor as two tasks, a bounded channel each way, and the same actions and responses
//! as JSON texts. No store, no claim, no catalogue, nothing survives anything.

use serde_json::{Map, Value, json};
use sp_sync::TypedAction as _;
use sp_sync::extension::{GetDisplayCount, GetDisplayCountResponse};
use sp_sync::onboarding::SetQueuePosition;
use tokio::sync::mpsc;

use super::load::Asks;

/// Places in each channel: as many actions as may wait for an executor by default.
pub const PLACES: usize = 64;

/// Which of the four events of a command the two tell each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Request and response: the least that can be called asking.
    Two,
    /// Added, taken, responded, received: what each side of this crate comes to know of the other.
    Four,
}

/// The requester's side.
pub struct Floor {
    exchange: Exchange,
    to_executor: mpsc::Sender<String>,
    from_executor: mpsc::Receiver<String>,
    asked: u64,
}

impl Floor {
    /// Starts the executor.
    pub fn start(exchange: Exchange) -> Self {
        let (to_executor, requests) = mpsc::channel(PLACES);
        let (responses, from_executor) = mpsc::channel(PLACES);
        tokio::spawn(carry_out(exchange, requests, responses));
        Self { exchange, to_executor, from_executor, asked: 0 }
    }

    async fn tell(&self, message: &Value) {
        self.to_executor.send(text(message)).await.expect("the executor is there");
    }

    async fn hear(&mut self) -> Value {
        read(&self.from_executor.recv().await.expect("the executor is there"))
    }
}

impl Asks for Floor {
    async fn ask(&mut self) {
        self.asked += 1;
        let id = format!("k3v9s0a1b2c3{}", self.asked);
        self.tell(&request(&id)).await;
        if self.exchange == Exchange::Four {
            let taken = self.hear().await;
            assert_eq!(taken.get("taken").and_then(Value::as_str), Some(id.as_str()));
        }
        assert_answers(self.hear().await, &id);
        if self.exchange == Exchange::Four {
            self.tell(&json!({ "received": id })).await;
        }
    }
}

async fn carry_out(
    exchange: Exchange,
    mut requests: mpsc::Receiver<String>,
    responses: mpsc::Sender<String>,
) {
    while let Some(message) = requests.recv().await {
        let action = read(&message);
        if action.get("received").is_some() {
            continue;
        }
        let id = action.pointer("/_sp/id").cloned().expect("an id");
        if exchange == Exchange::Four && responses.send(text(&json!({ "taken": id }))).await.is_err() {
            return;
        }
        if responses.send(text(&response(action))).await.is_err() {
            return;
        }
    }
}

/// What the requester asks.
pub fn request(id: &str) -> Value {
    let mut action = object("getDisplayCount", "extension");
    action.insert("respondTo".into(), "onboarding".into());
    action.extend(GetDisplayCount {}.into_info());
    action.insert("_sp".into(), json!({ "id": id, "from": "page#n8s2k4q1" }));
    Value::Object(action)
}

/// What the executor answers to that.
pub fn response(action: Value) -> Value {
    let id = action.pointer("/_sp/id").cloned().expect("an id");
    let executor = action["respondTo"].as_str().expect("someone to answer").to_owned();
    let from = action.pointer("/_sp/from").cloned().expect("a sender");
    let _: GetDisplayCount = serde_json::from_value(action).expect("the action that was asked");
    let mut response = object("getDisplayCount", &executor);
    let answer = serde_json::to_value(GetDisplayCountResponse { display_count: 2 }).expect("plain data");
    response.extend(answer.as_object().cloned().expect("an object"));
    response.insert("_sp".into(), json!({ "id": id, "re": id, "to": from }));
    Value::Object(response)
}

/// The requester reads the answer.
pub fn assert_answers(response: Value, id: &str) {
    assert_eq!(response.pointer("/_sp/re").and_then(Value::as_str), Some(id));
    let response: GetDisplayCountResponse = serde_json::from_value(response).expect("the response");
    assert_eq!(response.display_count, 2);
}

/// One of a batch of actions.
pub fn placed(place: i64) -> String {
    let mut action = object("setQueuePosition", "onboarding");
    action.extend(SetQueuePosition::new(place).into_info());
    action.insert("_sp".into(), json!({ "id": place }));
    text(&Value::Object(action))
}

/// What its executor says in the end.
pub fn ended(action: &str) -> String {
    let action = read(action);
    let id = action.pointer("/_sp/id").cloned().expect("an id");
    let _: SetQueuePosition = serde_json::from_value(action).expect("the action that was sent");
    text(&json!({ "finished": id }))
}

/// The sender reads that.
pub fn assert_ended(message: &str, place: i64) {
    assert_eq!(read(message).get("finished").and_then(Value::as_i64), Some(place));
}

/// The flat object of an action or a response.
fn object(action: &str, executor: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("action".into(), action.into());
    object.insert("executor".into(), executor.into());
    object
}

pub fn text(message: &Value) -> String {
    serde_json::to_string(message).expect("JSON")
}

pub fn read(message: &str) -> Value {
    serde_json::from_str(message).expect("JSON")
}
