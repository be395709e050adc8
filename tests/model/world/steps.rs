//! Which steps may come next.

use sp_sync::Executor;

use super::{Bug, Fate, Step, World};
use crate::client::{Client, Pending};

impl World {
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
}
