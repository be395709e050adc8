//! What a session wants done, and what it tells.

use super::super::frame::Encoded;
use super::super::message::{Accepted, Notification, Refusal, Response};

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Open a socket; report with the number of this attempt.
    Connect(u64),
    /// Send this frame on the open socket, as one binary websocket message.
    Send(Encoded),
    /// Send this frame before the next other one, and within some milliseconds. It acknowledges something, for which
    /// nobody waits: it may leave together with what is sent anyway.
    Acknowledge(Encoded),
    /// Close the socket of this attempt; nothing that it says from now on is heard.
    Drop(u64),
    /// A session is open: establish all subscriptions anew.
    Opened(Box<Accepted>),
    /// The session that was open is not any more: subscriptions are gone.
    Lost,
    /// The end of a request.
    Answer(Ticket, Result<Response, RequestError>),
    /// Something happened.
    Notification(Notification),
    /// Get another token; give it to [`ClientSession::install_token`](super::ClientSession::install_token).
    TokenWanted(TokenWanted),
    /// Why a connection failed or was given up. It is tried again without being asked.
    Trouble(Trouble),
}

/// Which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// Why a request has no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was never sent: no connection in time.
    #[error("the request was not sent: no connection in time")]
    NotSent,
    /// It was never sent: too many wait.
    #[error("the request was not sent: too many wait")]
    TooMany,
    /// It was never sent: the session is closed.
    #[error("the request was not sent: the session is closed")]
    Closed,
    /// It was sent and no answer came: it may have been carried out, or may still be.
    #[error("the request was sent, its answer did not come")]
    Unknown,
    /// The transport refused to carry it out.
    #[error("the request was refused with {} {}", .0.status.code, .0.status.status)]
    Refused(Refusal),
}

/// Why another token is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenWanted {
    /// The session goes on, for some minutes.
    AboutToExpire,
    /// The session ended with it.
    Expired,
    /// The server did not accept it.
    Refused(Refusal),
}

/// Why a connection failed or was given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No socket could be opened, or it was closed without a word.
    #[error("no connection could be made in time, or it was closed without a word")]
    Socket,
    /// No answer to `init` or `update`, or no frame at all, for too long.
    #[error("the service was silent for too long")]
    Silent,
    /// The server sent what is no frame.
    #[error("the service sent what is no frame: look whether this is its address")]
    Unreadable,
    /// The server refused the session, or ended it.
    #[error(
        "the service refused the session with {} {}{}",
        .0.status.code,
        .0.status.status,
        .0.status.description.as_ref().map(|description| format!(": {description}")).unwrap_or_default()
    )]
    Refused(Refusal),
    /// The server ended the session without a reason.
    #[error("the service ended the session without a reason")]
    Ended,
    /// The caller asked for a new connection.
    #[error("the connection is being made anew")]
    Asked,
}
