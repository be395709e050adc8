//! Whose SID is this? Asked by clients that come back after this server was started anew.
//!
//! The names in the backend's list are gone through once for all SIDs that are sought by then, never twice at a time,
//! and seldom: whoever asks for SIDs that do not exist cannot keep the server at it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::names::Names;
use super::service::Core;
use super::trace;
use crate::backend::BackendError;
use crate::id::DocumentId;
use crate::limits::{SERVER_SIDS_PAGE, SERVER_SIDS_PAUSE, SERVER_SIDS_SOUGHT_MAX};
use crate::twilsock::sync::{Code, SyncError};

type Found = Result<Option<DocumentId>, BackendError>;
type Sought = HashMap<String, Vec<oneshot::Sender<Found>>>;

/// SIDs that somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Seeking {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sought: Sought,
    /// Those who wait, here and in the pass that is on its way.
    waiting: usize,
    running: bool,
}

impl Seeking {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The document of this SID, or [`Code::NoDocument`].
pub(super) async fn seek(core: &Arc<Core>, sid: &str) -> Result<DocumentId, SyncError> {
    if let Some(document) = core.names.met(sid) {
        return Ok(document);
    }
    if core.backend.directory().is_none() {
        return Err(Code::NoDocument.into());
    }
    let (sender, found) = oneshot::channel();
    {
        let mut state = core.seeking.lock();
        if state.waiting >= SERVER_SIDS_SOUGHT_MAX {
            return Err(Code::Unavailable.into());
        }
        state.waiting += 1;
        state.sought.entry(sid.to_owned()).or_default().push(sender);
        if !state.running {
            state.running = true;
            tokio::spawn(go_through(core.clone()));
        }
    }
    match found.await {
        Ok(Ok(Some(document))) => Ok(document),
        Ok(Ok(None)) => Err(Code::NoDocument.into()),
        Ok(Err(_)) | Err(_) => Err(Code::Unavailable.into()),
    }
}

/// The answer to whoever asks by SID for a document that is to be a secret: that there is none, and not sooner than of a SID
/// that nobody has, which is looked for.
pub(super) async fn in_vain(core: &Arc<Core>) -> SyncError {
    // No SID is empty.
    seek(core, "").await.err().unwrap_or_else(|| Code::NoDocument.into())
}

/// One pass after the other, as long as somebody waits; each rests four times as long as it took.
async fn go_through(core: Arc<Core>) {
    loop {
        let mut sought = {
            let mut state = core.seeking.lock();
            if state.sought.is_empty() {
                state.running = false;
                return;
            }
            std::mem::take(&mut state.sought)
        };
        let began = Instant::now();
        let end = pass(&core, &mut sought).await;
        if let Err(error) = &end {
            trace::store_failed(error);
        }
        for waiter in sought.into_values().flatten() {
            tell(&core, waiter, end.clone().map(|()| None));
        }
        sleep((began.elapsed() * 4).max(SERVER_SIDS_PAUSE)).await;
    }
}

async fn pass(core: &Core, sought: &mut Sought) -> Result<(), BackendError> {
    let Some(directory) = core.backend.directory() else { return Ok(()) };
    let mut after = None;
    while !sought.is_empty() {
        let page = directory.list(after.as_ref(), SERVER_SIDS_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        for document in page.into_iter().filter(|document| !Names::is_rows(document.as_str())) {
            let sid = core.names.sid(&document);
            match sought.remove(&sid) {
                Some(waiters) => {
                    core.names.meet(&sid, &document);
                    for waiter in waiters {
                        tell(core, waiter, Ok(Some(document.clone())));
                    }
                }
                None => core.names.meet_if_there_is_room(&sid, &document),
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn tell(core: &Core, waiter: oneshot::Sender<Found>, found: Found) {
    core.seeking.lock().waiting -= 1;
    // Whoever asked may be gone.
    let _ = waiter.send(found);
}
