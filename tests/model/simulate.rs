//! Long random runs of more clients than can be explored.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::json;
use sp_sync::document::{Operation, Rules};

use super::client::App;
use super::world::{Broken, Config, Faults, Step, World, action, request};

/// A small generator: the same seed gives the same run everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % n as u64).unwrap()
    }

    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const MANY: Faults = Faults {
    crash: 200,
    restart: 200,
    restart_same: 200,
    lost: 200,
    expire: 200,
    fail: 200,
    leave: 200,
    back: 200,
    stale: 0,
    stale_whole: 0,
    release: 200,
};

/// How rarely a fault is taken when it is drawn.
fn rarity(step: &Step) -> usize {
    match step {
        Step::Crash(_) => 30,
        Step::Leave(_) => 20,
        Step::Restart { .. } => 4,
        Step::Store { .. } => 15,
        Step::Write { take_over: Some(_), .. } => 8,
        step if World::is_fault(step) => 4,
        _ => 1,
    }
}

struct Run {
    dice: Dice,
    world: World,
    added: usize,
    faulty: bool,
    /// The latest steps.
    told: VecDeque<String>,
}

impl Run {
    fn new(seed: u64, faults: Faults, faulty: bool) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            dice.below(2);
        }
        let rules = Rules {
            run_max: 1 + dice.below(5),
            waiting_max: 20,
            attempts_max: 2 + u32::try_from(dice.below(4)).unwrap(),
            ..Rules::default()
        };
        let config =
            Config { executors: vec!["x".into(), "y".into()], rules, bug: None, numbers_matter: true };
        let object = json!({ "reliableConnection": true, "yActions": null });
        let clients = 3 + dice.below(4);
        let mut world = World::new(config, object, clients, faults);
        world.history.many_writers = true;
        Self { dice, world, added: 0, faulty, told: VecDeque::new() }
    }

    /// The application of one client asks for something.
    fn ask(&mut self) {
        let place = self.dice.below(self.world.clients.len());
        if !self.world.clients[place].alive || self.world.clients[place].app.len() > 5 {
            return;
        }
        let op = match self.dice.below(6) {
            0 => Operation::Merge(Arc::new(json!({ "step": self.added }).as_object().unwrap().clone())),
            1 if self.added > 0 => {
                let back = self.dice.below(self.added.min(12));
                Operation::Withdraw(self.name(self.added - 1 - back).as_str().into())
            }
            _ => return self.add(place),
        };
        self.world.clients[place].app.push_back(App { op, lost: None });
    }

    /// Every kind of action has its numbers.
    fn name(&self, number: usize) -> String {
        match number % 9 {
            3 | 7 => format!("once{number}"),
            5 => format!("expired{number}"),
            _ => format!("a{number}"),
        }
    }

    fn add(&mut self, place: usize) {
        let mut batch = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let (id, executor) = (self.name(self.added), self.dice.below(2));
            self.added += 1;
            let names = ["x", "y"];
            if id.starts_with('a') && self.dice.once_in(3) {
                let by = self.world.clients[place].writer.by.clone();
                self.world.clients[place].requests.push(id.as_str().into());
                batch.push((executor, request(&id, names[executor], names[1 - executor], &by)));
            } else {
                batch.push((executor, action(&id, names[executor])));
            }
        }
        self.world.enqueues(place, &batch);
    }

    fn step(&mut self) -> Result<(), Broken> {
        if self.dice.once_in(6) {
            self.ask();
        }
        let place = self.dice.below(self.world.clients.len());
        self.world.clients[place].renew = self.dice.once_in(8);
        if self.world.faults.stale > 0 && self.dice.once_in(30) {
            self.world.copy = Some(self.world.stored.clone());
        }
        let steps = self.world.steps();
        if steps.is_empty() {
            return Ok(());
        }
        let step = steps[self.dice.below(steps.len())];
        if self.dice.once_in(rarity(&step)) {
            self.go(step)?;
        }
        Ok(())
    }

    fn go(&mut self, step: Step) -> Result<bool, Broken> {
        let rev = self.world.stored.rev;
        let taken = self.world.take(step);
        if taken != Ok(false) {
            let wrote = self.world.stored.rev != rev;
            let text = if wrote { self.world.stored.document.to_json() } else { "".into() };
            self.told.push_back(format!("  {step:?} {text}"));
            if self.told.len() > 200 {
                self.told.pop_front();
            }
        }
        taken
    }

    /// Faults stop, one client lives on with every executor: everything drains.
    fn drain(&mut self) -> Result<(), Broken> {
        self.world.faults = Faults::default();
        let last = self.dice.below(self.world.clients.len());
        for place in 0..self.world.clients.len() {
            if self.faulty && place != last && self.world.clients[place].alive {
                self.world.crash(place);
            }
        }
        if !self.world.clients[last].alive {
            self.world.restart(last, self.dice.once_in(2));
        }
        for client in &mut self.world.clients {
            client.renew = false;
        }
        self.world.faults.back = 200;
        for _ in 0..50_000 {
            let steps = self.world.steps();
            let wanted = |step: &Step| matches!(step, Step::Subscribe(_)) || !World::is_fault(step);
            let mut steps = steps.into_iter().filter(wanted);
            let moved = loop {
                let Some(step) = steps.next() else { break false };
                if self.go(step)? {
                    break true;
                }
            };
            if !moved {
                return self.world.at_rest();
            }
        }
        Err("does not come to rest".into())
    }
}

fn runs() -> u64 {
    std::env::var("SP_SYNC_MODEL_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

fn simulate(what: &str, faults: Faults, faulty: bool) {
    let (mut writes, mut added, mut unknown, mut starts, mut again) = (0, 0, 0, 0, 0);
    let first = std::env::var("SP_SYNC_MODEL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for seed in first..first + runs() {
        let mut run = Run::new(seed, faults, faulty);
        let end = (0..700).try_for_each(|_| run.step()).and_then(|()| run.drain());
        if let Err(broken) = end {
            let told: Vec<_> = run.told.into_iter().collect();
            panic!("{what}, seed {seed}: {broken} after …\n{}", told.join("\n"));
        }
        writes += run.world.stored.rev;
        added += run.added;
        starts += run.world.history.starts.0;
        again += run.world.history.starts.1;
        unknown += run.world.history.unknown;
    }
    println!(
        "{what}: {} runs, {added} actions, {writes} writes, {starts} starts, {again} of them repeats, {unknown} lost writes not found out",
        runs()
    );
}

#[test]
fn random_runs_without_faults() {
    simulate("without faults", Faults::default(), false);
}

#[test]
fn random_runs_with_every_fault() {
    simulate("every fault", MANY, true);
}

#[test]
fn random_runs_with_stale_foreign_writers() {
    simulate("every fault and stale foreign writers", Faults { stale: 200, stale_whole: 200, ..MANY }, true);
}
