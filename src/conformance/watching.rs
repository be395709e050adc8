//! A watcher ends at the newest.

use std::time::Duration;

use super::bench::{Bench, Outcome, numbered};
use super::{Promise, ensure, promise};
use crate::backend::{Expect, Ttl};

pub(super) const PROMISES: &[Promise] = &[
    promise!("watching", begins_with_the_present_state, "the first state told is not older than the watch"),
    promise!("watching", begins_with_removed_when_absent, "where no document is, Removed is told first"),
    promise!("watching", follows_each_write, "every newest state is told, to every watcher"),
    promise!("watching", sees_removal_and_recreation, "a removal and a document made anew are told"),
    promise!("watching", never_goes_back, "states are told in the order of their revisions"),
    promise!("watching", ends_at_the_newest, "a slow watcher may miss states, never the newest"),
    promise!("watching", survives_others_that_end, "a watcher that is dropped disturbs no other"),
    promise!("watching", tells_only_its_document, "a watcher is told nothing of other names"),
];

/// How long the suite writes as fast as it can, and at most how often.
const FAST_WRITING: (Duration, usize) = (Duration::from_secs(1), 10_000);

async fn begins_with_the_present_state(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    for number in 1..20 {
        revision = bench.update(&id, revision, numbered(number)).await?.revision;
        let first = bench.watch(&id).await?.next().await?;
        let first = first.map(|stored| (stored.revision, stored.document.to_json().to_string()));
        let present = (revision, numbered(number).to_string());
        ensure!(first.as_ref() == Some(&present), "{first:?} was told first where {present:?} was present");
    }
    Ok(())
}

async fn begins_with_removed_when_absent(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    ensure!(bench.watch(&id).await?.next().await?.is_none(), "a document that was never made was told");
    bench.create(&id, numbered(1)).await?;
    bench.remove(&id, None).await?;
    ensure!(bench.watch(&id).await?.next().await?.is_none(), "a document that was removed was told");
    Ok(())
}

async fn follows_each_write(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut watchers = [bench.watch(&id).await?, bench.watch(&id).await?, bench.watch(&id).await?];
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    for number in 1..20 {
        for watcher in &mut watchers {
            let told = watcher.until_revision(revision).await?;
            ensure!(told.revision == revision, "revision {} was told before it was written", told.revision.0);
            let (text, expected) = (told.document.to_json(), numbered(number - 1).to_string());
            ensure!(*text == *expected, "{text} was told where {expected} was written");
        }
        revision = bench.update(&id, revision, numbered(number)).await?.revision;
    }
    Ok(())
}

async fn sees_removal_and_recreation(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut watcher = bench.watch(&id).await?;
    for number in 0..5 {
        let made = bench.create(&id, numbered(number)).await?.revision;
        watcher.until_revision(made).await?;
        bench.remove(&id, None).await?;
        watcher.until_removed().await?;
    }
    // Too fast to be seen one by one: the end counts.
    for number in 0..5 {
        bench.create(&id, numbered(number)).await?;
        bench.remove(&id, None).await?;
    }
    let last = bench.create(&id, numbered(9)).await?.revision;
    watcher.until_revision(last).await?;
    bench.remove(&id, None).await?;
    watcher.until_removed().await
}

async fn never_goes_back(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut watchers = [bench.watch(&id).await?, bench.watch(&id).await?];
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    let mut eager = bench.watch(&id).await?;
    let writing = async {
        for number in 1..200 {
            revision = bench.update(&id, revision, numbered(number)).await?.revision;
            // The watcher should see many of them, also where a write never waits.
            tokio::task::yield_now().await;
        }
        Outcome::Ok(revision)
    };
    // `Watcher` itself notices when it goes back.
    let watching = async {
        let mut newest = 0;
        while newest < 199 {
            let told = eager.next().await?;
            newest = told.and_then(|stored| stored.document.field("number")?.as_u64()).unwrap_or(newest);
        }
        Outcome::Ok(())
    };
    let (last, ()) = tokio::try_join!(writing, watching)?;
    for watcher in &mut watchers {
        watcher.until_revision(last).await?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the suite bounds how long it writes")]
async fn ends_at_the_newest(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    let (mut slow, mut idle) = (bench.watch(&id).await?, bench.watch(&id).await?);
    let began = std::time::Instant::now();
    let writing = async {
        for number in 1..FAST_WRITING.1 {
            if began.elapsed() > FAST_WRITING.0 {
                break;
            }
            revision = bench.update(&id, revision, numbered(number)).await?.revision;
        }
        Outcome::Ok(revision)
    };
    let watching = async {
        for _ in 0..20 {
            slow.next().await?;
            tokio::time::sleep(FAST_WRITING.0 / 20).await;
        }
        Outcome::Ok(())
    };
    let (written, watched) = tokio::join!(writing, tokio::time::timeout(2 * FAST_WRITING.0, watching));
    let last = written?;
    if let Ok(watched) = watched {
        watched?;
    }
    for watcher in [&mut slow, &mut idle] {
        let told = watcher.until_revision(last).await?;
        ensure!(told.revision == last, "revision {} was told, {} is the newest", told.revision.0, last.0);
    }
    Ok(())
}

async fn survives_others_that_end(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut stays = bench.watch(&id).await?;
    let mut revision = bench.create(&id, numbered(0)).await?.revision;
    for number in 1..20 {
        let mut leaves = bench.watch(&id).await?;
        leaves.next().await?;
        let never_polled = bench.watch(&id).await?;
        revision = bench.update(&id, revision, numbered(number)).await?.revision;
        drop((leaves, never_polled));
        stays.until_revision(revision).await?;
    }
    Ok(())
}

async fn tells_only_its_document(bench: &Bench) -> Outcome {
    let (id, other) = (bench.name()?, bench.name()?);
    let mut watcher = bench.watch(&id).await?;
    for number in 0..10 {
        let expect =
            bench.read(&other).await?.map_or(Expect::Absent, |found| Expect::Revision(found.revision));
        bench.write(&other, &super::bench::document(numbered(100 + number)), expect, Ttl::Keep).await?;
    }
    bench.remove(&other, None).await?;
    let made = bench.create(&id, numbered(1)).await?.revision;
    let told = watcher.until("its own document", |state| state.is_some()).await?;
    let told = told.map(|stored| (stored.revision, stored.document.to_json().to_string()));
    ensure!(told == Some((made, numbered(1).to_string())), "{told:?} was told of another name");
    Ok(())
}
