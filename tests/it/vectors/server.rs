//! Every recorded connection, replayed against the server's end. What the recorded client sent goes in as it is; the
//! recorded server's words tell what tokens are worth, what requests are answered, and what happened. What this
//! crate's session then says is compared with what the recorded server said, frame by frame.
//!
//! Differences, all on purpose:
//! * ids of commands are the session's own, and pings come when it is silent: neither is compared;
//! * `init_registrations` are not told: no SDK reads them;
//! * an `init` that the stand-in did not answer (`13`) would be answered with 503 after 10 s: the time is made longer here, as
//!   that for acknowledgements;
//! * what the stand-in was made to do wrong is not done: see [`is_fault`].

use std::collections::HashMap;
use std::time::Duration;

use sp_sync::twilsock::message::{
    AccountDescriptor, BackoffPolicy, InitReply, Message, Refusal, Reply, Request, Response,
};
use sp_sync::twilsock::server_session::{Admission, Check, End, Output, ServerSession, Settings, Verdict};
use tokio::time::Instant;

use super::*;

/// Faults that were switched on in the stand-in; a connection is replayed up to the first of them.
///
/// * `close` 401, 406, 417 and 503 at will (`07`): a session closes with 410 and 308, and with 406 only over a frame that
///   it could not read;
/// * answers to requests whose transport status is not 200 (`11`): service errors belong into the HTTP status.
fn is_fault(recorded: &Recorded, asked: Option<&str>) -> bool {
    match (recorded.method(), recorded.status()) {
        ("close", Some(code)) => code != 308 && code != 410,
        ("reply", Some(code)) => asked == Some("message") && code != 200,
        _ => false,
    }
}

struct Replay<'a> {
    session: ServerSession,
    began: Instant,
    frames: Vec<&'a Recorded>,
    /// What the client's frames were, by id.
    asked: HashMap<String, String>,
    checks: HashMap<String, Check>,
    requests: HashMap<String, Request>,
    /// The session's ids of commands, by the recorded ones.
    commands: HashMap<String, String>,
    said: Vec<(Value, Value)>,
    cut: Option<End>,
    account: Option<AccountDescriptor>,
}

impl<'a> Replay<'a> {
    fn new(frames: Vec<&'a Recorded>) -> Self {
        let began = Instant::now();
        let ms = |method: &str, code| {
            let found = frames.iter().find(|recorded| {
                !recorded.to_server && recorded.method() == method && recorded.status() == code
            });
            found.map(|recorded| recorded.at_ms)
        };
        // The recorded server warned and closed a while before and at the token's end.
        let (warned, ended) = (ms("client_update", None), ms("close", Some(410)));
        let token_warning = warned.zip(ended).map_or(180_000, |(warned, ended)| ended - warned);
        let confirmed = frames.iter().find_map(|recorded| match recorded.to_server {
            true => None,
            false => Some(recorded.header.get("capabilities")?.as_array()?.clone()),
        });
        let confirmed = confirmed.unwrap_or_default();
        let settings = Settings {
            capabilities: confirmed.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
            ping_after: Duration::from_secs(3600),
            acknowledge_within: Duration::from_secs(3600),
            init_within: Duration::from_secs(3600),
            token_warning: Duration::from_millis(token_warning),
            ..Settings::default()
        };
        Self {
            session: ServerSession::new(settings, 7, began),
            began,
            frames,
            asked: HashMap::new(),
            checks: HashMap::new(),
            requests: HashMap::new(),
            commands: HashMap::new(),
            said: Vec::new(),
            cut: None,
            account: None,
        }
    }

    fn at(&self, recorded: &Recorded) -> Instant {
        self.began + Duration::from_millis(recorded.at_ms - self.frames[0].at_ms)
    }

    /// How long the token that is accepted now lasts, seen from what followed.
    fn lasts(&self, from: usize) -> Option<Duration> {
        let accepted_at = self.frames[from].at_ms;
        let until_next = self.frames[from + 1..].iter().take_while(|recorded| {
            // A later token that is accepted makes the end of this one unknown.
            !(recorded.to_server && recorded.method() == "update")
        });
        let mut warned = None;
        for recorded in until_next.filter(|recorded| !recorded.to_server) {
            match recorded.method() {
                "close" if recorded.status() == Some(410) => {
                    return Some(Duration::from_millis(recorded.at_ms - accepted_at));
                }
                "client_update" => warned = Some(recorded.at_ms - accepted_at),
                _ => {}
            }
        }
        let ended =
            self.frames.iter().any(|recorded| recorded.method() == "close" && recorded.status() == Some(410));
        warned.filter(|_| !ended).map(|warned| Duration::from_millis(warned + 180_000))
    }

    fn run(&mut self) {
        for at in 0..self.frames.len() {
            let recorded = self.frames[at];
            let now = self.at(recorded);
            while let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= now) {
                self.session.tick(deadline);
                self.collect(recorded);
            }
            match recorded.to_server {
                true => self.client_said(recorded, now),
                false if is_fault(recorded, self.asked.get(recorded.id()).map(String::as_str)) => return,
                false => self.server_said(at, now),
            }
            self.collect(recorded);
        }
    }

    fn client_said(&mut self, recorded: &Recorded, now: Instant) {
        self.asked.insert(recorded.id().to_owned(), recorded.method().to_owned());
        let mut header = recorded.header.clone();
        if let Some(own) = self.commands.get(recorded.id()) {
            header["id"] = own.as_str().into();
        }
        let frame = Encoded::with_header(header, &recorded.payload);
        self.session.received(frame.bytes(), now);
    }

    /// Makes the session say what the recorded server said.
    fn server_said(&mut self, at: usize, now: Instant) {
        let recorded = self.frames[at];
        let id = recorded.id();
        let asked = self.asked.get(id).cloned();
        match (recorded.envelope().message, asked.as_deref()) {
            (Message::Reply(reply), Some("message")) => {
                let request = self.requests.remove(id);
                assert!(request.is_some(), "{}: not handed over", recorded.place);
                self.session.respond(id, &response(reply), now);
            }
            (Message::Reply(reply), Some("init" | "update")) => {
                let check = self.checks.remove(id).unwrap_or_else(|| panic!("{}: no check", recorded.place));
                let verdict = self.verdict(reply, at);
                self.session.token_checked(check, verdict, now);
            }
            (Message::Notification(notification), None) => self.session.notify(&notification, now),
            (Message::Close(close), None) if recorded.status() == Some(308) => {
                let second = Duration::from_secs(1);
                let backoff = close.why.and_then(|why| why.backoff);
                self.session.shut_down(backoff.unwrap_or(BackoffPolicy::new(second, second)), now);
            }
            // By the session's own clock, which was ticked just now; or at its own time.
            (Message::Close(_) | Message::ClientUpdate(_) | Message::Ping, None) => {}
            // Made up by the stand-in, to see whether it is acknowledged.
            (Message::Unknown { .. }, None) => {}
            (other, asked) => panic!("{}: {other:?} to {asked:?}", recorded.place),
        }
    }

    fn verdict(&mut self, reply: Reply, at: usize) -> Verdict {
        let refusal: Refusal = reply.refusal();
        let lasts = self.lasts(at);
        let accepted = match reply.into_init() {
            Ok(InitReply::Accepted(accepted)) => accepted,
            _ => return Verdict::Refused(refusal),
        };
        let account = accepted.account.or(self.account.clone()).expect("whose session it is");
        self.account = Some(account.clone());
        Verdict::Accepted(Box::new(Admission {
            account,
            lasts,
            continuation_token: accepted.continuation_token,
            continuation_status: accepted.continuation_status,
            storage_id: accepted.storage_ids.into_values().next(),
        }))
    }

    fn collect(&mut self, recorded: &Recorded) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::CheckToken { check, .. } => {
                    self.checks.insert(recorded.id().to_owned(), check);
                }
                Output::Request { id, request } => {
                    self.requests.insert(id, request);
                }
                Output::Cut(end) => self.cut = Some(end),
                Output::Send(frame) => {
                    let (header, _) = comparable(&frame);
                    if header["method"] != "reply" {
                        let own = header["id"].as_str().unwrap().to_owned();
                        self.commands.insert(recorded.id().to_owned(), own);
                    }
                    self.said.push(comparable_words(&frame));
                }
            }
        }
    }

    /// What the recorded server said, up to the first fault.
    fn expected(&self) -> Vec<(Value, Value)> {
        let asked = |recorded: &Recorded| self.asked.get(recorded.id()).map(String::as_str);
        let until = self
            .frames
            .iter()
            .take_while(|recorded| recorded.to_server || !is_fault(recorded, asked(recorded)));
        let own = until.filter(|recorded| !recorded.to_server);
        let own = own.filter(|recorded| !["ping", "something_new"].contains(&recorded.method()));
        own.map(|recorded| comparable_words(&recorded.encoded())).collect()
    }
}

fn response(reply: Reply) -> Response {
    reply.into_response().expect("an answer")
}

/// Without what is the session's own to choose.
fn comparable_words(frame: &Encoded) -> (Value, Value) {
    let (mut header, payload) = comparable(frame);
    let header = header.as_object_mut().unwrap();
    if header["method"] != "reply" {
        header.remove("id");
    }
    header.remove("init_registrations");
    header.remove("client_update_message");
    if header.get("capabilities").is_some_and(|list| list.as_array().is_some_and(Vec::is_empty)) {
        header.remove("capabilities");
    }
    (Value::Object(header.clone()), payload)
}

#[test]
fn the_session_says_what_the_recorded_server_said() {
    let (mut connections, mut frames) = (0, 0);
    for vector in vectors() {
        let mut numbers: Vec<u64> = vector.frames.iter().map(|recorded| recorded.connection).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            let of = vector.frames.iter().filter(|recorded| recorded.connection == number).collect();
            let mut replay = Replay::new(of);
            replay.run();
            let expected = replay.expected();
            for (at, (said, expected)) in replay.said.iter().zip(&expected).enumerate() {
                assert_eq!(said, expected, "{} connection {number}, word {at}", vector.name);
            }
            assert_eq!(replay.said.len(), expected.len(), "{} connection {number}", vector.name);
            assert!(
                matches!(replay.cut, None | Some(End::ByClient | End::Closed)),
                "{} connection {number}: {:?}",
                vector.name,
                replay.cut
            );
            connections += 1;
            frames += expected.len();
        }
    }
    assert!(connections > 100 && frames > 700, "{connections} connections, {frames} frames");
}
