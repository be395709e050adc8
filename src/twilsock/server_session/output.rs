//! What a session wants done, and what it is told of tokens.

use std::time::Duration;

use super::super::frame::Encoded;
use super::super::message::{AccountDescriptor, ContinuationStatus, Init, Refusal, Request};
use crate::token::Token;

/// Something to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this frame, as one binary websocket message.
    Send(Encoded),
    /// Check this token; report with [`ServerSession::token_checked`](super::ServerSession::token_checked).
    CheckToken {
        /// To be given back.
        check: Check,
        /// The token.
        token: Token,
        /// What it is for.
        asking: Asking,
    },
    /// Carry out this request; report with [`ServerSession::respond`](super::ServerSession::respond).
    Request {
        /// To be given back.
        id: String,
        /// What to do.
        request: Request,
    },
    /// Close the socket. Nothing comes after it.
    Cut(End),
}

/// Which check of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check(pub(super) u64);

/// What a token is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Asking {
    /// To open the session; with all that the client says of itself.
    Init(Box<Init>),
    /// To go on with it. Whether it is of the same account, service and identity is the session's to see.
    Update,
}

/// What became of a token.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is good.
    Accepted(Box<Admission>),
    /// It is not: 401 with the exact reason, or 403, or 429 with a time to come back. Twilsock: a `reply` says so, not a
    /// `close`, because the JavaScript SDK tells its application only of the former.
    Refused(Refusal),
}

/// What a good token opens.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Whose it is.
    pub account: AccountDescriptor,
    /// How long it is good, if it ends.
    pub lasts: Option<Duration>,
    /// To be presented next time. Not looked at when a token is updated, as what follows.
    pub continuation_token: Option<String>,
    /// What became of the one presented.
    pub continuation_status: Option<ContinuationStatus>,
    /// Name of the JavaScript SDK's cache: specific to service and identity.
    pub storage_id: Option<String>,
}

/// Why a socket is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// No first frame came.
    InitLate,
    /// The client said so.
    ByClient,
    /// The session was ended with a word, which was sent.
    Closed,
    /// The client did not acknowledge in time.
    NotAcknowledged,
    /// The client left too many frames unacknowledged.
    TooManyUnacknowledged,
    /// The token ended, and the setting is to say nothing.
    TokenExpired,
}
