//! The checker of fields and watchers catches what it is there to catch: right histories, each spoilt in one way.

use crate::fields::{Fault, Fields, Held, Put, Shown, Watched, check};
use crate::history::random::Random;
use crate::history::the_same_of_all_seeds;

/// Three writers of one document, of whom the third was killed twice in the middle of a write: one of the two held. One who
/// is told of every state but those that come too fast, and one who is told of what looks different.
fn right(seed: u64) -> Fields {
    let mut random = Random(seed);
    let mut fields = Fields::default();
    let first = Shown { revision: 1, digest: 0, own: [].into(), shared: None };
    let (mut states, mut numbers, mut time) = (vec![first], [0, 0, 0], 100);
    for revision in 2..80 {
        let mut shown = Shown { revision: revision * 3, ..states.last().unwrap().clone() };
        time += 10;
        let killed = matches!(revision, 30 | 50);
        // The third is one of two in doubt only; actions come and go between values.
        let writer = if killed { 2 } else { random.below(2) };
        if killed || random.below(4) > 0 {
            let number = numbers[usize::try_from(writer).unwrap()];
            numbers[usize::try_from(writer).unwrap()] += 1;
            let held = Held { revision: revision * 3, at: time + 5 };
            let held = (!killed).then_some(held);
            fields.puts.push(Put { writer, document: 0, number, called: time, held });
            if revision != 30 {
                shown.own.insert(writer, number);
                shown.shared = Some((writer, number));
            }
        }
        shown.digest += 1;
        states.push(shown);
    }
    // The last but one comes and goes too fast for it.
    let newest = states.last().unwrap().revision;
    let some = states.iter().filter(|state| state.revision % 7 > 0 && state.revision < newest);
    let all = some.cloned().map(Some).collect();
    fields.watched.push(Watched { watcher: (0, 0), document: 0, told: all, every: true });
    let mut last = states.last().unwrap().clone();
    // Only bookkeeping has changed since: that is no update.
    let told = states.into_iter().map(Some).collect();
    fields.watched.push(Watched { watcher: (1, 0), document: 0, told, every: false });
    last.revision += 1;
    fields.watched[0].told.push(Some(last.clone()));
    fields.end.insert(0, last);
    fields
}

/// The faults found in a history that was spoilt in this way, the same for all seeds.
fn found(spoil: impl Fn(&mut Fields)) -> Vec<Fault> {
    the_same_of_all_seeds(|seed| {
        let mut fields = right(seed);
        spoil(&mut fields);
        check(&fields).faults
    })
}

/// What the watchers were told at the end, and what is there.
fn ends(fields: &mut Fields) -> impl Iterator<Item = &mut Shown> {
    let told = fields.watched.iter_mut().map(|watched| watched.told.last_mut().unwrap().as_mut().unwrap());
    told.chain(fields.end.values_mut())
}

#[test]
fn a_right_history_passes() {
    assert_eq!(found(|_| {}), []);
    let report = check(&right(1));
    assert!(report.held > 40 && report.in_doubt == 2 && report.told > 120, "{report:?}");
}

#[test]
fn a_value_that_is_lost_in_the_end_is_found() {
    let older = |fields: &mut Fields| {
        for shown in ends(fields) {
            *shown.own.get_mut(&0).unwrap() -= 1;
            // Somebody else's, so that nothing but the loss is wrong.
            shown.shared = Some((2, 1));
        }
    };
    assert_eq!(found(older), [Fault::Lost]);
    let never = |fields: &mut Fields| {
        for shown in ends(fields) {
            shown.own.remove(&0);
            shown.shared = Some((2, 1));
        }
    };
    assert_eq!(found(never), [Fault::Lost]);
    assert_eq!(found(|fields| fields.end.clear()), [Fault::Lost]);
}

#[test]
fn a_value_that_is_lost_for_a_while_is_found() {
    let meanwhile = |fields: &mut Fields| {
        let told = fields.watched[0].told.iter_mut().flatten().filter(|shown| shown.revision > 160);
        for shown in told.take(1) {
            *shown.own.get_mut(&0).unwrap() -= 1;
            shown.shared = Some((2, 1));
            shown.revision += 1;
        }
    };
    assert_eq!(found(meanwhile), [Fault::Lost]);
}

#[test]
fn a_value_that_nobody_set_is_found() {
    let own = |fields: &mut Fields| {
        for shown in ends(fields) {
            shown.own.insert(0, 1_000);
            shown.shared = Some((2, 1));
        }
    };
    assert_eq!(found(own), [Fault::Unexplained]);
    let stranger = |fields: &mut Fields| ends(fields).for_each(|shown| shown.own.extend([(7, 0)]));
    assert_eq!(found(stranger), [Fault::Unexplained]);
    let shared = |fields: &mut Fields| ends(fields).for_each(|shown| shown.shared = Some((0, 1_000)));
    assert_eq!(found(shared), [Fault::Unexplained]);
    let none = |fields: &mut Fields| ends(fields).for_each(|shown| shown.shared = None);
    assert_eq!(found(none), [Fault::Unexplained]);
}

/// Each writer's own key is right, but the key that all set shows the first of the two that came last.
#[test]
fn a_value_in_the_place_of_a_later_one_is_found() {
    let swapped = |fields: &mut Fields| {
        let (last, _) = fields.end[&0].shared.unwrap();
        let other = 1 - last;
        let number = fields.end[&0].own[&other];
        ends(fields).for_each(|shown| shown.shared = Some((other, number)));
    };
    assert_eq!(found(swapped), [Fault::Unexplained]);
}

#[test]
fn a_revision_that_goes_back_is_found() {
    assert_eq!(found(|fields| fields.watched[0].told.swap(20, 21)), [Fault::Back]);
    let again = |fields: &mut Fields| {
        let old = fields.watched[1].told[10].clone();
        fields.watched[1].told.insert(40, old);
    };
    assert_eq!(found(again), [Fault::Back]);
}

#[test]
fn one_revision_of_two_contents_is_found() {
    let two = |fields: &mut Fields| fields.watched[0].told[20].as_mut().unwrap().digest += 1_000;
    assert_eq!(found(two), [Fault::Split]);
}

#[test]
fn a_document_that_is_said_to_be_gone_is_found() {
    assert_eq!(found(|fields| fields.watched[0].told.insert(20, None)), [Fault::Gone]);
}

#[test]
fn who_is_not_told_of_the_newest_is_found() {
    assert_eq!(found(|fields| drop(fields.watched[0].told.pop())), [Fault::Behind]);
    assert_eq!(found(|fields| drop(fields.watched[1].told.pop())), [Fault::Behind]);
    assert_eq!(found(|fields| fields.watched[0].told.clear()), [Fault::Behind]);
}
