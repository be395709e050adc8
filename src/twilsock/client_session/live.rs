//! The state in which requests and notifications travel.

use std::time::Duration;

use tokio::time::Instant;

use super::super::message::Update;
use super::output::{Output, Trouble};
use super::{Core, Moment};
use crate::limits::{TWILSOCK_FAILURES_AFTER_USE, TWILSOCK_STEADY_AFTER};
use crate::token::Token;

#[derive(Debug)]
pub(super) struct Live {
    since: Instant,
    last_heard: Instant,
    /// Whether the service has answered a request.
    pub(super) was_of_use: bool,
    /// The token that the server goes by.
    pub(super) token: Token,
    /// An `update` that waits for its answer.
    pub(super) updating: Option<Updating>,
    /// The token of the last `update` that did not succeed, and when to offer it again, if at all.
    pub(super) not_taken: Option<(Token, Option<Instant>)>,
    /// The server asked for a pause: no request is sent before.
    pub(super) held_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Updating {
    pub(super) id: String,
    pub(super) token: Token,
    pub(super) until: Instant,
}

impl Live {
    pub(super) fn new(token: Token, now: Instant) -> Self {
        Self {
            since: now,
            last_heard: now,
            was_of_use: false,
            token,
            updating: None,
            not_taken: None,
            held_until: None,
        }
    }

    pub(super) fn heard_at(&mut self, now: Instant) {
        self.last_heard = now;
    }

    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// What counts of the failures before this connection. One that breaks as soon as it is made is a failure too:
    /// otherwise it would be made every second. One that got something done on a bad wire keeps the next wait short:
    /// otherwise a wire that breaks often would be left alone for minutes, and what is in doubt with it.
    pub(super) fn failures_left(&self, failures: u32, now: Instant) -> u32 {
        if now.saturating_duration_since(self.since) >= TWILSOCK_STEADY_AFTER {
            return 0;
        }
        if self.was_of_use { failures.min(TWILSOCK_FAILURES_AFTER_USE) } else { failures }
    }

    /// Twilsock: as the Kotlin SDK does when the transport refuses with 429 and says no more: 1 to 2 s.
    pub(super) fn hold(&mut self, policy: Option<super::BackoffPolicy>, moment: Moment) {
        let second = Duration::from_secs(1);
        let policy = policy.unwrap_or(super::BackoffPolicy::new(second, 2 * second));
        self.held_until = Some(moment.now + moment.within(policy));
    }

    /// Offers the newest token, unless the server has it, is looking at one, or refused it just now.
    pub(super) fn update(&mut self, core: &mut Core, now: Instant) {
        let refused = self.not_taken.as_ref().is_some_and(|(token, again)| {
            token.secret() == core.token.secret() && again.is_none_or(|again| now < again)
        });
        if refused || self.updating.is_some() || self.token.secret() == core.token.secret() {
            return;
        }
        self.not_taken = None;
        let (id, token) = (core.ids.next(), core.token.clone());
        core.outputs.push_back(Output::Send(Update { token: token.clone() }.frame(&id)));
        self.updating = Some(Updating { id, token, until: now + core.reply_within() });
    }

    pub(super) fn deadline(&self, core: &Core) -> Instant {
        let others = [
            self.updating.as_ref().map(|updating| updating.until),
            self.not_taken.as_ref().and_then(|(_, again)| *again),
            self.held_until,
        ];
        others.into_iter().flatten().fold(self.last_heard + core.settings.silence_max, Instant::min)
    }

    /// Answers why the connection is of no use any more, if so.
    pub(super) fn tick(&mut self, core: &mut Core, now: Instant) -> Option<Trouble> {
        let silent = self.last_heard + core.settings.silence_max <= now;
        if silent || self.updating.as_ref().is_some_and(|updating| updating.until <= now) {
            return Some(Trouble::Silent);
        }
        self.held_until = self.held_until.filter(|until| now < *until);
        if self.not_taken.as_ref().is_some_and(|(_, again)| again.is_some_and(|again| again <= now)) {
            self.not_taken = None;
            self.update(core, now);
        }
        None
    }
}
