//! Decides everything about documents of a remote service: what to ask, what an answer means, when to subscribe anew. It
//! is told what came, what time it is, and a random number; it opens nothing and waits for nothing.
//!
//! Orders: what is learned from an answer may be older than what came meanwhile. Event ids tell for states; for absence,
//! which has none, each request remembers the [`Order`] in which it was sent.

mod asking;
mod calls;
mod clock;
mod names;
mod output;
mod pace;
mod refusal;
mod subscribing;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::super::{BackendError, Write};
use crate::id::DocumentId;
use crate::limits::{REMOTE_RETRY_MAX, REMOTE_RETRY_MIN, SYNC_SUBSCRIPTION_BATCH_MAX};
use crate::time::Timestamp;
use crate::token::Token;
use crate::twilsock::client_session::{ClientSession, Moment, Output as Said, Settings, Ticket, TokenWanted};
use asking::Asked;
use clock::Clock;
use names::Names;
pub(super) use output::{Call, Output, Settled};
use watched::Watched;

/// Counts what is sent and what arrives.
type Order = u64;

/// All documents of one connection.
#[derive(Debug)]
pub(super) struct Machine {
    settings: Settings,
    seed: u64,
    document_bytes_max: usize,
    /// What an earlier life was given, for the first session.
    continuation: Option<String>,
    /// `None` until there is a token.
    session: Option<ClientSession>,
    /// Whether the session is open.
    is_open: bool,
    /// Why nothing is asked of the service until there is another token.
    denied: Option<BackendError>,
    is_closed: bool,
    /// The last attempt to connect.
    attempt: u64,
    order: Order,
    clock: Clock,
    names: Names,
    asked: HashMap<Ticket, Asked>,
    watched: HashMap<DocumentId, Watched>,
    /// Watched documents by SID.
    sids: HashMap<String, DocumentId>,
    /// Watched documents that are to be subscribed to.
    wanted: Vec<DocumentId>,
    correlations: u64,
    /// What each subscription request was about, until its confirmations are due.
    batches: HashMap<u64, Vec<DocumentId>>,
    batch_max: usize,
    /// Why there is no connection, as far as is known.
    trouble: Option<String>,
    /// Why the last attempt failed, and the next would, unless somebody mends something: nobody has to wait for that.
    defect: Option<BackendError>,
    agenda: BTreeMap<(Instant, Order), Due>,
    outputs: VecDeque<Output>,
}

/// Why a socket failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// In words.
    pub(super) why: String,
    /// Whether it will be so until somebody mends something: a certificate, an address.
    pub(super) is_lasting: bool,
}

/// Something to do at a certain time, if it still matters then.
#[derive(Debug)]
enum Due {
    /// Ask again.
    Ask(Box<Asked>),
    /// Look whether a document is there.
    Look(DocumentId),
    /// The confirmations of this subscription request should have come, or it is time to ask anew.
    Subscriptions(u64),
    /// The service wants all subscriptions renewed.
    Renewal,
}

impl Machine {
    pub(super) fn new(
        settings: Settings,
        document_bytes_max: usize,
        continuation: Option<String>,
        seed: u64,
        now: Instant,
        unix_ms: i64,
    ) -> Self {
        Self {
            settings,
            seed,
            document_bytes_max,
            continuation,
            session: None,
            is_open: false,
            denied: None,
            is_closed: false,
            attempt: 0,
            order: 0,
            clock: Clock::new(now, unix_ms),
            names: Names::default(),
            asked: HashMap::new(),
            watched: HashMap::new(),
            sids: HashMap::new(),
            wanted: Vec::new(),
            correlations: 0,
            batches: HashMap::new(),
            batch_max: SYNC_SUBSCRIPTION_BATCH_MAX,
            trouble: None,
            defect: None,
            agenda: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether there is a token, so that there is something for a task to do.
    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// There is a new token. It connects only when something is asked.
    pub(super) fn install_token(&mut self, token: Token, moment: Moment) {
        self.denied = None;
        match &mut self.session {
            Some(session) => session.install_token(token, moment),
            None => {
                let (settings, continuation) = (self.settings.clone(), self.continuation.take());
                self.session = Some(ClientSession::new(settings, token, continuation, self.seed));
            }
        }
        self.settle(moment);
    }

    /// `date` is what the service's clock said then, if it said so.
    pub(super) fn socket_opened(&mut self, attempt: u64, date: Option<Timestamp>, moment: Moment) {
        self.clock.saw(date, moment.now);
        if let Some(session) = &mut self.session {
            session.socket_opened(attempt, moment);
        }
        self.settle(moment);
    }

    /// With the reason, if somebody has said.
    pub(super) fn socket_failed(&mut self, attempt: u64, failure: Option<Failure>, moment: Moment) {
        if let Some(session) = &mut self.session {
            session.socket_failed(attempt, moment);
        }
        self.settle(moment);
        let Some(Failure { why, is_lasting }) = failure.filter(|_| attempt == self.attempt) else { return };
        if is_lasting {
            self.found_defect(&why);
        }
        // Better than what the session can say of it.
        self.trouble = Some(why);
    }

    /// Whoever waits for the connection is told at once what has to be mended. It is tried again all the same: then the
    /// next call finds it mended.
    fn found_defect(&mut self, why: &str) {
        let defect = BackendError::Fatal {
            doing: "connecting".into(),
            why: format!("{why}; once that is mended it is connected by itself"),
            source: None,
        };
        self.defect = Some(defect.clone());
        self.fail_unsent(&defect, Asked::is_call);
    }

    /// The task is gone with whatever socket it had.
    pub(super) fn socket_lost(&mut self, moment: Moment) {
        let attempt = self.attempt;
        self.socket_failed(attempt, None, moment);
    }

    pub(super) fn received(&mut self, attempt: u64, message: &[u8], moment: Moment) {
        if let Some(session) = &mut self.session {
            session.received(attempt, message, moment);
        }
        self.settle(moment);
    }

    /// What tells the service that a later session is of the same client.
    pub(super) fn continuation_token(&self) -> Option<String> {
        let given = self.session.as_ref().and_then(ClientSession::continuation_token);
        given.map(str::to_owned).or_else(|| self.continuation.clone())
    }

    /// When [`Machine::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let session = self.session.as_ref().and_then(ClientSession::deadline);
        let own = self.agenda.keys().next().map(|(at, _)| *at);
        [session, own].into_iter().flatten().min()
    }

    pub(super) fn tick(&mut self, moment: Moment) {
        if let Some(session) = &mut self.session {
            session.tick(moment);
        }
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > moment.now {
                break;
            }
            match entry.remove() {
                Due::Ask(asked) => self.ask_again(*asked, moment),
                Due::Look(id) => self.look_if_due(&id, moment),
                Due::Subscriptions(correlation) => self.subscriptions_due(correlation),
                Due::Renewal => self.subscribe_anew(),
            }
        }
        self.settle(moment);
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The end: of every call, every watch, and the connection.
    pub(super) fn close(&mut self, moment: Moment) {
        if self.is_closed {
            return;
        }
        self.is_closed = true;
        if let Some(session) = &mut self.session {
            session.close();
        }
        self.settle(moment);
        let closed = refusal::unavailable("using a remote backend", "it was closed".into());
        self.deny(&closed);
        self.agenda.clear();
    }

    /// Carries out what the session says, and whatever follows from it.
    fn settle(&mut self, moment: Moment) {
        while let Some(said) = self.session.as_mut().and_then(ClientSession::next_output) {
            match said {
                Said::Connect(attempt) => {
                    self.attempt = attempt;
                    self.defect = None;
                    self.outputs.push_back(Output::Connect(attempt));
                }
                Said::Send(frame) => self.outputs.push_back(Output::Send(frame)),
                Said::Acknowledge(frame) => self.outputs.push_back(Output::Acknowledge(frame)),
                Said::Drop(attempt) => self.outputs.push_back(Output::Drop(attempt)),
                Said::Opened(_) => {
                    self.is_open = true;
                    self.trouble = None;
                    self.subscribe_anew();
                }
                Said::Lost => self.is_open = false,
                Said::Answer(ticket, answer) => self.answered(ticket, answer, moment),
                Said::Notification(notification) => self.notified(&notification, moment),
                Said::TokenWanted(wanted) => self.token_wanted(&wanted),
                // It is tried again without being asked; whoever waits too long hears why.
                Said::Trouble(trouble) => self.trouble = Some(trouble.to_string()),
            }
        }
        // In batches, so after everything else was heard. What it makes the session say is heard below.
        if self.subscribe(moment) {
            self.settle(moment);
        }
    }

    /// A session that goes on needs another token soon. Of one that does not the application is told by the end of what it
    /// has asked for.
    fn token_wanted(&mut self, wanted: &TokenWanted) {
        if *wanted == TokenWanted::AboutToExpire {
            self.outputs.push_back(Output::TokenEnds);
        }
        if self.is_open {
            return;
        }
        let denied = match wanted {
            TokenWanted::Refused(refusal) => refusal::of_session(refusal),
            _ => BackendError::TokenExpired,
        };
        self.denied = Some(denied.clone());
        self.deny(&denied);
    }

    /// Ends everything that waits, without having been carried out.
    fn deny(&mut self, why: &BackendError) {
        self.fail_unsent(why, |_| true);
        for (_, due) in std::mem::take(&mut self.agenda) {
            if let Due::Ask(asked) = due {
                self.fail(*asked, why.clone());
            }
        }
        let names: Vec<DocumentId> = self.watched.keys().cloned().collect();
        for id in names {
            self.end_watch(&id, why.clone());
        }
    }

    fn fail_unsent(&mut self, why: &BackendError, which: impl Fn(&Asked) -> bool) {
        let chosen = self.asked.iter().filter(|(_, asked)| which(asked));
        let tickets: Vec<Ticket> = chosen.map(|(ticket, _)| *ticket).collect();
        for ticket in tickets {
            // What was sent is answered, or lost with its connection.
            let unsent = self.session.as_mut().is_none_or(|session| session.withdraw(ticket));
            if unsent && let Some(asked) = self.asked.remove(&ticket) {
                self.fail(asked, why.clone());
            }
        }
    }

    /// What keeps a call from being made at all.
    fn obstacle(&self) -> Option<BackendError> {
        if self.is_closed {
            return Some(refusal::unavailable(
                "using a remote backend",
                "it was closed: build another".into(),
            ));
        }
        if self.session.is_none() {
            let message = "no access token was given: call .token(…) on its builder or on that of the client";
            return Some(BackendError::Refused { code: 20_101, message: message.into() });
        }
        self.denied.clone().or_else(|| self.defect.clone())
    }

    fn count(&mut self) -> Order {
        self.order += 1;
        self.order
    }

    fn at(&mut self, when: Instant, due: Due) {
        let order = self.count();
        self.agenda.insert((when, order), due);
    }

    fn settled(&mut self, call: Call, how: Result<Settled, BackendError>) {
        self.outputs.push_back(Output::Settled(call, how));
    }

    /// How long the next write of this name has to wait for its place.
    pub(super) fn reserve(
        &mut self,
        id: &DocumentId,
        write: &Write,
        writes_per_s: f64,
        now: Instant,
    ) -> Duration {
        let order = self.count();
        self.names.course(id, order).pace.reserve(write.document.size_bytes(), writes_per_s, now)
    }
}

/// Half a second, doubled with each failure up to half a minute, each from four to six fifths.
fn backoff(failures: u32, chance: u64) -> Duration {
    let doubled = REMOTE_RETRY_MIN.saturating_mul(2_u32.saturating_pow(failures)).min(REMOTE_RETRY_MAX);
    doubled * 4 / 5 + doubled * u32::try_from(chance % 401).unwrap_or(0) / 1_000
}
