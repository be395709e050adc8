//! Whether a history keeps the promises: what was acknowledged ran, in order, one at a time, and again only after its
//! holder fell silent for a lease.

use std::collections::{BTreeMap, HashMap, HashSet};

/// A process: its kind's slot, and which of its lives.
pub(crate) type Process = (usize, usize);

/// An action that a writer tried to add.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub(crate) writer: u64,
    /// Grows with each action of a writer.
    pub(crate) number: u64,
    /// One executor of one document.
    pub(crate) lane: usize,
    /// Whether it gives up its right to be run again before it starts.
    pub(crate) at_most_once: bool,
    /// The moment before it was asked for.
    pub(crate) called: u64,
    pub(crate) acknowledged: Option<Acknowledged>,
}

#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) id: String,
    /// The revision of its document that held it first, where that is known.
    pub(crate) revision: Option<u64>,
    /// The moment after it was promised.
    pub(crate) at: u64,
}

/// One time that an action was carried out. Times are microseconds, here as everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) process: Process,
    pub(crate) lane: usize,
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) writer: u64,
    pub(crate) number: u64,
    pub(crate) start: u64,
    pub(crate) end: Option<u64>,
    /// When the end was handed over that was acknowledged as recorded.
    pub(crate) finished: Option<u64>,
}

/// A time in which a process stood still: from the moment before it was stopped to the moment before it went on.
#[derive(Clone, Debug)]
pub(crate) struct Pause {
    pub(crate) process: Process,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) adds: Vec<Add>,
    pub(crate) runs: Vec<Run>,
    pub(crate) born: HashMap<Process, u64>,
    /// The moment before an executor was killed.
    pub(crate) killed: HashMap<Process, u64>,
    pub(crate) paused: Vec<Pause>,
    /// Ids of at-most-once actions of which somebody was told that their holder fell silent.
    pub(crate) dropped: HashSet<String>,
    pub(crate) lease: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// It was acknowledged and never ran to its end; at most once, and nobody was told of that.
    Lost,
    /// At most once, and it ran again.
    Twice,
    /// It ran and nobody had added it, or in another executor's place.
    Unknown,
    /// A writer's actions ran in another order than it added them.
    WriterOrder,
    /// They ran in another order than they stood in the array.
    ArrayOrder,
    /// One ran before another that had been acknowledged when it was asked for.
    CallOrder,
    /// Two handlers of one executor at once, the first of which had not been silent for a lease.
    Overlap,
    /// It ran again though its holder had not been silent for a lease.
    Early,
    /// It ran again though its end was recorded.
    AfterEnd,
    /// It ran again without a higher attempt.
    Attempt,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) faults: Vec<(Fault, String)>,
    pub(crate) acknowledged: usize,
    pub(crate) runs: usize,
    pub(crate) repeats: usize,
    /// At-most-once actions that were acknowledged and did not run to their end.
    pub(crate) dropped: usize,
    /// Claims that were taken over from a process that was slow, not dead.
    pub(crate) stalls: usize,
    /// The longest time between two starts of one executor.
    pub(crate) longest_gap: u64,
}

/// How long after it was let go on a process begins what it was about to begin, in microseconds.
const WAKING: u64 = 100_000;

pub(crate) fn check(history: &History) -> Report {
    let acknowledged = history.adds.iter().filter(|add| add.acknowledged.is_some()).count();
    let mut report = Report { acknowledged, runs: history.runs.len(), ..Report::default() };
    let mut lanes: BTreeMap<usize, Vec<&Run>> = BTreeMap::new();
    for run in &history.runs {
        lanes.entry(run.lane).or_default().push(run);
    }
    let sleepwalkers = sleepwalkers(history, &lanes);
    report.stalls += sleepwalkers.len();
    for runs in lanes.values_mut() {
        runs.retain(|run| !sleepwalkers.contains(&(run.process, run.start)));
        runs.sort_by_key(|run| run.start);
        report.one_at_a_time(history, runs);
        report.repeats(history, runs);
        for pair in runs.windows(2) {
            report.longest_gap = report.longest_gap.max(pair[1].start - pair[0].start);
        }
    }
    report.all_ran(history);
    report.in_order(history, &lanes);
    report
}

/// Runs that were on their way to their handlers when the process was stopped, and began, out of their time, right after it
/// went on: nobody can look at a clock and act in one step. There is at most one for each time; more of them are faults.
fn sleepwalkers(history: &History, lanes: &BTreeMap<usize, Vec<&Run>>) -> HashSet<(Process, u64)> {
    let mut found = HashSet::new();
    for pause in history.paused.iter().filter(|pause| pause.to - pause.from >= history.lease) {
        let late =
            |run: &&&Run| run.process == pause.process && (pause.to..pause.to + WAKING).contains(&run.start);
        let taken = |run: &&&Run| {
            let others = lanes[&run.lane].iter().filter(|other| other.process != run.process);
            others.map(|other| other.start).any(|start| (pause.from..=run.start).contains(&start))
        };
        let mut runs = lanes.values().flatten().filter(late).filter(taken);
        if let (Some(run), None) = (runs.next(), runs.next()) {
            found.insert((run.process, run.start));
        }
    }
    found
}

impl Report {
    fn fault(&mut self, fault: Fault, what: String) {
        self.faults.push((fault, what));
    }

    fn all_ran(&mut self, history: &History) {
        let ended: HashSet<_> =
            history.runs.iter().filter(|run| run.end.is_some()).map(|run| (run.writer, run.number)).collect();
        let adds: HashMap<_, _> = history.adds.iter().map(|add| ((add.writer, add.number), add)).collect();
        // Whoever is told that a holder fell silent may be killed before it says so.
        let mut untold = history.killed.len();
        for add in &history.adds {
            let Some(acknowledged) = &add.acknowledged else { continue };
            if ended.contains(&(add.writer, add.number)) {
                continue;
            }
            self.dropped += usize::from(add.at_most_once);
            if add.at_most_once && !history.dropped.contains(&acknowledged.id) && untold > 0 {
                untold -= 1;
            } else if !add.at_most_once || !history.dropped.contains(&acknowledged.id) {
                self.fault(Fault::Lost, format!("{add:?}"));
            }
        }
        for run in &history.runs {
            let known = adds.get(&(run.writer, run.number)).is_some_and(|add| {
                add.lane == run.lane && add.acknowledged.as_ref().is_none_or(|held| held.id == run.id)
            });
            if !known {
                self.fault(Fault::Unknown, format!("{run:?}"));
            }
        }
    }

    fn in_order(&mut self, history: &History, lanes: &BTreeMap<usize, Vec<&Run>>) {
        let adds: HashMap<_, _> = history.adds.iter().map(|add| ((add.writer, add.number), add)).collect();
        for runs in lanes.values() {
            let (mut seen, mut newest) = (HashSet::new(), HashMap::new());
            let (mut last, mut called) = ((0, 0), 0);
            for run in runs.iter().filter(|run| seen.insert(&run.id)) {
                let before = newest.insert(run.writer, run.number);
                if before.is_some_and(|before| before >= run.number) {
                    self.fault(Fault::WriterOrder, format!("{run:?} after {before:?}"));
                }
                let Some(add) = adds.get(&(run.writer, run.number)) else { continue };
                let Some(acknowledged) = &add.acknowledged else {
                    called = called.max(add.called);
                    continue;
                };
                if acknowledged.at < called {
                    self.fault(Fault::CallOrder, format!("{run:?} after one that was called at {called}"));
                }
                called = called.max(add.called);
                // One write holds one batch: within a revision a writer's numbers are the array's order.
                let Some(revision) = acknowledged.revision else { continue };
                if (revision, run.number) < last {
                    self.fault(Fault::ArrayOrder, format!("{run:?}, revision {revision}, after {last:?}"));
                }
                last = (revision, run.number);
            }
        }
    }

    /// The latest moment at which a process certainly wrote to the claims of an executor, before another moment:
    /// whoever takes its claims over then has waited a lease since.
    fn heard_of(history: &History, runs: &[&Run], process: Process, before: u64) -> u64 {
        let own = runs.iter().filter(|run| run.process == process);
        let finished = own.filter_map(|run| run.finished).filter(|at| *at < before).max();
        finished.max(history.born.get(&process).copied()).unwrap_or(0)
    }

    fn one_at_a_time(&mut self, history: &History, runs: &[&Run]) {
        for (place, run) in runs.iter().enumerate() {
            for other in runs[..place].iter().rev().take(64) {
                let killed = history.killed.get(&other.process).copied();
                let until = other.end.or(killed).unwrap_or(u64::MAX);
                if until <= run.start {
                    continue;
                }
                let heard_of = Self::heard_of(history, runs, other.process, run.start);
                if other.process != run.process && run.start >= heard_of + history.lease {
                    self.stalls += 1;
                } else {
                    self.fault(Fault::Overlap, format!("{run:?} while {other:?}"));
                }
            }
        }
    }

    fn repeats(&mut self, history: &History, runs: &[&Run]) {
        let mut latest: HashMap<&str, &Run> = HashMap::new();
        for run in runs {
            let Some(before) = latest.insert(&run.id, run) else { continue };
            self.repeats += 1;
            let add = history.adds.iter().find(|add| (add.writer, add.number) == (run.writer, run.number));
            if add.is_some_and(|add| add.at_most_once) {
                self.fault(Fault::Twice, format!("{run:?} after {before:?}"));
            }
            if run.attempt <= before.attempt {
                self.fault(Fault::Attempt, format!("{run:?} after {before:?}"));
            }
            if before.finished.is_some() {
                self.fault(Fault::AfterEnd, format!("{run:?} after {before:?}"));
            }
            let heard_of = Self::heard_of(history, runs, before.process, run.start);
            if before.process == run.process || run.start < heard_of + history.lease {
                self.fault(Fault::Early, format!("{run:?} after {before:?}, heard of at {heard_of}"));
            } else if history.killed.get(&before.process).is_none_or(|at| *at > run.start) {
                self.stalls += 1;
            }
        }
    }
}
