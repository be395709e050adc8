//! Revisions grow.

use super::bench::{Bench, Broken, Outcome, conflicts, numbered};
use super::{Promise, ensure, promise};

pub(super) const PROMISES: &[Promise] = &[
    promise!("revisions", grow_with_each_write, "each write of a name gives a greater revision"),
    promise!("revisions", grow_after_removal, "they grow also after it was removed and made anew"),
    promise!("revisions", old_ones_never_hold_again, "a revision of a removed document never holds again"),
    promise!("revisions", are_dense_if_stated, "where the facts say so, they are consecutive numbers"),
    promise!("revisions", are_not_used_up_by_refused_writes, "dense revisions count only writes that held"),
];

async fn grow_with_each_write(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut newest = bench.create(&id, numbered(0)).await?.revision;
    for number in 1..20 {
        let next = bench.update(&id, newest, numbered(number)).await?.revision;
        ensure!(next > newest, "revision {} was given after {}", next.0, newest.0);
        newest = next;
    }
    Ok(())
}

async fn grow_after_removal(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut newest = bench.create(&id, numbered(0)).await?.revision;
    for number in 1..6 {
        newest = bench.update(&id, newest, numbered(number)).await?.revision;
        bench.remove(&id, Some(newest)).await?;
        let next = bench.create(&id, numbered(number)).await?.revision;
        ensure!(next > newest, "made anew, the document has revision {}, before it had {}", next.0, newest.0);
        newest = next;
    }
    Ok(())
}

async fn old_ones_never_hold_again(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let first = bench.create(&id, numbered(1)).await?.revision;
    bench.remove(&id, None).await?;
    let second = bench.create(&id, numbered(2)).await?.revision;
    conflicts(
        bench.update(&id, first, numbered(3)).await,
        "a write that expects a removed document's revision",
    )?;
    conflicts(bench.remove(&id, Some(first)).await, "a removal that expects a removed document's revision")?;
    bench.holds(&id, second, &numbered(2)).await
}

async fn are_dense_if_stated(bench: &Bench) -> Outcome {
    stated(bench)?;
    let (id, other) = (bench.name()?, bench.name()?);
    let mut newest = bench.create(&id, numbered(0)).await?.revision;
    let mut its = bench.create(&other, numbered(0)).await?.revision;
    for number in 1..20 {
        let next = bench.update(&id, newest, numbered(number)).await?.revision;
        ensure!(next.0 == newest.0 + 1, "revision {} was given after {}", next.0, newest.0);
        newest = next;
        its = bench.update(&other, its, numbered(number)).await?.revision;
    }
    Ok(())
}

async fn are_not_used_up_by_refused_writes(bench: &Bench) -> Outcome {
    stated(bench)?;
    let id = bench.name()?;
    let made = bench.create(&id, numbered(0)).await?.revision;
    for number in 1..5 {
        conflicts(bench.create(&id, numbered(number)).await, "creating a document that is there")?;
    }
    let next = bench.update(&id, made, numbered(9)).await?.revision;
    ensure!(next.0 == made.0 + 1, "revision {} was given after {}", next.0, made.0);
    Ok(())
}

fn stated(bench: &Bench) -> Outcome {
    match bench.backend.facts().dense_revisions {
        true => Ok(()),
        false => Err(Broken::NotApplicable("the facts do not say that revisions are dense".into())),
    }
}
