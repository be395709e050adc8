//! Operations of the application on their way into the document.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::lane::EndReply;
use crate::backend::{Revision, Ttl};
use crate::document::{Document, Item, Operation, Outcome};
use crate::error::{Error, Result};
use crate::id::{ActionId, Executor};

/// What a caller hears of its operation.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The revision that holds it.
    pub(crate) revision: Revision,
    /// What it did.
    pub(crate) outcome: Outcome,
    /// Ids given to its actions; none in plain mode.
    pub(crate) ids: Vec<ActionId>,
}

/// Where the answer goes. Nobody may be there any more: the operation is carried out nonetheless.
pub(crate) type Reply = oneshot::Sender<Result<Answer>>;

/// The place of an operation among those that wait; free again when it is answered (C58).
pub(crate) type Room = OwnedSemaphorePermit;

/// Who asked for an operation.
#[derive(Debug)]
pub(crate) enum Asker {
    /// Nobody waits for an answer.
    Nobody,
    /// A caller.
    Caller(Reply),
    /// The request of this key, which hears of its response instead.
    Request(u64),
    /// In plain mode: a handler whose response this is, and its executor's array.
    Responding(Executor, Arc<Item>, Option<EndReply>),
}

/// One operation that has been accepted and not answered.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) operation: Operation,
    pub(super) ttl: Ttl,
    pub(super) ids: Vec<ActionId>,
    pub(super) asker: Asker,
    /// Order of acceptance; tells whether a read was made after it.
    pub(super) seq: u64,
    pub(super) deadline: Instant,
    /// Number of the first write that carried it and whose answer was lost (C29).
    pub(super) in_doubt_since: Option<u64>,
    /// What it did in the write that carried it last.
    pub(super) outcome: Option<Result<Outcome>>,
    /// The failure that delays it, told if its time runs out.
    pub(super) delayed_by: Option<Error>,
    /// Operations that this client makes of itself have none; they are few.
    pub(super) room: Option<Room>,
}

/// The write on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) number: u64,
    /// The state it was made from.
    pub(super) base: (Revision, Arc<Document>),
    pub(super) document: Arc<Document>,
    pub(super) sent_at: Instant,
    /// How many of the operations waiting, from the front, it carries.
    pub(super) carried: usize,
    /// What the operations derived from the document did, in order.
    pub(super) derived: Vec<(Operation, Result<Outcome>)>,
}
