//! Small cases, every order of steps.

use serde_json::{Value, json};
use sp_sync::document::Rules;

use super::explore::{Explored, explore};
use super::world::{Bug, Config, Faults, World, action, request};

const NONE: Faults = Faults {
    crash: 0,
    restart: 0,
    restart_same: 0,
    lost: 0,
    expire: 0,
    fail: 0,
    leave: 0,
    back: 0,
    stale: 0,
    stale_whole: 0,
    release: 0,
};

fn config(bug: Option<Bug>) -> Config {
    Config { executors: vec!["x".into()], rules: Rules::default(), bug, numbers_matter: false }
}

fn queue(ids: &[&str]) -> Value {
    json!({ "step": 1, "xActions": ids.iter().map(|id| action(id, "x")).collect::<Vec<_>>() })
}

/// Readers of one executor, and actions that wait for it.
fn readers(readers: usize, ids: &[&str], faults: Faults) -> World {
    World::new(config(None), queue(ids), readers, faults)
}

fn one_at_a_time(world: World) -> World {
    let rules = Rules { run_max: 1, ..world.config.rules };
    with_rules(world, rules)
}

fn with_rules(mut world: World, rules: Rules) -> World {
    let bug = world.config.bug;
    world.config =
        Config { rules, ..Config { executors: world.config.executors.clone(), ..config(bug) } }.into();
    world
}

/// The first client of `clients` waits for the answer to `r`, which goes to `y`, an executor of its own.
fn requester(clients: usize, more: &[&str], faults: Faults, bug: Option<Bug>) -> World {
    let mut actions = vec![request("r", "x", "y", "c0#i00")];
    actions.extend(more.iter().map(|id| action(id, "x")));
    let config = Config { executors: vec!["x".into(), "y".into()], ..config(bug) };
    let mut world = World::new(config, json!({ "xActions": actions }), clients, faults);
    world.clients[0].requests.push("r".into());
    world.clients[0].reads = vec![1];
    for client in &mut world.clients[1..] {
        client.reads = vec![0];
    }
    world
}

/// Clients that add one action each, and then read.
fn adders(clients: usize, lost: u8, crash: u8, bug: Option<Bug>) -> World {
    let config = Config { numbers_matter: true, ..config(bug) };
    let mut world = World::new(config, queue(&[]), clients, Faults { lost, crash, ..NONE });
    for client in 0..clients.min(2) {
        world.enqueues(client, &[(0, action(["a", "b"][client], "x"))]);
    }
    world
}

/// A client adds two actions, one after the other, while another has said that it takes what comes next.
fn handed_over(faults: Faults) -> World {
    let config = Config { numbers_matter: faults.lost > 0, ..config(None) };
    let object = json!({ "xActions": [], "_sp": { "v": 1, "next": { "x": "c1#i10" } } });
    let mut world = World::new(config, object, 3, faults);
    world.clients[0].reads = Vec::new();
    for id in ["a", "b"] {
        world.enqueues(0, &[(0, action(id, "x"))]);
    }
    world
}

fn states_max() -> usize {
    std::env::var("SP_SYNC_MODEL_STATES").ok().and_then(|text| text.parse().ok()).unwrap_or(150_000)
}

/// With `SP_SYNC_MODEL_DEPTH` above 1 every fault may happen that many times.
fn deeper(mut world: World) -> World {
    let depth = std::env::var("SP_SYNC_MODEL_DEPTH").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let faults = &mut world.faults;
    for fault in [
        &mut faults.crash,
        &mut faults.restart,
        &mut faults.restart_same,
        &mut faults.lost,
        &mut faults.expire,
        &mut faults.fail,
        &mut faults.leave,
        &mut faults.back,
        &mut faults.stale,
        &mut faults.stale_whole,
        &mut faults.release,
    ] {
        *fault *= depth;
    }
    world
}

fn holds(name: &str, world: World) {
    match explore(deeper(world), states_max()) {
        Ok(Explored { states, whole }) => {
            let whole = if whole { "all" } else { "the first" };
            println!("explored {whole} {states:>8} states: {name}");
        }
        Err(broken) => panic!("{name}: {broken}"),
    }
}

#[test]
fn without_faults_every_action_runs_once_in_order() {
    holds("2 readers, 2 actions", readers(2, &["a", "b"], NONE));
    holds("2 readers, 3 actions", readers(2, &["a", "b", "c"], NONE));
    holds("2 readers, 3 actions, one claimed at a time", one_at_a_time(readers(2, &["a", "b", "c"], NONE)));
    holds("3 readers, 2 actions", readers(3, &["a", "b"], NONE));
    holds("2 readers, at-most-once between others", readers(2, &["a", "once", "c"], NONE));
    holds("1 requester, 2 readers, a request and an action", requester(3, &["b"], NONE, None));
}

#[test]
fn one_fault_of_each_kind_breaks_nothing() {
    let faults = [
        ("crash and restart", Faults { crash: 1, restart: 1, ..NONE }),
        ("crash and restart with the same instance", Faults { crash: 1, restart_same: 1, ..NONE }),
        ("lost answer (held, not held, late)", Faults { lost: 1, ..NONE }),
        ("lease out while the holder lives", Faults { expire: 1, ..NONE }),
        ("failing handler", Faults { fail: 1, ..NONE }),
        ("subscriber leaves", Faults { leave: 1, ..NONE }),
        ("subscriber leaves and comes back", Faults { leave: 1, back: 1, ..NONE }),
    ];
    for (fault, faults) in faults {
        holds(&format!("2 readers, 2 actions, {fault}"), readers(2, &["a", "b"], faults));
        holds(&format!("2 readers, 3 actions, {fault}"), readers(2, &["a", "b", "c"], faults));
        holds(&format!("3 readers, 2 actions, {fault}"), readers(3, &["a", "b"], faults));
        holds(
            &format!("2 readers, 3 actions, one claimed at a time, {fault}"),
            one_at_a_time(readers(2, &["a", "b", "c"], faults)),
        );
        holds(
            &format!("2 readers, 2 at-most-once actions and another, {fault}"),
            readers(2, &["once1", "b", "once2"], faults),
        );
        holds(
            &format!("1 requester, 2 readers, a request and an action, {fault}"),
            requester(3, &["b"], faults, None),
        );
    }
}

/// The adder writes the claim, also for a client that has left or stopped since.
#[test]
fn what_is_handed_over_runs_once_in_order() {
    for (fault, faults) in [
        ("no fault", NONE),
        ("crash", Faults { crash: 1, ..NONE }),
        ("crash and restart", Faults { crash: 1, restart: 1, ..NONE }),
        ("crash and restart with the same instance", Faults { crash: 1, restart_same: 1, ..NONE }),
        ("lost answer", Faults { lost: 1, ..NONE }),
        ("lease out while the holder lives", Faults { expire: 1, ..NONE }),
        ("failing handler", Faults { fail: 1, ..NONE }),
        ("subscriber leaves and comes back", Faults { leave: 1, back: 1, ..NONE }),
        ("subscriber leaves, crash", Faults { leave: 1, crash: 1, ..NONE }),
        ("crash, lost answer", Faults { crash: 1, lost: 1, ..NONE }),
        ("stale document", Faults { stale_whole: 1, ..NONE }),
    ] {
        holds(
            &format!("1 adder, 2 readers of which one takes what comes next, {fault}"),
            handed_over(faults),
        );
    }
}

#[test]
fn two_faults_together_break_nothing() {
    let faults = [
        ("2 crashes, restart", Faults { crash: 2, restart: 1, ..NONE }),
        (
            "crash, restart with the same instance, lost answer",
            Faults { crash: 1, restart_same: 1, lost: 1, ..NONE },
        ),
        ("crash, lost answer", Faults { crash: 1, lost: 1, ..NONE }),
        ("crash, live lease out", Faults { crash: 1, expire: 1, ..NONE }),
        ("2 live leases out", Faults { expire: 2, ..NONE }),
        ("live lease out, lost answer", Faults { expire: 1, lost: 1, ..NONE }),
        ("live lease out, subscriber leaves", Faults { expire: 1, leave: 1, ..NONE }),
        ("failing handler, crash", Faults { fail: 1, crash: 1, ..NONE }),
        ("failing handler, live lease out", Faults { fail: 1, expire: 1, ..NONE }),
        ("failing handler, subscriber leaves", Faults { fail: 1, leave: 1, ..NONE }),
        ("subscriber leaves and comes back, lost answer", Faults { leave: 1, back: 1, lost: 1, ..NONE }),
        ("subscriber leaves and comes back, live lease out", Faults { leave: 1, back: 1, expire: 1, ..NONE }),
        ("subscriber leaves, crash", Faults { leave: 1, crash: 1, ..NONE }),
        ("2 lost answers", Faults { lost: 2, ..NONE }),
    ];
    for (fault, faults) in faults {
        holds(&format!("2 readers, 2 actions, {fault}"), readers(2, &["a", "b"], faults));
        holds(&format!("2 readers, 3 actions, {fault}"), readers(2, &["a", "b", "c"], faults));
        holds(&format!("2 readers, at-most-once and another, {fault}"), readers(2, &["once1", "b"], faults));
        holds(&format!("1 requester, 2 readers, a request, {fault}"), requester(3, &[], faults, None));
    }
}

#[test]
fn every_fault_together_breaks_nothing() {
    let all = Faults { crash: 1, restart: 1, lost: 1, expire: 1, fail: 1, leave: 1, ..NONE };
    holds("2 readers, 2 actions, one fault of every kind", readers(2, &["a", "b"], all));
    holds("2 readers, at-most-once and another, one fault of every kind", readers(2, &["once", "b"], all));
}

#[test]
fn an_action_without_attempts_left_does_not_block_those_behind_it() {
    let tired =
        |faults| with_rules(readers(2, &["a", "b"], faults), Rules { attempts_max: 1, ..Rules::default() });
    holds("2 readers, 2 actions, 1 attempt, failing handler", tired(Faults { fail: 1, ..NONE }));
    holds(
        "2 readers, 2 actions, 1 attempt, crash and live lease out",
        tired(Faults { crash: 1, expire: 1, ..NONE }),
    );
}

#[test]
fn a_released_response_is_taken_by_anybody_and_a_waiter_gets_it_at_most_once() {
    let faults = Faults { release: 1, ..NONE };
    let mut world = requester(3, &[], faults, None);
    world.clients[2].reads = vec![0, 1];
    holds("1 requester, 2 readers, a response taken by another after a lease", world);
    let mut world = requester(3, &[], Faults { crash: 1, restart: 1, ..NONE }, None);
    world.clients[2].reads = vec![0, 1];
    holds("1 requester, 2 readers, a requester that crashes", world);
}

#[test]
fn a_lost_write_is_looked_up_and_neither_lost_nor_doubled() {
    holds("2 adders that read, 1 lost answer", adders(2, 1, 0, None));
    holds("2 adders that read, 2 lost answers", adders(2, 2, 0, None));
    holds("2 adders that read, 1 lost answer, 1 crash", adders(2, 1, 1, None));
    holds("2 adders and a reader, 1 lost answer", adders(3, 1, 0, None));
}

#[test]
fn a_stale_store_of_a_foreign_writer_blocks_nothing() {
    for (what, faults) in [
        ("stale array", Faults { stale: 1, ..NONE }),
        ("stale document", Faults { stale_whole: 1, ..NONE }),
        ("stale array, crash", Faults { stale: 1, crash: 1, ..NONE }),
        ("stale document, crash", Faults { stale_whole: 1, crash: 1, ..NONE }),
        ("stale document, live lease out", Faults { stale_whole: 1, expire: 1, ..NONE }),
        ("stale array and document", Faults { stale: 1, stale_whole: 1, ..NONE }),
    ] {
        holds(&format!("2 readers, 2 actions, {what}"), readers(2, &["a", "b"], faults));
        holds(&format!("2 readers, at-most-once and another, {what}"), readers(2, &["once", "b"], faults));
    }
    // The copy is of a moment at which the first reader holds everything, one of them started as at-most-once.
    let mut world = readers(2, &["once", "b"], Faults { stale_whole: 1, ..NONE });
    for step in FIRST_READER_STARTS {
        world.take(*step).unwrap();
    }
    world.copy = Some(world.stored.clone());
    holds("2 readers, at-most-once and another, stale document with claims", world);
}

use super::world::{Fate, Step};

const WRITES: Step =
    Step::Write { client: 0, new: false, take_over: None, release: false, renew: false, fate: Fate::Held };
/// Claims, shows that it starts, starts.
const FIRST_READER_STARTS: &[Step] = &[WRITES, Step::Answer(0), WRITES, Step::Answer(0), Step::Start(0, 0)];

fn is_found(what: &str, world: World, expected: &str) {
    let broken =
        explore(world, states_max()).err().unwrap_or_else(|| panic!("{what}: the explorer found nothing"));
    let (first, steps) = broken.split_once('\n').unwrap();
    println!("found after {:>2} steps: {what}: {}", steps.lines().count(), first.trim_end_matches(" after"));
    assert!(first.contains(expected), "{what}: {first}");
}

/// What the explorer is worth: it finds each of these.
#[test]
fn wrong_algorithms_are_found() {
    let with = |bug, ids: &[&str], faults| World::new(config(Some(bug)), queue(ids), 2, faults);
    let crash = Faults { crash: 1, ..NONE };
    is_found("taking over without a lease", with(Bug::TakeOverWithoutLease, &["a", "b"], NONE), "");
    is_found("run, then remove", with(Bug::RunThenRemove, &["a"], NONE), "");
    is_found("remove, then run: crash", with(Bug::RemoveThenRun, &["a"], crash), "a is in 0 places");
    let ignoring = one_at_a_time(with(Bug::ClaimIgnoresHolders, &["a", "b"], NONE));
    is_found("claims that ignore other holders", ignoring, "");
    is_found(
        "at-most-once started before it is shown",
        with(Bug::OnceWithoutStub, &["once"], crash),
        "at-most-once",
    );
    // A repeated action first: its end is not recorded when the next one starts, and the holder stops.
    let early = Faults { crash: 2, restart: 1, fail: 1, ..NONE };
    is_found(
        "next started before a repeat is recorded",
        with(Bug::StartBeforeFinishIsRecorded, &["a", "b"], early),
        "twice",
    );
    is_found("a lost write taken for not held", adders(2, 1, 0, Some(Bug::ResolveSaysNotHeld)), "twice");
    is_found("a late write not reckoned with", adders(2, 1, 0, Some(Bug::ForgetLostOperation)), "twice");
    let expire = Faults { expire: 1, ..NONE };
    let back = Faults { leave: 1, back: 1, ..NONE };
    is_found(
        "subscribed again before all is given back",
        with(Bug::SubscribeBeforeGivenBack, &["a"], back),
        "twice",
    );
    is_found("response without a claim", requester(3, &[], expire, Some(Bug::RespondWithoutClaim)), "twice");
}
