//! Whether what was set stays set, and whether watchers are told of it: no acknowledged value is lost, what a document shows
//! is explained by who wrote it, revisions never go back, and who watches ends at the newest.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::history::actions::Process;

/// One value that a writer set: under its own key of a document, and under the one that all set.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) writer: u64,
    pub(crate) document: usize,
    /// Grows with each value of a writer.
    pub(crate) number: u64,
    /// The moment before it was asked for, in microseconds.
    pub(crate) called: u64,
    pub(crate) held: Option<Held>,
}

/// What was promised of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// A revision that held it; where an answer was lost, not always the first.
    pub(crate) revision: u64,
    /// The moment after it was promised.
    pub(crate) at: u64,
}

/// What one state of a document shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) revision: u64,
    /// Of everything an application sees.
    pub(crate) digest: u64,
    /// The newest number under each writer's own key.
    pub(crate) own: BTreeMap<u64, u64>,
    /// Writer and number under the key that all set.
    pub(crate) shared: Option<(u64, u64)>,
}

/// What somebody who watched was told of one document, in order; `None` that it is not there.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) watcher: Process,
    pub(crate) document: usize,
    pub(crate) told: Vec<Option<Shown>>,
    /// Whether it is told of every state; otherwise only of those that look different.
    pub(crate) every: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) puts: Vec<Put>,
    /// By those who watched to the end.
    pub(crate) watched: Vec<Watched>,
    /// What each document shows after everything has settled.
    pub(crate) end: BTreeMap<usize, Shown>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// A state lacks a value that had been acknowledged before it, or with it.
    Lost,
    /// A state shows a value that nobody set there, or in the place of one that came after it.
    Unexplained,
    /// Somebody who watched was told of an older revision after a newer one.
    Back,
    /// The same revision showed two things.
    Split,
    /// Somebody who watched was told that a document is gone which never was.
    Gone,
    /// Somebody who watched to the end did not end at the newest.
    Behind,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) faults: Vec<(Fault, String)>,
    pub(crate) held: usize,
    pub(crate) in_doubt: usize,
    /// States that somebody was told of.
    pub(crate) told: usize,
}

pub(crate) fn check(fields: &Fields) -> Report {
    let held = fields.puts.iter().filter(|put| put.held.is_some()).count();
    let told = fields.watched.iter().map(|watched| watched.told.len()).sum();
    let mut report = Report { held, in_doubt: fields.puts.len() - held, told, ..Report::default() };
    let mut by_document: BTreeMap<usize, Vec<&Put>> = BTreeMap::new();
    for put in &fields.puts {
        by_document.entry(put.document).or_default().push(put);
    }
    for (document, end) in &fields.end {
        let puts = by_document.remove(document).unwrap_or_default();
        let told = fields.watched.iter().filter(|watched| watched.document == *document);
        let told: Vec<&Watched> = told.collect();
        let mut states: HashMap<u64, &Shown> = HashMap::new();
        for shown in told.iter().flat_map(|watched| watched.told.iter().flatten()).chain([end]) {
            if *states.entry(shown.revision).or_insert(shown) != shown {
                report.fault(Fault::Split, format!("document {document}: {shown:?}"));
            }
        }
        let states: HashSet<u64> = states.into_keys().collect();
        report.explained(*document, &puts, &told, end, states.len());
        for watched in told {
            report.watched(watched, end);
        }
    }
    for put in by_document.into_values().flatten().filter(|put| put.held.is_some()) {
        report.fault(Fault::Lost, format!("{put:?}: the document is gone"));
    }
    report
}

impl Report {
    fn fault(&mut self, fault: Fault, what: String) {
        self.faults.push((fault, what));
    }

    /// Each state once, though several watchers may have been told of it.
    fn explained(&mut self, document: usize, puts: &[&Put], told: &[&Watched], end: &Shown, states: usize) {
        let puts = Puts::of(puts);
        let mut seen = HashSet::with_capacity(states);
        for shown in told.iter().flat_map(|watched| watched.told.iter().flatten()).chain([end]) {
            if !seen.insert(shown.revision) {
                continue;
            }
            for (writer, numbers) in &puts.by_writer {
                let own = shown.own.get(writer).copied();
                let promised = numbers.held_by(shown.revision);
                if promised.is_some() && own < promised {
                    self.fault(
                        Fault::Lost,
                        format!("document {document}: writer {writer} set {promised:?}: {shown:?}"),
                    );
                }
                if own.is_some_and(|own| !numbers.asked.contains_key(&own)) {
                    self.fault(
                        Fault::Unexplained,
                        format!("document {document}: writer {writer}: {shown:?}"),
                    );
                }
            }
            let strangers = shown.own.keys().any(|writer| !puts.by_writer.contains_key(writer));
            if strangers || !puts.explain(shown) {
                self.fault(Fault::Unexplained, format!("document {document}: {shown:?}"));
            }
        }
    }

    fn watched(&mut self, watched: &Watched, end: &Shown) {
        let mut newest = 0;
        for told in &watched.told {
            let Some(shown) = told else {
                self.fault(Fault::Gone, format!("{:?}, document {}", watched.watcher, watched.document));
                continue;
            };
            if shown.revision < newest {
                let Watched { watcher, document, .. } = watched;
                self.fault(
                    Fault::Back,
                    format!("{watcher:?}, document {document}: {shown:?} after {newest}"),
                );
            }
            newest = newest.max(shown.revision);
        }
        let last = watched.told.last().and_then(Option::as_ref);
        let there = last.is_some_and(|last| match watched.every {
            true => last.revision == end.revision,
            false => last.digest == end.digest,
        });
        if !there {
            let Watched { watcher, document, .. } = watched;
            self.fault(Fault::Behind, format!("{watcher:?}, document {document}: {last:?}, not {end:?}"));
        }
    }
}

/// The values of one document.
#[derive(Default)]
struct Puts<'a> {
    all: Vec<&'a Put>,
    by_writer: BTreeMap<u64, Numbers<'a>>,
}

#[derive(Default)]
struct Numbers<'a> {
    asked: HashMap<u64, &'a Put>,
    /// Revisions that held a value, each with the greatest number acknowledged up to it.
    held: BTreeMap<u64, u64>,
}

impl Numbers<'_> {
    /// The newest number that had been acknowledged in this revision or an older one.
    fn held_by(&self, revision: u64) -> Option<u64> {
        self.held.range(..=revision).next_back().map(|(_, number)| *number)
    }
}

impl<'a> Puts<'a> {
    fn of(puts: &[&'a Put]) -> Self {
        let mut all = Self { all: puts.to_vec(), ..Self::default() };
        for put in puts {
            let numbers = all.by_writer.entry(put.writer).or_default();
            numbers.asked.insert(put.number, put);
            if let Some(held) = put.held {
                let newest = numbers.held.entry(held.revision).or_insert(put.number);
                *newest = put.number.max(*newest);
            }
        }
        for numbers in all.by_writer.values_mut() {
            let mut newest = 0;
            for number in numbers.held.values_mut() {
                newest = newest.max(*number);
                *number = newest;
            }
        }
        all
    }

    /// Whether the value that all set can be the last one of this state. Writers set both keys at once, so it is the newest
    /// of its own writer; and nobody's value that is in this state too was asked for after it had been acknowledged.
    fn explain(&self, shown: &Shown) -> bool {
        let Some((writer, number)) = shown.shared else {
            return self.by_writer.values().all(|numbers| numbers.held_by(shown.revision).is_none());
        };
        let put = self.by_writer.get(&writer).and_then(|numbers| numbers.asked.get(&number));
        let Some(put) = put.filter(|_| shown.own.get(&writer) == Some(&number)) else { return false };
        // One in doubt may have held at any time since.
        let Some(acknowledged) = put.held else { return true };
        let later = |other: &&&Put| {
            other.called > acknowledged.at && other.held.is_some_and(|held| held.revision <= shown.revision)
        };
        !self.all.iter().any(|other| later(&other))
    }
}
