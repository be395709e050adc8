//! How a client's write is made, lands, is answered, and is looked up when its answer was lost.

use std::sync::Arc;

use serde_json::Value;
use sp_sync::Executor;
use sp_sync::document::{Applied, Document, Operation, Outcome, Verdict, apply, resolve};

use super::{Broken, Bug, Delayed, Effect, Fate, Snap, World, key_of};
use crate::client::{App, Pending};

impl World {
    pub(super) fn write(
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

    pub(super) fn submit(
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

    pub(super) fn land(&mut self, document: Document, effects: Vec<Effect>) -> Result<(), Broken> {
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

    pub(super) fn answer(&mut self, place: usize) {
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
    pub(super) fn read(&mut self, place: usize) {
        let stored = self.stored.clone();
        self.clients[place].pending = Pending::None;
        self.observe(place, &stored);
        self.look_up(place);
    }

    /// Looks up, at every newer revision, what became of operations whose answer was lost.
    pub(super) fn look_up(&mut self, place: usize) {
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
}
