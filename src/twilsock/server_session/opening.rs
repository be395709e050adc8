//! From the first frame to an open session, and the last words after one.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::super::message::{Accepted, DATA_SYNC, Envelope, Message, Status};
use super::output::{Admission, Asking, Check, End, Output, Verdict};
use super::{Exit, Open, ServerSession, State};

/// An `init` whose token is being checked.
#[derive(Debug)]
pub(super) struct Checking {
    pub(super) id: String,
    check: Check,
    /// Capabilities of both sides.
    capabilities: Vec<String>,
    pub(super) until: Instant,
}

impl ServerSession {
    /// Twilsock: the first frame of a connection is `init`.
    pub(super) fn first(&mut self, envelope: Envelope, now: Instant) {
        let init = match envelope.message {
            Message::Init(init) => init,
            Message::Close(_) => return self.leave(Exit::Cut(End::ByClient), now),
            _ => return self.leave(first_must_be_init(), now),
        };
        let core = &mut self.core;
        core.checks += 1;
        let check = Check(core.checks);
        let both = |name: &&String| core.settings.capabilities.contains(name);
        let capabilities = init.capabilities.iter().filter(both).cloned().collect();
        let until = now + core.settings.init_within;
        let (token, asking) = (init.token.clone(), Asking::Init(Box::new(init)));
        core.outputs.push_back(Output::CheckToken { check, token, asking });
        self.state = State::Checking(Checking { id: envelope.id, check, capabilities, until });
    }

    pub(super) fn first_token_checked(&mut self, check: Check, verdict: Verdict, now: Instant) {
        let State::Checking(checking) = &mut self.state else { return };
        if checking.check != check {
            return;
        }
        let id = std::mem::take(&mut checking.id);
        match verdict {
            Verdict::Accepted(admission) => {
                let accepted = accepted(std::mem::take(&mut checking.capabilities), *admission.clone());
                self.core.outputs.push_back(Output::Send(accepted.frame(&id)));
                let mut open = Open::new(&self.core.settings, *admission, check, now);
                let result = open.warn_if_due(&mut self.core, now);
                self.state = State::Open(Box::new(open));
                self.follow(result, now);
            }
            Verdict::Refused(refusal) => {
                self.core.outputs.push_back(Output::Send(refusal.reply(&id)));
                self.leave(Exit::Answered(id), now);
            }
        }
    }
}

fn first_must_be_init() -> Exit {
    Status::new(406).because(51214, "the first frame must be an init").into()
}

fn accepted(capabilities: Vec<String>, admission: Admission) -> Accepted {
    let storage = admission.storage_id.map(|id| (DATA_SYNC.to_owned(), id));
    Accepted {
        capabilities,
        continuation_token: admission.continuation_token,
        continuation_status: admission.continuation_status,
        storage_ids: storage.into_iter().collect::<BTreeMap<_, _>>(),
        registrations: Vec::new(),
        account: Some(admission.account),
    }
}

/// What may come while the token is being checked: nothing that needs an answer.
pub(super) fn too_early(message: &Message) -> Result<(), Exit> {
    match message {
        Message::Close(_) => Err(Exit::Cut(End::ByClient)),
        Message::Telemetry(_) | Message::Reply(_) | Message::Ping => Ok(()),
        _ => Err(first_must_be_init()),
    }
}

/// What may come after the last word: its acknowledgement, or the client's own.
pub(super) fn last_words(envelope: &Envelope, word: &str) -> Result<(), Exit> {
    match &envelope.message {
        Message::Reply(_) if envelope.id == word => Err(Exit::Cut(End::Closed)),
        Message::Close(_) => Err(Exit::Cut(End::ByClient)),
        _ => Ok(()),
    }
}
