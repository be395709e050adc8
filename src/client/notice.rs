//! What a client reports beside documents and actions.

use std::time::Duration;

use crate::action::Action;
use crate::document::{Dropped, Failure};
use crate::error::Error;
use crate::id::{ActionId, Executor};

/// Something an operator or developer may want to know. Values of actions are inside [`Action`], whose `Debug` shows
/// none of them (C64).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// An action was given up: its handler failed as often as it may, or refused it for good (C42). The next one
    /// starts.
    ActionFailed {
        /// Whose action.
        executor: Executor,
        /// The action.
        action: Action,
        /// Its identity.
        id: ActionId,
        /// Attempts made.
        attempts: u32,
        /// The last failure.
        failure: Failure,
    },
    /// A handler failed; the action will be tried again (C42).
    ActionRetried {
        /// Whose action.
        executor: Executor,
        /// The action.
        action: Action,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When it will be tried again.
        after: Duration,
    },
    /// An action was removed without running because its time was over (C43).
    ActionExpired {
        /// Whose action.
        executor: Executor,
        /// The action.
        action: Action,
    },
    /// An element that is no action was removed (C45).
    MalformedAction {
        /// In whose array it lay.
        executor: Executor,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// An action that this client had finished, or that is being carried out, had reappeared and was removed without
    /// running (C61).
    DuplicateRemoved {
        /// Whose action.
        executor: Executor,
        /// Its identity.
        id: ActionId,
    },
    /// An executor's array holds something else; it is left as it is (C14).
    CorruptArray {
        /// Whose array.
        executor: Executor,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// Somebody has filled the document so far that not even one of the waiting actions can be taken. They wait until
    /// there is room (C55).
    NoRoom {
        /// Whose actions.
        executor: Executor,
        /// Bytes the document would have.
        size_bytes: usize,
        /// Bytes it may have.
        limit_bytes: usize,
    },
    /// A response could not be appended: nobody reads it, or it does not fit.
    ResponseDropped {
        /// Where it should have gone.
        executor: Executor,
        /// Name of the action that was answered.
        action: String,
        /// Why.
        why: Dropped,
    },
    /// A request asked for its response at something that is no executor; the handler runs, the response is dropped
    /// (C54).
    UnknownRespondTo {
        /// Name of the action.
        action: String,
        /// What stood there.
        respond_to: String,
    },
    /// Another client took over a claim of this one, which had not been renewed in time; its handler is cancelled.
    ClaimLost {
        /// Whose action.
        executor: Executor,
        /// Its identity.
        id: ActionId,
    },
    /// At-most-once actions whose holder fell silent after starting them: they may or may not have run, and are gone.
    StartedOnceAndLost {
        /// Whose actions.
        executor: Executor,
        /// Their identities.
        ids: Vec<ActionId>,
    },
    /// The access token has expired and no new one could be had (C8).
    TokenExpired,
    /// The identity was refused, or another client took its place (C63). Calls fail with it at once. A right that lacks is
    /// asked for again, after half a minute at first and every two minutes later; a token that is refused and a place that
    /// is taken wait for another token.
    Refused {
        /// The backend's code.
        code: i64,
        /// The backend's words.
        message: String,
    },
    /// The backend cannot be reached, or cannot work; the client keeps trying.
    BackendFailing {
        /// The failure.
        error: Error,
    },
    /// The backend works again, or allows what it had refused.
    BackendWorking,
    /// The document was removed or has expired. All streams end.
    Removed,
}
