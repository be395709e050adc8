//! One clock, and constant facts.

use super::bench::{Bench, Outcome, numbered};
use super::{Promise, ensure, promise};
use crate::backend::BackendTime;

pub(super) const PROMISES: &[Promise] = &[
    promise!("clock", answers_do_not_go_back, "the time in answers never goes back"),
    promise!("clock", facts_are_constant, "the facts are the same whenever they are asked for"),
];

async fn answers_do_not_go_back(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    let mut newest = BackendTime(0);
    for number in 1..20 {
        let written = bench.update(&id, revision, numbered(number)).await?;
        let read = bench.found(&id).await?;
        for at in [written.at, read.at] {
            ensure!(at >= newest, "an answer has the time {}, one before it had {}", at.0, newest.0);
            newest = at;
        }
        revision = written.revision;
    }
    ensure!(newest > BackendTime(0), "answers have no time");
    Ok(())
}

async fn facts_are_constant(bench: &Bench) -> Outcome {
    let facts = bench.backend.facts();
    bench.create(&bench.name()?, numbered(1)).await?;
    ensure!(bench.backend.facts() == facts, "the facts have changed");
    ensure!(!facts.name.is_empty(), "the backend has no name");
    ensure!(facts.writes_per_second.is_none_or(|rate| rate > 0.0), "no writes per second are accepted");
    Ok(())
}
