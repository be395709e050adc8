//! The state in which requests and notifications travel.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::super::frame::Encoded;
use super::super::message::{
    AccountDescriptor, BackoffPolicy, ClientUpdate, ClientUpdateKind, Envelope, Message, MessageError,
    Refusal, Request, Response, Status, acknowledge, ping,
};
use super::super::sync::{Code, SyncError};
use super::output::{Admission, Asking, Check, End, Output, Verdict};
use super::rate::Rate;
use super::settings::{AtExpiry, Settings};
use super::{Core, Exit, bad_request, not_acceptable, offload};
use crate::limits::TWILSOCK_UPDATES_OPEN_MAX;

#[derive(Debug)]
pub(super) struct Open {
    account: AccountDescriptor,
    token: Life,
    /// New tokens that are being checked, and the frames that brought them.
    updates: Vec<(Check, String)>,
    last_sent: Instant,
    /// Frames that wait for their acknowledgement, and until when, oldest first.
    unacknowledged: VecDeque<(String, Instant)>,
    /// Requests that wait for their answer.
    requests: HashSet<String>,
    rate: Rate,
    /// The server shuts down: until when it waits for open requests.
    draining: Option<(BackoffPolicy, Instant)>,
}

/// The life of the token that was accepted last.
#[derive(Debug)]
struct Life {
    /// Its check: a later token's verdict may come before an earlier one's.
    check: Check,
    warn_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Life {
    fn new(settings: &Settings, check: Check, lasts: Option<Duration>, now: Instant) -> Self {
        let ends_at = lasts.and_then(|lasts| now.checked_add(lasts));
        // Twilsock: a token that is in its last minutes already is warned of at once.
        let warn_at =
            ends_at.map(|ends_at| ends_at.checked_sub(settings.token_warning).unwrap_or(now).max(now));
        Self { check, warn_at, ends_at }
    }
}

impl Open {
    pub(super) fn new(settings: &Settings, admission: Admission, check: Check, now: Instant) -> Self {
        Self {
            account: admission.account,
            token: Life::new(settings, check, admission.lasts, now),
            updates: Vec::new(),
            last_sent: now,
            unacknowledged: VecDeque::new(),
            requests: HashSet::new(),
            rate: Rate::new(settings.requests_per_s, now),
            draining: None,
        }
    }

    pub(super) fn heard(&mut self, core: &mut Core, envelope: Envelope, now: Instant) -> Result<(), Exit> {
        let id = envelope.id;
        match envelope.message {
            Message::Request(request) => self.request(core, id, request, now),
            Message::Update(update) => {
                if self.updates.len() >= TWILSOCK_UPDATES_OPEN_MAX {
                    self.send(core, Status::new(429).because(51125, "Too many updates").reply(&id), now);
                    return Ok(());
                }
                core.checks += 1;
                let check = Check(core.checks);
                self.updates.push((check, id));
                core.outputs.push_back(Output::CheckToken {
                    check,
                    token: update.token,
                    asking: Asking::Update,
                });
            }
            Message::Reply(_) => self.acknowledged(&id),
            Message::Close(_) => return Err(Exit::Cut(End::ByClient)),
            Message::Ping => self.send(core, acknowledge(&id), now),
            Message::Telemetry(_) => {}
            // Twilsock: registrations for notifications may be changed later; nothing here depends on them.
            Message::Unknown { method, .. } if method.ends_with("_notification_ctx") => {
                self.send(core, acknowledge(&id), now);
            }
            Message::Unknown { .. } => self.send(core, Status::new(501).reply(&id), now),
            Message::Init(_) => return Err(not_acceptable(&"the session is open already").into()),
            Message::Notification(_) | Message::ClientUpdate(_) => {
                return Err(not_acceptable(&"a client does not send this").into());
            }
        }
        Ok(())
    }

    /// Whatever status it has. Clients acknowledge in order, so it is mostly the first.
    fn acknowledged(&mut self, id: &str) {
        if let Some(at) = self.unacknowledged.iter().position(|(waiting, _)| waiting == id) {
            self.unacknowledged.remove(at);
        }
    }

    /// A frame whose header has not what its method needs. A request is answered; anything else was no frame.
    pub(super) fn misheard(
        &mut self,
        core: &mut Core,
        error: MessageError,
        now: Instant,
    ) -> Result<(), Exit> {
        if error.method == "message" {
            let id = error.id.clone();
            self.send(core, bad_request(error).frame(&id), now);
            return Ok(());
        }
        Err(not_acceptable(&error).into())
    }

    /// Twilsock: what is too much is refused in the HTTP status, because the JavaScript SDK makes nothing of the
    /// transport's.
    fn request(&mut self, core: &mut Core, id: String, request: Request, now: Instant) {
        let settings = &core.settings;
        let refused = if self.draining.is_some() {
            Some(Code::Unavailable)
        } else if self.requests.len() >= settings.requests_open_max || !self.rate.take(now) {
            Some(Code::RateLimit)
        } else {
            None
        };
        match refused {
            Some(code) => self.send(core, SyncError::from(code).response().frame(&id), now),
            // The answer to the first of two with one id answers both.
            None if !self.requests.insert(id.clone()) => {}
            None => core.outputs.push_back(Output::Request { id, request }),
        }
    }

    pub(super) fn respond(
        &mut self,
        core: &mut Core,
        id: &str,
        response: &Response,
        now: Instant,
    ) -> Result<(), Exit> {
        if self.requests.remove(id) {
            self.send(core, response.frame(id), now);
        }
        match self.draining {
            Some((backoff, _)) if self.requests.is_empty() => Err(offload(backoff)),
            _ => Ok(()),
        }
    }

    pub(super) fn token_checked(&mut self, core: &mut Core, check: Check, verdict: Verdict, now: Instant) {
        let Some(at) = self.updates.iter().position(|(own, _)| *own == check) else { return };
        let (_, id) = self.updates.remove(at);
        let refusal = match verdict {
            Verdict::Refused(refusal) => refusal,
            Verdict::Accepted(admission) if admission.account == self.account => {
                if check > self.token.check {
                    self.token = Life::new(&core.settings, check, admission.lasts, now);
                }
                return self.send(core, acknowledge(&id), now);
            }
            Verdict::Accepted(_) => {
                let why = "Can't update token, new token was issued for other identity/instance/product.";
                Refusal::from(Status::new(401).because(51215, why))
            }
        };
        self.send(core, refusal.reply(&id), now);
    }

    /// Sends what the client has to acknowledge.
    pub(super) fn command(
        &mut self,
        core: &mut Core,
        id: String,
        frame: Encoded,
        now: Instant,
    ) -> Result<(), Exit> {
        if self.unacknowledged.len() >= core.settings.unacknowledged_max {
            return Err(Exit::Cut(End::TooManyUnacknowledged));
        }
        self.unacknowledged.push_back((id, now + core.settings.acknowledge_within));
        self.send(core, frame, now);
        Ok(())
    }

    pub(super) fn drain(&mut self, core: &Core, backoff: BackoffPolicy, now: Instant) -> Result<(), Exit> {
        if self.requests.is_empty() {
            return Err(offload(backoff));
        }
        let until = self.draining.map_or(now + core.settings.drain_within, |(_, until)| until);
        self.draining = Some((backoff, until));
        Ok(())
    }

    pub(super) fn deadline(&self, settings: &Settings) -> Instant {
        let others = [
            self.unacknowledged.front().map(|(_, until)| *until),
            self.token.warn_at,
            self.token.ends_at,
            self.draining.map(|(_, until)| until),
        ];
        others.into_iter().flatten().fold(self.last_sent + settings.ping_after, Instant::min)
    }

    pub(super) fn tick(&mut self, core: &mut Core, now: Instant) -> Result<(), Exit> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.unacknowledged.front().map(|(_, until)| *until)) {
            return Err(Exit::Cut(End::NotAcknowledged));
        }
        if due(self.token.ends_at) {
            return Err(match core.settings.at_expiry {
                AtExpiry::Close => Status::new(410).because(51207, "Token expired").into(),
                AtExpiry::Cut => Exit::Cut(End::TokenExpired),
            });
        }
        if let Some((backoff, until)) = self.draining
            && until <= now
        {
            return Err(offload(backoff));
        }
        self.warn_if_due(core, now)?;
        if self.last_sent + core.settings.ping_after <= now {
            let id = core.ids.next();
            let frame = ping(&id);
            return self.command(core, id, frame, now);
        }
        Ok(())
    }

    /// Twilsock: the client is told once for each token, so that it can renew it in time.
    pub(super) fn warn_if_due(&mut self, core: &mut Core, now: Instant) -> Result<(), Exit> {
        let Some(ends_at) = self.token.ends_at.filter(|_| self.token.warn_at.is_some_and(|at| at <= now))
        else {
            return Ok(());
        };
        self.token.warn_at = None;
        let left = ends_at.saturating_duration_since(now).as_millis();
        let message = format!("Your token is about to expire. Time left: less than {left} ms");
        let id = core.ids.next();
        let frame = ClientUpdate { kind: ClientUpdateKind::TokenAboutToExpire, message }.frame(&id);
        self.command(core, id, frame, now)
    }

    fn send(&mut self, core: &mut Core, frame: Encoded, now: Instant) {
        self.last_sent = now;
        core.outputs.push_back(Output::Send(frame));
    }
}
