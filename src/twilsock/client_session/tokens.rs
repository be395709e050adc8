//! Tokens: the newest is remembered in every state, and offered as soon as the state allows.

use super::super::message::{ClientUpdateKind, Refusal, Reply};
use super::output::{Output, TokenWanted, Trouble};
use super::{ClientSession, Moment, State};
use crate::token::Token;

/// Twilsock: the token of a running session may not be changed.
const UPDATE_FORBIDDEN: u32 = 51232;

impl ClientSession {
    /// There is a new token. The one in use, given again, changes nothing unless it is wanted: then it is tried once more
    /// after the usual wait, because clocks differ.
    pub fn install_token(&mut self, token: Token, moment: Moment) {
        let same = token.secret() == self.core.token.secret();
        self.core.token = token;
        match &mut self.state {
            State::NeedsToken if same => {
                let until = moment.now + moment.backoff(self.core.failures);
                self.core.failures = self.core.failures.saturating_add(1);
                self.state = State::Waiting { until, asked: false };
            }
            _ if same => {}
            State::NeedsToken | State::Waiting { asked: false, .. } => {
                self.core.failures = 0;
                self.connect(moment);
            }
            State::Live(live) => live.update(&mut self.core, moment.now),
            // `init` will bear it, or will be followed by an `update` with it, or has to wait as the server asked.
            State::Idle
            | State::Connecting { .. }
            | State::Initialising { .. }
            | State::Waiting { .. }
            | State::Closed => {}
        }
    }

    pub(super) fn updated(&mut self, kind: &ClientUpdateKind) {
        let State::Live(live) = &self.state else { return };
        // A newer one is on its way already.
        if *kind == ClientUpdateKind::TokenAboutToExpire && live.updating.is_none() {
            self.core.outputs.push_back(Output::TokenWanted(TokenWanted::AboutToExpire));
        }
    }

    /// The server ended the session over this token, or did not open one.
    pub(super) fn token_refused(&mut self, wanted: TokenWanted, token: &Token, moment: Moment) {
        let trouble = match &wanted {
            TokenWanted::Refused(refusal) => Some(Trouble::Refused(refusal.clone())),
            // Nothing is wrong: tokens expire.
            TokenWanted::AboutToExpire | TokenWanted::Expired => None,
        };
        self.give_up(trouble, moment.now);
        if self.core.token.secret() == token.secret() {
            self.state = State::NeedsToken;
            self.core.outputs.push_back(Output::TokenWanted(wanted));
        } else {
            self.connect(moment);
        }
    }

    /// The answer to an `update`. One that is refused leaves the session open with the token before.
    pub(super) fn update_answered(&mut self, reply: &Reply, moment: Moment) {
        let State::Live(live) = &mut self.state else { return };
        let Some(updating) = live.updating.take() else { return };
        let refusal = reply.refusal();
        match refusal.status.code {
            200..=299 => live.token = updating.token,
            401 | 403 if refusal.status.error_code != Some(UPDATE_FORBIDDEN) => {
                live.not_taken = Some((updating.token.clone(), None));
                if self.core.token.secret() == updating.token.secret() {
                    self.core.outputs.push_back(Output::TokenWanted(TokenWanted::Refused(refusal)));
                }
            }
            _ if refusal.status.error_code == Some(UPDATE_FORBIDDEN) => {
                return self.connect_with_newest(refusal, moment);
            }
            _ => {
                let failures = self.core.failures;
                let wait =
                    refusal.backoff.map_or_else(|| moment.backoff(failures), |policy| moment.within(policy));
                live.not_taken = Some((updating.token, Some(moment.now + wait)));
            }
        }
        // A token that came meanwhile.
        if let State::Live(live) = &mut self.state {
            live.update(&mut self.core, moment.now);
        }
    }

    /// A new session takes the token that the running one may not.
    fn connect_with_newest(&mut self, refusal: Refusal, moment: Moment) {
        self.give_up(Some(Trouble::Refused(refusal)), moment.now);
        self.connect(moment);
    }
}
