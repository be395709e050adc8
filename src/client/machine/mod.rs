//! The driver's decisions: what to write and when, what to carry out, whom to answer. It is told the time and what
//! happened, and says what to do; it waits for nothing and does nothing.
//!
//! One rule makes it simple: what has to be written for the executors is derived anew from the newest document and
//! from what has ended here, at every write. Nothing of it is kept across a write that lost or whose answer was lost.
//! Only operations of the application are kept, until their caller is answered.

mod accept;
mod clock;
mod ending;
mod handing;
mod lane;
mod pending;
mod refusal;
mod remembered;
mod removed;
mod report;
mod request;
mod start;
#[cfg(test)]
mod tests;
mod unread;
mod write;

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

pub(crate) use ending::response_object;
pub(crate) use lane::{EndReply, Ending};
pub(crate) use pending::{Answer, Asker, Reply, Room};
pub(crate) use request::Wait;

use super::notice::Notice;
use super::settings::Settings;
use crate::action::Action;
use crate::backend::{BackendError, Change, Facts, Revision, Stored, Write};
use crate::catalogue::Catalogue;
use crate::document::{Document, Dropped, Item, Rules, Writer};
use crate::error::{Error, Result};
use crate::id::{ActionId, DocumentId, Executor};
use clock::BackendClock;
use lane::Lane;
use pending::{Flight, Pending};
use refusal::{Asked, Refusal};
use request::Requests;

/// How far ahead of the document an earlier life's write numbers may have been. It had one write on its way.
const WRITES_OF_AN_EARLIER_LIFE: u64 = 1_000;

/// Write numbers above this were not written by this protocol, and are not gone on from.
const NUMBER_MAX: u64 = 1 << 52;

/// What does not change while a client lives.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) id: DocumentId,
    pub(crate) by: Arc<str>,
    pub(crate) instance: Arc<str>,
    pub(crate) plain: bool,
    pub(crate) rules: Rules,
    pub(crate) settings: Arc<Settings>,
    pub(crate) facts: Facts,
    pub(crate) catalogue: Catalogue,
    /// The application gave the instance: an earlier life may have had the same.
    pub(crate) kept: bool,
    /// Never used before: ids of this life begin with it.
    pub(crate) fresh: Arc<str>,
    /// A refused token may be replaced by [`Effect::RenewToken`].
    pub(crate) renewable: bool,
}

/// Something to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Write this; report with [`Machine::written`].
    Write(Write),
    /// Read the document; report with [`Machine::read`].
    Read,
    /// Hand this action over; report its end with [`Machine::ended`].
    Start(Start),
    /// The action is no longer this client's: stop its handler.
    Cancel(ActionId),
    /// The token was refused: get a new one; report with [`Machine::resume`] or [`Machine::token_expired`].
    RenewToken,
    /// Tell whoever listens.
    Notice(Notice),
    /// Answer the caller of an operation. An effect, so that readers see the state first: who is told that a write
    /// held must be able to read it (C10).
    Answer(Reply, Result<Answer>),
    /// Answer whoever waits for an action's end to be recorded.
    Recorded(EndReply, Result<()>),
}

/// What an action was when it was taken away here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// Somebody had seen it: it may have begun.
    Seen,
    /// Nobody will ever see it.
    Unseen,
    /// It has ended; how is about to be told with [`Machine::ended`].
    Ended,
}

/// An action to be carried out.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) executor: Executor,
    pub(crate) item: Arc<Item>,
    pub(crate) id: ActionId,
    pub(crate) attempt: u32,
}

/// The newest state, for readers.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) revision: Revision,
    pub(crate) document: Arc<Document>,
    /// Counts states that may have looked different to the application, skipped ones included.
    pub(crate) changes: u64,
}

/// An action to be added, before it has an id.
#[derive(Debug)]
pub(crate) struct Addition {
    pub(crate) executor: Executor,
    pub(crate) action: Action,
    pub(crate) expires: Option<std::time::Duration>,
    /// A client waits for its response.
    pub(crate) awaited: bool,
    /// Tag of a response posted late: the request's id and sender.
    pub(crate) answers: Option<(Option<ActionId>, Option<Arc<str>>)>,
}

#[derive(Debug)]
pub(crate) struct Machine {
    config: Config,
    state: Option<State>,
    clock: BackendClock,
    number: u64,
    /// Greater numbers are of this life.
    born_at: u64,
    ids: u64,
    /// Boxed: an idle client keeps no room for them, and each time some are carried off the list is made anew.
    waiting: VecDeque<Box<Pending>>,
    /// Order of acceptance of the latest operation, and up to where the newest state is known to be no older.
    seq: u64,
    fresh_to: u64,
    /// A read is on its way; inside, what it covers.
    reading: Option<u64>,
    flight: Option<Flight>,
    /// The state that writes with a lost answer were made from.
    doubt_base: Option<(Revision, Arc<Document>)>,
    lanes: Vec<Lane>,
    requests: Requests,
    pause: Pause,
    next_write_at: Option<Instant>,
    /// When the latest write held: until then nobody had taken over what is claimed here.
    held_at: Instant,
    /// The state in which there was no room to take what waits, if that was told.
    no_room: Option<Revision>,
    jitter: u64,
    /// Conflicts since the revision last grew.
    conflicts: u32,
    closing: bool,
    effects: VecDeque<Effect>,
}

/// Why nothing is written at the moment.
#[derive(Debug, Default)]
struct Pause {
    until: Option<Instant>,
    failures: u32,
    /// A failure was told; that it works again is to be told too.
    told: bool,
    /// What the backend refused last, until it takes the like again.
    refused: Option<Refusal>,
    /// A new token is being asked for.
    renewing: bool,
}

impl Machine {
    pub(crate) fn new(config: Config, opened: Stored, now: Instant) -> Self {
        let mut lanes: Vec<Lane> = (0..)
            .zip(config.catalogue.executors())
            .map(|(place, executor)| Lane::new(executor.name.as_str().into(), place))
            .collect();
        for lane in &mut lanes {
            lane.resuming =
                opened.document.claims(lane.executor.as_str()).iter().any(|claim| claim.by == config.by);
        }
        let last = opened.document.ledger().and_then(|ledger| ledger.last_write(&config.instance));
        // A write of an earlier life under the same instance may still be on its way, with numbers that the document
        // does not show. Lives do not share numbers when each begins with its moment of the backend's clock.
        let number = match (config.kept, last) {
            (false, _) => 0,
            (true, last) => last.unwrap_or(0).saturating_add(WRITES_OF_AN_EARLIER_LIFE).max(opened.at.0),
        };
        let number = number.min(NUMBER_MAX);
        let jitter = config.fresh.bytes().fold(0x9e37_79b9_7f4a_7c15, |seed: u64, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut machine = Self {
            clock: BackendClock::new(opened.at, now),
            state: None,
            number,
            born_at: number,
            ids: 0,
            waiting: VecDeque::new(),
            seq: 0,
            fresh_to: 0,
            reading: None,
            flight: None,
            doubt_base: None,
            lanes,
            requests: Requests::default(),
            pause: Pause::default(),
            next_write_at: None,
            held_at: now,
            no_room: None,
            jitter: jitter | 1,
            conflicts: 0,
            closing: false,
            effects: VecDeque::new(),
            config,
        };
        machine.adopt(opened.revision, opened.document, now);
        machine
    }

    /// The newest state; `None` once the document was removed.
    pub(crate) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// How many operations the write on its way carries.
    #[cfg(feature = "tracing")]
    pub(crate) fn operations_in_flight(&self) -> usize {
        self.flight.as_ref().map_or(0, |flight| flight.carried + flight.derived.len())
    }

    /// Whether everything accepted has been answered and recorded.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        self.waiting.is_empty()
            && self.flight.is_none()
            && self.reading.is_none()
            && self.requests.is_settled()
            && self.lanes.iter().all(Lane::is_idle)
            && !self.has_to_let_go(now)
    }

    /// Whether there are claims to give back, or to step back from.
    fn has_to_let_go(&self, now: Instant) -> bool {
        let Some(state) = self.state.as_ref().filter(|_| !self.is_plain()) else { return false };
        let (by, believed_until) = (&self.config.by, self.held_at + self.config.settings.renew_every());
        self.lanes.iter().any(|lane| {
            lane.has_open_claims(&state.document, by)
                || lane.has_to_step_back(&state.document, by, now, believed_until)
        })
    }

    /// Somebody here may subscribe to an executor, or no longer.
    pub(crate) fn update_wanted(&mut self, wanted: impl Fn(&Executor) -> bool) {
        for lane in &mut self.lanes {
            let before = std::mem::replace(&mut lane.wanted, !self.closing && wanted(&lane.executor));
            let document =
                self.state.as_ref().filter(|_| lane.wanted && !before).map(|state| &state.document);
            // Whoever subscribes to an array that was corrupt already has not heard of it (C14).
            if let Some(found) = document.and_then(|document| document.corrupt_array(lane.executor.as_str()))
            {
                let executor = lane.executor.clone();
                self.effects.push_back(Effect::Notice(Notice::CorruptArray { executor, found }));
            }
        }
    }

    /// Takes nothing more, gives back what has not been started (C44). `cancel` takes an action away from whoever has
    /// it here.
    pub(crate) fn close(&mut self, cancel: impl Fn(&ActionId) -> Cancelled, now: Instant) {
        self.closing = true;
        for place in 0..self.lanes.len() {
            self.lanes[place].wanted = false;
            let Some(running) = self.lanes[place].running.take() else { continue };
            match cancel(&running.id) {
                Cancelled::Seen => self.let_go(place, running, now),
                Cancelled::Unseen => self.unseen(place, running),
                Cancelled::Ended => self.lanes[place].running = Some(running),
            }
        }
    }

    /// The client ends with work undone: whoever waits for it hears what is known of it.
    pub(crate) fn abandon(&mut self) {
        let carried = self.flight.take().map_or(0, |flight| flight.carried);
        for (place, pending) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            let sent = place < carried || pending.in_doubt_since.is_some();
            let what = pending.operation.verb();
            self.tell(pending.asker, Err(if sent { Error::MaybeApplied { what } } else { Error::Closed }));
        }
        for ended in self.lanes.iter_mut().flat_map(|lane| std::mem::take(&mut lane.ended)) {
            let what = "finishing an action";
            let error = if ended.sent.is_some() { Error::MaybeApplied { what } } else { Error::Closed };
            lane::answer(&mut self.effects, ended.reply, Err(error));
        }
        self.requests.fail(&Error::Closed);
    }

    /// The watch has told of a change. Answers whether that was news.
    pub(crate) fn saw(&mut self, change: Change, now: Instant) -> bool {
        let before = self.state.as_ref().map(|state| state.revision);
        match change {
            Change::Updated(stored) => {
                self.allowed(Asked::Read);
                if self.pause.failures == 0 {
                    self.tell_working();
                }
                self.clock.saw(stored.at, now);
                self.adopt(stored.revision, stored.document, now);
            }
            Change::Removed => self.removed(),
        }
        self.state.as_ref().map(|state| state.revision) != before || !self.effects.is_empty()
    }

    /// The answer to [`Effect::Read`].
    pub(crate) fn read(&mut self, result: Result<Option<Stored>, BackendError>, now: Instant) {
        let covered = self.reading.take();
        match result {
            Ok(Some(stored)) => {
                self.recovered(Asked::Read);
                self.clock.saw(stored.at, now);
                self.fresh_to = self.fresh_to.max(covered.unwrap_or(0));
                let same = self.state.as_ref().is_some_and(|state| state.revision == stored.revision);
                self.adopt(stored.revision, stored.document, now);
                if !same {
                    self.settle_doubts();
                }
            }
            Ok(None) => self.removed(),
            Err(error) => self.failed(error, Asked::Read, now),
        }
    }

    /// The watch has failed; a new one is on its way. Only a refusal changes what this client does.
    pub(crate) fn watch_failed(&mut self, error: BackendError, now: Instant) {
        match error {
            BackendError::TokenExpired | BackendError::Refused { .. } => self.failed(error, Asked::Read, now),
            error => {
                let error = error.into_error(&self.config.facts, &self.config.id);
                self.tell_failing(&error);
            }
        }
    }

    /// A new token was installed: what was refused may go on (C8).
    pub(crate) fn resume(&mut self) {
        self.pause = Pause::default();
        self.ask_to_read();
    }

    fn is_plain(&self) -> bool {
        self.config.plain || self.state.as_ref().is_some_and(|state| state.document.is_foreign())
    }

    fn writer(&self, number: u64) -> Writer {
        let Config { by, instance, plain, .. } = &self.config;
        Writer { by: by.clone(), instance: instance.clone(), number, plain: *plain }
    }

    fn fresh_id(&mut self) -> ActionId {
        self.ids += 1;
        numbered(&self.config.fresh, self.ids).into()
    }

    fn gone(&self) -> Error {
        Error::NotFound { document: self.config.id.to_string() }
    }

    fn ask_to_read(&mut self) {
        if self.reading.is_none() && self.state.is_some() {
            self.reading = Some(self.seq);
            self.effects.push_back(Effect::Read);
        }
    }

    /// Takes a state over if it is newer than the newest seen (C17).
    fn adopt(&mut self, revision: Revision, document: Arc<Document>, now: Instant) {
        let changes = match &self.state {
            Some(state) if revision <= state.revision => return,
            Some(state) => {
                let step = revision.0 - state.revision.0;
                let missed = if self.config.facts.dense_revisions { step - 1 } else { 0 };
                let shown = u64::from(!document.shows_the_same_as(&state.document));
                state.changes + missed + shown
            }
            None => 1,
        };
        let last_write = document.ledger().and_then(|ledger| ledger.last_write(&self.config.instance));
        let alive = last_write.is_some_and(|last| last > self.born_at);
        let is_first = self.state.is_none();
        for lane in &mut self.lanes {
            lane.look_at_taker(&document, is_first, now);
            // Every write of this life takes claims of the one before over, also one whose answer was lost.
            lane.resuming &= !alive;
            let found = document.corrupt_array(lane.executor.as_str());
            if let Some(found) = found.filter(|_| !lane.corrupt) {
                let executor = lane.executor.clone();
                self.effects.push_back(Effect::Notice(Notice::CorruptArray { executor, found }));
            }
            lane.corrupt = found.is_some();
        }
        self.reconcile(&document, last_write);
        self.requests.look(&document, &self.config.by, last_write, now + self.config.settings.finish_linger);
        self.conflicts = 0;
        self.state = Some(State { revision, document, changes });
        if self.flight.is_none() {
            self.settle_doubts();
        }
    }

    fn removed(&mut self) {
        if self.state.take().is_none() {
            return;
        }
        self.effects.push_back(Effect::Notice(Notice::Removed));
        self.flight = None;
        let gone = self.gone();
        for pending in std::mem::take(&mut self.waiting) {
            self.tell(pending.asker, Err(gone.clone()));
        }
        for lane in &mut self.lanes {
            if let Some(running) = lane.running.take() {
                self.effects.push_back(Effect::Cancel(running.id));
            }
            for ended in std::mem::take(&mut lane.ended) {
                lane::answer(&mut self.effects, ended.reply, Err(gone.clone()));
            }
        }
        self.requests.fail(&gone);
    }

    /// Answers whoever asked for an operation. A request hears of its response instead, unless it came to nothing.
    fn tell(&mut self, asker: Asker, result: Result<Answer>) {
        match (asker, result) {
            (Asker::Nobody, _) | (Asker::Request(_), Ok(_)) => {}
            (Asker::Caller(reply), result) => self.effects.push_back(Effect::Answer(reply, result)),
            (Asker::Request(key), Err(error)) => self.requests.refuse(key, &error),
            (Asker::Responding(executor, item, reply), result) => {
                if let Err(error) = &result {
                    self.tell_dropped(executor, &item, dropped_by(error));
                }
                lane::answer(&mut self.effects, reply, result.map(drop));
            }
        }
    }

    /// From `least` to 0.4 more: clients that failed together do not come back together.
    fn jitter(&mut self, least: f64) -> f64 {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        least + 0.4 * f64::from(u16::try_from(self.jitter & 0xffff).unwrap_or(0)) / 65_535.0
    }
}

fn dropped_by(error: &Error) -> Dropped {
    match error {
        Error::Full { .. } => Dropped::Full,
        Error::TooLarge { .. } => Dropped::TooLarge,
        Error::CorruptArray { .. } => Dropped::CorruptArray,
        _ => Dropped::Unwritten,
    }
}

/// A prefix and a number in few characters: ids are stored with every waiting action.
fn numbered(prefix: &str, mut number: u64) -> String {
    let mut digits = [0_u8; 13];
    let mut place = digits.len();
    loop {
        place -= 1;
        digits[place] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
        if number == 0 {
            break;
        }
    }
    let mut id = String::with_capacity(prefix.len() + digits.len() - place);
    id.push_str(prefix);
    id.extend(digits[place..].iter().copied().map(char::from));
    id
}
