//! The machine alone: a clock that is moved by hand, and a service that says what a test wants.

mod orders;
mod subscriptions;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::backend::{Change, Expect, Revision, Ttl};
use crate::document::Document;
use crate::twilsock::frame::{Encoded, Frame};
use crate::twilsock::message::{Accepted, Envelope, Message, Method, Notification, Request, Response};
use crate::twilsock::sync::{DocumentResource, EventId};

const SID: &str = "ET00000000000000000000000000000001";

struct Bench {
    machine: Machine,
    now: Instant,
    attempt: u64,
    /// What the service says when a socket is opened.
    date: Option<Timestamp>,
    /// No socket can be opened.
    broken: bool,
    /// Requests that were sent and not answered.
    asked: VecDeque<(String, Request)>,
    settled: VecDeque<(Call, Result<Settled, BackendError>)>,
    told: VecDeque<Result<Change, BackendError>>,
    calls: u64,
}

impl Bench {
    /// With a token, and an open session once something is asked.
    fn new() -> Self {
        let now = Instant::now();
        let machine = Machine::new(Settings::default(), 16_384, None, 7, now, 1_000_000);
        let mut bench = Self {
            machine,
            now,
            attempt: 0,
            date: None,
            broken: false,
            asked: VecDeque::new(),
            settled: VecDeque::new(),
            told: VecDeque::new(),
            calls: 0,
        };
        bench.machine.install_token(Token::new("good"), bench.moment());
        bench.collect();
        bench
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, chance: 0 }
    }

    fn call(&mut self, begin: impl FnOnce(&mut Machine, Call, Moment)) -> Call {
        self.calls += 1;
        let (call, moment) = (Call(self.calls), self.moment());
        begin(&mut self.machine, call, moment);
        self.collect();
        call
    }

    fn collect(&mut self) {
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Connect(attempt) => {
                    self.attempt = attempt;
                    if !self.broken {
                        self.machine.socket_opened(attempt, self.date, self.moment());
                    }
                }
                Output::Send(frame) | Output::Acknowledge(frame) => self.sent(&frame),
                Output::Drop(_) => self.asked.clear(),
                Output::Settled(call, how) => self.settled.push_back((call, how)),
                Output::Told(_, change) => self.told.push_back(change),
                Output::TokenEnds => {}
            }
        }
    }

    fn sent(&mut self, frame: &Encoded) {
        let bytes = frame.bytes();
        let Envelope { id, message } = Envelope::read(Frame::decode(bytes, 1_000_000).unwrap()).unwrap();
        match message {
            Message::Init(_) => self.hear(&Accepted::default().frame(&id)),
            Message::Request(request) => self.asked.push_back((id, request)),
            _ => {}
        }
    }

    fn hear(&mut self, frame: &Encoded) {
        self.machine.received(self.attempt, frame.bytes(), self.moment());
        self.collect();
    }

    fn notify(&mut self, notification: &Notification) {
        self.hear(&notification.frame("TM1"));
    }

    /// Answers the request that was sent first, which must be this one.
    fn answer(&mut self, what: &str, response: &Response) {
        let (id, request) = self.asked.pop_front().expect("nothing is asked");
        assert!(format!("{request:?}").starts_with(what), "{request:?} was asked, not {what}");
        self.hear(&response.frame(&id));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let moment = self.moment();
        self.machine.tick(moment);
        self.collect();
    }

    fn settled(&mut self, call: Call) -> Result<Settled, BackendError> {
        let (own, how) = self.settled.pop_front().expect("nothing has ended");
        assert_eq!(own, call);
        how
    }

    fn written(&mut self, call: Call) -> Revision {
        match self.settled(call) {
            Ok(Settled::Written(written)) => written.revision,
            other => panic!("{other:?}"),
        }
    }

    fn told(&mut self) -> String {
        match self.told.pop_front() {
            None => "nothing".into(),
            Some(Ok(Change::Removed)) => "removed".into(),
            Some(Ok(Change::Updated(stored))) => format!("{} {}", stored.revision, stored.document.to_json()),
            Some(Err(error)) => error.to_string(),
        }
    }
}

fn id() -> DocumentId {
    DocumentId::new("a").unwrap()
}

fn write(expect: Expect) -> Write {
    Write { document: Arc::new(Document::from_json("{\"mine\":1}").unwrap()), expect, ttl: Ttl::Keep }
}

fn resource(event: i64) -> DocumentResource {
    DocumentResource {
        sid: SID.into(),
        unique_name: Some("a".into()),
        account_sid: None,
        service_sid: None,
        url: String::new(),
        links: None,
        revision: EventId(event).revision(),
        last_event_id: EventId(event),
        date_created: None,
        date_updated: None,
        date_expires: None,
        created_by: None,
    }
}

fn found(event: i64) -> Response {
    Response::json(200, resource(event).payload(Some(&format!("{{\"event\":{event}}}"))))
}

fn held(event: i64) -> Response {
    Response::json(200, resource(event).payload(None))
}

fn missing() -> Response {
    crate::twilsock::sync::SyncError::from(crate::twilsock::sync::Code::NoSuchName).response()
}
