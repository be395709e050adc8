//! Expiry is removal.

use std::time::Duration;

use super::bench::{Bench, Broken, Outcome, conflicts, document, numbered};
use super::{Promise, ensure, promise};
use crate::backend::{BackendTime, Expect, Revision, Ttl, Written};
use crate::id::DocumentId;

pub(super) const PROMISES: &[Promise] = &[
    promise!(
        "ttl",
        counts_whole_seconds_from_the_write,
        "Ttl::After counts from the write, in whole seconds, rounded up"
    ),
    promise!("ttl", a_new_document_does_not_expire, "Ttl::Keep on a new document means never"),
    promise!("ttl", keep_leaves_it, "Ttl::Keep leaves the time to live as it is"),
    promise!("ttl", never_clears_it, "Ttl::Never clears it"),
    promise!("ttl", after_sets_it_anew, "Ttl::After replaces an earlier one"),
    promise!("ttl", expired_means_gone, "from the moment a document expires nobody reads it or writes on it"),
    promise!("ttl", watchers_are_told_of_expiry, "watchers are told Removed soon after a document expires"),
    promise!(
        "ttl",
        an_expired_name_can_be_made_anew,
        "Expect::Absent holds after expiry, and revisions go on growing"
    ),
    promise!(
        "ttl",
        removal_ends_it,
        "a document made anew does not inherit the time to live of a removed one"
    ),
    promise!("ttl", expired_ones_are_not_listed, "a directory leaves out expired documents"),
];

const SECOND: Duration = Duration::from_secs(1);

/// How long after its expiry watchers may hear of it.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

async fn write(bench: &Bench, id: &DocumentId, before: Option<Revision>, ttl: Ttl) -> Outcome<Written> {
    let expect = before.map_or(Expect::Absent, Expect::Revision);
    Ok(bench.write(id, &document(numbered(1)), expect, ttl).await?)
}

async fn passing(bench: &Bench, id: &DocumentId) -> Outcome<Written> {
    write(bench, id, None, Ttl::After(SECOND)).await
}

/// Waits until the answers of the backend themselves show that this moment has passed.
async fn pass(bench: &Bench, expires: Option<BackendTime>) -> Outcome {
    let Some(expires) = expires else { return Err(Broken::Promise("the write names no expiry".into())) };
    let clock = bench.name()?;
    let mut now = write(bench, &clock, None, Ttl::Keep).await?;
    while now.at <= expires {
        tokio::time::sleep(Duration::from_millis(expires.0 - now.at.0 + 1)).await;
        now = write(bench, &clock, Some(now.revision), Ttl::Keep).await?;
    }
    Ok(())
}

async fn counts_whole_seconds_from_the_write(bench: &Bench) -> Outcome {
    for (ms, seconds) in [(60_000, 60), (59_001, 60), (1, 1), (3_600_000, 3_600)] {
        let id = bench.name()?;
        let written = write(bench, &id, None, Ttl::After(Duration::from_millis(ms))).await?;
        let Some(expires) = written.expires else {
            return Err(Broken::Promise("a write with a time to live names no expiry".into()));
        };
        let (from, to) = ((seconds * 1_000_u64).saturating_sub(2_000), seconds * 1_000 + 1_000);
        let left = expires.0.saturating_sub(written.at.0);
        ensure!((from..=to).contains(&left), "{ms} ms to live, and it expires {left} ms after the write");
        if ms > 1 {
            let found = bench.found(&id).await?.expires;
            ensure!(found == written.expires, "the write names the expiry {expires:?}, a read {found:?}");
        }
    }
    Ok(())
}

async fn a_new_document_does_not_expire(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let written = write(bench, &id, None, Ttl::Keep).await?;
    let found = bench.found(&id).await?.expires;
    ensure!(written.expires.is_none() && found.is_none(), "it expires at {:?}", written.expires.or(found));
    Ok(())
}

async fn keep_leaves_it(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let made = write(bench, &id, None, Ttl::After(60 * SECOND)).await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let kept = write(bench, &id, Some(made.revision), Ttl::Keep).await?;
    ensure!(kept.expires == made.expires, "the expiry moved from {:?} to {:?}", made.expires, kept.expires);
    let passing = passing(bench, &bench.name()?).await?;
    pass(bench, passing.expires).await?;
    let found = bench.found(&id).await?.expires;
    ensure!(found == made.expires, "the expiry moved from {:?} to {found:?}", made.expires);
    Ok(())
}

async fn never_clears_it(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let made = passing(bench, &id).await?;
    let cleared = write(bench, &id, Some(made.revision), Ttl::Never).await?;
    ensure!(cleared.expires.is_none(), "after Ttl::Never it expires at {:?}", cleared.expires);
    pass(bench, made.expires).await?;
    let found = bench.found(&id).await?;
    ensure!(found.expires.is_none(), "after Ttl::Never it expires at {:?}", found.expires);
    Ok(())
}

async fn after_sets_it_anew(bench: &Bench) -> Outcome {
    let (longer, shorter) = (bench.name()?, bench.name()?);
    let made = passing(bench, &longer).await?;
    let prolonged = write(bench, &longer, Some(made.revision), Ttl::After(60 * SECOND)).await?;
    ensure!(prolonged.expires > made.expires, "the expiry did not move");
    let made = write(bench, &shorter, None, Ttl::After(60 * SECOND)).await?;
    let shortened = write(bench, &shorter, Some(made.revision), Ttl::After(SECOND)).await?;
    pass(bench, shortened.expires).await?;
    bench.is_absent(&shorter).await?;
    bench.holds(&longer, prolonged.revision, &numbered(1)).await
}

async fn expired_means_gone(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let made = passing(bench, &id).await?;
    bench.holds(&id, made.revision, &numbered(1)).await?;
    pass(bench, made.expires).await?;
    bench.is_absent(&id).await?;
    conflicts(bench.update(&id, made.revision, numbered(2)).await, "a write on an expired document")?;
    ensure!(!bench.remove(&id, None).await?, "removing an expired document answers that it was there");
    ensure!(bench.watch(&id).await?.next().await?.is_none(), "an expired document was told");
    Ok(())
}

async fn watchers_are_told_of_expiry(bench: &Bench) -> Outcome {
    let (id, prolonged) = (bench.name()?, bench.name()?);
    let mut watcher = bench.watch(&id).await?;
    let mut its = bench.watch(&prolonged).await?;
    let made = passing(bench, &prolonged).await?;
    let lasting = write(bench, &prolonged, Some(made.revision), Ttl::After(60 * SECOND)).await?;
    its.until_revision(lasting.revision).await?;
    let made = passing(bench, &id).await?;
    watcher.until_revision(made.revision).await?;
    let told = tokio::time::timeout(SECOND + TOLD_WITHIN, watcher.until_removed()).await;
    told.unwrap_or_else(|_| Err(Broken::Promise(format!("no removal was told within {TOLD_WITHIN:?}"))))?;
    pass(bench, made.expires).await?;
    let false_alarm = tokio::time::timeout(Duration::from_millis(50), its.until_removed()).await;
    ensure!(false_alarm.is_err(), "a removal was told of a document whose life was prolonged");
    Ok(())
}

async fn an_expired_name_can_be_made_anew(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut watcher = bench.watch(&id).await?;
    let made = passing(bench, &id).await?;
    pass(bench, made.expires).await?;
    let anew = write(bench, &id, None, Ttl::Keep).await?;
    ensure!(
        anew.revision > made.revision,
        "revision {} was given after {}",
        anew.revision.0,
        made.revision.0
    );
    ensure!(anew.expires.is_none(), "made anew, it expires at {:?}", anew.expires);
    conflicts(
        bench.update(&id, made.revision, numbered(2)).await,
        "a write that expects an expired revision",
    )?;
    watcher.until_revision(anew.revision).await?;
    bench.holds(&id, anew.revision, &numbered(1)).await
}

async fn removal_ends_it(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let made = passing(bench, &id).await?;
    bench.remove(&id, Some(made.revision)).await?;
    let anew = write(bench, &id, None, Ttl::Keep).await?;
    ensure!(anew.expires.is_none(), "made anew, it expires at {:?}", anew.expires);
    pass(bench, made.expires).await?;
    bench.holds(&id, anew.revision, &numbered(1)).await
}

async fn expired_ones_are_not_listed(bench: &Bench) -> Outcome {
    super::directory::of(bench)?;
    let (passes, stays) = (DocumentId::new(format!("{}-~passes", bench.run))?, bench.name()?);
    let made = passing(bench, &passes).await?;
    write(bench, &stays, None, Ttl::Keep).await?;
    pass(bench, made.expires).await?;
    let names = super::directory::list(bench, 10).await?;
    ensure!(!names.iter().any(|name| name == "-~passes"), "an expired document is listed");
    ensure!(names.iter().any(|name| stays.as_str().ends_with(name.as_str())), "a present one is not");
    Ok(())
}
