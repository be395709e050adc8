//! What the machine wants done, and what it tells.

use crate::backend::{BackendError, Change, Stored, Written};
use crate::id::DocumentId;
use crate::twilsock::frame::Encoded;

/// Something to do.
#[derive(Clone, Debug)]
pub(in super::super) enum Output {
    /// Open a socket; report with the number of this attempt.
    Connect(u64),
    /// Send this frame on the open socket.
    Send(Encoded),
    /// The same, with the next other frame or soon.
    Acknowledge(Encoded),
    /// Close the socket of this attempt.
    Drop(u64),
    /// The service has said that the token in use is about to end.
    TokenEnds,
    /// The end of a call.
    Settled(Call, Result<Settled, BackendError>),
    /// News for all who watch this name; no more after an error.
    Told(DocumentId, Result<Change, BackendError>),
}

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) struct Call(pub(in super::super) u64);

/// How a call ended.
#[derive(Clone, Debug)]
pub(in super::super) enum Settled {
    /// What was read.
    Read(Option<Stored>),
    /// A write held.
    Written(Written),
    /// Whether there was something to remove.
    Removed(bool),
    /// The present state has been told; from now on every later one is.
    Watching,
}
