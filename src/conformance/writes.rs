//! Atomic, conditional writes.

use serde_json::json;

use super::bench::{Bench, Outcome, conflicts, document, numbered};
use super::{Promise, ensure, promise};
use crate::backend::{Expect, Revision, Ttl};

pub(super) const PROMISES: &[Promise] = &[
    promise!("writes", a_missing_document_reads_as_none, "a document that was never made is not there"),
    promise!("writes", a_write_can_be_read_at_once, "a reader that starts after the answer sees it"),
    promise!("writes", create_needs_absence, "Expect::Absent holds only where no document is"),
    promise!("writes", update_needs_the_revision, "Expect::Revision holds only where it is the present one"),
    promise!("writes", update_needs_a_document, "Expect::Revision does not hold where no document is"),
    promise!("writes", a_write_replaces_everything, "a write stores the whole document"),
    promise!("writes", remove_answers_whether_there_was_one, "remove answers whether there was a document"),
    promise!(
        "writes",
        remove_needs_the_revision,
        "remove with a revision holds only where it is the present one"
    ),
    promise!("writes", times_are_told_truly, "`created` stays, `updated` does not go back"),
    promise!("writes", names_do_not_touch_each_other, "a write changes no document of another name"),
];

async fn a_missing_document_reads_as_none(bench: &Bench) -> Outcome {
    bench.is_absent(&bench.name()?).await
}

async fn a_write_can_be_read_at_once(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    for number in 1..50 {
        bench.holds(&id, revision, &numbered(number - 1)).await?;
        revision = bench.update(&id, revision, numbered(number)).await?.revision;
    }
    bench.holds(&id, revision, &numbered(49)).await
}

async fn times_are_told_truly(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    let first = bench.found(&id).await?;
    let mut updated = first.updated;
    for number in 1..5 {
        revision = bench.update(&id, revision, numbered(number)).await?.revision;
        let now = bench.found(&id).await?;
        // A backend that does not keep them says `at`.
        let kept = now.created == first.created || now.created == now.at;
        ensure!(kept, "`created` changed from {:?} to {:?}", first.created, now.created);
        ensure!(now.updated >= updated, "`updated` went back from {updated:?} to {:?}", now.updated);
        ensure!(now.created <= now.updated, "it was written before it was made: {now:?}");
        updated = now.updated;
    }
    Ok(())
}

async fn create_needs_absence(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let made = bench.create(&id, numbered(1)).await?;
    conflicts(bench.create(&id, numbered(2)).await, "creating a document that is there")?;
    bench.holds(&id, made.revision, &numbered(1)).await
}

async fn update_needs_the_revision(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let first = bench.create(&id, numbered(1)).await?.revision;
    let second = bench.update(&id, first, numbered(2)).await?.revision;
    conflicts(bench.update(&id, first, numbered(3)).await, "a write that expects an older revision")?;
    let later = Revision(second.0 + 1);
    conflicts(bench.update(&id, later, numbered(3)).await, "a write that expects a later revision")?;
    bench.holds(&id, second, &numbered(2)).await
}

async fn update_needs_a_document(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    for revision in [Revision(0), Revision(1)] {
        conflicts(bench.update(&id, revision, numbered(1)).await, "a write to a document that is not there")?;
    }
    let made = bench.create(&id, numbered(1)).await?.revision;
    bench.remove(&id, Some(made)).await?;
    conflicts(bench.update(&id, made, numbered(2)).await, "a write to a document that was removed")?;
    bench.is_absent(&id).await
}

async fn a_write_replaces_everything(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let first = bench.create(&id, json!({ "a": 1, "b": { "c": 2 } })).await?.revision;
    let second = bench.update(&id, first, json!({ "b": { "d": 3 } })).await?.revision;
    bench.holds(&id, second, &json!({ "b": { "d": 3 } })).await?;
    let third = bench.write(&id, &document(json!({})), Expect::Revision(second), Ttl::Keep).await?.revision;
    bench.holds(&id, third, &json!({})).await
}

async fn remove_answers_whether_there_was_one(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    ensure!(!bench.remove(&id, None).await?, "removing what was never made answers that it was there");
    let made = bench.create(&id, numbered(1)).await?.revision;
    ensure!(bench.remove(&id, None).await?, "removing a document answers that there was none");
    bench.is_absent(&id).await?;
    ensure!(!bench.remove(&id, None).await?, "removing twice answers that it was there both times");
    ensure!(!bench.remove(&id, Some(made)).await?, "removing twice answers that it was there both times");
    Ok(())
}

async fn remove_needs_the_revision(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let first = bench.create(&id, numbered(1)).await?.revision;
    let second = bench.update(&id, first, numbered(2)).await?.revision;
    conflicts(bench.remove(&id, Some(first)).await, "a removal that expects an older revision")?;
    bench.holds(&id, second, &numbered(2)).await?;
    ensure!(
        bench.remove(&id, Some(second)).await?,
        "a removal that expects the present revision did nothing"
    );
    bench.is_absent(&id).await
}

async fn names_do_not_touch_each_other(bench: &Bench) -> Outcome {
    let (one, other) = (bench.name()?, bench.name()?);
    let made = bench.create(&one, numbered(1)).await?.revision;
    bench.is_absent(&other).await?;
    let its = bench.create(&other, numbered(2)).await?.revision;
    bench.update(&other, its, numbered(3)).await?;
    bench.remove(&other, None).await?;
    bench.holds(&one, made, &numbered(1)).await
}
