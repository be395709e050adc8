//! The history of actions, read from the logs of those who added them and of those who carried them out.

use std::collections::HashMap;
use std::path::Path;

use super::actions::{Acknowledged, Add, History, Run};
use super::log;

/// Behind the lane of an action that may not be repeated.
pub(crate) const AT_MOST_ONCE: char = '!';

/// What one writer tried to add. `exact` says whether it knows the first revision that held a batch: where answers may be
/// lost, it knows only one of those that did.
pub(crate) fn adds(path: &Path, writer: u64, exact: bool, history: &mut History) {
    let mut adds: HashMap<u64, Add> = HashMap::new();
    for words in log::lines(path) {
        let Some(first) = words.get(1).and_then(|word| word.parse::<u64>().ok()) else { continue };
        match &words[..] {
            [call, _, lanes, called] if call == "call" => {
                let called = called.parse().unwrap();
                for (number, lane) in (first..).zip(lanes.split(',')) {
                    let (lane, at_most_once) = match lane.strip_suffix(AT_MOST_ONCE) {
                        Some(lane) => (lane.parse().unwrap(), true),
                        None => (lane.parse().unwrap(), false),
                    };
                    let add = Add { writer, number, lane, at_most_once, called, acknowledged: None };
                    adds.insert(number, add);
                }
            }
            [ack, _, revision, ids, at] if ack == "ack" => {
                let revision = exact.then(|| revision.parse().unwrap());
                let at = at.parse().unwrap();
                for (number, id) in (first..).zip(ids.split(',')) {
                    let add = adds.get_mut(&number).expect("called before it was acknowledged");
                    assert!(add.acknowledged.is_none(), "acknowledged twice: {add:?}");
                    add.acknowledged = Some(Acknowledged { id: id.to_owned(), revision, at });
                }
            }
            _ => {}
        }
    }
    history.adds.extend(adds.into_values());
}

/// What one executor carried out, over all its lives.
pub(crate) fn runs(path: &Path, slot: usize, history: &mut History) {
    let (mut life, mut started) = (0, HashMap::<(usize, String), usize>::new());
    for words in log::lines(path) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["born", number, at] => {
                life = number.parse().unwrap();
                history.born.insert((slot, life), at.parse().unwrap());
                started.clear();
            }
            ["start", lane, id, attempt, writer, number, start] => {
                started.insert((lane.parse().unwrap(), id.to_owned()), history.runs.len());
                history.runs.push(Run {
                    process: (slot, life),
                    lane: lane.parse().unwrap(),
                    id: id.to_owned(),
                    attempt: attempt.parse().unwrap(),
                    writer: writer.parse().unwrap(),
                    number: number.parse().unwrap(),
                    start: start.parse().unwrap(),
                    end: None,
                    finished: None,
                });
            }
            ["dropped", _, id] => {
                history.dropped.insert(id.to_owned());
            }
            ["end" | "finished", lane, id, at] => {
                let place = started[&(lane.parse().unwrap(), id.to_owned())];
                let at = Some(at.parse().unwrap());
                match words[0] {
                    "end" => history.runs[place].end = at,
                    _ => history.runs[place].finished = at,
                }
            }
            _ => {}
        }
    }
}
