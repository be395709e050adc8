//! The world around the clients: one stored document, messages that may be lost or late, and every step that may
//! come next.

mod steps;
mod writing;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sp_sync::document::{Claim, Document, Operation, Rules};
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
