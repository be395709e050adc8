//! Durable means durable: what was answered is found by whoever opens the store anew.

use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, Broken, Outcome, conflicts, document, numbered};
use super::{Promise, ensure, promise};
use crate::backend::{Expect, Ttl};

pub(super) const PROMISES: &[Promise] = &[
    promise!("durability", documents_survive, "what was written before is read after it was opened anew"),
    promise!(
        "durability",
        removals_survive,
        "what was removed before stays removed, and its revisions stay used"
    ),
    promise!("durability", times_to_live_survive, "a time to live goes on after the store was opened anew"),
];

/// The same store, opened anew.
async fn reopened(bench: &Bench) -> Outcome<Bench> {
    match bench.subject.reopen(bench.backend.clone()).await {
        None => Err(Broken::NotApplicable("nothing is promised to survive".into())),
        Some(backend) => {
            let mut anew = Bench::new(bench.subject.clone()).await;
            anew.backend = backend;
            Ok(anew)
        }
    }
}

async fn documents_survive(bench: &Bench) -> Outcome {
    let mut made = Vec::new();
    for number in 0..20 {
        let id = bench.name()?;
        let first = bench.create(&id, numbered(number)).await?.revision;
        let revision = match number % 2 {
            0 => first,
            _ => bench.update(&id, first, numbered(100 + number)).await?.revision,
        };
        made.push((id, revision, numbered(number + 100 * (number % 2))));
    }
    let anew = reopened(bench).await?;
    for (id, revision, value) in made {
        anew.holds(&id, revision, &value).await?;
        conflicts(anew.create(&id, numbered(0)).await, "creating a document that is there")?;
        let next = anew.update(&id, revision, numbered(1)).await?.revision;
        ensure!(next > revision, "revision {} was given after {}", next.0, revision.0);
    }
    Ok(())
}

async fn removals_survive(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let first = bench.create(&id, numbered(1)).await?.revision;
    let second = bench.update(&id, first, numbered(2)).await?.revision;
    bench.remove(&id, None).await?;
    let anew = reopened(bench).await?;
    anew.is_absent(&id).await?;
    let third = anew.create(&id, numbered(3)).await?.revision;
    ensure!(third > second, "made anew, the document has revision {}, before it had {}", third.0, second.0);
    Ok(())
}

async fn times_to_live_survive(bench: &Bench) -> Outcome {
    let (lasting, passing) = (bench.name()?, bench.name()?);
    let written = Arc::clone(&document(numbered(1)));
    let hour = Ttl::After(Duration::from_secs(3_600));
    let made = bench.write(&lasting, &written, Expect::Absent, hour).await?;
    bench.write(&passing, &written, Expect::Absent, Ttl::After(Duration::from_secs(1))).await?;
    let anew = reopened(bench).await?;
    let found = anew.found(&lasting).await?;
    ensure!(
        found.expires == made.expires,
        "the document expires at {:?}, not {:?}",
        found.expires,
        made.expires
    );
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    anew.is_absent(&passing).await
}
