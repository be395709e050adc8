//! What is written, when, and what its answer means (C29, C31, C57).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::lane::{View, Wishes};
use super::pending::{Answer, Asker, Flight, Pending};
use super::refusal::Asked;
use super::{Effect, Lane, Machine};
use crate::backend::{BackendError, Expect, Revision, Ttl, Write, Written};
use crate::catalogue::{Catalogue, Repeat};
use crate::client::notice::Notice;
use crate::document::{Document, Operation, Outcome, Verdict, apply, resolve};
use crate::error::{Error, Result, Retry};
use crate::limits::{OPERATIONS_PER_WRITE_MAX, SETTING_MAX};

/// Conflicts without a newer revision to go on from after which writes pause: a backend that was set back gives
/// nothing else.
const CONFLICTS_AT_ONCE: u32 = 3;

impl Machine {
    /// Does everything that can be done now. Answers when to come back if nothing happens before.
    pub(crate) fn step(&mut self, now: Instant) -> Option<Instant> {
        self.end_retries(now);
        self.start_all(now);
        let mut wake = self.give_up_late(now);
        let mut later = |at: Instant| wake = Some(wake.map_or(at, |earlier: Instant| earlier.min(at)));
        if self.flight.is_some() || self.reading.is_some() || self.state.is_none() {
            return wake;
        }
        if let Some(until) = self.pause.until.filter(|until| *until > now) {
            later(until);
            return wake;
        }
        if self.waits_for_token() {
            return wake;
        }
        if let Some(until) = self.rests_until().filter(|until| *until > now) {
            later(until);
            return wake;
        }
        if self.has_to_probe() {
            self.ask_to_read();
            return wake;
        }
        let (wishes, number) = self.wishes(now);
        if let Some(at) = wishes.wake_at {
            later(at);
        }
        if self.waiting.is_empty() && !wishes.urgent {
            return wake;
        }
        if let Some(at) = self.next_write_at.filter(|at| *at > now) {
            later(at);
            return wake;
        }
        let mut derived = wishes.operations;
        loop {
            self.build(std::mem::take(&mut derived), number, now);
            // What was refused without a write is answered; more may wait behind it.
            if self.flight.is_some() || self.reading.is_some() || self.waiting.is_empty() {
                return wake;
            }
        }
    }

    /// What the lanes and requests want written.
    fn wishes(&mut self, now: Instant) -> (Wishes, u64) {
        let number = self.number + 1;
        let mut wishes = Wishes::default();
        let Some(document) = self.state.as_ref().map(|state| state.document.clone()) else {
            return (wishes, number);
        };
        self.requests.wishes(now, &mut wishes);
        self.with_view(now, |view, lanes| {
            for lane in lanes {
                lane.wishes(&document, view, &mut wishes);
            }
        });
        (wishes, number)
    }

    pub(super) fn with_view<T>(&mut self, now: Instant, see: impl FnOnce(&View<'_>, &mut [Lane]) -> T) -> T {
        let plain = self.is_plain();
        let catalogue = &self.config.catalogue;
        let view = View {
            by: &self.config.by,
            now,
            lease: self.config.settings.lease,
            renew_every: self.config.settings.renew_every(),
            held_at: self.held_at,
            attempts_max: self.config.settings.attempts_max,
            plain,
            backend_now: Some(self.clock.now(now)),
            fresh: &self.config.fresh,
            number: self.number + 1,
            catalogue,
        };
        see(&view, &mut self.lanes)
    }

    fn build(&mut self, derived: Vec<Operation>, number: u64, now: Instant) {
        let Some(state) = &self.state else { return };
        let base = (state.revision, state.document.clone());
        let writer = self.writer(number);
        let carried = self.waiting.len().min(OPERATIONS_PER_WRITE_MAX);
        let own = self.waiting.iter().take(carried).map(|pending| &pending.operation);
        let handing = self.handing_over(carried, now);
        // Ends and removals first: they make room for what the application adds.
        let operations = derived.iter().chain(own).chain(&handing);
        let applied = apply(&base.1, &writer, &self.config.rules, operations);
        let mut outcomes = applied.outcomes.into_iter();
        let derived: Vec<_> = derived.into_iter().zip(outcomes.by_ref()).collect();
        for (pending, outcome) in self.waiting.iter_mut().take(carried).zip(outcomes) {
            pending.outcome = Some(outcome);
        }
        self.tell_no_room(base.0, &derived);
        let Some(document) = applied.document.map(Arc::new) else { return self.nothing_to_write(carried) };
        self.number = number;
        self.requests.sent(number);
        for ended in self.lanes.iter_mut().flat_map(|lane| &mut lane.ended) {
            ended.sent.get_or_insert(number);
            // Nothing in the document tells of a response that was left out.
            ended.dropped = derived.iter().find_map(|(operation, outcome)| match (operation, outcome) {
                (Operation::Finish { id, .. }, Ok(Outcome::ResponseDropped(why))) if *id == ended.id => {
                    Some(*why)
                }
                _ => None,
            });
        }
        let rate = self.config.facts.writes_per_second.or(self.config.settings.writes_per_second);
        self.next_write_at = rate.filter(|rate| *rate > 0.0).map(|rate| now + seconds(1.0 / rate));
        let expect = Expect::Revision(base.0);
        let ttl = self.waiting.iter().take(carried).map(|pending| pending.ttl).rfind(|ttl| *ttl != Ttl::Keep);
        let ttl = ttl.unwrap_or_default();
        self.effects.push_back(Effect::Write(Write { document: document.clone(), expect, ttl }));
        self.flight = Some(Flight { number, base, document, carried, derived, sent_at: now });
    }

    /// Actions that cannot be taken for want of room wait; that is told once for each state of the document.
    fn tell_no_room(&mut self, revision: Revision, derived: &[(Operation, Result<Outcome>)]) {
        for (operation, outcome) in derived {
            let (Operation::Claim { executor, .. }, Err(Error::TooLarge { size_bytes, limit_bytes })) =
                (operation, outcome)
            else {
                continue;
            };
            if self.no_room.replace(revision) != Some(revision) {
                let (executor, size_bytes, limit_bytes) = (executor.clone(), *size_bytes, *limit_bytes);
                let notice = Notice::NoRoom { executor, size_bytes, limit_bytes };
                self.effects.push_back(Effect::Notice(notice));
            }
        }
    }

    /// Nothing would change. What the application asked is refused or already so; that is answered only from a state
    /// read after it asked.
    fn nothing_to_write(&mut self, carried: usize) {
        let Some(revision) = self.state.as_ref().map(|state| state.revision) else { return };
        if carried > 0 && self.waiting.iter().take(carried).any(|pending| pending.seq > self.fresh_to) {
            return self.ask_to_read();
        }
        for pending in self.take_carried(carried) {
            let ids = pending.ids;
            let outcome = pending.outcome.unwrap_or(Ok(Outcome::Nothing));
            self.tell(pending.asker, outcome.map(|outcome| Answer { revision, outcome, ids }));
        }
    }

    /// Takes the operations out that a write has carried.
    fn take_carried(&mut self, carried: usize) -> VecDeque<Box<Pending>> {
        let rest = self.waiting.split_off(carried);
        std::mem::replace(&mut self.waiting, rest)
    }

    /// The answer to [`Effect::Write`].
    pub(crate) fn written(&mut self, result: Result<Written, BackendError>, now: Instant) {
        let Some(flight) = self.flight.take() else { return };
        if result.is_err() {
            self.reconcile_newest();
        }
        match result {
            Ok(written) => {
                // When it was sent: the answer may have come long after others saw the claims.
                self.held_at = flight.sent_at;
                self.recovered(Asked::Write);
                self.clock.saw(written.at, now);
                for pending in self.take_carried(flight.carried) {
                    let outcome = pending.outcome.unwrap_or(Ok(Outcome::Done));
                    let ids = pending.ids;
                    let revision = written.revision;
                    self.tell(pending.asker, outcome.map(|outcome| Answer { revision, outcome, ids }));
                }
                let Flight { document, derived, .. } = flight;
                self.report(derived, now);
                self.adopt(written.revision, document, now);
            }
            Err(BackendError::Conflict) => {
                if !self.has_newer_than(flight.base.0) {
                    self.conflicts += 1;
                    if self.conflicts > CONFLICTS_AT_ONCE {
                        let pause = now + self.config.settings.backoff(self.conflicts);
                        self.next_write_at = Some(self.next_write_at.map_or(pause, |at| at.max(pause)));
                    }
                    self.ask_to_read();
                }
                self.settle_doubts();
            }
            Err(BackendError::Unknown { .. }) => self.lost(flight),
            Err(error) => {
                if let BackendError::TooLarge { .. } = error {
                    // The backend takes less than it says: what does not fit must not be tried for ever.
                    let limit = &mut self.config.rules.document_bytes_max;
                    *limit = (*limit).min(flight.document.size_bytes().saturating_sub(1));
                }
                let renewing = matches!(error, BackendError::TokenExpired) && self.config.renewable;
                if !error.is_transient() && !renewing {
                    self.answer_carried(flight.carried, &error);
                }
                self.failed(error, Asked::Write, now);
                // A state that the watch told of meanwhile may show an earlier write whose answer was lost.
                self.settle_doubts();
            }
        }
    }

    fn has_newer_than(&self, revision: Revision) -> bool {
        self.state.as_ref().is_some_and(|state| state.revision > revision)
    }

    /// The answer was lost: the operations carried are in doubt until a newer document tells.
    fn lost(&mut self, flight: Flight) {
        for pending in self.waiting.iter_mut().take(flight.carried) {
            // What was refused was not in the write.
            if matches!(pending.outcome, Some(Ok(_))) {
                pending.in_doubt_since.get_or_insert(flight.number);
            }
        }
        for (operation, outcome) in &flight.derived {
            if let (Operation::PutBack { executor, .. }, Ok(_)) = (operation, outcome) {
                let mut lanes = self.lanes.iter_mut().filter(|lane| lane.executor == *executor);
                lanes.next().into_iter().for_each(|lane| lane.put_back_in_doubt = true);
            }
        }
        self.doubt_base = Some(flight.base.clone());
        match self.has_newer_than(flight.base.0) {
            true => self.settle_doubts(),
            false => self.ask_to_read(),
        }
    }

    /// Looks operations in doubt up in the newest document, once it is newer than the one they were written over.
    pub(super) fn settle_doubts(&mut self) {
        let (Some((base_revision, base)), Some(state)) = (&self.doubt_base, &self.state) else { return };
        if state.revision <= *base_revision {
            return;
        }
        let (base, document, revision) = (base.clone(), state.document.clone(), state.revision);
        self.doubt_base = None;
        let instance = self.config.instance.clone();
        let plain = self.config.plain || document.is_foreign();
        for mut pending in std::mem::take(&mut self.waiting) {
            let Some(number) = pending.in_doubt_since else {
                self.waiting.push_back(pending);
                continue;
            };
            match settle(&base, &document, &instance, number, &pending.operation, plain) {
                Verdict::NotHeld => {
                    pending.in_doubt_since = None;
                    self.waiting.push_back(pending);
                }
                verdict => {
                    let result = match (verdict, pending.outcome) {
                        (Verdict::Held, Some(Ok(outcome))) => {
                            Ok(Answer { revision, outcome, ids: pending.ids })
                        }
                        // Held, but refused by the last of the writes in doubt: which it was cannot be told.
                        _ => Err(Error::MaybeApplied { what: pending.operation.verb() }),
                    };
                    self.tell(pending.asker, result);
                }
            }
        }
    }

    fn answer_carried(&mut self, carried: usize, error: &BackendError) {
        let error = error.clone().into_error(&self.config.facts, &self.config.id);
        for pending in self.take_carried(carried) {
            self.tell(pending.asker, Err(in_doubt_or(pending.in_doubt_since, &pending.operation, &error)));
        }
    }

    /// A read or write has failed: wait and try again, or stop until somebody helps.
    pub(super) fn failed(&mut self, error: BackendError, asked: Asked, now: Instant) {
        let seen = error.clone().into_error(&self.config.facts, &self.config.id);
        match &error {
            BackendError::TokenExpired if self.config.renewable => {
                // What was accepted waits for the new token, or hears that there is none.
                if !self.waits_for_token() {
                    self.pause.renewing = true;
                    self.effects.push_back(Effect::RenewToken);
                }
                return;
            }
            BackendError::TokenExpired => return self.token_expired(),
            BackendError::Refused { .. } => return self.not_allowed(&error, asked, now),
            // Waited out, and not worth telling (C57).
            BackendError::RateLimited { .. } => {}
            _ => self.tell_failing(&seen),
        }
        for pending in &mut self.waiting {
            pending.delayed_by = Some(seen.clone());
        }
        self.pause.failures = self.pause.failures.saturating_add(1);
        let told = match error {
            BackendError::RateLimited { retry_after } => retry_after.map(|wait| wait.min(SETTING_MAX)),
            _ => None,
        };
        let wait = told.unwrap_or_else(|| self.config.settings.backoff(self.pause.failures));
        // ± 20 %, but never earlier than the backend says.
        let jitter = self.jitter(if told.is_some() { 1.0 } else { 0.8 });
        self.pause.until = Some(now + wait.mul_f64(jitter));
    }

    pub(super) fn recovered(&mut self, asked: Asked) {
        self.allowed(asked);
        self.tell_working();
        self.pause.failures = 0;
        self.pause.until = None;
    }

    pub(super) fn tell_failing(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.pause.told, true) {
            self.effects.push_back(Effect::Notice(Notice::BackendFailing { error: error.clone() }));
        }
    }

    pub(super) fn tell_working(&mut self) {
        if std::mem::take(&mut self.pause.told) {
            self.effects.push_back(Effect::Notice(Notice::BackendWorking));
        }
    }

    /// Operations that have waited too long are answered with what delays them. Those on their way just now may still
    /// be carried out.
    fn give_up_late(&mut self, now: Instant) -> Option<Instant> {
        // The first was accepted first.
        match self.waiting.front().map(|pending| pending.deadline) {
            Some(first) if first <= now => {}
            first => return first,
        }
        let carried = self.flight.as_ref().map_or(0, |flight| flight.carried);
        let within = self.config.settings.write_within;
        for (place, mut pending) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            if pending.deadline > now {
                self.waiting.push_back(pending);
                continue;
            }
            let what = pending.operation.verb();
            let slow = || Error::Timeout {
                what: format!("accepted {what}"),
                after: within,
                why: "it was not sent, the backend is slow or away: try again",
                retry: Retry::Now,
            };
            let error = match pending.delayed_by.take() {
                _ if place < carried || pending.in_doubt_since.is_some() => Error::MaybeApplied { what },
                delayed_by => delayed_by.unwrap_or_else(slow),
            };
            let asker = std::mem::replace(&mut pending.asker, Asker::Nobody);
            self.tell(asker, Err(error));
            if place < carried {
                // The flight counts on it; only the caller waits no longer, and leaves its place to another.
                pending.room = None;
                self.waiting.push_back(pending);
            }
        }
        // In a flight, the answer to it is what comes next for those that are late already.
        self.waiting.iter().map(|pending| pending.deadline).filter(|deadline| *deadline > now).min()
    }

    /// Failed actions whose delay is over may start again, once the document counts the attempt.
    fn end_retries(&mut self, now: Instant) {
        let Some(state) = &self.state else { return };
        for lane in &mut self.lanes {
            let counted = lane.retry.as_ref().is_some_and(|retry| {
                let claims = state.document.claims(lane.executor.as_str());
                let counted =
                    claims.iter().any(|claim| claim.id() == Some(&retry.id) && claim.n > retry.failed);
                retry.until <= now && (retry.plain || counted)
            });
            if counted {
                lane.retry = None;
            }
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, SETTING_MAX.as_secs_f64()))
}

/// The error, unless an earlier write may have carried the operation out.
pub(super) fn in_doubt_or(in_doubt_since: Option<u64>, operation: &Operation, error: &Error) -> Error {
    match in_doubt_since {
        Some(_) => Error::MaybeApplied { what: operation.verb() },
        None => error.clone(),
    }
}

/// What became of an operation whose answer was lost. In plain mode nothing in the document tells.
fn settle(
    base: &Document,
    later: &Document,
    instance: &str,
    number: u64,
    operation: &Operation,
    plain: bool,
) -> Verdict {
    if plain { Verdict::Unknown } else { resolve(base, later, instance, number, operation) }
}

pub(super) fn runs_once(catalogue: &Catalogue, name: &str) -> bool {
    catalogue.action(name).is_some_and(|action| action.repeat == Repeat::AtMostOnce)
}
