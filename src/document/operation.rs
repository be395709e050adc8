//! What may be done to a document, as data: when a conditional write loses, the same operations are applied to the
//! newer document.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::item::{Failure, Item};
use crate::error::{Dropped, Error};
use crate::id::{ActionId, Executor};
use crate::limits::{ATTEMPTS_MAX, BOOKKEEPING_RESERVE_BYTES, DOCUMENT_BYTES_MAX, RUN_MAX, WAITING_MAX};

/// One change of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Replaces each key given, leaves the others (C12).
    Merge(Arc<Map<String, Value>>),
    /// Removes these application keys (C12).
    Unset(Vec<String>),
    /// Replaces all application keys, leaves arrays and bookkeeping (C13).
    Replace(Arc<Map<String, Value>>),
    /// Empties an executor's array, whatever stands there (C13).
    ClearActions(Executor),
    /// Appends actions, all or none, in order (C23). Responses after a `detach` come this way too.
    Enqueue(Vec<(Executor, Arc<Item>)>),
    /// Removes an action that has not been taken (C30).
    Withdraw(ActionId),
    /// Removes one response that this client waits for, wherever it stands in the array (C51).
    TakeResponse {
        /// Whose array it is in.
        executor: Executor,
        /// The response as it was seen.
        item: Arc<Item>,
    },
    /// Moves a run from the front of the array to the claims (C38), and says that this client takes what comes next. In
    /// plain mode it removes the run (C46).
    Claim {
        /// Whose array.
        executor: Executor,
        /// A prefix never used before: actions without an id get `<fresh>` and a number.
        fresh: Arc<str>,
        /// Responses to other clients that have lain for a lease, free for anybody (C51).
        released: Vec<ActionId>,
    },
    /// Moves what was just added from the array to the claims of whoever has said that it takes what comes next. The
    /// adder writes it when it has seen that client at work within a moment, and so saves it a write of its own.
    HandOver {
        /// Whose array.
        executor: Executor,
        /// Who has said so; if it is another now, nothing is done.
        to: Arc<str>,
    },
    /// Says that this client no longer takes what comes next.
    StepBack(Executor),
    /// Takes over claims that have not changed for a lease, or that this client kept over a restart (C40).
    TakeOver {
        /// Whose claims.
        executor: Executor,
        /// The oldest claim as it was seen; if it looks otherwise now, nothing is done.
        mark: Mark,
    },
    /// Shows that the holder is alive: `t` grows on its claims (C40).
    Renew(Executor),
    /// Counts a further attempt of a claimed action (C42).
    Retry {
        /// Whose claim.
        executor: Executor,
        /// Which action.
        id: ActionId,
        /// The attempt that failed: repeating the operation counts it once.
        failed: u32,
    },
    /// Lets an at-most-once action be started: from now on nobody can run it again (C41).
    StartOnce {
        /// Whose claim.
        executor: Executor,
        /// Which action.
        id: ActionId,
    },
    /// Removes a claim and appends the response, if any (C39). Nothing when the claim is not this client's.
    Finish {
        /// Whose claim.
        executor: Executor,
        /// Which action.
        id: ActionId,
        /// Where the response goes, and the response.
        response: Option<Response>,
    },
    /// Returns this client's claims to the front of the array, in order (C44).
    ///
    /// A client that has begun to give back repeats it until it has seen that it holds nothing, and starts no handler of
    /// this executor before: a write whose answer was lost may still land, and would return as not begun what was
    /// started meanwhile.
    GiveBack {
        /// Whose claims.
        executor: Executor,
        /// The action whose handler had been started, if any, and how many attempts of it have begun.
        started: Option<(ActionId, u32)>,
        /// An at-most-once action whose start was recorded and that nobody has seen: of its claim only the id is left.
        unseen: Option<Arc<Item>>,
    },
    /// In plain mode: returns actions that were taken and not started to the front of the array (C44, C46).
    PutBack {
        /// Whose array.
        executor: Executor,
        /// The actions, oldest first.
        items: Vec<Arc<Item>>,
    },
}

/// A response and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Whose array takes it: the request's `respondTo` (C49).
    pub executor: Executor,
    /// The response.
    pub item: Arc<Item>,
}

/// A claim as an observer saw it. While it looks the same, its holder has not been heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Holder.
    pub by: Arc<str>,
    /// Action.
    pub id: Option<ActionId>,
    /// Attempt.
    pub n: u32,
    /// Renewals.
    pub t: u64,
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There was nothing to do: the document already was as asked, or what was named is not there (any more).
    Nothing,
    /// A run was taken.
    Taken(Taken),
    /// Somebody else holds claims of this executor (C38).
    HeldByAnother,
    /// The claim was removed; the response could not be appended.
    ResponseDropped(Dropped),
    /// At-most-once actions whose holder fell silent after starting them, or that no longer fit into the document:
    /// they may or may not have run, and are gone.
    TakenOver {
        /// Their ids.
        lost: Vec<ActionId>,
    },
}

/// What `Claim` took out of the array.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// Actions, in order. With bookkeeping they are now claims; in plain mode they exist only here.
    pub items: Vec<Arc<Item>>,
    /// Elements that are no actions, removed (C45).
    pub malformed: Vec<Arc<Item>>,
    /// Copies of actions that are claimed already, removed (C61).
    pub duplicates: Vec<Arc<Item>>,
}

impl Response {
    /// The executor and the name of the action answered, for a notice.
    pub(crate) fn describes(&self) -> (Executor, String) {
        let action = self.item.action().map(|action| action.name().to_owned()).unwrap_or_default();
        (self.executor.clone(), action)
    }

    /// What a handler hears of a response that was left out.
    pub(crate) fn dropped(&self, why: Dropped) -> Error {
        let (executor, action) = self.describes();
        Error::ResponseDropped { action, executor: executor.to_string(), why }
    }
}

/// Who writes, for the bookkeeping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// `<identity>#<instance>`.
    pub by: Arc<str>,
    /// The instance alone.
    pub instance: Arc<str>,
    /// Number of this write; grows by one with every attempt to write. A client that kept its instance over a restart
    /// starts well above the number it finds in the document, so that no write of its earlier life that is still on
    /// its way is taken for one of this life by [`resolve`](super::resolve).
    pub number: u64,
    /// Writes no bookkeeping at all (C46).
    pub plain: bool,
}

/// Bounds that operations keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of compact JSON (C55).
    pub document_bytes_max: usize,
    /// Bytes kept free while actions wait or run.
    pub reserve_bytes: usize,
    /// Actions waiting per executor (C56).
    pub waiting_max: usize,
    /// Actions taken by one write (C38).
    pub run_max: usize,
    /// Attempts of one action (C42).
    pub attempts_max: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            document_bytes_max: DOCUMENT_BYTES_MAX,
            reserve_bytes: BOOKKEEPING_RESERVE_BYTES,
            waiting_max: WAITING_MAX,
            run_max: RUN_MAX,
            attempts_max: ATTEMPTS_MAX,
        }
    }
}

impl Operation {
    /// What the application called it, for errors.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Merge(_) => "set_sync",
            Self::Unset(_) => "unset",
            Self::Replace(_) => "replace_sync",
            Self::ClearActions(_) => "clear_actions",
            Self::Enqueue(_) => "add_actions",
            Self::Withdraw(_) => "withdraw",
            Self::TakeResponse { .. } => "taking a response",
            Self::Claim { .. } => "taking actions",
            Self::HandOver { .. } => "handing actions over",
            Self::StepBack(_) => "taking no more",
            Self::TakeOver { .. } => "taking over claims",
            Self::Renew(_) => "renewing claims",
            Self::Retry { .. } => "counting an attempt",
            Self::StartOnce { .. } => "starting an action",
            Self::Finish { .. } => "finishing an action",
            Self::GiveBack { .. } | Self::PutBack { .. } => "giving actions back",
        }
    }
}

impl Failure {
    /// A failure with a code for programs and a sentence for people.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}
