//! The client's end of a Sync session, across as many connections as it takes: when to connect, what to send, what a
//! lost connection means for what was on its way. It is told what came, what time it is, and a random number; it opens
//! nothing and waits for nothing.
//!
//! The task around it opens sockets ([`Output::Connect`]), reports [`ClientSession::socket_opened`],
//! [`ClientSession::socket_failed`], [`ClientSession::received`], calls [`ClientSession::tick`] when
//! [`ClientSession::deadline`] has come, and after each carries out all of [`ClientSession::next_output`], in order.
//!
//! What it does otherwise than the JavaScript SDK, on purpose:
//! * a new token is taken in every state, and whatever was on its way with an older one is followed by an `update`;
//! * after a refused or expired token it connects as soon as there is another; no other condition ends its trying;
//! * it does not wait 3 s after a server's `close`;
//! * it notices a silent connection;
//! * a frame that it cannot read costs the connection: something may have been lost with it.

mod connecting;
mod live;
mod moment;
mod output;
mod requests;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

pub use moment::Moment;
pub use output::{Output, RequestError, Ticket, TokenWanted, Trouble};
pub use settings::Settings;

use super::frame::Frame;
use super::ids::Ids;
use super::message::{BackoffPolicy, Close, Envelope, Message, Request, acknowledge};
use crate::token::Token;
use live::Live;
use requests::Requests;

/// The client's end of a session.
#[derive(Debug)]
pub struct ClientSession {
    core: Core,
    state: State,
}

/// What all states share.
#[derive(Debug)]
struct Core {
    settings: Settings,
    ids: Ids,
    /// The newest token.
    token: Token,
    /// To be presented at the next `init`.
    continuation: Option<String>,
    requests: Requests,
    /// Attempts to connect, in all. The last one's socket is the only one that counts.
    attempt: u64,
    /// Attempts that failed since one lasted.
    failures: u32,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// Not started. Exits: `Connecting` (start), `Closed`.
    Idle,
    /// A socket is being opened. Exits: `Initialising` when it is; `Waiting` when it fails or takes too long; `Closed`.
    Connecting { until: Instant },
    /// `init` was sent with this token. Exits: `Live` when it is accepted; `Waiting` when it is refused for a time, not
    /// answered, or the socket is lost; `NeedsToken` when the token is refused, or `Connecting` if there is another
    /// already; `Closed`.
    Initialising { id: String, token: Token, until: Instant },
    /// The session is open. Exits: `Waiting` when the socket is lost, silent, or the server says so; `NeedsToken` when the
    /// token has expired, or `Connecting` if there is another already; `Closed`.
    Live(Box<Live>),
    /// Between two attempts. Exits: `Connecting` when the time has come, or at once with a new token unless the server
    /// asked for the absence; `Closed`.
    Waiting { until: Instant, asked: bool },
    /// The server wants another token. Exits: `Connecting` with one; `Waiting` when the same is given again; `Closed`.
    NeedsToken,
    /// The application said so. No exits.
    Closed,
}

impl ClientSession {
    /// A session that has not started. `seed` is random, for the ids of frames; `continuation` is what an earlier
    /// session of this client was given.
    #[must_use]
    pub fn new(settings: Settings, token: Token, continuation: Option<String>, seed: u64) -> Self {
        let core = Core {
            requests: Requests::default(),
            settings,
            ids: Ids::new(seed),
            token,
            continuation,
            attempt: 0,
            failures: 0,
            outputs: VecDeque::new(),
        };
        Self { core, state: State::Idle }
    }

    /// Connects for the first time.
    pub fn start(&mut self, moment: Moment) {
        if matches!(self.state, State::Idle) {
            self.connect(moment);
        }
    }

    /// A binary websocket message came from the socket of this attempt. Twilsock: everything but a reply is
    /// acknowledged, before it is acted on.
    pub fn received(&mut self, attempt: u64, message: &[u8], moment: Moment) {
        if attempt != self.core.attempt || !self.has_session() {
            return;
        }
        if let State::Live(live) = &mut self.state {
            live.heard_at(moment.now);
        }
        let Ok(frame) = Frame::decode(message, self.core.settings.frame_bytes_max) else {
            return self.lose(Trouble::Unreadable, None, moment);
        };
        if frame.method() != "reply" {
            self.core.outputs.push_back(Output::Acknowledge(acknowledge(frame.id())));
        }
        match Envelope::read(frame) {
            Ok(Envelope { id, message: Message::Reply(reply) }) => self.replied(&id, reply, moment),
            Ok(Envelope { message: Message::Notification(notification), .. }) => {
                self.core.outputs.push_back(Output::Notification(notification));
            }
            Ok(Envelope { message: Message::ClientUpdate(update), .. }) => self.updated(&update.kind),
            Ok(Envelope { message: Message::Close(close), .. }) => self.closed_by_server(close, moment),
            // Nothing else is a server's to say; it is acknowledged and passed over, as a ping is.
            Ok(_) => {}
            // What it answers runs out of time by itself; anything else may have been an event.
            Err(error) if error.method == "reply" => {}
            Err(_) => self.lose(Trouble::Unreadable, None, moment),
        }
    }

    /// Sends a request as soon as there is a session; its end is an [`Output::Answer`] with this ticket.
    pub fn request(&mut self, request: Request, moment: Moment) -> Ticket {
        let ended = matches!(self.state, State::Closed);
        let ticket = self.core.queue_request(request, ended, moment.now);
        self.flush(moment.now);
        ticket
    }

    /// Takes a request back; whether it had not been sent. Then it never will be, and there is no [`Output::Answer`].
    pub fn withdraw(&mut self, ticket: Ticket) -> bool {
        self.core.requests.withdraw(ticket)
    }

    /// Gives the connection up and makes a new one: for a caller that has found something missing.
    pub fn reconnect(&mut self, moment: Moment) {
        if self.has_session() {
            self.lose(Trouble::Asked, None, moment);
        }
    }

    /// Ends the session for good: says so to the server, and to whoever waits.
    pub fn close(&mut self) {
        if self.has_session() {
            let id = self.core.ids.next();
            self.core.outputs.push_back(Output::Send(Close::default().frame(&id)));
        }
        self.drop_socket();
        self.state = State::Closed;
        self.core.requests.close(&mut self.core.outputs);
    }

    /// When [`ClientSession::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Idle | State::NeedsToken | State::Closed => None,
            State::Connecting { until }
            | State::Initialising { until, .. }
            | State::Waiting { until, .. } => Some(*until),
            State::Live(live) => Some(live.deadline(&self.core)),
        };
        let requests = self.core.requests.deadline();
        [own, requests].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn tick(&mut self, moment: Moment) {
        self.core.requests.expire(moment.now, &mut self.core.outputs);
        match &mut self.state {
            State::Connecting { until } if *until <= moment.now => self.lose(Trouble::Socket, None, moment),
            State::Initialising { until, .. } if *until <= moment.now => {
                self.lose(Trouble::Silent, None, moment)
            }
            State::Waiting { until, .. } if *until <= moment.now => self.connect(moment),
            State::Live(live) => {
                if let Some(trouble) = live.tick(&mut self.core, moment.now) {
                    return self.lose(trouble, None, moment);
                }
                self.flush(moment.now);
            }
            _ => {}
        }
    }

    /// What to do next; `None` when all is done.
    pub fn next_output(&mut self) -> Option<Output> {
        self.core.outputs.pop_front()
    }

    /// To be kept for the next session of this client, across restarts if possible.
    #[must_use]
    pub fn continuation_token(&self) -> Option<&str> {
        self.core.continuation.as_deref()
    }

    /// Sends what waits, if it may.
    fn flush(&mut self, now: Instant) {
        if let State::Live(live) = &mut self.state
            && !live.is_held(now)
        {
            self.core.send_waiting(now);
        }
    }

    /// The connection is of no use any more. Never for good: the next attempt comes after `policy`, or the usual wait.
    fn lose(&mut self, trouble: Trouble, policy: Option<BackoffPolicy>, moment: Moment) {
        self.give_up(Some(trouble), moment.now);
        let wait = policy.map_or_else(|| moment.backoff(self.core.failures), |policy| moment.within(policy));
        self.core.failures = self.core.failures.saturating_add(1);
        self.state = State::Waiting { until: moment.now + wait, asked: policy.is_some() };
    }

    /// Tells what a lost connection means: requests that were sent are of unknown outcome.
    fn give_up(&mut self, trouble: Option<Trouble>, now: Instant) {
        self.drop_socket();
        if let State::Live(live) = &self.state {
            self.core.failures = live.failures_left(self.core.failures, now);
            self.core.outputs.push_back(Output::Lost);
        }
        self.core.outputs.extend(trouble.map(Output::Trouble));
        self.core.requests.lose_sent(&mut self.core.outputs);
    }

    fn drop_socket(&mut self) {
        if matches!(self.state, State::Connecting { .. } | State::Initialising { .. } | State::Live(_)) {
            self.core.outputs.push_back(Output::Drop(self.core.attempt));
        }
    }

    /// Whether there is a socket on which frames travel.
    fn has_session(&self) -> bool {
        matches!(self.state, State::Initialising { .. } | State::Live(_))
    }
}

impl Core {
    fn reply_within(&self) -> Duration {
        self.settings.reply_within
    }
}
