//! What the driver reports to `tracing` (feature `tracing`): one event for each write, for each action that starts or
//! ends here, for each failure of the backend and for each notice. Without the feature all of it compiles to nothing.
//!
//! Names, ids, numbers and times only: no value of a document, an action, a response or a token, and no message that
//! a handler wrote (C64).

#[cfg(feature = "tracing")]
use tokio::time::Instant;

use super::driver::Happened;
use super::hand::Ended;
use super::machine::{Machine, Start};
use super::notice::Notice;
use super::shared::Shared;
use crate::backend::{BackendError, Written};
#[cfg(feature = "tracing")]
use {super::machine::Ending, crate::id::DocumentId};

type WriteResult = Result<Written, BackendError>;

/// A write on its way; reported when its answer is here.
#[cfg(feature = "tracing")]
pub(super) fn write<W: Future<Output = WriteResult> + Send>(
    shared: &Shared,
    machine: &Machine,
    writing: W,
) -> impl Future<Output = WriteResult> + Send + use<W> {
    let (document, operations) = (shared.id.clone(), machine.operations_in_flight());
    async move {
        let began = Instant::now();
        let result = writing.await;
        report_write(&document, operations, &result, began);
        result
    }
}

/// Without the feature a write is only a write.
#[cfg(not(feature = "tracing"))]
pub(super) fn write<W: Future<Output = WriteResult> + Send>(_: &Shared, _: &Machine, writing: W) -> W {
    writing
}

#[cfg(feature = "tracing")]
fn report_write(document: &DocumentId, operations: usize, result: &WriteResult, began: Instant) {
    let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    match result {
        Ok(written) => {
            let revision = written.revision.0;
            tracing::debug!(target: "sp_sync", %document, operations, latency_us, outcome = "held", revision, "write");
        }
        Err(BackendError::Conflict) => {
            tracing::debug!(target: "sp_sync", %document, operations, latency_us, outcome = "conflict", "write");
        }
        Err(error) => {
            let outcome = kind(error);
            tracing::warn!(target: "sp_sync", %document, operations, latency_us, outcome, %error, "write");
        }
    }
}

#[cfg(feature = "tracing")]
fn kind(error: &BackendError) -> &'static str {
    match error {
        BackendError::Conflict => "conflict",
        BackendError::Unknown { .. } => "unknown",
        BackendError::RateLimited { .. } => "rate limited",
        BackendError::TooLarge { .. } => "too large",
        BackendError::Unavailable { .. } => "unavailable",
        BackendError::Refused { .. } => "refused",
        BackendError::TokenExpired => "token expired",
        BackendError::Fatal { .. } => "fatal",
    }
}

/// An action is handed over.
pub(super) fn started(shared: &Shared, start: &Start) {
    #[cfg(feature = "tracing")]
    {
        let Start { executor, id, attempt, item } = start;
        let (document, action) = (&shared.id, name(item));
        tracing::debug!(target: "sp_sync", %document, %executor, action, %id, attempt, "action started");
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (shared, start);
}

/// A handler has let go of its action.
pub(super) fn ended(shared: &Shared, ended: &Ended) {
    #[cfg(feature = "tracing")]
    {
        let Start { executor, id, attempt, item } = &ended.start;
        let (document, action) = (&shared.id, name(item));
        match &ended.ending {
            Ending::Finished { response, .. } => {
                let responds = response.is_some();
                tracing::debug!(target: "sp_sync", %document, %executor, action, %id, attempt, responds, "action finished");
            }
            Ending::Failed { failure, again, .. } => {
                let (code, again) = (&*failure.code, *again);
                tracing::warn!(target: "sp_sync", %document, %executor, action, %id, attempt, code, again, "action failed");
            }
            Ending::LetGo => {
                tracing::warn!(target: "sp_sync", %document, %executor, action, %id, attempt, "action let go unfinished");
            }
            Ending::Unseen => {
                tracing::debug!(target: "sp_sync", %document, %executor, action, %id, attempt, "action not looked at");
            }
        }
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (shared, ended);
}

#[cfg(feature = "tracing")]
fn name(item: &crate::document::Item) -> &str {
    item.action().map_or("", crate::action::Action::name)
}

/// Something came back from the backend. Writes report themselves.
pub(super) fn happened(shared: &Shared, happened: &Happened) {
    #[cfg(feature = "tracing")]
    {
        let (doing, error) = match happened {
            Happened::Read(Err(error)) => ("reading", error),
            Happened::Watching(Err(error)) => ("beginning to watch", error),
            Happened::Changed(Some(Err(error))) => ("watching", error),
            _ => return,
        };
        let (document, outcome) = (&shared.id, kind(error));
        tracing::warn!(target: "sp_sync", %document, doing, outcome, %error, "backend failed");
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (shared, happened);
}

/// A notice is about to be told. Ends of actions and failures of writes have been reported in more detail.
pub(super) fn told(shared: &Shared, notice: &Notice) {
    #[cfg(feature = "tracing")]
    {
        let document = &shared.id;
        let notice = match notice {
            Notice::ActionRetried { .. } => return,
            Notice::ActionFailed { .. } => "ActionFailed",
            Notice::ActionExpired { .. } => "ActionExpired",
            Notice::MalformedAction { .. } => "MalformedAction",
            Notice::DuplicateRemoved { .. } => "DuplicateRemoved",
            Notice::CorruptArray { .. } => "CorruptArray",
            Notice::NoRoom { .. } => "NoRoom",
            Notice::ResponseDropped { .. } => "ResponseDropped",
            Notice::UnknownRespondTo { .. } => "UnknownRespondTo",
            Notice::ClaimLost { .. } => "ClaimLost",
            Notice::StartedOnceAndLost { .. } => "StartedOnceAndLost",
            Notice::TokenExpired => "TokenExpired",
            Notice::Refused { .. } => "Refused",
            Notice::BackendFailing { .. } => "BackendFailing",
            Notice::BackendWorking => "BackendWorking",
            Notice::Removed => "Removed",
        };
        tracing::info!(target: "sp_sync", %document, notice, "notice");
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (shared, notice);
}
