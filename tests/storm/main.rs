//! A cluster of three NATS servers, services over it, writers, executors and watchers, and blows of every kind: servers,
//! services and parties are killed and paused, wires are cut, slowed and swallow answers. Whatever was acknowledged is there
//! in the end, ran in order, one at a time, and again only where a holder fell silent for a lease.
//!
//! `SP_SYNC_BLOWS` makes it longer, `SP_SYNC_SEED` deals the same blows in the same order as before.

#![expect(
    clippy::disallowed_methods,
    reason = "processes of one machine share its clock, and the parent deals blows from a thread of its own"
)]

mod arena;
mod blows;
mod child;
mod cluster;
mod fields;
#[path = "../history/mod.rs"]
mod history;
mod ill;
mod party;
mod record;
mod spoilt;
mod wire;

use std::time::{Duration, Instant};

use arena::Arena;
use blows::Counts;
use history::random::Random;
use history::{actions, log};

const DOCUMENTS: usize = 200;

/// Without any action started for so long, something hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// C12, C15, C17, C28, C29, C36, C40 and C41 while parts of everything die.
#[test]
fn no_blow_loses_doubles_or_disorders_anything() {
    let setting = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let seed = setting("SP_SYNC_SEED", log::now());
    let count = usize::try_from(setting("SP_SYNC_BLOWS", 18)).unwrap();
    println!("SP_SYNC_SEED={seed}");
    let began = Instant::now();
    let mut random = Random(seed);
    let mut arena = Arena::new(seed);
    arena.wait_for_progress(100);
    println!("everybody works after {:?}", began.elapsed());
    let mut counts = Counts::new();
    for blow in blows::order(count, &mut random) {
        let dealt = Instant::now();
        arena.deal(blow, &mut random);
        *counts.entry(blow).or_default() += 1;
        arena.wait_for_progress(50);
        println!("{:>7.1?} {blow:?}, going on after {:.1?}", began.elapsed(), dealt.elapsed());
        std::thread::sleep(Duration::from_millis(random.below(1_500)));
    }
    arena.wait_until_whole();
    let fields = arena.settle();
    let (history, calls) = arena.history();
    let (run, set) = (actions::check(&history), fields::check(&fields));
    let micros = Duration::from_micros;
    println!("{counts:?}, {} services that found no store at their start", arena.gave_up);
    println!(
        "{} actions acknowledged, {} runs, {} repeats, {} stalls; {} values held, {} not known to; {} calls in doubt",
        run.acknowledged, run.runs, run.repeats, run.stalls, set.held, set.in_doubt, calls.in_doubt
    );
    println!(
        "{} states told; longest call {:.1?}, longest time without any answer {:.1?}; {:.1?} in all",
        set.told,
        micros(calls.longest),
        micros(calls.longest_silence()),
        began.elapsed()
    );
    run.faults.iter().take(20).for_each(|(fault, what)| println!("{fault:?}: {what}"));
    set.faults.iter().take(20).for_each(|(fault, what)| println!("{fault:?}: {what}"));
    let faults = run.faults.len() + set.faults.len();
    assert_eq!(faults, 0, "logs in {:?}", arena.directory);
    assert!(run.acknowledged > 40 * count && set.held > 20 * count, "the storm was a calm");
    arena.forget();
}
