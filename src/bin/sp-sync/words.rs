//! The library speaks to programmers; here its refusals are put into the words of the command line.

use sp_sync::Error;
use sp_sync::backend::BackendError;

/// What a refusal or failure means for whoever typed the command. Says no more about values than the error does (C64).
pub(crate) fn told(error: &Error) -> String {
    match error {
        Error::NotAnObject { what, found } => format!("{} must be a JSON object, not {found}", subject(what)),
        Error::Reserved { what, key, instead } => {
            let instead = match key.as_str() {
                "_sp" => "it is the bookkeeping of sp-sync",
                key if key.ends_with("Actions") => {
                    "actions are added with `sp-sync add`, and leave with `take`, `withdraw` or `clear`"
                }
                _ => instead,
            };
            format!("{} may not contain the key `{key}`: {instead}", subject(what))
        }
        Error::CorruptArray { executor, found } => format!(
            "`{executor}Actions` holds {found}, not an array: `sp-sync clear DOC {executor}` empties it on purpose"
        ),
        Error::Full { executor, waiting, limit } => format!(
            "{waiting} actions already wait for `{executor}`, the limit is {limit}: `take`, `withdraw` or `clear` some first"
        ),
        Error::NotFound { document } => format!(
            "there is no document `{document}`: it was removed or has expired; `sp-sync set {document}` makes it"
        ),
        Error::Invalid { what: "document id", why } if why.contains("bare SID") => {
            "it looks like a bare SID: put `Session_` or `Proctor_Room_` before it".into()
        }
        Error::Invalid { what: "request", why } => match why.split_once(" does not answer") {
            Some((action, _)) => format!("{action} does not answer: leave --respond-to out"),
            None => why.clone(),
        },
        Error::Backend { .. } => on_store(&error.to_string()),
        other => match (place(other), other.to_string()) {
            (Some(index), message) => without_place(&message, index),
            (None, message) => message,
        },
    }
}

/// The same for a failure of the store itself.
pub(crate) fn told_of_store(error: &BackendError) -> String {
    on_store(&error.to_string())
}

/// What the library says of a bucket that was never made.
const UNMADE: &str = "open it with create(true)";

/// Whether the store could not be opened because it was never made.
#[cfg(feature = "server")]
pub(crate) fn is_unmade(error: &BackendError) -> bool {
    matches!(error, BackendError::Fatal { why, .. } if why.contains(UNMADE))
}

/// Commands that only read do so by themselves; there is no option for it.
fn on_store(message: &str) -> String {
    message.replace(", or open it with read_only", "").replace("with ca_file", "with --ca").replace(
        UNMADE,
        "make it with `sp-sync set DOC --create` (?replicas=3 in the address keeps three copies)",
    )
}

/// Which of the actions given the error is about, from 0; `None` when it is about none of them.
pub(crate) fn place(error: &Error) -> Option<usize> {
    match error {
        Error::UnknownAction { index, .. }
        | Error::MissingField { index, .. }
        | Error::UnknownField { index, .. }
        | Error::WrongType { index, .. }
        | Error::OutOfRange { index, .. } => Some(index.unwrap_or(0)),
        Error::Reserved { what, .. } => match what.strip_prefix("info of ")?.split_once(" (index ") {
            Some((_, index)) => index.strip_suffix(')')?.parse().ok(),
            None => Some(0),
        },
        _ => None,
    }
}

/// The file and its line, or the command line itself, say which one it is.
fn without_place(message: &str, index: usize) -> String {
    message.strip_prefix(&format!("action {index} of the batch: ")).unwrap_or(message).to_owned()
}

/// What was given, where the library names one of its functions.
fn subject(what: &str) -> String {
    let alone = what.split_once(" (index ").map_or(what, |(action, _)| action);
    if let Some(action) = alone.strip_prefix("info of ").or_else(|| alone.strip_prefix("response to ")) {
        return format!("the fields of `{action}`");
    }
    match what {
        "unset" => "the keys to remove".into(),
        "set_sync data" => "the data".into(),
        other => format!("the {other}"),
    }
}
