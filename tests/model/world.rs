//! The world around the clients: one stored document, messages that may be lost or late, and every step that may
//! come next.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sp_sync::document::{Applied, Claim, Document, Operation, Outcome, Rules, Verdict, apply, resolve};
use sp_sync::{ActionId, Executor};

use super::client::{App, Client, Next, Pending, is_once};
use super::history::History;

/// Wrong algorithms. The explorer must find each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    TakeOverWithoutLease,
    RunThenRemove,
    RemoveThenRun,
    StartBeforeFinishIsRecorded,
    ClaimIgnoresHolders,
    ResolveSaysNotHeld,
    RespondWithoutClaim,
    OnceWithoutStub,
    ForgetLostOperation,
    SubscribeBeforeGivenBack,
}

pub struct Config {
    pub executors: Vec<Executor>,
    pub rules: Rules,
    pub bug: Option<Bug>,
    /// Whether write numbers can make a difference: only where a lost application write is looked up.
    pub numbers_matter: bool,
}

/// How often each fault may still happen.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Faults {
    pub crash: u8,
    pub restart: u8,
    pub restart_same: u8,
    pub lost: u8,
    /// Leases that run out while their holder lives. Those of dead holders always may.
    pub expire: u8,
    pub fail: u8,
    pub leave: u8,
    /// Whoever has left subscribes again.
    pub back: u8,
    /// Original-style stores of old copies.
    pub stale: u8,
    pub stale_whole: u8,
    /// Addressed responses that lie for a lease although their client lives.
    pub release: u8,
}

/// A stored document. Its key leaves out what nobody reads.
pub struct Snap {
    pub document: Document,
    pub rev: u64,
    pub key: u64,
}

/// What a write changes for the history, once it holds.
#[derive(Clone, Debug)]
pub enum Effect {
    Enqueued(usize, ActionId, bool),
    Responded(ActionId),
    Gone(ActionId),
    AliveExpired,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Held,
    LostButHeld,
    Delayed,
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    See(usize),
    Write { client: usize, new: bool, take_over: Option<usize>, release: bool, renew: bool, fate: Fate },
    Answer(usize),
    Read(usize),
    Land(usize),
    Start(usize, usize),
    End(usize, usize),
    Fail(usize, usize),
    Crash(usize),
    Restart { client: usize, same: bool },
    Leave(usize),
    Subscribe(usize),
    Store { whole: bool },
}

#[derive(Clone)]
struct Delayed {
    document: Document,
    base: u64,
    effects: Vec<Effect>,
}

#[derive(Clone)]
pub struct World {
    pub config: Arc<Config>,
    pub stored: Arc<Snap>,
    pub clients: Vec<Client>,
    delayed: Vec<Delayed>,
    pub faults: Faults,
    pub history: History,
    pub copy: Option<Arc<Snap>>,
}

pub type Broken = String;

fn key_of(document: &Document, numbers_matter: bool) -> u64 {
    let text = document.to_json();
    let mut hasher = DefaultHasher::new();
    if numbers_matter {
        text.hash(&mut hasher);
    } else {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        if let Some(ledger) = value.get_mut("_sp").and_then(Value::as_object_mut) {
            ledger.shift_remove("w");
        }
        value.to_string().hash(&mut hasher);
    }
    hasher.finish()
}

impl World {
    pub fn new(config: Config, object: Value, readers: usize, faults: Faults) -> Self {
        let Value::Object(object) = object else { panic!("not an object") };
        let document = Document::from_object(object).begun_by(&"creator".into());
        let key = key_of(&document, config.numbers_matter);
        let stored = Arc::new(Snap { document, rev: 0, key });
        let executors = config.executors.len();
        let reads: Vec<usize> = (0..executors).collect();
        let clients = (0..readers)
            .map(|place| Client::new(place, 0, reads.clone(), stored.clone(), executors))
            .collect();
        let mut history = History::default();
        for (place, executor) in config.executors.iter().enumerate() {
            for item in stored.document.waiting(executor.as_str()) {
                history.enqueued(place, item.id().unwrap(), item.tag().to.is_some()).unwrap();
            }
        }
        let config = Arc::new(config);
        Self { config, copy: Some(stored.clone()), stored, clients, delayed: Vec::new(), faults, history }
    }

    pub fn enqueues(&mut self, client: usize, batch: &[(usize, Value)]) {
        let item = |(place, value): &(usize, Value)| {
            (
                self.config.executors[*place].clone(),
                Arc::new(sp_sync::document::Item::from_value(value.clone())),
            )
        };
        let op = Operation::Enqueue(batch.iter().map(item).collect());
        self.clients[client].app.push_back(App { op, lost: None });
    }

    fn is_alive(&self, by: &str) -> bool {
        self.clients.iter().any(|client| client.alive && *client.writer.by == *by)
    }

    pub fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.stored.key.hash(&mut hasher);
        self.faults.hash(&mut hasher);
        self.history.hash(&mut hasher);
        self.copy.as_ref().map(|copy| copy.key).hash(&mut hasher);
        for delayed in &self.delayed {
            delayed.document.to_json().hash(&mut hasher);
        }
        for client in &self.clients {
            (client.alive, client.life, client.settled, &client.reads).hash(&mut hasher);
            if client.alive {
                (client.snap.key, client.snap.rev == self.stored.rev, &client.hands, &client.requests)
                    .hash(&mut hasher);
                match &client.pending {
                    Pending::None => (0, 0, false),
                    Pending::Landed { carried, snap } => (2 + carried, snap.key, snap.rev <= client.snap.rev),
                    Pending::Lost => (1, 0, false),
                }
                .hash(&mut hasher);
                if self.config.numbers_matter {
                    client.writer.number.hash(&mut hasher);
                }
                client.app.len().hash(&mut hasher);
                for (base, number) in client.app.iter().filter_map(|app| app.lost.as_ref()) {
                    (base.key, base.rev == self.stored.rev, number).hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }

    /// Every step that may come next. Some turn out to change nothing.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (place, client) in self.clients.iter().enumerate() {
            if client.alive {
                self.steps_of(place, client, &mut steps);
            } else {
                if self.faults.restart > 0 {
                    steps.push(Step::Restart { client: place, same: false });
                }
                if self.faults.restart_same > 0 {
                    steps.push(Step::Restart { client: place, same: true });
                }
            }
        }
        steps.extend((0..self.delayed.len()).map(Step::Land));
        if self.faults.stale > 0 {
            steps.push(Step::Store { whole: false });
        }
        if self.faults.stale_whole > 0 {
            steps.push(Step::Store { whole: true });
        }
        steps
    }

    fn steps_of(&self, place: usize, client: &Client, steps: &mut Vec<Step>) {
        let current = client.snap.rev == self.stored.rev;
        if !current {
            steps.push(Step::See(place));
        }
        match client.pending {
            Pending::None if current => self.writes_of(place, client, steps),
            Pending::None => {}
            Pending::Landed { .. } => steps.push(Step::Answer(place)),
            Pending::Lost => steps.push(Step::Read(place)),
        }
        for executor in 0..self.config.executors.len() {
            if client.hands[executor].running.is_some() {
                steps.push(Step::End(place, executor));
                if self.faults.fail > 0 {
                    steps.push(Step::Fail(place, executor));
                }
            } else if client.reads.contains(&executor) {
                steps.push(Step::Start(place, executor));
            }
        }
        if self.faults.crash > 0 {
            steps.push(Step::Crash(place));
        }
        if self.faults.leave > 0 && !client.reads.is_empty() {
            steps.push(Step::Leave(place));
        }
        if self.faults.back > 0 && client.reads.is_empty() && self.may_subscribe(client) {
            steps.push(Step::Subscribe(place));
        }
    }

    /// A client that has begun to give back goes on until it has seen that nothing is left to give back: one of its
    /// lost writes may still land, and would return, as not begun, what it had started meanwhile.
    pub fn may_subscribe(&self, client: &Client) -> bool {
        let owns = |executor: &Executor| {
            client.snap.document.claims(executor.as_str()).iter().any(|claim| client.owns(claim))
        };
        self.config.bug == Some(Bug::SubscribeBeforeGivenBack)
            || matches!(client.pending, Pending::None) && !self.config.executors.iter().any(owns)
    }

    fn writes_of(&self, place: usize, client: &Client, steps: &mut Vec<Step>) {
        let mut write = |new, take_over, release, renew| {
            let fates = [Fate::Held, Fate::LostButHeld, Fate::Delayed];
            let fates = if self.faults.lost > 0 { &fates[..] } else { &fates[..1] };
            for fate in fates {
                steps.push(Step::Write { client: place, new, take_over, release, renew, fate: *fate });
            }
        };
        write(false, None, false, false);
        if client.app.iter().any(|app| app.lost.is_none()) {
            write(true, None, false, false);
        }
        if self.faults.release > 0 {
            write(false, None, true, false);
        }
        if client.renew {
            write(false, None, false, true);
        }
        for executor in &client.reads {
            let claims = client.snap.document.claims(self.config.executors[*executor].as_str());
            let Some(head) = claims.first().filter(|head| !client.owns(head)) else { continue };
            let free = !self.is_alive(&head.by) || self.config.bug == Some(Bug::TakeOverWithoutLease);
            if free || self.faults.expire > 0 {
                write(false, Some(*executor), false, false);
            }
        }
    }

    /// Whether a step is a fault, without which everything must still come to its end.
    pub fn is_fault(step: &Step) -> bool {
        match step {
            Step::Write { take_over: Some(_), .. } => false,
            Step::Write { fate, release, .. } => *fate != Fate::Held || *release,
            Step::Land(_) | Step::Fail(..) | Step::Crash(_) | Step::Restart { .. } => true,
            Step::Leave(_) | Step::Subscribe(_) | Step::Store { .. } => true,
            Step::See(_) | Step::Answer(_) | Step::Read(_) | Step::Start(..) | Step::End(..) => false,
        }
    }

    /// Takes a step. `Ok(false)` when it changes nothing, `Err` when it breaks an invariant.
    pub fn take(&mut self, step: Step) -> Result<bool, Broken> {
        match step {
            Step::See(place) => {
                let stored = self.stored.clone();
                self.observe(place, &stored);
                self.look_up(place);
            }
            Step::Write { client, new, take_over, release, renew, fate } => {
                return self.write(client, new, take_over, release, renew, fate);
            }
            Step::Answer(place) => self.answer(place),
            Step::Read(place) => self.read(place),
            Step::Land(place) => {
                let delayed = self.delayed.remove(place);
                if delayed.base != self.stored.rev {
                    return Ok(false);
                }
                self.land(delayed.document, delayed.effects)?;
            }
            Step::Start(client, executor) => return self.start(client, executor),
            Step::End(client, executor) => {
                let Some((id, n)) = self.clients[client].hands[executor].running.take() else {
                    return Ok(false);
                };
                self.history.ended(&id);
                self.clients[client].hands[executor].ended.push((id, n));
            }
            Step::Fail(client, executor) => {
                let hand = &mut self.clients[client].hands[executor];
                let Some((id, n)) = hand.running.take() else { return Ok(false) };
                self.faults.fail -= 1;
                self.history.faulty = true;
                if is_once(&id) {
                    // Never again: it ends, and says that it failed.
                    self.history.ended(&id);
                    hand.ended.push((id, n));
                } else {
                    hand.failed = Some((id, n));
                }
            }
            Step::Crash(place) => {
                self.faults.crash -= 1;
                self.history.faulty = true;
                self.crash(place);
            }
            Step::Restart { client, same } => self.restart(client, same),
            Step::Leave(place) => {
                self.faults.leave -= 1;
                self.history.faulty = true;
                let client = &mut self.clients[place];
                client.reads.clear();
                for hand in &mut client.hands {
                    hand.running = None;
                }
            }
            Step::Subscribe(place) => {
                self.faults.back -= 1;
                self.clients[place].reads = (0..self.config.executors.len()).collect();
            }
            Step::Store { whole } => self.store_stale(whole),
        }
        Ok(true)
    }

    fn observe(&mut self, place: usize, snap: &Arc<Snap>) {
        let config = self.config.clone();
        self.clients[place].observe(snap, &config);
    }

    pub fn crash(&mut self, place: usize) {
        let client = &mut self.clients[place];
        client.alive = false;
        client.pending = Pending::None;
        // What was never acknowledged may be lost with its caller.
        client.app.clear();
    }

    pub fn restart(&mut self, place: usize, same: bool) {
        let old = &self.clients[place];
        let reads = (0..self.config.executors.len()).collect();
        let life = old.life + u32::from(!same);
        let mut client =
            Client::new(old.identity, life, reads, self.stored.clone(), self.config.executors.len());
        if same {
            self.faults.restart_same = self.faults.restart_same.saturating_sub(1);
            client.settled = false;
            // Well above any write of the earlier life that may still land.
            client.writer.number = old.writer.number + 1000;
            client.first_number = client.writer.number + 1;
        } else {
            self.faults.restart = self.faults.restart.saturating_sub(1);
        }
        client.renew = old.renew;
        self.clients[place] = client;
    }

    fn start(&mut self, place: usize, executor: usize) -> Result<bool, Broken> {
        let client = &self.clients[place];
        let (id, n) = match self.config.bug {
            Some(Bug::RunThenRemove) => {
                let hand = &client.hands[executor];
                let document = &client.snap.document;
                let waiting = document.waiting(self.config.executors[executor].as_str());
                let fresh = |id: &&ActionId| !hand.started.iter().any(|(started, _)| started == *id);
                let Some(id) = waiting.iter().filter_map(|item| item.id()).find(fresh) else {
                    return Ok(false);
                };
                (id.clone(), 1)
            }
            Some(Bug::RemoveThenRun) => match client.hands[executor].local.front() {
                Some(id) => (id.clone(), 1),
                None => return Ok(false),
            },
            _ => match client.next(&self.config, executor) {
                Some((id, n, Next::Run)) => (id, n),
                _ => return Ok(false),
            },
        };
        let others = self.clients.iter().enumerate().any(|(other, client)| {
            other != place && client.alive && client.hands[executor].running.is_some()
        });
        self.history.started(executor, &id, n, others)?;
        let hand = &mut self.clients[place].hands[executor];
        hand.local.pop_front();
        hand.started.push((id.clone(), n));
        hand.running = Some((id, n));
        Ok(true)
    }

    fn write(
        &mut self,
        place: usize,
        new: bool,
        take_over: Option<usize>,
        release: bool,
        renew: bool,
        fate: Fate,
    ) -> Result<bool, Broken> {
        let config = self.config.clone();
        let client = &mut self.clients[place];
        client.writer.number += 1;
        client.renew = renew;
        let client = &self.clients[place];
        let released = |to: &str| release || !self.is_alive(to);
        let (carried, mut operations, mut effects) = client.derive(&config, new, take_over, &released);
        if config.bug == Some(Bug::RunThenRemove) {
            operations.retain(|operation| !matches!(operation, Operation::Claim { .. }));
        }
        let mut writer = client.writer.clone();
        writer.plain = config.bug == Some(Bug::RemoveThenRun);
        let base = self.base_for(&operations, &writer.by);
        let Applied { document, outcomes } = apply(&base, &writer, &config.rules, &operations);
        let Some(document) = document else {
            // Nothing to write: whatever the application asked for is as it wanted.
            self.clients[place].app.drain(..carried);
            return Ok(carried > 0);
        };
        // Refused operations are answered at once; they have changed nothing.
        let refused: Vec<bool> = outcomes.iter().take(carried).map(Result::is_err).collect();
        let mut place_in = 0..;
        let mut keep = |_: &App| !place_in.next().and_then(|place| refused.get(place)).unwrap_or(&false);
        self.clients[place].app.retain(&mut keep);
        let carried = carried - refused.iter().filter(|refused| **refused).count();
        effects.extend(self.effects(&operations, &outcomes, take_over));
        let mut local = Vec::new();
        if writer.plain {
            for outcome in outcomes.iter().flatten() {
                if let Outcome::Taken(taken) = outcome {
                    local.extend(taken.items.iter().filter_map(|item| item.id().cloned()));
                }
            }
        }
        if let Some(executor) = take_over {
            let claims = base.claims(config.executors[executor].as_str());
            if claims.first().is_some_and(|head| self.is_alive(&head.by)) {
                self.faults.expire = self.faults.expire.saturating_sub(1);
            }
        }
        self.faults.release -= u8::from(release);
        self.submit(place, carried, document, effects, fate)?;
        if fate == Fate::Held {
            self.clients[place].hands[0].local.extend(local);
        }
        Ok(true)
    }

    fn submit(
        &mut self,
        place: usize,
        carried: usize,
        document: Document,
        effects: Vec<Effect>,
        fate: Fate,
    ) -> Result<(), Broken> {
        if fate == Fate::Held {
            self.land(document, effects)?;
            self.clients[place].pending = Pending::Landed { carried, snap: self.stored.clone() };
            return Ok(());
        }
        self.faults.lost -= 1;
        self.history.faulty = true;
        let number = self.clients[place].writer.number;
        let stored = self.stored.clone();
        for app in self.clients[place].app.iter_mut().take(carried) {
            app.lost.get_or_insert((stored.clone(), number));
        }
        self.clients[place].pending = Pending::Lost;
        if fate == Fate::Delayed {
            self.delayed.push(Delayed { document, base: self.stored.rev, effects });
            return Ok(());
        }
        self.land(document, effects)
    }

    /// For the bug of a client that does not see other holders: the document without their claims, which come back.
    fn base_for(&self, operations: &[Operation], by: &str) -> Document {
        if self.config.bug != Some(Bug::ClaimIgnoresHolders) {
            return self.stored.document.clone();
        }
        let mut value: Value = serde_json::from_str(&self.stored.document.to_json()).unwrap();
        let claims = operations.iter().any(|operation| matches!(operation, Operation::Claim { .. }));
        if claims && let Some(claims) = value.pointer_mut("/_sp/claims/x").and_then(Value::as_array_mut) {
            claims.retain(|claim| claim["by"] == by);
        }
        Document::from_json(&value.to_string()).unwrap()
    }

    fn effects(
        &self,
        operations: &[Operation],
        outcomes: &[sp_sync::Result<Outcome>],
        take_over: Option<usize>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let place =
            |executor: &Executor| self.config.executors.iter().position(|one| one == executor).unwrap();
        for (operation, outcome) in operations.iter().zip(outcomes) {
            match (operation, outcome) {
                (Operation::Enqueue(actions), Ok(Outcome::Done)) => {
                    for (executor, item) in actions {
                        let addressed = item.tag().to.is_some();
                        effects.push(Effect::Enqueued(
                            place(executor),
                            item.id().unwrap().clone(),
                            addressed,
                        ));
                        effects.extend(item.tag().re.clone().map(Effect::Responded));
                    }
                }
                (Operation::Finish { response: Some(response), .. }, Ok(Outcome::Done)) => {
                    let id = response.item.id().unwrap().clone();
                    effects.push(Effect::Enqueued(place(&response.executor), id, true));
                    effects.extend(response.item.tag().re.clone().map(Effect::Responded));
                }
                (Operation::Withdraw(id), Ok(Outcome::Done)) => effects.push(Effect::Gone(id.clone())),
                (Operation::TakeResponse { item, .. }, Ok(Outcome::Done)) => {
                    effects.extend(item.id().cloned().map(Effect::Gone));
                }
                (Operation::TakeOver { executor, mark }, Ok(Outcome::TakenOver { lost })) => {
                    effects.extend(lost.iter().cloned().map(Effect::Gone));
                    if take_over == Some(place(executor)) && self.is_alive(&mark.by) {
                        let bug = self.config.bug == Some(Bug::TakeOverWithoutLease);
                        effects.extend((!bug).then_some(Effect::AliveExpired));
                    }
                }
                _ => {}
            }
        }
        effects
    }

    fn land(&mut self, document: Document, effects: Vec<Effect>) -> Result<(), Broken> {
        let text = document.to_json();
        if self.config.numbers_matter && Document::from_json(&text).ok().as_ref() != Some(&document) {
            return Err(format!("reads otherwise than it was written: {text}"));
        }
        if document.size_bytes() != text.len() {
            return Err(format!("counted {} bytes, has {}", document.size_bytes(), text.len()));
        }
        if text.len() > self.config.rules.document_bytes_max.max(self.stored.document.size_bytes() + 2) {
            return Err(format!("{} bytes are too many", text.len()));
        }
        for effect in effects {
            self.history.take(effect)?;
        }
        let key = key_of(&document, self.config.numbers_matter);
        self.stored = Arc::new(Snap { document, rev: self.stored.rev + 1, key });
        let rev = self.stored.rev;
        self.delayed.retain(|delayed| delayed.base == rev);
        self.history.conserved(&self.stored.document, &self.config.executors)
    }

    fn answer(&mut self, place: usize) {
        let pending = std::mem::replace(&mut self.clients[place].pending, Pending::None);
        let Pending::Landed { carried, snap } = pending else { return };
        self.clients[place].settled = true;
        self.acknowledge(place, carried);
        self.observe(place, &snap);
        self.look_up(place);
    }

    fn acknowledge(&mut self, place: usize, carried: usize) {
        let operations: Vec<_> = self.clients[place].app.drain(..carried).map(|app| app.op).collect();
        for operation in operations {
            if let Operation::Enqueue(actions) = operation {
                for id in actions.iter().filter_map(|(_, item)| item.id()) {
                    self.history.acknowledged(id);
                }
            }
        }
    }

    /// Reads after an answer was lost.
    fn read(&mut self, place: usize) {
        let stored = self.stored.clone();
        self.clients[place].pending = Pending::None;
        self.observe(place, &stored);
        self.look_up(place);
    }

    /// Looks up, at every newer revision, what became of operations whose answer was lost.
    fn look_up(&mut self, place: usize) {
        if !matches!(self.clients[place].pending, Pending::None) {
            return;
        }
        let stored = self.clients[place].snap.clone();
        let (instance, bug) = (self.clients[place].writer.instance.clone(), self.config.bug);
        let (mut held, mut unknown) = (0, 0);
        for app in &mut self.clients[place].app {
            let Some((base, number)) = &app.lost else { break };
            if base.rev == stored.rev {
                // It did not hold so far, but may still: every write from this revision carries it again.
                if bug == Some(Bug::ForgetLostOperation) {
                    app.lost = None;
                }
                continue;
            }
            let verdict = resolve(&base.document, &stored.document, &instance, *number, &app.op);
            match verdict {
                _ if bug == Some(Bug::ResolveSaysNotHeld) => app.lost = None,
                Verdict::Held => held += 1,
                Verdict::NotHeld => app.lost = None,
                Verdict::Unknown => unknown += 1,
            }
        }
        // The caller hears "maybe applied". Operations lost together have one verdict.
        self.history.unknown += unknown;
        self.clients[place].app.drain(..unknown as usize);
        self.acknowledge(place, held);
    }

    fn store_stale(&mut self, whole: bool) {
        if whole {
            self.faults.stale_whole -= 1;
        } else {
            self.faults.stale -= 1;
        }
        self.history.faulty = true;
        self.history.foreign = true;
        let Some(copy) = self.copy.clone() else { return };
        let parse = |document: &Document| -> Map<String, Value> {
            serde_json::from_str(&document.to_json()).unwrap()
        };
        let (mut now, copy) = (parse(&self.stored.document), parse(&copy.document));
        if whole {
            now = copy;
        } else {
            now.extend(copy.into_iter().filter(|(key, _)| key.ends_with("Actions")));
        }
        let document = Document::from_object(now);
        let key = key_of(&document, self.config.numbers_matter);
        self.stored = Arc::new(Snap { document, rev: self.stored.rev + 1, key });
        self.delayed.clear();
    }

    /// Whether a state without further steps is one in which everything has been worked off.
    pub fn at_rest(&self) -> Result<(), Broken> {
        for (place, executor) in self.config.executors.iter().enumerate() {
            if !self.clients.iter().any(|client| client.alive && client.reads.contains(&place)) {
                continue;
            }
            let left = self.stored.document.waiting(executor.as_str()).len();
            let claims: &[Claim] = self.stored.document.claims(executor.as_str());
            if left + claims.len() > 0 {
                return Err(format!(
                    "stuck: {left} waiting, {} claimed: {}",
                    claims.len(),
                    self.stored.document.to_json()
                ));
            }
            self.history.complete(place)?;
        }
        match self.clients.iter().find(|client| client.alive && !client.app.is_empty()) {
            Some(client) => Err(format!("{} never got through", client.writer.by)),
            None => Ok(()),
        }
    }
}

/// An action as a peer writes it.
pub fn action(id: &str, executor: &str) -> Value {
    json!({ "action": id, "executor": executor, "_sp": { "id": id } })
}

/// A request whose response goes to `to`, addressed to client `from`.
pub fn request(id: &str, executor: &str, to: &str, from: &str) -> Value {
    json!({ "action": id, "executor": executor, "respondTo": to, "_sp": { "id": id, "from": from } })
}
