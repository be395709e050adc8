//! What has happened, as far as the invariants need it.

use std::collections::BTreeMap;

use sp_sync::document::Document;
use sp_sync::{ActionId, Executor};

use super::client::is_once;
use super::world::{Broken, Effect};

#[derive(Clone, Debug, Default, Hash)]
struct Story {
    executor: usize,
    /// Stands in the order of its executor; responses to one client do not.
    ordered: bool,
    starts: u32,
    /// A holder that lives on after its lease may start a lower attempt after a higher one, but none twice.
    attempts: Vec<u32>,
    ended: bool,
    /// Withdrawn, reported, or lost as an at-most-once action may be.
    gone: bool,
    responses: u32,
}

#[derive(Clone, Debug, Default, Hash)]
pub struct History {
    stories: BTreeMap<ActionId, Story>,
    /// In the order of accepted writes.
    order: Vec<ActionId>,
    acknowledged: Vec<ActionId>,
    /// Handlers started, and started again: to see that something happened.
    pub starts: (u32, u32),
    /// Any fault so far.
    pub faulty: bool,
    /// A lease ran out while its holder lived: two may run at a time.
    alive_expired: bool,
    /// Somebody stored an old copy: only progress is promised.
    pub foreign: bool,
    /// More write than the document remembers.
    pub many_writers: bool,
    /// Lost writes that could not be looked up.
    pub unknown: u32,
}

impl History {
    pub fn take(&mut self, effect: Effect) -> Result<(), Broken> {
        match effect {
            Effect::Enqueued(executor, id, addressed) => self.enqueued(executor, &id, addressed)?,
            Effect::Responded(re) => {
                let story = self.stories.entry(re.clone()).or_default();
                story.responses += 1;
                if story.responses > 1 && !self.foreign {
                    return Err(format!("{re} answered twice"));
                }
            }
            Effect::Gone(id) => self.stories.entry(id).or_default().gone = true,
            Effect::AliveExpired => (self.alive_expired, self.faulty) = (true, true),
        }
        Ok(())
    }

    pub fn enqueued(&mut self, executor: usize, id: &ActionId, addressed: bool) -> Result<(), Broken> {
        if self.order.contains(id) && !self.foreign {
            return Err(format!("{id} added twice"));
        }
        let story = self.stories.entry(id.clone()).or_default();
        (story.executor, story.ordered) = (executor, !addressed);
        self.order.push(id.clone());
        Ok(())
    }

    pub fn acknowledged(&mut self, id: &ActionId) {
        self.acknowledged.push(id.clone());
    }

    pub fn ended(&mut self, id: &ActionId) {
        self.stories.entry(id.clone()).or_default().ended = true;
    }

    pub fn started(
        &mut self,
        executor: usize,
        id: &ActionId,
        n: u32,
        others_run: bool,
    ) -> Result<(), Broken> {
        let story = self.stories.entry(id.clone()).or_default();
        let (first, repeat, ordered) = (story.starts == 0, story.attempts.contains(&n), story.ordered);
        self.starts.0 += 1;
        self.starts.1 += u32::from(!first);
        story.starts += 1;
        story.attempts.push(n);
        story.attempts.sort_unstable();
        if self.foreign {
            return Ok(());
        }
        if is_once(id) && !first {
            return Err(format!("{id} is at-most-once and was started again"));
        }
        if repeat {
            return Err(format!("{id} was started twice as attempt {n}"));
        }
        if !self.faulty && n != 1 {
            return Err(format!("{id} was started as attempt {n} without a fault"));
        }
        if others_run && !self.alive_expired {
            return Err(format!("{id} was started while another client ran"));
        }
        if !first || !ordered {
            return Ok(());
        }
        let before = self.order.iter().take_while(|other| *other != id).map(|other| &self.stories[other]);
        for earlier in before.filter(|story| story.executor == executor && story.ordered) {
            if !(earlier.ended || earlier.gone || self.alive_expired && earlier.starts > 0) {
                return Err(format!("{id} was started before an earlier one had ended"));
            }
        }
        Ok(())
    }

    /// Whatever has not ended and is not gone is in its array or claimed.
    pub fn conserved(&self, document: &Document, executors: &[Executor]) -> Result<(), Broken> {
        if self.foreign {
            return Ok(());
        }
        for (id, story) in self.stories.iter().filter(|(_, story)| !story.ended && !story.gone) {
            let executor = executors[story.executor].as_str();
            let waits = document.waiting(executor).iter().filter(|item| item.id() == Some(id)).count();
            let claims = document.claims(executor).iter().filter(|claim| claim.id() == Some(id)).count();
            if waits + claims != 1 {
                return Err(format!("{id} is in {} places", waits + claims));
            }
        }
        Ok(())
    }

    /// Everything accepted for an executor has ended or is gone, and everything acknowledged was accepted.
    pub fn complete(&self, executor: usize) -> Result<(), Broken> {
        if self.foreign {
            return Ok(());
        }
        if let Some(id) = self.acknowledged.iter().find(|id| !self.order.contains(id)) {
            return Err(format!("{id} was acknowledged and never added"));
        }
        if self.unknown > 0 && !self.many_writers {
            return Err("a lost write could not be looked up".into());
        }
        for (id, story) in self.stories.iter().filter(|(_, story)| story.executor == executor) {
            if !(story.ended || story.gone) {
                return Err(format!("{id} was never run"));
            }
            if !self.faulty && !story.gone && story.starts != 1 {
                return Err(format!("{id} was started {} times without a fault", story.starts));
            }
        }
        Ok(())
    }
}
