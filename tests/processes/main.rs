//! One file, four processes that add actions, four that carry them out, and `kill -9` again and again: whatever was
//! acknowledged runs, in order, one at a time, and again only where a holder fell silent for a lease.
//!
//! `SP_SYNC_ACTIONS`, `SP_SYNC_KILLS` and `SP_SYNC_SEED` make it longer, harsher, or the same as before.

#![expect(
    clippy::disallowed_methods,
    reason = "processes of one machine share its clock, and the parent has no runtime"
)]

mod child;
#[path = "../history/mod.rs"]
mod history;

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use child::Orders;
use history::actions::{History, Report, check};
use history::random::Random;
use history::{log, reading};

const DOCUMENTS: usize = 2;
const EXECUTORS: [&str; 2] = ["extension", "onboarding"];
/// Processes of each kind.
const PROCESSES: usize = 4;
const LEASE: Duration = Duration::from_millis(700);
/// Without any action started for so long, something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// C28, C36, C40 and C41 under the harshest fault there is.
#[test]
fn no_kill_loses_doubles_or_disorders_actions() {
    let setting = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (actions, kills) = (setting("SP_SYNC_ACTIONS", 10_000), setting("SP_SYNC_KILLS", 100));
    let seed = setting("SP_SYNC_SEED", log::now());
    println!("SP_SYNC_SEED={seed}");
    let began = Instant::now();
    let mut arena = Arena::new(seed, actions);
    for number in 0..kills {
        // Spread over the work, not over the time.
        arena.wait_for(actions * (2 * number + 1) / (2 * kills + 1));
        arena.kill_somebody();
    }
    arena.wait_for_the_end();
    let history = arena.history();
    let report = check(&history);
    let Arena { killed, .. } = &arena;
    println!(
        "{} actions acknowledged, {} runs, kills: {} writers and {} executors; {} repeats, {} stalls; \
         longest gap {:?}; {:?} in all",
        report.acknowledged,
        report.runs,
        killed[0],
        killed[1],
        report.repeats,
        report.stalls,
        Duration::from_micros(report.longest_gap),
        began.elapsed()
    );
    arena.judge(&report, actions);
}

/// The processes and what became of them.
struct Arena {
    directory: PathBuf,
    random: Random,
    seed: u64,
    /// Writers, then executors; a writer that is done has none.
    processes: Vec<Option<Child>>,
    lives: Vec<usize>,
    promises: u64,
    history: History,
    killed: [usize; 2],
    keep: bool,
}

impl Arena {
    fn new(seed: u64, actions: u64) -> Self {
        let directory = std::env::temp_dir().join(format!("sp-sync-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut arena = Self {
            directory,
            random: Random(seed),
            seed,
            processes: Vec::new(),
            lives: vec![0; 2 * PROCESSES],
            promises: actions.div_ceil(PROCESSES as u64),
            history: History::default(),
            killed: [0, 0],
            keep: true,
        };
        arena.history.lease = u64::try_from(LEASE.as_micros()).unwrap();
        for slot in 0..2 * PROCESSES {
            let child = arena.start(slot);
            arena.processes.push(Some(child));
        }
        arena
    }

    fn start(&self, slot: usize) -> Child {
        let (kind, number) = Self::kind(slot);
        let (life, seed, actions) = (self.lives[slot], self.seed, self.promises);
        child::start(&self.directory, &Orders { kind, slot: number, life, seed, actions })
    }

    fn kind(slot: usize) -> (&'static str, usize) {
        if slot < PROCESSES { ("writer", slot) } else { ("executor", slot - PROCESSES) }
    }

    fn log(&self, slot: usize) -> PathBuf {
        let (kind, number) = Self::kind(slot);
        log::path(&self.directory, kind, number)
    }

    /// Waits until so many actions have been started, while all processes do well.
    fn wait_for(&mut self, started: u64) {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let count: usize =
                (PROCESSES..2 * PROCESSES).map(|slot| occurrences(&self.log(slot), b"\nstart ")).sum();
            if count as u64 >= started {
                return;
            }
            if count > before {
                (before, since) = (count, Instant::now());
            }
            assert!(since.elapsed() < PATIENCE, "nothing happens any more: {count} of {started} started");
            self.look_after_processes();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// No process ends by itself, but a writer that is done.
    fn look_after_processes(&mut self) -> usize {
        let mut writing = 0;
        for slot in 0..2 * PROCESSES {
            let Some(child) = &mut self.processes[slot] else { continue };
            match child.try_wait().unwrap() {
                None => writing += usize::from(slot < PROCESSES),
                Some(status) => {
                    let done = status.success() && slot < PROCESSES;
                    assert!(done, "{:?} ended by itself: {status}", Self::kind(slot));
                    self.processes[slot] = None;
                }
            }
        }
        writing
    }

    fn kill_somebody(&mut self) {
        std::thread::sleep(Duration::from_micros(self.random.below(60_000)));
        self.look_after_processes();
        let living: Vec<usize> = (0..2 * PROCESSES).filter(|slot| self.processes[*slot].is_some()).collect();
        let slot = living[usize::try_from(self.random.below(living.len() as u64)).unwrap()];
        let child = self.processes[slot].as_mut().unwrap();
        let before = log::now();
        child.kill().unwrap();
        child.wait().unwrap();
        self.killed[slot / PROCESSES] += 1;
        if slot >= PROCESSES {
            self.history.killed.insert((slot - PROCESSES, self.lives[slot]), before);
        }
        check_integrity(&self.directory);
        self.lives[slot] += 1;
        self.processes[slot] = Some(self.start(slot));
    }

    /// Waits until the writers are done and nothing is left in the documents.
    fn wait_for_the_end(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let since = Instant::now();
        while self.look_after_processes() > 0 || !runtime.block_on(nothing_left(&self.directory)) {
            assert!(since.elapsed() < 2 * PATIENCE, "something is left: {:?}", self.directory);
            std::thread::sleep(Duration::from_millis(50));
        }
        // What was recorded may still have to be said.
        std::thread::sleep(Duration::from_millis(200));
        self.look_after_processes();
        self.stop();
        check_integrity(&self.directory);
    }

    fn stop(&mut self) {
        for mut child in self.processes.iter_mut().filter_map(Option::take) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn history(&mut self) -> History {
        for slot in 0..PROCESSES {
            reading::adds(&self.log(slot), slot as u64, true, &mut self.history);
            reading::runs(&self.log(slot + PROCESSES), slot, &mut self.history);
        }
        self.history.clone()
    }

    fn judge(&mut self, report: &Report, actions: u64) {
        for (fault, what) in report.faults.iter().take(20) {
            println!("{fault:?}: {what}");
        }
        assert!(report.faults.is_empty(), "{} faults, logs in {:?}", report.faults.len(), self.directory);
        assert!(report.acknowledged as u64 >= actions);
        // A machine may be slow; a lease that is lost again and again to processes that live is a defect.
        assert!(report.stalls <= 20, "{} stalls, logs in {:?}", report.stalls, self.directory);
        self.keep = false;
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.stop();
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

fn occurrences(path: &Path, of: &[u8]) -> usize {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.windows(of.len()).filter(|window| *window == of).count()
}

fn check_integrity(directory: &Path) {
    let file = rusqlite::Connection::open(directory.join("exam.db")).unwrap();
    file.busy_timeout(Duration::from_secs(10)).unwrap();
    let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

async fn nothing_left(directory: &Path) -> bool {
    use sp_sync::backend::{Backend as _, Embedded};
    let store = Embedded::options().read_only(true).open(directory.join("exam.db")).await.unwrap();
    let mut left = false;
    for place in 0..DOCUMENTS {
        let stored = store.read(&child::document(place)).await.unwrap().expect("the document is there");
        left |= EXECUTORS.iter().any(|executor| {
            !stored.document.waiting(executor).is_empty() || !stored.document.claims(executor).is_empty()
        });
    }
    !left
}
