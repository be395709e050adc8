//! From nothing to an open session, and what a server's `close` means.

use super::super::message::{Accepted, Close, Init, InitReply, Refusal, Reply};
use super::live::Live;
use super::output::{Output, TokenWanted, Trouble};
use super::{ClientSession, Moment, State};
use crate::token::Token;

impl ClientSession {
    pub(super) fn connect(&mut self, moment: Moment) {
        self.core.attempt += 1;
        self.core.outputs.push_back(Output::Connect(self.core.attempt));
        self.state = State::Connecting { until: moment.now + self.core.settings.connect_within };
    }

    /// The socket of this attempt is open. Twilsock: `init` is the first frame.
    pub fn socket_opened(&mut self, attempt: u64, moment: Moment) {
        if attempt != self.core.attempt || !matches!(self.state, State::Connecting { .. }) {
            return;
        }
        let core = &mut self.core;
        let (id, token) = (core.ids.next(), core.token.clone());
        let init = Init::new(token.clone(), core.continuation.clone(), core.settings.metadata.clone());
        core.outputs.push_back(Output::Send(init.frame(&id)));
        self.state = State::Initialising { id, token, until: moment.now + core.reply_within() };
    }

    /// The socket of this attempt could not be opened, or was closed by the other side.
    pub fn socket_failed(&mut self, attempt: u64, moment: Moment) {
        if attempt == self.core.attempt
            && (self.has_session() || matches!(self.state, State::Connecting { .. }))
        {
            self.lose(Trouble::Socket, None, moment);
        }
    }

    pub(super) fn replied(&mut self, id: &str, reply: Reply, moment: Moment) {
        match &mut self.state {
            State::Initialising { id: own, token, .. } if own == id => {
                let token = token.clone();
                match reply.into_init() {
                    Ok(InitReply::Accepted(accepted)) => self.opened(accepted, token, moment),
                    Ok(InitReply::Refused(refusal)) => self.init_refused(refusal, token, moment),
                    Err(_) => self.lose(Trouble::Unreadable, None, moment),
                }
            }
            State::Live(live) if live.updating.as_ref().is_some_and(|updating| updating.id == id) => {
                self.update_answered(&reply, moment);
            }
            State::Live(live) => {
                live.was_of_use |= reply.status.is_success();
                if let Some(policy) = self.core.requests.replied(id, reply, &mut self.core.outputs) {
                    live.hold(policy, moment);
                }
                self.flush(moment.now);
            }
            _ => {}
        }
    }

    fn opened(&mut self, accepted: Accepted, token: Token, moment: Moment) {
        // Twilsock: identifies this client to the server; without one, what was there is still good.
        if accepted.continuation_token.is_some() {
            self.core.continuation.clone_from(&accepted.continuation_token);
        }
        self.core.outputs.push_back(Output::Opened(Box::new(accepted)));
        let mut live = Live::new(token, moment.now);
        // A token that came while this one was on its way.
        live.update(&mut self.core, moment.now);
        self.state = State::Live(Box::new(live));
        self.flush(moment.now);
    }

    /// Twilsock: 401 and 403 are about the token, everything else passes.
    fn init_refused(&mut self, refusal: Refusal, token: Token, moment: Moment) {
        let id = self.core.ids.next();
        self.core.outputs.push_back(Output::Send(Close::default().frame(&id)));
        match refusal.status.code {
            401 | 403 => self.token_refused(TokenWanted::Refused(refusal), &token, moment),
            _ => {
                let policy = refusal.backoff;
                self.lose(Trouble::Refused(refusal), policy, moment);
            }
        }
    }

    /// Twilsock: 410 and 401 are about the token; 308, and what nobody knows, mean to come back. 406 and 417 say that one
    /// side could not read the other: coming back is the only thing that may help, and the waits grow.
    pub(super) fn closed_by_server(&mut self, close: Close, moment: Moment) {
        let Some(why) = close.why else { return self.lose(Trouble::Ended, None, moment) };
        let token = match &self.state {
            State::Live(live) => live.token.clone(),
            State::Initialising { token, .. } => token.clone(),
            _ => return,
        };
        match why.status.code {
            410 => self.token_refused(TokenWanted::Expired, &token, moment),
            401 => self.token_refused(TokenWanted::Refused(why), &token, moment),
            _ => {
                let policy = why.backoff;
                self.lose(Trouble::Refused(why), policy, moment);
            }
        }
    }
}
