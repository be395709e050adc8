//! What a refusal of the service means for the contract.
//!
//! | answer | to a read | to a write |
//! |---|---|---|
//! | 401 | `TokenExpired` for 20104, 51207 and without a reason, else `Refused` | the same |
//! | 403, any other 4xx | `Refused` with the service's number | the same |
//! | 404 | no document | `Conflict`: the document is gone |
//! | 409, 412 | – | `Conflict` |
//! | 413 | `Refused` | `TooLarge` |
//! | 429 | `RateLimited`: it was not carried out | the same |
//! | 503 | repeated, then `Unavailable` | `Unavailable`: it was not carried out |
//! | 500, 502, 504, no answer | repeated, then `Unavailable` (500: at once) | `Unknown`: whoever failed may have carried it out before |

use crate::backend::BackendError;
use crate::twilsock::client_session::RequestError;
use crate::twilsock::message::{Refusal, Response};
use crate::twilsock::sync::SyncError;

/// Whether a request changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// Numbers of the service for a token that was good once.
const EXPIRED: [u32; 2] = [20_104, 51_207];

/// What an answer without success means. 404 has been looked at already where it means something.
pub(super) fn of_response(response: &Response, kind: Kind, doing: &str) -> BackendError {
    let SyncError { status, code, message } =
        SyncError::of(response).unwrap_or_else(|| SyncError { status: 500, code: 0, message: String::new() });
    let why = || match message.is_empty() {
        true => format!("the service answers {status}"),
        false => format!("the service answers {status}: {message} ({code})"),
    };
    match (status, kind) {
        (404 | 409 | 412, Kind::Write) => BackendError::Conflict,
        (401, _) => of_token(code, &message),
        (429, _) => BackendError::RateLimited { retry_after: None },
        (500 | 502 | 504, Kind::Write) => BackendError::Unknown { why: why() },
        (500.., _) => unavailable(doing, why()),
        _ => BackendError::Refused {
            code: if code == 0 { i64::from(status) } else { i64::from(code) },
            message: if message.is_empty() { why() } else { message },
        },
    }
}

/// What it means that there is no answer.
pub(super) fn of_request(
    error: &RequestError,
    kind: Kind,
    doing: &str,
    trouble: Option<&str>,
) -> BackendError {
    match (error, kind) {
        (RequestError::Unknown, Kind::Write) => BackendError::Unknown { why: error.to_string() },
        (RequestError::Refused(refusal), _) => match (refusal.status.code, kind) {
            (401 | 403, _) => of_session(refusal),
            (429, _) => BackendError::RateLimited { retry_after: refusal.backoff.map(|policy| policy.min()) },
            (500.., Kind::Write) => BackendError::Unknown { why: error.to_string() },
            _ => unavailable(doing, error.to_string()),
        },
        _ => match trouble {
            Some(trouble) => {
                unavailable(doing, format!("{error}; {trouble}; the next attempt comes by itself"))
            }
            None => unavailable(doing, format!("{error}; it is tried again for as long as it is wanted")),
        },
    }
}

/// What it means that the service does not open a session with this token.
pub(super) fn of_session(refusal: &Refusal) -> BackendError {
    let message = refusal.status.description.clone().unwrap_or_else(|| refusal.status.status.to_string());
    match refusal.status.error_code {
        None if refusal.status.code == 403 => BackendError::Refused { code: 403, message },
        code => of_token(code.unwrap_or(0), &message),
    }
}

fn of_token(code: u32, message: &str) -> BackendError {
    if code == 0 || EXPIRED.contains(&code) {
        return BackendError::TokenExpired;
    }
    BackendError::Refused { code: i64::from(code), message: message.to_owned() }
}

pub(super) fn unavailable(doing: &str, why: String) -> BackendError {
    BackendError::Unavailable { doing: doing.to_owned(), why, source: None }
}

/// Whether the same read may succeed soon.
pub(super) fn may_pass(answer: &Result<Response, RequestError>) -> bool {
    match answer {
        Ok(response) => matches!(response.code, 502..=504),
        Err(error) => *error == RequestError::Unknown,
    }
}
