//! Conditional writes and removals.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use tokio::time::timeout_at;

use super::chain::Basis;
use super::core::Core;
use super::failure::Failure;
use super::message::{self, Found, Times};
use super::names::Key;
use super::turns::MyTurn;
use crate::backend::{BackendError, BackendTime, Expect, Revision, Ttl, Write, Written};
use crate::limits::{NATS_HEADER_BYTES, NATS_WRITE_ATTEMPTS};

/// What a write follows.
struct Before {
    basis: Basis,
    created: Option<BackendTime>,
    expires: Option<BackendTime>,
}

/// Stores a document if its expectation holds.
pub(super) async fn write(core: &Core, key: &Key, write: &Write) -> Result<Written, BackendError> {
    let text = Bytes::from_owner(Arc::<[u8]>::from(write.document.to_json()));
    let doing = || format!("writing `{key}`");
    let _turn = turn(core, key, &doing()).await?;
    for attempt in 0..NATS_WRITE_ATTEMPTS {
        let now = core.clock.now();
        let Before { basis, created, expires } = before(core, key, write.expect, attempt, now).await?;
        let expires = match write.ttl {
            Ttl::Keep => expires,
            Ttl::Never => None,
            Ttl::After(ttl) => Some(now.after_whole_seconds(ttl)),
        };
        let times = Times { created: created.unwrap_or(now), written: now, expires };
        core.hub.write_begins(key, &write.document);
        let mut headers = message::of_document(basis, core.is_replicated(), times);
        if let Some(expires) = expires.filter(|_| core.ends_messages.load(Relaxed)) {
            message::let_end(&mut headers, expires, now);
        }
        let failure = match core.publish_on(key.as_str(), basis, headers, text.clone()).await {
            Ok(seq) => {
                let at = core.clock.now();
                let stored = times.stored(seq, Arc::clone(&write.document), at);
                let state = Found { seq, is_document: true, tail: seq, stored: Some(stored) };
                core.hub.tell(key, state, basis.claim.seq());
                core.leave_behind(basis);
                return Ok(Written { revision: Revision(seq), expires, at });
            }
            Err(failure) => failure,
        };
        let may_hold = match (&failure, write.expect) {
            // Perhaps only the trace of a removal stands there.
            (Failure::Conflict | Failure::Void, Expect::Absent) => true,
            // Perhaps the newest message is a void one.
            (Failure::Conflict, Expect::Revision(_)) => core.is_chained(),
            _ => false,
        };
        if !may_hold {
            return Err(failure.of_write(&doing(), text.len(), NATS_HEADER_BYTES));
        }
    }
    Err(busy(doing()))
}

/// Waits until no other write of this process is on its way to the key, where that matters.
async fn turn<'a>(core: &'a Core, key: &'a Key, doing: &str) -> Result<Option<MyTurn<'a>>, BackendError> {
    if !core.is_replicated() {
        return Ok(None);
    }
    let turn = timeout_at(core.link.deadline(), Box::pin(core.turns.take(key.as_str()))).await;
    turn.map(Some).map_err(|_| busy(doing.into()))
}

/// Finds what a write follows. What was told to watchers is enough to refuse nothing: only a read shows that a
/// document is there where none should be.
async fn before(
    core: &Core,
    key: &Key,
    expect: Expect,
    attempt: usize,
    now: BackendTime,
) -> Result<Before, BackendError> {
    let known = core.hub.known(key).filter(|_| attempt == 0);
    match expect {
        Expect::Revision(expected) => {
            let found = match known {
                Some(known) if known.seq == expected.0 => known,
                // What was told came from the servers: the expected revision is a past one.
                Some(known) if known.seq > expected.0 => return Err(BackendError::Conflict),
                _ => Box::pin(core.read(key)).await?,
            };
            match found.alive(now) {
                Some(stored) if stored.revision == expected => Ok(Before {
                    basis: found.basis(),
                    created: Some(stored.created),
                    expires: stored.expires,
                }),
                _ => Err(BackendError::Conflict),
            }
        }
        Expect::Absent => {
            let found = match known {
                Some(known) if known.alive(now).is_none() => known,
                // In a cluster nobody compares that a key has no message yet, and a void one would be its newest.
                None if attempt == 0 && !core.is_replicated() => Found::default(),
                _ => Box::pin(core.read(key)).await?,
            };
            match found.alive(now) {
                Some(_) => Err(BackendError::Conflict),
                None => Ok(Before { basis: found.basis(), created: None, expires: None }),
            }
        }
    }
}

/// Removes a document, and answers whether there was one.
pub(super) async fn remove(core: &Core, key: &Key, expect: Option<Revision>) -> Result<bool, BackendError> {
    let doing = || format!("removing `{key}`");
    let _turn = turn(core, key, &doing()).await?;
    for attempt in 0..NATS_WRITE_ATTEMPTS {
        let now = core.clock.now();
        let found = match core.hub.known(key) {
            Some(known) if attempt == 0 && expect.is_some_and(|expected| expected.0 == known.seq) => known,
            // Where it was written or removed meanwhile, perhaps nobody was told yet.
            _ => core.read(key).await?,
        };
        let Some(stored) = found.alive(now) else { return Ok(false) };
        if expect.is_some_and(|expected| expected != stored.revision) {
            return Err(BackendError::Conflict);
        }
        if put_mark(core, key, found.basis()).await? {
            return Ok(true);
        }
    }
    Err(busy(doing()))
}

/// Leaves a mark that the document was removed, if that is what stands still, and answers whether it was.
pub(super) async fn mark_removed(core: &Core, key: &Key, basis: Basis) -> Result<bool, BackendError> {
    let _turn = turn(core, key, &format!("removing `{key}`")).await?;
    put_mark(core, key, basis).await
}

async fn put_mark(core: &Core, key: &Key, basis: Basis) -> Result<bool, BackendError> {
    let headers = message::of_removal(basis, core.is_replicated());
    match core.publish_on(key.as_str(), basis, headers, Bytes::new()).await {
        Ok(seq) => {
            let state = Found { seq, is_document: false, tail: seq, stored: None };
            core.hub.tell(key, state, basis.claim.seq());
            core.leave_behind(basis);
            Ok(true)
        }
        Err(Failure::Conflict | Failure::Void) => Ok(false),
        Err(failure) => Err(failure.of_write(&format!("removing `{key}`"), 0, NATS_HEADER_BYTES)),
    }
}

/// Others won every time.
fn busy(doing: String) -> BackendError {
    let why = "others write the same document without a pause: try again".into();
    BackendError::Unavailable { doing, why, source: None }
}
