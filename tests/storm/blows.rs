//! What is done to those who take part: one blow after the other, in an order that the seed decides.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::arena::{Arena, SERVICES};
use crate::history::random::Random;
use crate::wire::{Weather, within};
use crate::{PATIENCE, STREAM};

/// One kind of blow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blow {
    KillServer,
    KillLeader,
    PauseServer,
    PauseLeader,
    /// All servers but one die, or the only one: nobody is served until they are back, and nothing is lost.
    KillMajority,
    KillService,
    /// It neither answers nor ends, and then goes on as if nothing had been.
    PauseService,
    KillExecutor,
    /// The same to an executor, often for longer than a lease.
    PauseExecutor,
    KillWriter,
    /// Every connection between clients and services ends.
    CutServices,
    /// The same between clients and servers of the store.
    CutStore,
    /// Writes arrive, their answers do not.
    SwallowAnswers,
    SwallowStoreAnswers,
    SlowWires,
    /// Every server, service, executor and writer in turn.
    RollingRestart,
}

/// One deck: every kind, the common ones twice. Those that stop everything come once in a storm.
const DECK: [Blow; 18] = [
    Blow::KillServer,
    Blow::KillLeader,
    Blow::PauseServer,
    Blow::PauseLeader,
    Blow::KillService,
    Blow::KillService,
    Blow::PauseService,
    Blow::KillExecutor,
    Blow::KillExecutor,
    Blow::PauseExecutor,
    Blow::PauseExecutor,
    Blow::KillWriter,
    Blow::KillWriter,
    Blow::CutServices,
    Blow::CutStore,
    Blow::SwallowAnswers,
    Blow::SwallowStoreAnswers,
    Blow::SlowWires,
];

/// As many blows as asked for, in decks of all kinds, with the two that hit everything among the first.
pub(crate) fn order(count: usize, random: &mut Random) -> Vec<Blow> {
    let mut blows = Vec::new();
    while blows.len() < count {
        let mut deck = DECK.to_vec();
        if blows.is_empty() {
            deck.extend([Blow::KillMajority, Blow::RollingRestart]);
        }
        for place in (1..deck.len()).rev() {
            deck.swap(place, usize::try_from(random.below(place as u64 + 1)).unwrap());
        }
        blows.extend(deck);
    }
    blows.truncate(count);
    blows
}

/// How often each was dealt.
pub(crate) type Counts = BTreeMap<Blow, usize>;

impl Arena {
    pub(crate) fn deal(&mut self, blow: Blow, random: &mut Random) {
        let mut below = |many: usize| usize::try_from(random.below(many as u64)).unwrap();
        let servers = self.cluster.servers.len();
        match blow {
            Blow::KillServer => {
                let place = below(servers);
                self.kill_servers(&[place], Duration::from_millis(300 + below(2_000) as u64));
            }
            Blow::KillLeader => {
                let place = self.cluster.leader_of(STREAM).unwrap_or_default();
                self.kill_servers(&[place], Duration::from_millis(300 + below(2_000) as u64));
            }
            Blow::KillMajority => {
                let spared = below(servers);
                let places: Vec<usize> =
                    (0..servers).filter(|place| servers == 1 || *place != spared).collect();
                self.kill_servers(&places, Duration::from_secs(3));
            }
            Blow::PauseServer => {
                let place = below(servers);
                self.pause(place, Duration::from_millis(500 + below(4_000) as u64));
            }
            Blow::PauseLeader => {
                let place = self.cluster.leader_of(STREAM).unwrap_or_default();
                self.pause(place, Duration::from_millis(500 + below(4_000) as u64));
            }
            Blow::KillService => self.kill_service(below(SERVICES)),
            Blow::PauseService => {
                self.pause_service(below(SERVICES), Duration::from_millis(500 + below(6_000) as u64));
            }
            Blow::PauseExecutor => {
                let living = self.living("executor");
                let place = living[below(living.len())];
                self.pause_process(place, Duration::from_millis(500 + below(4_000) as u64));
            }
            Blow::KillExecutor | Blow::KillWriter => {
                let kind = if blow == Blow::KillWriter { "writer" } else { "executor" };
                let living = self.living(kind);
                self.kill(living[below(living.len())]);
            }
            Blow::CutServices => self.wire.cut(),
            Blow::CutStore => self.store_wires.iter().for_each(crate::wire::Wire::cut),
            Blow::SwallowAnswers => {
                self.wire.set(Weather::Deaf);
                std::thread::sleep(Duration::from_millis(300 + below(1_000) as u64));
                self.wire.cut();
            }
            Blow::SwallowStoreAnswers => {
                self.store_wires.iter().for_each(|wire| wire.set(Weather::Deaf));
                std::thread::sleep(Duration::from_millis(300 + below(1_000) as u64));
                self.store_wires.iter().for_each(crate::wire::Wire::cut);
            }
            Blow::SlowWires => {
                let slow = Weather::Slow(Duration::from_millis(20 + below(60) as u64));
                self.weather(slow);
                std::thread::sleep(Duration::from_secs(2));
                self.weather(Weather::Fair);
            }
            Blow::RollingRestart => self.restart_everything(),
        }
    }

    fn weather(&self, weather: Weather) {
        self.wire.set(weather);
        self.store_wires.iter().for_each(|wire| wire.set(weather));
    }

    /// Kills servers of the store, and brings them back after a time.
    fn kill_servers(&mut self, places: &[usize], away: Duration) {
        self.wait_until_whole();
        places.iter().for_each(|place| self.cluster.servers[*place].kill());
        std::thread::sleep(away);
        places.iter().for_each(|place| self.revive(*place));
    }

    fn pause(&mut self, place: usize, away: Duration) {
        self.wait_until_whole();
        self.cluster.servers[place].pause();
        std::thread::sleep(away);
        self.cluster.servers[place].resume();
    }

    /// A server that is back but has not caught up counts as away: never more than a minority is, unless all are meant.
    pub(crate) fn wait_until_whole(&mut self) {
        let whole = within(PATIENCE, || self.cluster.is_whole(STREAM));
        assert!(whole, "the cluster does not become whole again: {:?}", self.directory);
    }

    fn restart_everything(&mut self) {
        for place in 0..self.cluster.servers.len() {
            self.wait_until_whole();
            self.cluster.servers[place].stop();
            self.revive(place);
        }
        for place in 0..SERVICES {
            self.restart_service(place);
            std::thread::sleep(Duration::from_millis(500));
        }
        for kind in ["executor", "writer"] {
            for place in self.living(kind) {
                self.kill(place);
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    }
}
