//! The checker catches what it is there to catch: right histories, each spoilt in one way.

use super::actions::{Acknowledged, Add, Fault, History, Pause, Run, check};
use super::random::Random;
use super::the_same_of_all_seeds;

const LEASE: u64 = 1_000;

/// Two writers, two executors, one kill: `executor 0` dies while it carries out the tenth action, and `executor 1`
/// goes on after a lease.
fn right(seed: u64) -> History {
    let mut random = Random(seed);
    let mut history = History { lease: LEASE, ..History::default() };
    history.born = [((0, 0), 0), ((1, 0), 0)].into();
    let (mut numbers, mut time) = ([0, 0], 100);
    for revision in 0..40_u64 {
        let writer = random.below(2);
        let called = time;
        for _ in 0..=random.below(3) {
            let number = numbers[usize::from(writer == 1)];
            numbers[usize::from(writer == 1)] += 1;
            let id = format!("{writer}-{number}");
            let acknowledged =
                Some(Acknowledged { id: id.clone(), revision: Some(revision), at: called + 1 });
            let place = history.adds.len() + 1;
            let at_most_once = place.is_multiple_of(8);
            history.adds.push(Add { writer, number, lane: 0, at_most_once, called, acknowledged });
            let mut run = Run {
                process: (usize::from(place > 10), 0),
                lane: 0,
                id,
                attempt: 1,
                writer,
                number,
                start: time,
                end: Some(time + 5),
                finished: Some(time + 5),
            };
            if place == 10 {
                history.runs.push(Run { end: None, finished: None, ..run.clone() });
                history.killed.insert((0, 0), time + 3);
                time += LEASE;
                run = Run {
                    process: (1, 0),
                    attempt: 2,
                    start: time,
                    end: Some(time + 5),
                    finished: Some(time + 5),
                    ..run
                };
            }
            history.runs.push(run);
            time += 10;
        }
    }
    history
}

/// The faults found in a history that was spoilt in this way, the same for all seeds.
fn found(spoil: impl Fn(&mut History)) -> Vec<Fault> {
    the_same_of_all_seeds(|seed| {
        let mut history = right(seed);
        spoil(&mut history);
        check(&history).faults
    })
}

#[test]
fn a_right_history_passes() {
    assert_eq!(found(|_| {}), []);
    let report = check(&right(1));
    assert_eq!((report.repeats, report.stalls), (1, 0));
    assert!(report.longest_gap >= LEASE);
}

#[test]
fn a_lost_action_is_found() {
    assert_eq!(found(|history| drop(history.runs.remove(20))), [Fault::Lost]);
}

#[test]
fn an_action_cut_short_and_never_repeated_is_found() {
    assert_eq!(found(|history| drop(history.runs.remove(10))), [Fault::Lost]);
}

#[test]
fn an_action_that_nobody_added_is_found() {
    assert_eq!(found(|history| drop(history.adds.remove(20))), [Fault::Unknown]);
    assert_eq!(found(|history| history.adds[20].lane = 1), [Fault::Unknown]);
}

#[test]
fn a_swapped_order_is_found() {
    let swap = |history: &mut History, one: usize, other: usize| {
        let (first, second) = (history.runs[one].clone(), history.runs[other].clone());
        let times =
            |run: Run, like: &Run| Run { start: like.start, end: like.end, finished: like.finished, ..run };
        history.runs[one] = times(second.clone(), &first);
        history.runs[other] = times(first, &second);
    };
    // Of another batch: within one nobody has been told of the first when the second is asked for.
    let of_one_writer = |history: &History| {
        let add = |run: &Run| {
            history.adds.iter().find(|add| (add.writer, add.number) == (run.writer, run.number)).unwrap()
        };
        let first = add(&history.runs[20]);
        let later = |run: &Run| run.writer == first.writer && add(run).called > first.called;
        (21..).find(|place| later(&history.runs[*place])).unwrap()
    };
    assert_eq!(
        found(|history| {
            let other = of_one_writer(history);
            swap(history, 20, other);
        }),
        [Fault::WriterOrder, Fault::ArrayOrder, Fault::CallOrder]
    );
    let of_two_writers = |history: &History| {
        (20..).find(|at| history.runs[*at].writer != history.runs[at + 1].writer).unwrap()
    };
    assert_eq!(
        found(|history| {
            let one = of_two_writers(history);
            swap(history, one, one + 1);
        }),
        [Fault::ArrayOrder, Fault::CallOrder]
    );
}

#[test]
fn two_handlers_at_once_are_found() {
    assert_eq!(found(|history| history.runs[20].end = Some(history.runs[21].start + 1)), [Fault::Overlap]);
    // Even of two processes, while the first shows that it lives.
    let two = |history: &mut History| {
        history.runs[21].process = (2, 0);
        history.runs[20].end = Some(history.runs[21].start + 1);
    };
    assert_eq!(found(two), [Fault::Overlap]);
}

#[test]
fn a_repeat_without_a_higher_attempt_is_found() {
    assert_eq!(found(|history| history.runs[10].attempt = 1), [Fault::Attempt]);
}

#[test]
fn a_repeat_within_a_lease_is_found() {
    let early = |history: &mut History| history.runs[10].start = history.runs[9].start + LEASE / 2;
    assert_eq!(found(early), [Fault::Early]);
}

#[test]
fn a_repeat_after_a_recorded_end_is_found() {
    let again = |history: &mut History| {
        let first = history.runs[30].clone();
        let last = history.runs.last().unwrap().end.unwrap() + 2 * LEASE;
        let process = (3, 0);
        history.runs.push(Run { process, attempt: 2, start: last, end: Some(last), finished: None, ..first });
    };
    assert_eq!(found(again), [Fault::AfterEnd]);
}

/// Places of the runs of at-most-once actions after the kill.
fn at_most_once(history: &History) -> Vec<usize> {
    let is_such = |run: &Run| {
        let mut adds = history.adds.iter();
        adds.any(|add| add.at_most_once && (add.writer, add.number) == (run.writer, run.number))
    };
    (20..history.runs.len()).filter(|place| is_such(&history.runs[*place])).collect()
}

#[test]
fn an_at_most_once_action_that_ran_twice_is_found() {
    let again = |history: &mut History| {
        let place = at_most_once(history)[0];
        history.runs[place].finished = None;
        let first = history.runs[place].clone();
        let last = history.runs.last().unwrap().end.unwrap() + 2 * LEASE;
        history.runs.push(Run { process: (3, 0), attempt: 2, start: last, end: Some(last), ..first });
    };
    assert_eq!(found(again), [Fault::Twice]);
}

#[test]
fn at_most_once_actions_may_be_lost_but_not_without_a_word() {
    let lose = |history: &mut History, told: bool| {
        for place in at_most_once(history)[..2].iter().rev() {
            let run = history.runs.remove(*place);
            if told {
                history.dropped.insert(run.id);
            }
        }
    };
    // One word may have died with who would have said it.
    assert_eq!(found(|history| lose(history, false)), [Fault::Lost]);
    assert_eq!(found(|history| lose(history, true)), []);
}

/// What a process begins that was stopped for more than a lease, after another has taken it over.
#[test]
fn a_sleeper_may_begin_one_action_out_of_its_time() {
    let late = |history: &mut History, many: usize| {
        let to = history.runs.last().unwrap().end.unwrap() + 10;
        let from = history.runs[9].start;
        history.paused.push(Pause { process: (7, 0), from, to });
        for place in 0..many {
            let run = history.runs[21 + place].clone();
            let start = to + place as u64;
            history.runs.push(Run { process: (7, 0), start, end: Some(start), finished: None, ..run });
        }
    };
    assert_eq!(found(|history| late(history, 1)), []);
    assert_eq!(found(|history| late(history, 2)), [Fault::Early, Fault::AfterEnd, Fault::Attempt]);
}
