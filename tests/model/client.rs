//! An abstract client: what the real one derives from the newest snapshot and its local state, and nothing else.

use std::collections::VecDeque;
use std::sync::Arc;

use sp_sync::document::{Claim, Document, Held, Item, Operation, Response, Writer};
use sp_sync::{ActionId, Executor};

use super::world::{Bug, Config, Effect, Snap, action};

/// What the client knows of its one write in flight.
#[derive(Clone)]
pub enum Pending {
    None,
    /// It held; the answer is on its way.
    Landed {
        carried: usize,
        snap: Arc<Snap>,
    },
    /// Its answer was lost, whether it held or not.
    Lost,
}

/// An operation of the application.
#[derive(Clone)]
pub struct App {
    pub op: Operation,
    /// Set when an answer was lost: the document it was first made from, and the number of that write.
    pub lost: Option<(Arc<Snap>, u64)>,
}

/// Handlers of one executor.
#[derive(Clone, Default, Hash)]
pub struct Hand {
    pub running: Option<(ActionId, u32)>,
    pub ended: Vec<(ActionId, u32)>,
    pub failed: Option<(ActionId, u32)>,
    /// Every attempt started in this life.
    pub started: Vec<(ActionId, u32)>,
    /// Ids finished in this life (C61).
    pub finished: Vec<ActionId>,
    /// Only for the bug "remove, then run": taken and nowhere else.
    pub local: VecDeque<ActionId>,
}

#[derive(Clone)]
pub struct Client {
    pub identity: usize,
    pub life: u32,
    pub writer: Writer,
    pub alive: bool,
    /// Executors subscribed to.
    pub reads: Vec<usize>,
    pub snap: Arc<Snap>,
    pub pending: Pending,
    pub app: VecDeque<App>,
    pub hands: Vec<Hand>,
    /// Requests of this life.
    pub requests: Vec<ActionId>,
    /// Whether a write of this life is known to have held: own claims are then of this life.
    pub settled: bool,
    pub first_number: u64,
    /// Renewals left to explore.
    pub renew: bool,
}

/// What the head of the own claims asks for.
#[derive(PartialEq, Debug)]
pub enum Next {
    Run,
    /// Finished here before: removed without running (C61).
    Skip,
    /// Out of attempts, or expired: removed and reported (C42, C43).
    Report,
    /// At most once: its stub must be written first (C41).
    Stub,
    /// Started in this life and neither running nor ended, because it was gone for a while: counts as an attempt.
    Again,
}

pub fn is_once(id: &ActionId) -> bool {
    id.as_str().starts_with("once")
}

impl Client {
    pub fn new(identity: usize, life: u32, reads: Vec<usize>, snap: Arc<Snap>, executors: usize) -> Self {
        let instance: Arc<str> = format!("i{identity}{life}").into();
        let writer =
            Writer { by: format!("c{identity}#{instance}").into(), instance, number: 0, plain: false };
        Self {
            identity,
            life,
            writer,
            alive: true,
            reads,
            snap,
            pending: Pending::None,
            app: VecDeque::new(),
            hands: vec![Hand::default(); executors],
            requests: Vec::new(),
            settled: true,
            first_number: 1,
            renew: false,
        }
    }

    pub fn owns(&self, claim: &Claim) -> bool {
        claim.by == self.writer.by
    }

    fn own<'a>(&self, document: &'a Document, executor: &Executor) -> Vec<&'a Claim> {
        let by = self.writer.by.clone();
        document.claims(executor.as_str()).iter().filter(|claim| claim.by == by).collect()
    }

    /// Takes in a newer snapshot: handlers whose claim has gone or changed are cancelled.
    pub fn observe(&mut self, snap: &Arc<Snap>, config: &Config) {
        if snap.rev < self.snap.rev {
            return;
        }
        self.snap = snap.clone();
        let document = &snap.document;
        let last = document.ledger().and_then(|ledger| ledger.last_write(&self.writer.instance));
        self.settled |= last.is_some_and(|last| last >= self.first_number);
        for (executor, hand) in config.executors.iter().zip(&mut self.hands) {
            let claims = document.claims(executor.as_str());
            let by = &self.writer.by;
            let holds = |id: &ActionId, n: u32| {
                claims.iter().any(|claim| claim.by == *by && claim.id() == Some(id) && claim.n == n)
            };
            let anywhere = |id: &ActionId| {
                claims.iter().any(|claim| claim.id() == Some(id))
                    || document.waiting(executor.as_str()).iter().any(|item| item.id() == Some(id))
            };
            hand.running = hand.running.take().filter(|(id, n)| holds(id, *n));
            hand.failed = hand.failed.take().filter(|(id, n)| holds(id, *n));
            for (id, _) in &hand.ended {
                if !anywhere(id) && !hand.finished.contains(id) {
                    hand.finished.push(id.clone());
                }
            }
            let minds = config.bug != Some(Bug::RespondWithoutClaim);
            hand.ended.retain(|(id, n)| if minds { holds(id, *n) } else { anywhere(id) });
        }
    }

    /// The oldest own claim that has not ended, and what it asks for. Rule R: while an earlier end is not recorded,
    /// the next may start only when all of them are first attempts.
    pub fn next(&self, config: &Config, executor: usize) -> Option<(ActionId, u32, Next)> {
        let hand = &self.hands[executor];
        if !self.settled || hand.running.is_some() || hand.failed.is_some() {
            return None;
        }
        let own = self.own(&self.snap.document, &config.executors[executor]);
        let place = own.iter().position(|claim| !hand.ended.iter().any(|(id, _)| Some(id) == claim.id()))?;
        let claim = own[place];
        let id = claim.id()?.clone();
        let careful = place == 0 || own[..=place].iter().all(|claim| claim.n == 1);
        if !careful && config.bug != Some(Bug::StartBeforeFinishIsRecorded) {
            return None;
        }
        let stub = matches!(claim.held, Held::Once(_));
        let next = if hand.finished.contains(&id) {
            Next::Skip
        } else if hand.started.contains(&(id.clone(), claim.n)) {
            if stub { Next::Skip } else { Next::Again }
        } else if claim.n > config.rules.attempts_max || id.as_str().starts_with("expired") && !stub {
            Next::Report
        } else if is_once(&id) && !stub && config.bug != Some(Bug::OnceWithoutStub) {
            Next::Stub
        } else {
            Next::Run
        };
        Some((id, claim.n, next))
    }

    fn response(&self, config: &Config, claim: &Claim) -> Option<Response> {
        let item = claim.item()?;
        let to = item.action()?.respond_to()?;
        let executor = config.executors.iter().find(|executor| executor.as_str() == to)?.clone();
        let id = item.id()?;
        let object = serde_json::json!({
            "action": id.as_str(), "executor": to, "done": true,
            "_sp": { "id": format!("{id}/{}/{}", self.writer.instance, claim.n), "re": id.as_str(), "to": &*item.tag().from.clone()? },
        });
        Some(Response { executor, item: Arc::new(Item::from_value(object)) })
    }

    /// Application operations first, then what the snapshot and the local state ask for. Answers how many of the
    /// first are carried.
    pub fn derive(
        &self,
        config: &Config,
        new: bool,
        take_over: Option<usize>,
        release: &dyn Fn(&str) -> bool,
    ) -> (usize, Vec<Operation>, Vec<Effect>) {
        let lost = self.app.iter().take_while(|app| app.lost.is_some()).count();
        let carried = (lost + usize::from(new)).min(self.app.len());
        let mut operations: Vec<_> = self.app.iter().take(carried).map(|app| app.op.clone()).collect();
        let mut effects = Vec::new();
        self.hand_over(config, &mut operations);
        for (place, executor) in config.executors.iter().enumerate() {
            self.derive_for(config, place, executor, &mut operations, &mut effects);
            let claims = self.snap.document.claims(executor.as_str());
            if take_over == Some(place)
                && let Some(head) = claims.first()
            {
                operations.push(Operation::TakeOver { executor: executor.clone(), mark: head.mark() });
            }
            let finishes = |claim: &Claim| {
                operations.iter().any(
                    |operation| matches!(operation, Operation::Finish { id, .. } if claim.id() == Some(id)),
                )
            };
            let ignores = config.bug == Some(Bug::ClaimIgnoresHolders);
            let free = claims.iter().all(|claim| if self.owns(claim) { finishes(claim) } else { ignores });
            if self.reads.contains(&place)
                && free
                && take_over != Some(place)
                && self.hands[place].local.is_empty()
            {
                let waiting = self.snap.document.waiting(executor.as_str());
                let to = |item: &Arc<Item>| item.tag().to.as_ref().is_some_and(|to| release(to));
                let released =
                    waiting.iter().filter(|item| to(item)).filter_map(|item| item.id().cloned()).collect();
                let fresh = format!("{}-{}-", self.writer.instance, self.writer.number).into();
                operations.push(Operation::Claim { executor: executor.clone(), fresh, released });
            }
        }
        (carried, operations, effects)
    }

    /// Whatever is added goes to whoever has said that it takes what comes next, be it alive or not.
    fn hand_over(&self, config: &Config, operations: &mut Vec<Operation>) {
        for executor in &config.executors {
            let adds = |operation: &Operation| matches!(operation, Operation::Enqueue(actions) if actions.iter().any(|(of, _)| of == executor));
            let next = self.snap.document.ledger().and_then(|ledger| ledger.next(executor.as_str()));
            if let Some(to) = next.filter(|_| operations.iter().any(adds)) {
                operations.push(Operation::HandOver { executor: executor.clone(), to: to.clone() });
            }
        }
    }

    fn derive_for(
        &self,
        config: &Config,
        place: usize,
        executor: &Executor,
        operations: &mut Vec<Operation>,
        effects: &mut Vec<Effect>,
    ) {
        let (hand, document) = (&self.hands[place], &self.snap.document);
        let own = self.own(document, executor);
        for item in document.waiting(executor.as_str()) {
            if item.tag().re.as_ref().is_some_and(|re| self.requests.contains(re)) {
                operations.push(Operation::TakeResponse { executor: executor.clone(), item: item.clone() });
            }
        }
        if !self.settled {
            if let Some(claim) = own.first() {
                operations.push(Operation::TakeOver { executor: executor.clone(), mark: claim.mark() });
            }
            return;
        }
        let finish = |id: &ActionId, response| Operation::Finish {
            executor: executor.clone(),
            id: id.clone(),
            response,
        };
        for (id, _) in &hand.ended {
            if config.bug == Some(Bug::RunThenRemove) {
                operations.push(Operation::Withdraw(id.clone()));
            } else if config.bug == Some(Bug::RespondWithoutClaim) {
                let claims = document.claims(executor.as_str());
                let response = claims.iter().find(|claim| claim.id() == Some(id));
                let response = response.and_then(|claim| self.response(config, claim));
                let enqueue =
                    |response: Response| Operation::Enqueue(vec![(response.executor, response.item)]);
                operations.extend(response.map(enqueue));
                operations.push(finish(id, None));
            } else if let Some(claim) = own.iter().find(|claim| claim.id() == Some(id)) {
                let response = self.response(config, claim);
                operations.push(finish(id, response));
            }
        }
        if let Some((id, n)) = &hand.failed {
            operations.push(Operation::Retry { executor: executor.clone(), id: id.clone(), failed: *n });
        }
        match self.next(config, place) {
            Some((id, _, Next::Skip | Next::Report)) => {
                operations.push(finish(&id, None));
                effects.push(Effect::Gone(id));
            }
            Some((id, _, Next::Stub)) if self.reads.contains(&place) => {
                operations.push(Operation::StartOnce { executor: executor.clone(), id });
            }
            Some((id, n, Next::Again)) => {
                operations.push(Operation::Retry { executor: executor.clone(), id, failed: n });
            }
            _ => {}
        }
        if !self.reads.contains(&place) {
            operations.push(Operation::StepBack(executor.clone()));
        }
        if !self.reads.contains(&place) && !own.is_empty() {
            self.give_back(place, executor, &own, operations, effects);
        }
        if self.renew && own.iter().any(|claim| self.owns(claim)) {
            operations.push(Operation::Renew(executor.clone()));
        }
    }

    fn give_back(
        &self,
        place: usize,
        executor: &Executor,
        own: &[&Claim],
        operations: &mut Vec<Operation>,
        effects: &mut Vec<Effect>,
    ) {
        let hand = &self.hands[place];
        let stubs = own.iter().filter_map(|claim| match &claim.held {
            Held::Once(id) => Some(id),
            Held::Action(_) => None,
        });
        // Its start was recorded, and its handler was not started: nobody has seen it.
        let mut unseen = None;
        for id in stubs {
            if unseen.is_none() && !hand.started.iter().any(|(seen, _)| seen == id) {
                unseen = Some(Arc::new(Item::from_value(action(id.as_str(), executor.as_str()))));
            } else {
                effects.push(Effect::Gone(id.clone()));
            }
        }
        let begun = |claim: &&&Claim| {
            claim.id().is_some_and(|id| {
                hand.started.contains(&(id.clone(), claim.n))
                    && !hand.ended.iter().any(|(ended, _)| ended == id)
            })
        };
        // A failed attempt is counted by its Retry in this same write.
        let started =
            own.iter().find(begun).and_then(|claim| Some((claim.id()?, claim.n))).filter(|(id, _)| {
                hand.failed.as_ref().is_none_or(|(failed, _)| failed != *id)
                    && !operations.iter().any(
                        |operation| matches!(operation, Operation::Retry { id: again, .. } if again == *id),
                    )
            });
        operations.push(Operation::GiveBack {
            executor: executor.clone(),
            started: started.map(|(id, n)| (id.clone(), n)),
            unseen,
        });
    }
}
