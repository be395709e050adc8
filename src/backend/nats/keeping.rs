//! What is done without being asked: telling of expiry, healing after losses, looking now and then, and sweeping.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::bucket;
use super::core::{Core, spread};
use super::failure::Failure;
use super::names::Key;
use super::writes::mark_removed;
use super::{superseded, sweeping};
use crate::backend::BackendError;
use crate::limits::{
    NATS_CHECK_EVERY, NATS_CHECK_PAUSE_MAX, NATS_CLOCK_EVERY, NATS_HEAL_PAUSE, NATS_READS_AT_ONCE,
};

/// Waits of the tasks when there is nothing to wait for.
const LONG: Duration = Duration::from_secs(3_600);

/// The tasks of one backend. They end with it.
pub(super) fn begin(core: &Arc<Core>, created: String, sweep_interval: Duration) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(expiries(core.clone()));
    tasks.spawn(losses(core.clone()));
    tasks.spawn(checks(core.clone(), created));
    tasks.spawn(sweeping::sweeps(core.clone(), sweep_interval));
    tasks.spawn(superseded::ends(core.clone()));
    tasks
}

/// Tells watchers of expiry soon after it, and removes what has expired.
async fn expiries(core: Arc<Core>) {
    loop {
        let wait = core.hub.next_expiry().map_or(LONG, |end| {
            // A millisecond more: what ends at a moment is alive until it has come.
            Duration::from_millis(end.0.saturating_sub(core.clock.now().0) + 1)
        });
        // Either way it is looked at again.
        let _ = timeout(wait.min(LONG), core.hub.sooner()).await;
        let due = core.hub.take_expired(core.clock.now());
        together(&core, due, |core, key| async move {
            let found = loop {
                match core.read(&key).await {
                    Ok(found) => break found,
                    Err(error) if error.is_transient() => sleep(spread(Duration::from_secs(1))).await,
                    Err(_) => return,
                }
            };
            // Reading it has told the watchers. Every process that watches it tries to remove it; one of them does.
            if found.stored.is_some() && found.alive(core.clock.now()).is_none() {
                let _ = mark_removed(&core, &key, found.basis()).await;
            }
        })
        .await;
    }
}

/// Reads every watched document after messages may have been lost: the connection was made anew, this process was too
/// slow, or a gap was seen in the messages of one document.
async fn losses(core: Arc<Core>) {
    let mut losses = core.link.losses();
    while losses.changed().await.is_ok() {
        // The leader may have changed with the connection, and the clock with it.
        let _ = core.set_clock().await;
        let watched = core.hub.watched();
        if watched.len() > NATS_READS_AT_ONCE {
            // Many processes may have lost their connection together.
            sleep(spread(Duration::from_millis(250))).await;
        }
        together(&core, watched, |core, key| async move { heal(&core, &key).await }).await;
        // What is lost meanwhile starts the next round.
        sleep(spread(NATS_HEAL_PAUSE)).await;
    }
}

/// Reads one document until that works, or can never work: then its watchers are told.
async fn heal(core: &Core, key: &Key) {
    while core.hub.seq(key).is_some() {
        match core.read(key).await {
            Ok(_) => return,
            Err(error) if error.is_transient() => sleep(spread(Duration::from_secs(1))).await,
            Err(error) => return core.hub.fail_key(key, &error),
        }
    }
}

/// Does the same for many keys, so many at once.
async fn together<F>(core: &Arc<Core>, keys: Vec<Key>, each: impl Fn(Arc<Core>, Key) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for key in keys {
        if running.len() >= NATS_READS_AT_ONCE {
            running.join_next().await;
        }
        running.spawn(each(core.clone(), key));
    }
    while running.join_next().await.is_some() {}
}

/// Looks now and then for a state of which no message came, one watched document after the other: a leader that fails may
/// store a message that it does not repeat.
async fn checks(core: Arc<Core>, mut created: String) {
    let (mut checked_seq, mut newest_seq) = (None, 0);
    let mut clock_set = Instant::now();
    loop {
        sleep(spread(NATS_CHECK_EVERY)).await;
        if clock_set.elapsed() >= NATS_CLOCK_EVERY && core.set_clock().await.is_ok() {
            clock_set = Instant::now();
        }
        let Ok(stream) = bucket::look(&core).await else { continue };
        if stream.created != created {
            created = stream.created;
            // Replicas may differ in when they say it was made, but not in how many messages there were.
            if stream.state.last_seq < newest_seq {
                core.hub.fail(&made_anew(&core));
            }
        }
        newest_seq = stream.state.last_seq;
        // Somebody may have raised the number of its replicas, and its history with it.
        core.follow(&stream.config);
        let watched = core.hub.watched();
        if checked_seq == Some(stream.state.last_seq) || watched.is_empty() {
            continue;
        }
        let pause =
            (NATS_CHECK_EVERY / u32::try_from(watched.len()).unwrap_or(u32::MAX)).min(NATS_CHECK_PAUSE_MAX);
        let mut all = true;
        for key in watched {
            sleep(pause).await;
            all &= core.hub.seq(&key).is_none() || core.read(&key).await.is_ok();
        }
        checked_seq = all.then_some(stream.state.last_seq);
    }
}

/// Revisions begin again, so nothing that was told before can be compared with what is there.
fn made_anew(core: &Core) -> BackendError {
    BackendError::Unavailable {
        doing: format!("watching the bucket `{}`", core.names.bucket()),
        why: "it was removed and made anew: watch again".into(),
        source: None,
    }
}

/// Ends watches of what the server does not let this client hear.
pub(super) async fn denials(core: std::sync::Weak<Core>, mut denied: tokio::sync::mpsc::Receiver<String>) {
    while let Some(subject) = denied.recv().await {
        let Some(core) = core.upgrade() else { return };
        let shard = subject.rsplit('.').nth(1).and_then(|token| token.parse().ok());
        if let Some(shard) = shard.filter(|shard| core.names.republished(*shard) == subject) {
            let message = format!("this client may not subscribe to `{subject}`");
            core.hub.fail_shard(shard, &Failure::Denied(message).of_read("watching"));
        }
    }
}
