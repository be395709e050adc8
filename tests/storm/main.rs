//! NATS servers, a cluster of three, services over it, writers, executors and watchers, and blows of every kind: servers,
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
mod fields;
#[path = "../history/mod.rs"]
mod history;
mod ill;
#[path = "../it/support/nats.rs"]
mod nats;
mod party;
mod record;
mod spoilt;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use arena::Arena;
use blows::Counts;
use fields::Fields;
use history::random::Random;
use history::{actions, log};

const DOCUMENTS: usize = 200;

/// The stream that is the bucket.
const STREAM: &str = "KV_storm";

/// Without any action started for so long, something hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// C12, C15, C17, C28, C29, C36, C40 and C41 while parts of everything die. There is one NATS server, which is away
/// whenever it is dealt a blow.
#[test]
fn no_blow_loses_doubles_or_disorders_anything() {
    weather_a_storm(1);
}

/// The same over a cluster of three.
#[test]
fn no_blow_to_a_cluster_loses_doubles_or_disorders_anything() {
    weather_a_storm(3);
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn weather_a_storm(servers: usize) {
    // One after the other: each takes all that the machine has.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = setting("SP_SYNC_SEED", log::now());
    let count = usize::try_from(setting("SP_SYNC_BLOWS", 20)).unwrap();
    println!("SP_SYNC_SEED={seed}");
    let began = Instant::now();
    let mut random = Random(seed);
    let mut arena = Arena::new(seed, servers);
    arena.wait_for_progress(100);
    println!("everybody works after {:.1?}", began.elapsed());
    let mut counts = Counts::new();
    for blow in blows::order(count, &mut random) {
        let dealt = Instant::now();
        println!("{:>7.1?} {blow:?}", began.elapsed());
        arena.deal(blow, &mut random);
        *counts.entry(blow).or_default() += 1;
        arena.wait_for_progress(50);
        println!("{:>7.1?} all go on, after {:.1?}", began.elapsed(), dealt.elapsed());
        std::thread::sleep(Duration::from_millis(random.below(1_500)));
    }
    arena.wait_until_whole();
    let fields = arena.settle();
    let copies = arena.cluster.copies_of(STREAM);
    println!("messages and last sequence of each server: {copies:?}");
    // A server that was killed may have forgotten that a message which was written over was removed. What stands must be the
    // same: another copy would show another past as soon as it leads.
    let shown = arena.shown_by_each();
    println!("{counts:?}, {} services that found no store at their start", arena.gave_up);
    judge(&arena, &fields, count, began);
    for (place, shown) in shown.iter().enumerate() {
        for (document, end) in &fields.end {
            assert_eq!(shown.get(document), Some(end), "document {document} of server {place}");
        }
    }
    println!("{:.1?} in all", began.elapsed());
    arena.forget();
}

fn judge(arena: &Arena, fields: &Fields, blows: usize, began: Instant) {
    let (history, calls) = arena.history();
    let (run, set) = (actions::check(&history), fields::check(fields));
    let micros = Duration::from_micros;
    println!(
        "{} actions acknowledged, {} runs, {} repeats, {} stalls, {} at most once and not to their end; {} values held, {} \
         not known to; {} calls in doubt",
        run.acknowledged,
        run.runs,
        run.repeats,
        run.stalls,
        run.dropped,
        set.held,
        set.in_doubt,
        calls.in_doubt
    );
    println!(
        "{} states told; longest call {:.1?}, longest time without any answer {:.1?}; judged after {:.1?}",
        set.told,
        micros(calls.longest),
        micros(calls.longest_silence()),
        began.elapsed()
    );
    let mut found = BTreeMap::<String, usize>::new();
    let run_faults = run.faults.iter().map(|(fault, what)| (format!("run {fault:?}"), what));
    for (fault, what) in
        run_faults.chain(set.faults.iter().map(|(fault, what)| (format!("set {fault:?}"), what)))
    {
        let count = found.entry(fault.clone()).or_default();
        *count += 1;
        if *count <= 3 {
            println!("{fault}: {what}");
        }
    }
    assert!(found.is_empty(), "{found:?}, logs in {:?}", arena.directory);
    assert!(run.acknowledged > 40 * blows && set.held > 20 * blows, "the storm was a calm");
}
