//! Of two writes that expect the same revision at most one holds, whoever makes them and whenever they give up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::JoinSet;

use super::bench::{Bench, Broken, Outcome, conflicts, document, numbered, patiently};
use super::{Promise, ensure, promise};
use crate::backend::{Backend, BackendError, Expect, Revision, Ttl, Write, Written};
use crate::id::DocumentId;

pub(super) const PROMISES: &[Promise] = &[
    promise!("concurrency", one_of_fifty_creates_holds, "of many writes that expect absence one holds"),
    promise!(
        "concurrency",
        one_write_per_revision_holds,
        "of many writes that expect one revision one holds"
    ),
    promise!(
        "concurrency",
        no_increment_is_lost,
        "read, change, write again: nothing that held is overwritten"
    ),
    promise!(
        "concurrency",
        a_write_and_a_removal_exclude_each_other,
        "of a write and a removal at most one holds"
    ),
    promise!(
        "concurrency",
        dropped_calls_do_no_harm,
        "a dropped write holds or does not, and the rest goes on"
    ),
];

const WRITERS: usize = 50;

type Answer = Result<Written, BackendError>;

async fn race(bench: &Bench, id: &DocumentId, expect: Expect) -> Outcome<Vec<(usize, Answer)>> {
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let (backend, id) = (bench.backend.clone(), id.clone());
        let write = Write { document: document(numbered(number)), expect, ttl: Ttl::Keep };
        writers.spawn(async move { (number, patiently(|| backend.write(&id, write.clone())).await) });
    }
    Ok(writers.join_all().await)
}

/// That exactly one held, the others were conflicts, and its content stands.
async fn one_held(bench: &Bench, id: &DocumentId, answers: Vec<(usize, Answer)>) -> Outcome<Revision> {
    let mut held = Vec::new();
    for (number, answer) in answers {
        match answer {
            Ok(written) => held.push((number, written.revision)),
            refused => conflicts(refused, "a write that lost")?,
        }
    }
    let [(number, revision)] = held[..] else {
        return Err(Broken::Promise(format!("{} of {WRITERS} writes held", held.len())));
    };
    bench.holds(id, revision, &numbered(number)).await?;
    Ok(revision)
}

async fn one_of_fifty_creates_holds(bench: &Bench) -> Outcome {
    for _ in 0..5 {
        let id = bench.name()?;
        one_held(bench, &id, race(bench, &id, Expect::Absent).await?).await?;
    }
    Ok(())
}

async fn one_write_per_revision_holds(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    for _ in 0..5 {
        let next = one_held(bench, &id, race(bench, &id, Expect::Revision(revision)).await?).await?;
        ensure!(next > revision, "revision {} was given after {}", next.0, revision.0);
        revision = next;
    }
    Ok(())
}

async fn no_increment_is_lost(bench: &Bench) -> Outcome {
    const INCREMENTS: usize = 10;
    let id = bench.name()?;
    bench.create(&id, numbered(0)).await?;
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let (backend, id) = (bench.backend.clone(), id.clone());
        writers.spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&*backend, &id).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done.map_err(|error| Broken::Promise(format!("the backend panicked: {error}")))??;
    }
    let (found, expected) =
        (bench.found(&id).await?.document.to_json(), numbered(8 * INCREMENTS).to_string());
    ensure!(*found == *expected, "after 80 increments the document is {found}");
    Ok(())
}

async fn increment(backend: &dyn Backend, id: &DocumentId) -> Outcome {
    loop {
        let Some(before) = patiently(|| backend.read(id)).await? else {
            return Err(Broken::Promise("the document is gone".into()));
        };
        let number = before.document.field("number").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let next = document(serde_json::json!({ "number": number + 1 }));
        let write = Write { document: next, expect: Expect::Revision(before.revision), ttl: Ttl::Keep };
        match patiently(|| backend.write(id, write.clone())).await {
            Ok(_) => return Ok(()),
            Err(BackendError::Conflict) => tokio::task::yield_now().await,
            Err(other) => return Err(other.into()),
        }
    }
}

async fn a_write_and_a_removal_exclude_each_other(bench: &Bench) -> Outcome {
    for _ in 0..20 {
        let id = bench.name()?;
        let made = bench.create(&id, numbered(0)).await?.revision;
        let (written, removed) =
            tokio::join!(bench.update(&id, made, numbered(1)), bench.remove(&id, Some(made)));
        match (written, removed) {
            (Ok(written), refused) => {
                conflicts(refused, "a removal that lost against a write")?;
                bench.holds(&id, written.revision, &numbered(1)).await?;
            }
            (refused, Ok(was_there)) => {
                conflicts(refused, "a write that lost against a removal")?;
                ensure!(was_there, "neither the write nor the removal held");
                bench.is_absent(&id).await?;
            }
            (Err(one), Err(other)) => {
                return Err(Broken::Promise(format!("neither held: {one}; {other}")));
            }
        }
    }
    Ok(())
}

/// Polls a future so many times, then drops it.
async fn abandon<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn dropped_calls_do_no_harm(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut before = bench.create(&id, numbered(0)).await?.revision;
    let mut newest = Arc::from(numbered(0).to_string());
    let mut watcher = bench.watch(&id).await?;
    for polls in 0..20 {
        let number = 1 + polls;
        abandon(bench.update(&id, before, numbered(number)), polls).await;
        abandon(bench.read(&id), polls).await;
        abandon(bench.watch(&id), polls).await;
        // It may hold yet, so a write of its own settles what stands.
        let found = loop {
            let found = bench.found(&id).await?;
            let text = found.document.to_json();
            ensure!(text == newest || *text == *numbered(number).to_string(), "{text} was never written");
            match bench.update(&id, found.revision, numbered(100 + number)).await {
                Ok(written) => break written.revision,
                Err(BackendError::Conflict) => newest = text,
                Err(other) => return Err(other.into()),
            }
        };
        ensure!(found > before, "revision {} was given after {}", found.0, before.0);
        newest = Arc::from(numbered(100 + number).to_string());
        before = found;
        watcher.until_revision(found).await?;
    }
    abandon(bench.remove(&id, None), 1).await;
    bench.remove(&id, None).await?;
    bench.is_absent(&id).await
}
