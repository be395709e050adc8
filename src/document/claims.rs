//! Taking, renewing, finishing and giving back (C38–C44).

use std::collections::HashSet;
use std::sync::Arc;

use super::Document;
use super::apply::Step;
use super::item::{Item, Tag};
use super::ledger::{Claim, Held};
use super::operation::{Mark, Outcome, Response, Taken};
use crate::error::{Dropped, Error, Result};
use crate::id::{ActionId, Executor};

impl Step<'_> {
    pub(super) fn claim(
        &mut self,
        executor: &Executor,
        fresh: &str,
        released: &[ActionId],
    ) -> Result<Outcome> {
        let plain = self.is_plain();
        let claims = if plain { &[] } else { self.document.claims(executor.as_str()) };
        if claims.iter().any(|claim| claim.by != self.writer.by) {
            return Ok(Outcome::HeldByAnother);
        }
        let room = self.rules.run_max.saturating_sub(claims.len());
        let held: HashSet<ActionId> = claims.iter().filter_map(|claim| claim.id().cloned()).collect();
        let by = self.writer.by.clone();
        let (mut taken, left) = self.split(executor, &by, held, room, released);
        if left.len() == self.document.waiting(executor.as_str()).len() {
            return Ok(Outcome::Nothing);
        }
        let (before, held) = (self.document.clone(), claims.len());
        self.document.queue_mut(executor)?.set(left);
        if !plain {
            let claims =
                taken.items.iter().enumerate().map(|(place, item)| first_claim(&by, item, fresh, place));
            let ledger = self.document.ledger_mut();
            ledger.claims_mut(executor).extend(claims);
            ledger.set_next(executor, Some(&by));
            let fewest = if taken.items.is_empty() { held } else { held + 1 };
            let returned = self.fit(executor, before, fewest)?;
            taken.items.truncate(taken.items.len().saturating_sub(returned));
        }
        self.changed = true;
        Ok(Outcome::Taken(taken))
    }

    /// Everything that waits goes to the one who takes what comes next, or nothing: only it may remove what is no
    /// action, and what waits already waits for a reason. While it is busy it takes what comes with the write that ends
    /// what it does.
    pub(super) fn hand_over(&mut self, executor: &Executor, to: &Arc<str>) -> Result<Outcome> {
        let says_so = self.document.ledger().and_then(|ledger| ledger.next(executor.as_str())) == Some(to);
        if self.is_plain() || !says_so || !self.document.claims(executor.as_str()).is_empty() {
            return Ok(Outcome::Nothing);
        }
        let (taken, left) = self.split(executor, to, HashSet::new(), self.rules.run_max, &[]);
        let all = left.is_empty() && taken.malformed.is_empty() && taken.duplicates.is_empty();
        if !all || taken.items.is_empty() || taken.items.iter().any(|item| item.id().is_none()) {
            return Ok(Outcome::Nothing);
        }
        let before = self.document.clone();
        self.document.queue_mut(executor)?.set(left);
        let claims = taken.items.iter().map(|item| first_claim(to, item, "", 0));
        self.document.ledger_mut().claims_mut(executor).extend(claims);
        if self.document.size_bytes() > self.limit_in_use() {
            // It takes them itself when it has made room.
            self.document = before;
            return Ok(Outcome::Nothing);
        }
        Ok(self.done())
    }

    pub(super) fn step_back(&mut self, executor: &Executor) -> Outcome {
        let next = self.document.ledger().and_then(|ledger| ledger.next(executor.as_str()));
        if self.is_plain() || next != Some(&self.writer.by) {
            return Outcome::Nothing;
        }
        self.document.ledger_mut().set_next(executor, None);
        self.done()
    }

    /// Parts the array into what a claim by this holder takes and what stays.
    fn split(
        &self,
        executor: &Executor,
        by: &Arc<str>,
        mut seen: HashSet<ActionId>,
        room: usize,
        released: &[ActionId],
    ) -> (Taken, Vec<Arc<Item>>) {
        let (mut taken, mut left) = (Taken::default(), Vec::<Arc<Item>>::new());
        let released: HashSet<&ActionId> = released.iter().collect();
        let mut passed_over = true;
        for item in self.document.waiting(executor.as_str()) {
            let duplicate = item.id().is_some_and(|id| seen.contains(id));
            let mine = !item.is_addressed()
                || item.tag().to.as_ref() == Some(by)
                || item.id().is_some_and(|id| released.contains(id));
            let place = if item.action().is_none() {
                &mut taken.malformed
            } else if duplicate {
                &mut taken.duplicates
            } else if mine && taken.items.len() < room && passed_over {
                seen.extend(item.id().cloned());
                &mut taken.items
            } else {
                passed_over &= item.is_addressed();
                &mut left
            };
            place.push(item.clone());
        }
        (taken, left)
    }

    /// Makes the document fit after bookkeeping has grown: forgets old writers, then returns the youngest claims to
    /// the array, down to the `fewest`. Answers how many were returned. Only where even these do not fit is the step
    /// taken back.
    fn fit(&mut self, executor: &Executor, before: Document, fewest: usize) -> Result<usize> {
        let limit_bytes = self.allowed_bytes;
        let mut returned = 0;
        loop {
            let size_bytes = self.document.size_bytes();
            if size_bytes <= limit_bytes {
                return Ok(returned);
            }
            let ledger = self.document.ledger_mut();
            if ledger.forget_something() {
                continue;
            }
            let claims = ledger.claims_mut(executor);
            let youngest = if claims.len() > fewest { claims.pop() } else { None };
            match youngest {
                Some(Claim { n, held: Held::Action(item), .. })
                    if self.document.check_array(executor).is_ok() =>
                {
                    returned += 1;
                    self.document.queue_made(executor).push_front(vec![returned_item(&item, n - 1)]);
                    self.document.ledger_mut().tidy();
                }
                _ => {
                    self.document = before;
                    return Err(Error::TooLarge { size_bytes, limit_bytes });
                }
            }
        }
    }

    pub(super) fn take_over(&mut self, executor: &Executor, mark: &Mark) -> Result<Outcome> {
        let claims = self.document.claims(executor.as_str());
        if self.is_plain() || claims.first().map(Claim::mark).as_ref() != Some(mark) {
            return Ok(Outcome::Nothing);
        }
        let before = self.document.clone();
        let mut lost = Vec::new();
        let mut next = Vec::with_capacity(claims.len());
        let mut begun = Begun::default();
        for claim in claims {
            let counts = begun.may_have_begun(claim);
            match &claim.held {
                _ if claim.by != mark.by => next.push(claim.clone()),
                Held::Once(id) => lost.push(id.clone()),
                Held::Action(_) => {
                    let n = claim.n.saturating_add(u32::from(counts));
                    next.push(Claim { by: self.writer.by.clone(), n, t: 0, held: claim.held.clone() });
                }
            }
        }
        let by = self.writer.by.clone();
        let ledger = self.document.ledger_mut();
        *ledger.claims_mut(executor) = next;
        ledger.tidy();
        ledger.set_next(executor, Some(&by));
        // A longer name may not fit. Back in the array the actions are shorter than under any holder.
        self.fit(executor, before, 0)?;
        self.changed = true;
        Ok(Outcome::TakenOver { lost })
    }

    pub(super) fn renew(&mut self, executor: &Executor) -> Result<Outcome> {
        let by = self.writer.by.clone();
        self.change_claims(executor, |claim| claim.by == by, |claim| claim.t = claim.t.wrapping_add(1))
    }

    pub(super) fn retry(&mut self, executor: &Executor, id: &ActionId, failed: u32) -> Result<Outcome> {
        let by = self.writer.by.clone();
        // Less than `failed` where a foreign writer has put an older claim back.
        let is_it = |claim: &Claim| claim.by == by && claim.id() == Some(id) && claim.n <= failed;
        self.change_claims(executor, is_it, |claim| claim.n = failed.saturating_add(1))
    }

    pub(super) fn start_once(&mut self, executor: &Executor, id: &ActionId) -> Result<Outcome> {
        let by = self.writer.by.clone();
        let is_it = |claim: &Claim| claim.by == by && claim.id() == Some(id) && claim.item().is_some();
        self.change_claims(executor, is_it, |claim| claim.held = Held::Once(id.clone()))
    }

    fn change_claims(
        &mut self,
        executor: &Executor,
        which: impl Fn(&Claim) -> bool,
        change: impl Fn(&mut Claim),
    ) -> Result<Outcome> {
        if self.is_plain() || !self.document.claims(executor.as_str()).iter().any(&which) {
            return Ok(Outcome::Nothing);
        }
        self.document
            .ledger_mut()
            .claims_mut(executor)
            .iter_mut()
            .filter(|claim| which(claim))
            .for_each(change);
        Ok(self.done())
    }

    pub(super) fn finish(
        &mut self,
        executor: &Executor,
        id: &ActionId,
        response: Option<&Response>,
    ) -> Result<Outcome> {
        if !self.is_plain() {
            let by = self.writer.by.clone();
            let is_it = |claim: &Claim| claim.by == by && claim.id() == Some(id);
            if !self.document.claims(executor.as_str()).iter().any(is_it) {
                return Ok(Outcome::Nothing);
            }
            self.document.ledger_mut().claims_mut(executor).retain(|claim| !is_it(claim));
            self.changed = true;
        }
        match response {
            Some(response) => self.respond(response),
            None => Ok(Outcome::Done),
        }
    }

    fn respond(&mut self, response: &Response) -> Result<Outcome> {
        let waiting = self.document.waiting(response.executor.as_str()).len();
        match self.check_array(&response.executor, waiting) {
            Err(Error::Full { .. }) => return Ok(Outcome::ResponseDropped(Dropped::Full)),
            Err(_) => return Ok(Outcome::ResponseDropped(Dropped::CorruptArray)),
            Ok(()) if response.item.refuse_deep().is_err() => {
                return Ok(Outcome::ResponseDropped(Dropped::TooLarge));
            }
            Ok(()) => {}
        }
        let before = self.document.clone();
        self.document.queue_mut(&response.executor)?.push(response.item.clone());
        // The reserve is kept: a response that nobody could claim would hold up the requester for good.
        if self.document.size_bytes() > self.limit_in_use() {
            self.document = before;
            return Ok(Outcome::ResponseDropped(Dropped::TooLarge));
        }
        Ok(self.done())
    }

    pub(super) fn give_back(
        &mut self,
        executor: &Executor,
        started: Option<&(ActionId, u32)>,
        unseen: Option<&Arc<Item>>,
    ) -> Result<Outcome> {
        let by = &self.writer.by;
        let claims = self.document.claims(executor.as_str());
        if self.is_plain()
            || self.document.corrupt_array(executor.as_str()).is_some()
            || !claims.iter().any(|claim| claim.by == *by)
        {
            return Ok(Outcome::Nothing);
        }
        let (mine, others): (Vec<Claim>, Vec<Claim>) =
            claims.iter().cloned().partition(|claim| claim.by == *by);
        *self.document.ledger_mut().claims_mut(executor) = others;
        self.step_back(executor);
        let before = self.document.clone();
        let mut unseen =
            unseen.filter(|item| mine.iter().any(|claim| claim.item().is_none() && claim.id() == item.id()));
        self.document.queue_mut(executor)?.push_front(returned(&mine, started, unseen));
        // What was started at most once had left the document; by now there may be no room for it.
        if unseen.is_some() && self.document.size_bytes() > self.allowed_bytes {
            (self.document, unseen) = (before, None);
            self.document.queue_mut(executor)?.push_front(returned(&mine, started, unseen));
        }
        self.changed = true;
        let started_once = mine.iter().filter(|claim| claim.item().is_none()).filter_map(|claim| claim.id());
        let lost = started_once.filter(|id| unseen.and_then(|item| item.id()) != Some(*id));
        let lost: Vec<ActionId> = lost.cloned().collect();
        Ok(if lost.is_empty() { Outcome::Done } else { Outcome::TakenOver { lost } })
    }
}

impl Step<'_> {
    pub(super) fn put_back(&mut self, executor: &Executor, items: &[Arc<Item>]) -> Result<Outcome> {
        self.document.queue_mut(executor)?.push_front(items.to_vec());
        Ok(self.done())
    }
}

/// What is taken is claimed for the first time by this holder.
fn first_claim(by: &Arc<str>, item: &Arc<Item>, fresh: &str, place: usize) -> Claim {
    let n = item.tag().n.unwrap_or(0).saturating_add(1);
    let item = match item.id() {
        Some(_) if item.tag().n.is_none() => item.clone(),
        id => {
            let id = id.cloned().unwrap_or_else(|| format!("{fresh}{place}").into());
            Arc::new(item.with_tag(Tag { id: Some(id), n: None, ..item.tag().clone() }))
        }
    };
    Claim { by: by.clone(), n, t: 0, held: Held::Action(item) }
}

/// Own claims as the actions that go back to the array.
fn returned(mine: &[Claim], started: Option<&(ActionId, u32)>, unseen: Option<&Arc<Item>>) -> Vec<Arc<Item>> {
    let item = |claim: &Claim| {
        let begun = match started {
            Some((id, begun)) if claim.id() == Some(id) => *begun,
            _ => claim.n.saturating_sub(1),
        };
        let left = unseen.filter(|item| item.id() == claim.id());
        claim.item().or(left).map(|item| returned_item(item, begun))
    };
    mine.iter().filter_map(item).collect()
}

/// An action on its way back to the array: it remembers attempts already begun.
fn returned_item(item: &Arc<Item>, begun: u32) -> Arc<Item> {
    match (begun, item.tag().n) {
        (0, None) => item.clone(),
        (0, Some(_)) => Arc::new(item.with_tag(Tag { n: None, ..item.tag().clone() })),
        (n, _) => Arc::new(item.with_tag(Tag { n: Some(n), ..item.tag().clone() })),
    }
}

/// Which claims of a silent holder it may have started: the oldest, and those behind it as long as all are first
/// attempts. For a holder starts the next action before the end of the one before is recorded only while both are
/// first attempts. So a repeated action hides nothing behind it, and one that stops its executor's process is counted
/// without those behind it being counted with it.
#[derive(Default)]
struct Begun {
    past_oldest: bool,
    over: bool,
}

impl Begun {
    fn may_have_begun(&mut self, claim: &Claim) -> bool {
        let repeated = claim.n > 1;
        let counts = !self.over && (!self.past_oldest || !repeated);
        self.past_oldest = true;
        self.over |= repeated;
        counts
    }
}

impl Claim {
    /// What an observer compares to see whether the holder still works.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { by: self.by.clone(), id: self.id().cloned(), n: self.n, t: self.t }
    }
}
