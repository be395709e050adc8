//! Conditional writes and removals.

use std::sync::Arc;

use super::core::Core;
use super::failure::Failure;
use super::message::{self, Found, Times};
use super::names::Key;
use crate::backend::{BackendError, BackendTime, Expect, Revision, Ttl, Write, Written};
use crate::limits::{NATS_HEADER_BYTES, NATS_WRITE_ATTEMPTS};

/// What a write stands on.
struct Basis {
    /// Sequence that has to be the key's newest.
    seq: u64,
    created: Option<BackendTime>,
    expires: Option<BackendTime>,
}

/// Stores a document if its expectation holds.
pub(super) async fn write(core: &Core, key: &Key, write: &Write) -> Result<Written, BackendError> {
    let text = write.document.to_json();
    for attempt in 0..NATS_WRITE_ATTEMPTS {
        let now = core.clock.now();
        let Basis { seq, created, expires } = basis(core, key, write.expect, attempt, now).await?;
        let expires = match write.ttl {
            Ttl::Keep => expires,
            Ttl::Never => None,
            Ttl::After(ttl) => Some(now.after_whole_seconds(ttl)),
        };
        let times = Times { created: created.or(Some(now)), written: Some(now), expires };
        core.hub.write_begins(key, &write.document);
        let headers = message::of_document(seq, times);
        let deadline = core.link.deadline();
        let failure =
            match core.publish(key.as_str(), Some(headers), text.as_bytes().to_vec(), deadline).await {
                Ok(stored) => {
                    let at = core.clock.now();
                    let document = Arc::clone(&write.document);
                    let state = Found { seq: stored, stored: Some(times.stored(stored, document, at)) };
                    core.hub.tell(key, state, seq);
                    return Ok(Written { revision: Revision(stored), expires, at });
                }
                Err(failure) => failure,
            };
        match (&failure, write.expect) {
            // Perhaps only the trace of a removal stands there.
            (Failure::Conflict, Expect::Absent) => {}
            _ => return Err(failure.of_write(&format!("writing `{key}`"), text.len(), NATS_HEADER_BYTES)),
        }
    }
    Err(busy(format!("writing `{key}`")))
}

/// Finds what a write stands on. What was told to watchers is enough to refuse nothing: only a read shows that a
/// document is there where none should be.
async fn basis(
    core: &Core,
    key: &Key,
    expect: Expect,
    attempt: usize,
    now: BackendTime,
) -> Result<Basis, BackendError> {
    match expect {
        Expect::Revision(expected) => {
            let found = match core.hub.known(key) {
                Some(known) if known.seq == expected.0 => known,
                // What was told came from the servers: the expected revision is a past one.
                Some(known) if known.seq > expected.0 => return Err(BackendError::Conflict),
                _ => core.read(key).await?,
            };
            match found.alive(now) {
                Some(stored) if stored.revision == expected => {
                    Ok(Basis { seq: expected.0, created: Some(stored.created), expires: stored.expires })
                }
                _ => Err(BackendError::Conflict),
            }
        }
        Expect::Absent => {
            let known = core.hub.known(key).unwrap_or_default();
            let found = match attempt {
                0 if known.alive(now).is_none() => known,
                _ => core.read(key).await?,
            };
            match found.alive(now) {
                Some(_) => Err(BackendError::Conflict),
                None => Ok(Basis { seq: found.seq, created: None, expires: None }),
            }
        }
    }
}

/// Removes a document, and answers whether there was one.
pub(super) async fn remove(core: &Core, key: &Key, expect: Option<Revision>) -> Result<bool, BackendError> {
    for _ in 0..NATS_WRITE_ATTEMPTS {
        let now = core.clock.now();
        let found = match core.hub.known(key) {
            Some(known) if expect.is_some_and(|expected| expected.0 == known.seq) => known,
            _ => core.read(key).await?,
        };
        let Some(stored) = found.alive(now) else { return Ok(false) };
        if expect.is_some_and(|expected| expected != stored.revision) {
            return Err(BackendError::Conflict);
        }
        if mark_removed(core, key, found.seq).await? {
            return Ok(true);
        }
        // It was written or removed meanwhile, and perhaps nobody was told yet.
        core.read(key).await?;
    }
    Err(busy(format!("removing `{key}`")))
}

/// Leaves a mark that the document was removed, if its newest message is this one still, and answers whether it was.
pub(super) async fn mark_removed(core: &Core, key: &Key, seq: u64) -> Result<bool, BackendError> {
    let headers = message::of_removal(seq, core.clock.now());
    match core.publish(key.as_str(), Some(headers), Vec::new(), core.link.deadline()).await {
        Ok(stored) => {
            core.hub.tell(key, Found { seq: stored, stored: None }, seq);
            Ok(true)
        }
        Err(Failure::Conflict) => Ok(false),
        Err(failure) => Err(failure.of_write(&format!("removing `{key}`"), 0, NATS_HEADER_BYTES)),
    }
}

/// Others won every time.
fn busy(doing: String) -> BackendError {
    let why = "others write the same document without a pause: try again".into();
    BackendError::Unavailable { doing, why, source: None }
}
