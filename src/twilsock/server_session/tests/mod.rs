//! A session, a clock that is moved by hand, and a client that only says what it is told to.

mod ending;
mod opening;
mod running;

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::super::message::{
    AccountDescriptor, Close, DATA_SYNC, Init, Message, Method, Request, Update, acknowledge,
};
use super::*;
use crate::limits::TWILSOCK_FRAME_BYTES_MAX;
use crate::token::Token;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    session: ServerSession,
    now: Instant,
}

/// What a session put out, in the words of the tests.
#[derive(Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
enum Said {
    Frame(String, Message),
    Check(Check),
    Request(String),
    Cut(End),
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let now = Instant::now();
        Self { session: ServerSession::new(settings, 7, now), now }
    }

    /// A session that is open, with a token that lasts so long.
    fn open(settings: Settings, lasts: Option<Duration>) -> Self {
        let mut bench = Self::new(settings);
        bench.hear(&init().frame("I1"));
        let Some(Said::Check(check)) = bench.said().pop() else { panic!("no check") };
        bench.session.token_checked(check, admit("alice", lasts), bench.now);
        let said = bench.said();
        assert!(matches!(&said[0], Said::Frame(id, Message::Reply(_)) if id == "I1"), "{said:?}");
        // A warning that came at once is acknowledged.
        for said in &said[1..] {
            let Said::Frame(id, _) = said else { panic!("{said:?}") };
            bench.hear(&acknowledge(id));
        }
        bench
    }

    fn hear(&mut self, frame: &Encoded) {
        self.session.received(frame.bytes(), self.now);
    }

    fn said(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while let Some(output) = self.session.next_output() {
            said.push(match output {
                Output::Send(frame) => {
                    let bytes = frame.bytes();
                    let frame = Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap();
                    let envelope = Envelope::read(frame).unwrap();
                    Said::Frame(envelope.id, envelope.message)
                }
                Output::CheckToken { check, .. } => Said::Check(check),
                Output::Request { id, .. } => Said::Request(id),
                Output::Cut(end) => Said::Cut(end),
            });
        }
        said
    }

    /// Goes on to the next deadline, which must be so far away.
    fn wait(&mut self, expected: Duration) -> Vec<Said> {
        let deadline = self.session.deadline().expect("a deadline");
        assert_eq!(deadline - self.now, expected);
        self.session.tick(deadline - Duration::from_millis(1));
        assert_eq!(self.said(), [], "too early");
        self.now = deadline;
        self.session.tick(deadline);
        self.said()
    }

    /// The one frame that was just sent.
    fn frame(&mut self) -> (String, Message) {
        match self.said().pop() {
            Some(Said::Frame(id, message)) => (id, message),
            other => panic!("{other:?}"),
        }
    }

    fn response(&mut self) -> (String, u16) {
        match self.frame() {
            (id, Message::Reply(reply)) => (id, reply.into_response().unwrap().code),
            other => panic!("{other:?}"),
        }
    }

    /// Status and reason of the close that was just sent.
    fn closed_with(&mut self) -> (u16, Option<u32>) {
        match self.frame() {
            (_, Message::Close(Close { why: Some(why) })) => (why.status.code, why.status.error_code),
            other => panic!("{other:?}"),
        }
    }
}

fn init() -> Init {
    Init::new(Token::new("first"), None, Map::new())
}

fn update() -> Update {
    Update { token: Token::new("second") }
}

fn request() -> Request {
    Request::new(Method::Get, &["v3", "Documents", "d"])
}

fn account(identity: &str) -> AccountDescriptor {
    AccountDescriptor {
        account_sid: "AC".into(),
        instance_sids: [(DATA_SYNC.to_owned(), "IS".to_owned())].into(),
        identity: identity.into(),
    }
}

fn admit(identity: &str, lasts: Option<Duration>) -> Verdict {
    Verdict::Accepted(Box::new(Admission {
        account: account(identity),
        lasts,
        continuation_token: Some("continue".into()),
        continuation_status: None,
        storage_id: Some("store".into()),
    }))
}

fn refuse(code: u16, error_code: u32) -> Verdict {
    Verdict::Refused(Status::new(code).because(error_code, "no").into())
}

fn notification() -> Notification {
    let payload = super::super::frame::Payload::json(&serde_json::json!({ "event_type": "x" }));
    Notification { message_type: "twilio.sync.event".into(), payload }
}

fn header(frame: &Encoded) -> Map<String, Value> {
    let bytes = frame.bytes();
    Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap().fields()
}
