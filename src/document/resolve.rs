//! What became of a write whose answer was lost (C29).

use std::sync::Arc;

use super::Document;
use super::ledger::Ledger;
use super::operation::Operation;

/// What a later document tells of a write whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It held.
    Held,
    /// It did not hold and cannot hold any more.
    NotHeld,
    /// Neither the writers nor the actions tell.
    Unknown,
}

/// Looks a lost write up in a later document: by what the operation left there, then by the writer's number.
///
/// `base` is the document the write was made from, `number` the writer's number of the first write that carried the
/// operation. The later document must have another revision than `base`: while it has the same, the write may still
/// be on its way. The caller then repeats the operation **in every write** it makes until the revision has changed:
/// of all writes made from one revision at most one holds, so whichever it was, it carried the operation.
#[must_use]
pub fn resolve(
    base: &Document,
    later: &Document,
    instance: &str,
    number: u64,
    operation: &Operation,
) -> Verdict {
    if shows(later, operation) {
        return Verdict::Held;
    }
    let writers = later.ledger().map_or(&[][..], |ledger| ledger.writers());
    match writers.iter().find(|(writer, _)| &**writer == instance) {
        Some((_, last)) if *last >= number => return Verdict::Held,
        Some(_) => return Verdict::NotHeld,
        None => {}
    }
    // The oldest writers are forgotten first: one from before our write that is still there proves that ours never was.
    // So does a list from which none was ever forgotten, if it goes on from the one our write would have gone on from.
    let before: &[(Arc<str>, u64)] = base.ledger().map_or(&[], |ledger| ledger.writers());
    let known = |(writer, _): &(Arc<str>, u64)| writers.iter().any(|(other, _)| other == writer);
    // With nobody to go on from, a list that a stranger has wiped meanwhile would look the same.
    let goes_on = || !before.is_empty() && before.iter().all(known);
    let complete = later.ledger().is_some_and(|ledger| ledger.knows_every_writer()) && !base.is_foreign();
    let untouched = |entry: &&(Arc<str>, u64)| !Ledger::is_mark(entry) && writers.contains(entry);
    if before.iter().any(|entry| untouched(&entry)) || complete && goes_on() {
        Verdict::NotHeld
    } else {
        Verdict::Unknown
    }
}

/// Whether the document holds what the operation would have left.
fn shows(document: &Document, operation: &Operation) -> bool {
    let Operation::Enqueue(actions) = operation else { return false };
    let mut ids = actions.iter().filter_map(|(executor, item)| Some((executor, item.id()?)));
    ids.any(|(executor, id)| {
        document.queue(executor.as_str()).is_some_and(|queue| queue.holds(id))
            || document.claims(executor.as_str()).iter().any(|claim| claim.id() == Some(id))
    })
}
