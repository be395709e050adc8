//! A session, a clock that is moved by hand, chance that is always the same, and a server that only says what it is
//! told to.

mod connecting;
mod requests;
mod tokens;

use std::time::Duration;

use super::super::frame::Encoded;
use super::super::message::{
    Accepted, BackoffPolicy, Close, Method, Refusal, Response, Status, acknowledge, ping,
};
use super::*;
use crate::limits::TWILSOCK_FRAME_BYTES_MAX;

const SECOND: Duration = Duration::from_secs(1);

/// With chance 0 every wait is the shortest: four fifths of its length.
const SHORTEST: Duration = Duration::from_millis(800);

struct Bench {
    session: ClientSession,
    now: Instant,
    attempt: u64,
}

impl Bench {
    fn new() -> Self {
        let session = ClientSession::new(Settings::default(), Token::new("first"), None, 7);
        let mut bench = Self { session, now: Instant::now(), attempt: 0 };
        bench.session.start(bench.moment());
        bench
    }

    /// An open session.
    fn live() -> Self {
        let mut bench = Self::new();
        bench.open();
        bench
    }

    /// Opens the socket and the session that were asked for; answers the token that was presented.
    fn open(&mut self) -> String {
        let (id, token) = self.initialise();
        self.hear(
            &Accepted { continuation_token: Some("continue".into()), ..Accepted::default() }.frame(&id),
        );
        let said = self.said();
        assert!(matches!(&said[0], Output::Opened(_)), "{said:?}");
        // What was queued comes after it; tests that care look for themselves.
        for output in said.into_iter().skip(1).rev() {
            self.session.core.outputs.push_front(output);
        }
        token
    }

    /// Opens the socket that was asked for; answers id and token of the `init`.
    fn initialise(&mut self) -> (String, String) {
        let said = self.said();
        let Some(Output::Connect(attempt)) = said.last() else { panic!("{said:?}") };
        self.attempt = *attempt;
        self.session.socket_opened(self.attempt, self.moment());
        match self.frame() {
            Envelope { id, message: Message::Init(init) } => (id, init.token.secret().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, chance: 0 }
    }

    fn hear(&mut self, frame: &Encoded) {
        self.session.received(self.attempt, frame.bytes(), self.moment());
    }

    fn token(&mut self, token: &str) {
        self.session.install_token(Token::new(token), self.moment());
    }

    fn request(&mut self) -> Ticket {
        self.session.request(Request::new(Method::Get, &["v3", "Documents", "d"]), self.moment())
    }

    fn said(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.next_output()).collect()
    }

    /// The one frame that was just sent.
    fn frame(&mut self) -> Envelope {
        let said = self.said();
        match said.as_slice() {
            [Output::Send(frame)] => envelope(frame),
            other => panic!("{other:?}"),
        }
    }

    /// Goes on to the next deadline, which must be so far away.
    fn wait(&mut self, expected: Duration) -> Vec<Output> {
        let deadline = self.session.deadline().expect("a deadline");
        assert_eq!(deadline - self.now, expected);
        self.now = deadline - Duration::from_millis(1);
        self.session.tick(self.moment());
        assert_eq!(self.said(), [], "too early");
        self.now = deadline;
        self.session.tick(self.moment());
        self.said()
    }

    /// Stays for so long; the server pings often enough.
    fn stay(&mut self, duration: Duration) {
        self.now += duration;
        self.hear(&ping("P"));
        self.said();
    }
}

fn envelope(frame: &Encoded) -> Envelope {
    let bytes = frame.bytes();
    Envelope::read(Frame::decode(bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap()).unwrap()
}

fn refusal(code: u16) -> Refusal {
    Status::new(code).into()
}

fn expired() -> Encoded {
    Refusal::from(Status::new(410).because(51207, "Token expired")).close("C")
}
