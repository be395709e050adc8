use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Map;
use sp_sync::limits::{TWILSOCK_ABSENCE_MAX, TWILSOCK_FRAME_BYTES_MAX};
use sp_sync::token::Token;
use sp_sync::twilsock::client_session::{self, ClientSession, Moment, Ticket};
use sp_sync::twilsock::frame::{Encoded, Frame, Payload};
use sp_sync::twilsock::message::{
    Accepted, AccountDescriptor, BackoffPolicy, Close, Envelope, Init, Message, Method, Notification,
    Refusal, Request, Response, Status, Update, acknowledge, ping,
};
use sp_sync::twilsock::server_session::{self, Admission, Check, ServerSession, Verdict};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// What may happen to either end; each takes of it what it can.
#[derive(Clone, Debug)]
enum Step {
    Wait(u16),
    /// Waits until its own deadline.
    Deadline,
    /// Answers the last question: with this status.
    Answer(u16),
    /// The peer says this.
    Hear(Said),
    /// Its user wants this.
    Ask,
    Token(u8),
    Opened,
    Failed,
    Stop,
}

#[derive(Clone, Debug)]
enum Said {
    Init,
    Request,
    Update,
    Close(Option<u16>, bool),
    Ping,
    Notification,
    Acknowledgement,
    Garbage(Vec<u8>),
}

fn code() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(200), 1 => prop::sample::select(vec![308, 401, 403, 406, 410, 417, 429, 500, 503])]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        2 => Just(Said::Init),
        3 => Just(Said::Request),
        1 => Just(Said::Update),
        1 => (proptest::option::of(code()), any::<bool>()).prop_map(|(code, policy)| Said::Close(code, policy)),
        2 => Just(Said::Ping),
        2 => Just(Said::Notification),
        3 => Just(Said::Acknowledgement),
        1 => vec(any::<u8>(), 0..40).prop_map(Said::Garbage),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<u16>().prop_map(Step::Wait),
        3 => Just(Step::Deadline),
        4 => code().prop_map(Step::Answer),
        6 => said().prop_map(Step::Hear),
        3 => Just(Step::Ask),
        1 => (0..4_u8).prop_map(Step::Token),
        4 => Just(Step::Opened),
        1 => Just(Step::Failed),
        1 => prop::bool::weighted(0.05).prop_map(|stop| if stop { Step::Stop } else { Step::Ask }),
    ]
}

fn refusal(code: u16, policy: bool) -> Refusal {
    let backoff = policy.then(|| BackoffPolicy::new(3 * SECOND, 1_000_000 * SECOND));
    Refusal { backoff, ..Status::new(code).into() }
}

fn request() -> Request {
    Request::new(Method::Get, &["v3", "Documents", "d"])
}

fn bytes(said: &Said, last: &str) -> Vec<u8> {
    let frame: Encoded = match said {
        Said::Init => Init::new(Token::new("t"), None, Map::new()).frame("I"),
        Said::Request => request().frame("R"),
        Said::Update => Update { token: Token::new("u") }.frame("U"),
        Said::Close(None, _) => Close::default().frame("C"),
        Said::Close(Some(code), policy) => refusal(*code, *policy).close("C"),
        Said::Ping => ping("P"),
        Said::Notification => {
            Notification { message_type: "twilio.sync.event".into(), payload: Payload::none() }.frame("N")
        }
        Said::Acknowledgement => acknowledge(last),
        Said::Garbage(bytes) => return bytes.clone(),
    };
    frame.bytes().to_vec()
}

fn envelope(frame: &Encoded) -> Envelope {
    let bytes = frame.bytes();
    Envelope::read(Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap()).unwrap()
}

struct Server {
    session: ServerSession,
    now: Instant,
    checks: VecDeque<Check>,
    requests: Vec<String>,
    last: String,
    cut: bool,
}

impl Server {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Wait(ms) => self.now += Duration::from_millis(u64::from(*ms)),
            Step::Deadline => self.now = self.session.deadline().unwrap_or(self.now).max(self.now),
            Step::Answer(code) => match (self.checks.pop_front(), self.requests.pop()) {
                (Some(check), _) => self.session.token_checked(check, verdict(*code), self.now),
                (None, Some(id)) => self.session.respond(&id, &Response::empty(*code), self.now),
                (None, None) => {}
            },
            Step::Hear(said) => self.session.received(&bytes(said, &self.last), self.now),
            Step::Ask => {
                let payload = Payload::json(&"x");
                self.session.notify(&Notification { message_type: "m".into(), payload }, self.now);
            }
            Step::Stop => self.session.shut_down(BackoffPolicy::new(SECOND, SECOND), self.now),
            Step::Failed | Step::Opened | Step::Token(_) => {}
        }
        // As the task around it does.
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.session.tick(self.now);
        }
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.session.next_output() {
            assert!(!self.cut, "{output:?} after the end");
            match output {
                server_session::Output::Send(frame) => self.last = envelope(&frame).id,
                server_session::Output::CheckToken { check, .. } => self.checks.push_back(check),
                server_session::Output::Request { id, .. } => self.requests.push(id),
                server_session::Output::Cut(_) => self.cut = true,
            }
        }
        assert_eq!(
            self.cut,
            self.session.deadline().is_none(),
            "ended is without a deadline, and nothing else"
        );
    }
}

fn verdict(code: u16) -> Verdict {
    match code {
        200 => Verdict::Accepted(Box::new(Admission {
            account: AccountDescriptor {
                account_sid: "AC".into(),
                instance_sids: BTreeMap::new(),
                identity: "me".into(),
            },
            lasts: Some(200 * SECOND),
            continuation_token: None,
            continuation_status: None,
            storage_id: None,
        })),
        code => Verdict::Refused(refusal(code, code == 429)),
    }
}

struct Client {
    session: ClientSession,
    now: Instant,
    chance: u64,
    attempt: u64,
    /// Ids of frames that want an answer, and what they were.
    asked: VecDeque<(String, Message)>,
    open_tickets: HashSet<Ticket>,
    is_open: bool,
    closed: bool,
    wants_token: bool,
}

impl Client {
    fn moment(&mut self) -> Moment {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Moment { now: self.now, chance: self.chance >> 20 }
    }

    fn take(&mut self, step: &Step) {
        let moment = self.moment();
        match step {
            Step::Wait(ms) => self.now += Duration::from_millis(u64::from(*ms)),
            Step::Deadline => self.now = self.session.deadline().unwrap_or(self.now).max(self.now),
            Step::Answer(code) => self.answer(*code, moment),
            Step::Hear(said) => self.session.received(self.attempt, &bytes(said, "nobody"), moment),
            Step::Ask => {
                let ticket = self.session.request(request(), moment);
                self.open_tickets.insert(ticket);
            }
            Step::Token(n) => {
                self.wants_token = false;
                self.session.install_token(Token::new(format!("token {n}")), moment);
            }
            Step::Opened => self.session.socket_opened(self.attempt, moment),
            Step::Failed => self.session.socket_failed(self.attempt, moment),
            Step::Stop => {
                self.session.close();
                self.closed = true;
            }
        }
        let moment = self.moment();
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.session.tick(moment);
        }
        self.collect();
    }

    fn answer(&mut self, code: u16, moment: Moment) {
        let Some((id, asked)) = self.asked.pop_front() else { return };
        let frame = match (asked, code) {
            (Message::Init(_), 200) => Accepted::default().frame(&id),
            (Message::Request(_), 200) => Response::empty(200).frame(&id),
            (_, 200) => acknowledge(&id),
            (_, code) => refusal(code, code == 429).reply(&id),
        };
        self.session.received(self.attempt, frame.bytes(), moment);
    }

    fn collect(&mut self) {
        use client_session::Output;
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Connect(attempt) => {
                    assert!(attempt > self.attempt && !self.closed);
                    self.attempt = attempt;
                    self.asked.clear();
                }
                Output::Send(frame) | Output::Acknowledge(frame) => match envelope(&frame) {
                    Envelope { message: Message::Reply(_) | Message::Close(_), .. } => {}
                    Envelope { id, message } => {
                        assert!(self.is_open || matches!(message, Message::Init(_)), "{message:?} too early");
                        self.asked.push_back((id, message));
                    }
                },
                Output::Opened(_) => {
                    assert!(!self.is_open);
                    self.is_open = true;
                }
                Output::Lost => {
                    assert!(self.is_open);
                    self.is_open = false;
                }
                Output::Answer(ticket, _) => assert!(self.open_tickets.remove(&ticket), "answered once"),
                Output::TokenWanted(_) => self.wants_token = true,
                Output::Drop(attempt) => assert_eq!(attempt, self.attempt),
                _ => {}
            }
        }
        self.promises();
    }

    /// Unless it is closed, it waits for a token that it asked for, or for a time that is not far.
    fn promises(&self) {
        let deadline = self.session.deadline();
        match deadline {
            _ if self.closed => assert!(deadline.is_none() && self.open_tickets.is_empty()),
            Some(deadline) => assert!(deadline <= self.now + TWILSOCK_ABSENCE_MAX),
            None => assert!(self.wants_token && self.open_tickets.is_empty()),
        }
    }
}

proptest! {
    #[test]
    fn a_server_session_ends_once_and_says_nothing_afterwards(steps in vec(step(), 0..80)) {
        let now = Instant::now();
        let settings = server_session::Settings { unacknowledged_max: 5, requests_per_s: 3, ..Default::default() };
        let session = ServerSession::new(settings, 1, now);
        let mut server = Server {
            session, now, checks: VecDeque::new(), requests: Vec::new(), last: String::new(), cut: false,
        };
        for step in &steps {
            server.take(step);
        }
    }

    #[test]
    fn a_client_session_answers_every_request_once_and_never_gives_up(steps in vec(step(), 0..80), chance in any::<u64>()) {
        let now = Instant::now();
        let session = ClientSession::new(Default::default(), Token::new("token 0"), None, 1);
        let mut client = Client {
            session, now, chance, attempt: 0, asked: VecDeque::new(), open_tickets: HashSet::new(),
            is_open: false, closed: false, wants_token: false,
        };
        let moment = client.moment();
        client.session.start(moment);
        client.collect();
        for step in &steps {
            client.take(step);
        }
        // Nobody answers any more: everything that was asked comes to an end in a minute.
        for _ in 0..200 {
            client.take(&Step::Deadline);
        }
        prop_assert!(client.open_tickets.is_empty(), "{:?}", client.open_tickets);
    }
}
