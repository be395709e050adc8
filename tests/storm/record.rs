//! What the parties wrote down, read after everything has settled.

use std::collections::HashMap;
use std::path::Path;

use crate::fields::{Fields, Held, Put, Shown, Watched};
use crate::history::log;

/// How long calls took, and what came of them.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// From the call to the promise, in microseconds.
    pub(crate) longest: u64,
    /// The moments of all promises.
    promises: Vec<u64>,
    pub(crate) in_doubt: usize,
}

impl Calls {
    /// The longest time in which nobody was promised anything.
    pub(crate) fn longest_silence(&self) -> u64 {
        let mut promises = self.promises.clone();
        promises.sort_unstable();
        promises.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }

    /// Adds the calls of one writer.
    pub(crate) fn read(&mut self, path: &Path) {
        let mut called = 0;
        for words in log::lines(path) {
            let Some(at) = words.last().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words[0].as_str() {
                "call" | "put" => called = at,
                "ack" | "held" => {
                    self.longest = self.longest.max(at - called);
                    self.promises.push(at);
                }
                "unsure" | "doubt" => self.in_doubt += 1,
                _ => {}
            }
        }
    }
}

/// The values that one writer set.
pub(crate) fn puts(path: &Path, writer: u64, fields: &mut Fields) {
    let mut puts: HashMap<u64, Put> = HashMap::new();
    for words in log::lines(path) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["put", document, number, called] => {
                let (document, number) = (document.parse().unwrap(), number.parse().unwrap());
                let called = called.parse().unwrap();
                puts.insert(number, Put { writer, document, number, called, held: None });
            }
            ["held", number, revision, at] => {
                let put = puts.get_mut(&number.parse().unwrap()).expect("asked for before it was promised");
                put.held = Some(Held { revision: revision.parse().unwrap(), at: at.parse().unwrap() });
            }
            _ => {}
        }
    }
    fields.puts.extend(puts.into_values());
}

/// What somebody who watched was told in its last life.
pub(crate) fn watched(path: &Path, slot: usize, every: bool, fields: &mut Fields) {
    let mut watched: HashMap<usize, Watched> = HashMap::new();
    let mut watcher = (slot, 0);
    for words in log::lines(path) {
        match words[0].as_str() {
            "born" => {
                watcher.1 = words[1].parse().unwrap();
                watched.clear();
            }
            kind @ ("seen" | "gone") => {
                let document = words[1].parse().unwrap();
                let told = || Watched { watcher, document, told: Vec::new(), every };
                let shown = (kind == "seen").then(|| shown(&words[2..]));
                watched.entry(document).or_insert_with(told).told.push(shown);
            }
            _ => {}
        }
    }
    fields.watched.extend(watched.into_values());
}

/// Revision, digest, own numbers, and who was the last to set what all set.
pub(crate) fn shown(words: &[String]) -> Shown {
    let pair = |text: &str, by: char| {
        let (one, other) = text.split_once(by)?;
        Some((one.parse().unwrap(), other.parse().unwrap()))
    };
    Shown {
        revision: words[0].parse().unwrap(),
        digest: words[1].parse().unwrap(),
        own: words[2].split(',').filter_map(|own| pair(own, '=')).collect(),
        shared: pair(&words[3], '/'),
    }
}
