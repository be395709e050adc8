//! What the backend refuses to this client: told at once to whoever asks, and tried again now and then, for a right that
//! was taken away may be given back, and nobody says so.

use tokio::time::Instant;

use super::write::in_doubt_or;
use super::{Effect, Machine};
use crate::backend::BackendError;
use crate::client::notice::Notice;
use crate::error::Error;

/// Why nothing is asked of the backend.
#[derive(Debug)]
pub(super) struct Refusal {
    error: Error,
    asked: Asked,
    /// How often in a row.
    times: u32,
    /// When it is tried again; `None`: not before another token is installed.
    again_at: Option<Instant>,
}

/// What was refused. That a document can be read does not say that it can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To read, or to be told of changes.
    Read,
    Write,
}

impl Machine {
    /// Why nothing may be asked at this moment.
    pub(super) fn refusal(&self, now: Instant) -> Option<&Error> {
        let resting = |refusal: &&Refusal| refusal.again_at.is_none_or(|at| at > now);
        self.pause.refused.as_ref().filter(resting).map(|refusal| &refusal.error)
    }

    /// Whether nothing succeeds until a token is installed: no use in connecting again (C8).
    pub(crate) fn waits_for_token(&self) -> bool {
        let for_good = |refusal: &Refusal| refusal.again_at.is_none();
        self.pause.renewing || self.pause.refused.as_ref().is_some_and(for_good)
    }

    /// Until when nothing is asked, if what was refused is tried again by itself.
    pub(crate) fn rests_until(&self) -> Option<Instant> {
        self.pause.refused.as_ref()?.again_at
    }

    /// Whether it has to be found out by reading if reading is allowed again. Writing shows by itself.
    pub(super) fn has_to_probe(&self) -> bool {
        self.pause.refused.as_ref().is_some_and(|refusal| refusal.asked == Asked::Read)
    }

    /// The rights are lacking: the next try comes after a wait that grows.
    pub(super) fn not_allowed(&mut self, error: &BackendError, asked: Asked, now: Instant) {
        let BackendError::Refused { code, message } = error else { return };
        if self.refusal(now).is_some() {
            // Sent before the rest began, or together with what began it.
            return;
        }
        let times = self.pause.refused.as_ref().map_or(0, |before| before.times).saturating_add(1);
        let wait = self.config.settings.refused_backoff(times);
        let again_at = now + wait.mul_f64(self.jitter(0.8));
        // The same token would be refused again; two clients that want one place would throw each other out for ever.
        let again_at = Some(again_at).filter(|_| !is_of_session(*code));
        let seen = error.clone().into_error(&self.config.facts, &self.config.id);
        let notice = Notice::Refused { code: *code, message: message.clone() };
        self.refuse(Refusal { error: seen, asked, times, again_at }, notice);
    }

    /// No token can be had (C8): writes fail until one is installed.
    pub(crate) fn token_expired(&mut self) {
        let refusal = Refusal { error: Error::TokenExpired, asked: Asked::Read, times: 0, again_at: None };
        self.refuse(refusal, Notice::TokenExpired);
    }

    /// Callers hear it at once, what was accepted for executors stays.
    fn refuse(&mut self, refusal: Refusal, notice: Notice) {
        if self.pause.refused.is_none() {
            self.effects.push_back(Effect::Notice(notice));
        }
        for pending in std::mem::take(&mut self.waiting) {
            let error = in_doubt_or(pending.in_doubt_since, &pending.operation, &refusal.error);
            self.tell(pending.asker, Err(error));
        }
        self.pause.refused = Some(refusal);
        self.pause.renewing = false;
    }

    /// The backend has done what was asked. To be followed by telling that it works.
    pub(super) fn allowed(&mut self, asked: Asked) {
        let again = |refusal: &mut Refusal| {
            refusal.again_at.is_some() && (refusal.asked == Asked::Read || asked == Asked::Write)
        };
        // That it was refused was told.
        self.pause.told |= self.pause.refused.take_if(again).is_some();
    }
}

/// Whether it is the token or the place of this client that is refused, not what it may do. Sync: 201xx are about tokens,
/// 51xxx about sessions.
fn is_of_session(code: i64) -> bool {
    matches!(code, 20_100..20_200 | 51_000..52_000)
}
