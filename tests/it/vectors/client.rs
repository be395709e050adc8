//! Every recorded connection, replayed against the client's end: it opens the session, sends the recorded requests and
//! tokens when the recorded client did, and hears what the recorded server said.
//!
//! Differences, all on purpose:
//! * ids are the session's own;
//! * it sends no telemetry, announces fewer capabilities, and no registrations: servers notify all the same;
//! * after `close` 401 and 410 the JavaScript SDK rests for 3 s and forgets a token that comes then; after 406 and 417 it is
//!   dead. This one wants a token, or comes back;
//! * where the transport refuses a request with 429 (`11`) it pauses before the next one, as the Kotlin SDK does; the clock is
//!   moved over the pause;
//! * on `update` refused with 401 the JavaScript SDK ends the session and says `close`; this one wants a token and goes on
//!   with the old one as long as the server lets it. So what the recorded client says after that is not replayed.

use std::collections::HashMap;
use std::time::Duration;

use sp_sync::token::Token;
use sp_sync::twilsock::client_session::{
    ClientSession, Moment, Output, RequestError, Settings, Ticket, TokenWanted, Trouble,
};
use sp_sync::twilsock::message::{Message, Notification, Response};
use tokio::time::Instant;

use super::*;

struct Replay {
    session: ClientSession,
    began: Instant,
    /// Pauses that the recorded client did not make.
    paused: Duration,
    /// The session's ids, by the recorded ones.
    ids: HashMap<String, String>,
    /// Recorded ids of requests and tokens that the session has not sent yet, in order.
    unsent: Vec<String>,
    tickets: HashMap<Ticket, String>,
    answers: HashMap<String, Result<Response, RequestError>>,
    acknowledged: Vec<String>,
    notifications: Vec<Notification>,
    opened: usize,
    wanted: Vec<TokenWanted>,
    troubles: Vec<Trouble>,
}

impl Replay {
    fn new(first: &Recorded) -> Self {
        let Message::Init(init) = first.envelope().message else { panic!("{}", first.place) };
        // The recorded client notices no silence; the longest here is a minute.
        let settings = Settings { silence_max: Duration::from_secs(300), ..Settings::default() };
        let mut session = ClientSession::new(settings, init.token, init.continuation_token, 7);
        let began = Instant::now();
        let moment = Moment { now: began, chance: 0 };
        session.start(moment);
        session.socket_opened(1, moment);
        let mut replay = Self {
            session,
            began,
            paused: Duration::ZERO,
            ids: HashMap::new(),
            unsent: vec![first.id().to_owned()],
            tickets: HashMap::new(),
            answers: HashMap::new(),
            acknowledged: Vec::new(),
            notifications: Vec::new(),
            opened: 0,
            wanted: Vec::new(),
            troubles: Vec::new(),
        };
        replay.collect();
        replay
    }

    /// Whether there is anything left to replay.
    fn client_said(&mut self, recorded: &Recorded, moment: Moment) -> bool {
        match recorded.envelope().message {
            Message::Request(request) => {
                self.unsent.push(recorded.id().to_owned());
                let ticket = self.session.request(request, moment);
                self.tickets.insert(ticket, recorded.id().to_owned());
            }
            Message::Update(update) => {
                self.unsent.push(recorded.id().to_owned());
                self.session.install_token(Token::new(update.token.secret()), moment);
            }
            Message::Close(_) => return false,
            Message::Init(_) | Message::Reply(_) | Message::Telemetry(_) => {}
            other => panic!("{}: {other:?}", recorded.place),
        }
        true
    }

    fn server_said(&mut self, recorded: &Recorded, mut moment: Moment) {
        let mut header = recorded.header.clone();
        if recorded.method() == "reply" {
            if !self.ids.contains_key(recorded.id()) {
                let resumed = self.session.deadline().expect("a pause");
                assert!(recorded.place.starts_with("11-"), "{}", recorded.place);
                self.paused += resumed - moment.now;
                moment.now = resumed;
                self.session.tick(moment);
                self.collect();
            }
            let own = self.ids.get(recorded.id()).unwrap_or_else(|| panic!("{}: not asked", recorded.place));
            header["id"] = own.as_str().into();
        }
        let frame = Encoded::with_header(header, &recorded.payload);
        self.session.received(1, frame.bytes(), moment);
    }

    fn collect(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Send(frame) | Output::Acknowledge(frame) => match envelope(frame.bytes()).unwrap() {
                    Envelope { id, message: Message::Reply(_) } => self.acknowledged.push(id),
                    // After a refusal.
                    Envelope { message: Message::Close(_), .. } => {}
                    Envelope { id, .. } => {
                        self.ids.insert(self.unsent.remove(0), id);
                    }
                },
                Output::Opened(_) => self.opened += 1,
                Output::Answer(ticket, answer) => {
                    self.answers.insert(self.tickets[&ticket].clone(), answer);
                }
                Output::Notification(notification) => self.notifications.push(notification),
                Output::TokenWanted(wanted) => self.wanted.push(wanted),
                Output::Trouble(trouble) => self.troubles.push(trouble),
                Output::Connect(_) | Output::Drop(_) | Output::Lost => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn run(&mut self, frames: &[&Recorded]) {
        for recorded in frames {
            let now = self.began + self.paused + Duration::from_millis(recorded.at_ms - frames[0].at_ms);
            let moment = Moment { now, chance: 0 };
            self.session.tick(moment);
            match recorded.to_server {
                true if !self.client_said(recorded, moment) => return,
                true => {}
                false => self.server_said(recorded, moment),
            }
            self.collect();
        }
    }

    /// What became of it, against what was recorded.
    fn check(&self, name: &str, frames: &[&Recorded]) {
        let server =
            |method: &'static str| frames.iter().filter(move |f| !f.to_server && f.method() == method);
        let commands: Vec<&str> =
            frames.iter().filter(|f| !f.to_server && f.method() != "reply").map(|f| f.id()).collect();
        assert_eq!(self.acknowledged, commands, "{name}: acknowledgements");
        let notifications = server("notification").map(|f| match f.envelope().message {
            Message::Notification(notification) => notification,
            other => panic!("{other:?}"),
        });
        assert_eq!(self.notifications, notifications.collect::<Vec<_>>(), "{name}: notifications");
        for recorded in server("reply").filter(|f| self.tickets.values().any(|id| id == f.id())) {
            let Message::Reply(reply) = recorded.envelope().message else { panic!() };
            let expected = reply.into_response().map_err(RequestError::Refused);
            assert_eq!(self.answers.get(recorded.id()), Some(&expected), "{}", recorded.place);
        }
        let warnings = self.wanted.iter().filter(|wanted| **wanted == TokenWanted::AboutToExpire).count();
        assert_eq!(warnings, server("client_update").count(), "{name}: warnings");
        for close in server("close") {
            self.check_close(close);
        }
        self.check_init(frames);
    }

    fn check_init(&self, frames: &[&Recorded]) {
        let answer = frames.iter().find(|f| !f.to_server && f.id() == frames[0].id());
        match answer.map(|answer| (answer, answer.status())) {
            Some((_, Some(200))) => assert_eq!(self.opened, 1),
            Some((answer, Some(401 | 403))) => {
                assert!(matches!(self.wanted[..], [TokenWanted::Refused(_)]), "{}", answer.place);
                assert_eq!(self.session.deadline(), None);
            }
            Some((answer, _)) => {
                assert!(matches!(self.troubles[..], [Trouble::Refused(_)]), "{}", answer.place);
                assert!(self.session.deadline().is_some(), "{}: comes back", answer.place);
            }
            // It waits, and would come back.
            None => assert!(self.opened == 0 && self.session.deadline().is_some()),
        }
    }

    fn check_close(&self, close: &Recorded) {
        match close.status() {
            Some(410) => assert!(self.wanted.contains(&TokenWanted::Expired), "{}", close.place),
            Some(401) => assert!(matches!(self.wanted[..], [TokenWanted::Refused(_)]), "{}", close.place),
            _ => {
                assert!(matches!(self.troubles[..], [Trouble::Refused(_)]), "{}", close.place);
                assert!(self.session.deadline().is_some(), "{}: comes back", close.place);
            }
        }
    }
}

#[test]
fn the_session_understands_what_the_recorded_server_said() {
    let (mut connections, mut answers, mut notifications) = (0, 0, 0);
    for vector in vectors() {
        let mut numbers: Vec<u64> = vector.frames.iter().map(|recorded| recorded.connection).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            let of: Vec<&Recorded> = vector.frames.iter().filter(|f| f.connection == number).collect();
            let mut replay = Replay::new(of[0]);
            replay.run(&of);
            replay.check(&format!("{} connection {number}", vector.name), &of);
            connections += 1;
            answers += replay.answers.len();
            notifications += replay.notifications.len();
        }
    }
    assert!(
        connections > 100 && answers > 400 && notifications > 200,
        "{connections} {answers} {notifications}"
    );
}
