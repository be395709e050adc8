//! The server's end of one connection: what to send, what to have checked, when to give up. It is told what came and
//! what time it is; it opens nothing, waits for nothing, checks no token and knows no document.
//!
//! The task around it feeds [`ServerSession::received`], [`ServerSession::token_checked`],
//! [`ServerSession::respond`], [`ServerSession::notify`], and [`ServerSession::tick`] when
//! [`ServerSession::deadline`] has come, and after each carries out all of [`ServerSession::next_output`], in order.
//!
//! ```text
//! AwaitingInit → Checking → Open → Closing → Ended
//!       └──────────┴─────────┴────────┴───────↗
//! ```

mod open;
mod opening;
mod output;
mod rate;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use tokio::time::Instant;

pub use output::{Admission, Asking, Check, End, Output, Verdict};
pub use settings::{AtExpiry, Settings};

use super::frame::{Encoded, Frame, FrameError};
use super::ids::Ids;
use super::message::{BackoffPolicy, Envelope, MessageError, Notification, Refusal, Response, Status};
use super::sync::Code;
use open::Open;
use opening::Checking;

/// The server's end of one connection.
#[derive(Debug)]
pub struct ServerSession {
    core: Core,
    state: State,
}

/// What all states share.
#[derive(Debug)]
struct Core {
    settings: Settings,
    ids: Ids,
    checks: u64,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet. Exits: `Checking` when the first frame is an `init`; `Closing` when it is anything else or
    /// the server shuts down; `Ended` when none comes in time or the client goes.
    AwaitingInit { until: Instant },
    /// The token is being checked. Exits: `Open` when it is good; `Closing` when it is refused, the check takes too
    /// long, the client sends a request already, or the server shuts down; `Ended` when the client goes.
    Checking(Checking),
    /// Requests and notifications travel. Exits: `Closing` when a frame cannot be read, the token ends, or the server
    /// shuts down; `Ended` when the client goes or does not acknowledge.
    Open(Box<Open>),
    /// The last word is said; the client is given a moment to read it. Exits: `Ended` when it acknowledges, goes, or
    /// the moment is over.
    Closing { until: Instant, word: String },
    /// The socket is closed, or is to be. No exits.
    Ended,
}

/// How a state is left.
#[derive(Debug)]
enum Exit {
    /// With a `close` frame.
    Close(Refusal),
    /// With the answer to a frame, which is sent already.
    Answered(String),
    /// Without a word.
    Cut(End),
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        Self::Close(status.into())
    }
}

impl ServerSession {
    /// A connection that was just accepted. `seed` is random, for the ids of frames.
    #[must_use]
    pub fn new(settings: Settings, seed: u64, now: Instant) -> Self {
        let state = State::AwaitingInit { until: now + settings.init_within };
        Self { core: Core { settings, ids: Ids::new(seed), checks: 0, outputs: VecDeque::new() }, state }
    }

    /// A binary websocket message came. Twilsock: text messages are no frames; they are passed over.
    pub fn received(&mut self, message: &[u8], now: Instant) {
        let frame = match Frame::decode(message, self.core.settings.frame_bytes_max) {
            Ok(frame) => frame,
            Err(error) => return self.unreadable(error, now),
        };
        let result = match (Envelope::read(frame), &mut self.state) {
            (Ok(envelope), State::AwaitingInit { .. }) => return self.first(envelope, now),
            (Ok(envelope), State::Checking(_)) => opening::too_early(&envelope.message),
            (Ok(envelope), State::Open(open)) => open.heard(&mut self.core, envelope, now),
            (Ok(envelope), State::Closing { word, .. }) => opening::last_words(&envelope, word),
            (Err(error), State::Open(open)) => open.misheard(&mut self.core, error, now),
            (Err(error), State::AwaitingInit { .. } | State::Checking(_)) => {
                Err(not_acceptable(&error).into())
            }
            (_, State::Closing { .. } | State::Ended) => Ok(()),
        };
        self.follow(result, now);
    }

    /// The token of an [`Output::CheckToken`] was checked.
    pub fn token_checked(&mut self, check: Check, verdict: Verdict, now: Instant) {
        match &mut self.state {
            State::Checking(_) => self.first_token_checked(check, verdict, now),
            State::Open(open) => open.token_checked(&mut self.core, check, verdict, now),
            State::AwaitingInit { .. } | State::Closing { .. } | State::Ended => {}
        }
    }

    /// The answer to an [`Output::Request`]. Sync: what a request brings about is told to this client after its answer.
    pub fn respond(&mut self, id: &str, response: &Response, now: Instant) {
        if let State::Open(open) = &mut self.state {
            let result = open.respond(&mut self.core, id, response, now);
            self.follow(result, now);
        }
    }

    /// Something happened to what this client subscribes to. Passed over unless the session is open.
    pub fn notify(&mut self, notification: &Notification, now: Instant) {
        if let State::Open(open) = &mut self.state {
            let id = self.core.ids.next();
            let frame = notification.frame(&id);
            let result = open.command(&mut self.core, id, frame, now);
            self.follow(result, now);
        }
    }

    /// The same with a frame that many sessions share. The caller sees to it that no session gets an id twice; ids that
    /// do not begin as this session's own are never given out by it.
    pub fn notify_shared(&mut self, id: &str, frame: &Encoded, now: Instant) {
        if let State::Open(open) = &mut self.state {
            let result = open.command(&mut self.core, id.to_owned(), frame.clone(), now);
            self.follow(result, now);
        }
    }

    /// The server goes away: open requests are answered, new ones refused with 503, then the client is sent elsewhere
    /// with 308. Twilsock: it comes back after a time of this policy.
    pub fn shut_down(&mut self, backoff: BackoffPolicy, now: Instant) {
        let result = match &mut self.state {
            State::AwaitingInit { .. } | State::Checking(_) => Err(offload(backoff)),
            State::Open(open) => open.drain(&self.core, backoff, now),
            State::Closing { .. } | State::Ended => Ok(()),
        };
        self.follow(result, now);
    }

    /// The socket is gone.
    pub fn lost(&mut self) {
        self.state = State::Ended;
    }

    /// When [`ServerSession::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::AwaitingInit { until } | State::Closing { until, .. } => Some(*until),
            State::Checking(checking) => Some(checking.until),
            State::Open(open) => Some(open.deadline(&self.core.settings)),
            State::Ended => None,
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        let result = match &mut self.state {
            State::AwaitingInit { until } if *until <= now => Err(Exit::Cut(End::InitLate)),
            State::Checking(checking) if checking.until <= now => {
                let refusal = Refusal::from(Status::new(503));
                let id = std::mem::take(&mut checking.id);
                self.core.outputs.push_back(Output::Send(refusal.reply(&id)));
                Err(Exit::Answered(id))
            }
            State::Open(open) => open.tick(&mut self.core, now),
            State::Closing { until, .. } if *until <= now => Err(Exit::Cut(End::Closed)),
            _ => Ok(()),
        };
        self.follow(result, now);
    }

    /// What to do next; `None` when all is done.
    pub fn next_output(&mut self) -> Option<Output> {
        self.core.outputs.pop_front()
    }

    /// Twilsock: a frame that cannot be read is answered with 406 and the end of the session.
    fn unreadable(&mut self, error: FrameError, now: Instant) {
        if !matches!(self.state, State::Closing { .. } | State::Ended) {
            self.leave(not_acceptable(&error).into(), now);
        }
    }

    fn follow(&mut self, result: Result<(), Exit>, now: Instant) {
        if let Err(exit) = result {
            self.leave(exit, now);
        }
    }

    fn leave(&mut self, exit: Exit, now: Instant) {
        let until = now + self.core.settings.close_linger;
        self.state = match exit {
            Exit::Close(refusal) => {
                let word = self.core.ids.next();
                self.core.outputs.push_back(Output::Send(refusal.close(&word)));
                State::Closing { until, word }
            }
            Exit::Answered(word) => State::Closing { until, word },
            Exit::Cut(end) => {
                self.core.outputs.push_back(Output::Cut(end));
                State::Ended
            }
        };
    }
}

fn not_acceptable(error: &dyn std::fmt::Display) -> Status {
    Status::new(406).because(51214, error.to_string())
}

fn offload(backoff: BackoffPolicy) -> Exit {
    let status = Status { description: Some("Offloading".into()), ..Status::new(308) };
    Exit::Close(Refusal { status, backoff: Some(backoff) })
}

/// The answer to a request that could not be read, though its frame could.
fn bad_request(error: MessageError) -> Response {
    super::sync::SyncError::from(Code::BadParameter).saying(error.why).response()
}
