//! What can go wrong between here and the servers, and how the contract says it.

use serde::Deserialize;

use crate::backend::BackendError;

/// Why a request was not granted.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// There was no connection in time; nothing was sent.
    NotSent,
    /// Sent, or about to be, and no answer came.
    Unanswered(&'static str),
    /// No server takes such messages now: the stream's leader is being elected, or there is no such stream.
    NoResponders,
    /// The server does not allow this client to publish or subscribe to this.
    Denied(String),
    /// More bytes than the server takes in one message, headers included.
    TooLong { limit: usize },
    /// The condition of a write did not hold; nothing was stored.
    Conflict,
    /// A message was stored, but does not hold, and never will: another was stored before it.
    Void,
    /// JetStream refused it.
    Refused(Refusal),
    /// The answer could not be read.
    Undecodable(String),
    /// The backend was closed.
    Closed,
}

/// An error of JetStream's interface.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) code: u16,
    #[serde(default)]
    pub(super) err_code: u16,
    #[serde(default)]
    pub(super) description: String,
}

/// Numbers of JetStream's errors, as its server's `errors.json` lists them.
pub(super) mod code {
    pub(in super::super) const NO_PEERS: u16 = 10_005;
    pub(in super::super) const NOT_AVAILABLE: u16 = 10_008;
    pub(in super::super) const INSUFFICIENT_RESOURCES: u16 = 10_023;
    pub(in super::super) const NO_MESSAGE: u16 = 10_037;
    pub(in super::super) const NOT_ENABLED_FOR_ACCOUNT: u16 = 10_039;
    pub(in super::super) const INSUFFICIENT_STORAGE: u16 = 10_047;
    pub(in super::super) const MESSAGE_TOO_LONG: u16 = 10_054;
    pub(in super::super) const SEQUENCE_NOT_MATCHED: u16 = 10_063;
    pub(in super::super) const STREAM_NAME_IN_USE: u16 = 10_058;
    pub(in super::super) const NO_STREAM: u16 = 10_059;
    pub(in super::super) const WRONG_LAST_SEQUENCE: u16 = 10_071;
    pub(in super::super) const NO_CLUSTER: u16 = 10_074;
    pub(in super::super) const NOT_ENABLED: u16 = 10_076;
    pub(in super::super) const STORE_FAILED: u16 = 10_077;
    pub(in super::super) const SEALED: u16 = 10_109;
    pub(in super::super) const LAST_SEQUENCE_NOT_READY: u16 = 10_163;
    pub(in super::super) const WRONG_LAST_SEQUENCE_UNNAMED: u16 = 10_164;
}

impl Failure {
    /// JetStream's number for it, if it is JetStream's.
    pub(super) const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.err_code),
            _ => None,
        }
    }

    /// Whether the same read may succeed a moment later.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::NotSent | Self::Unanswered(_) | Self::NoResponders => true,
            Self::Refused(refusal) => refusal.code == 503 && !refusal.is_permanent(),
            Self::Conflict
            | Self::Void
            | Self::Denied(_)
            | Self::TooLong { .. }
            | Self::Undecodable(_)
            | Self::Closed => false,
        }
    }

    /// As the contract says it of a request that stores nothing, or that the servers surely did not carry out.
    pub(super) fn of_read(self, doing: &str) -> BackendError {
        let unavailable = |why: String| BackendError::Unavailable { doing: doing.into(), why, source: None };
        let fatal = |why: String| BackendError::Fatal { doing: doing.into(), why, source: None };
        match self {
            Self::NotSent => unavailable("there is no connection to a NATS server: are they up?".into()),
            Self::Unanswered(why) => unavailable(format!("{why}: is the stream's leader up?")),
            Self::NoResponders => unavailable(
                "no server answers for the bucket: its leader is being elected, fewer than half of its servers are up, or it \
                 was removed; `nats stream info` tells which"
                    .into(),
            ),
            Self::Conflict | Self::Void => BackendError::Conflict,
            Self::Denied(message) => BackendError::Refused {
                code: 403,
                message: format!("{message}: allow it to this user on the NATS servers; docs/server.md lists all that is needed"),
            },
            Self::TooLong { limit } => fatal(format!("the server takes messages of {limit} bytes at most")),
            Self::Undecodable(why) => fatal(format!("an answer cannot be understood: {why}")),
            Self::Closed => fatal("the backend was closed: open another".into()),
            Self::Refused(refusal) => match refusal.remedy() {
                Some(remedy) => fatal(format!("{}: {remedy}", refusal.words())),
                None if refusal.err_code == code::NOT_AVAILABLE => unavailable(format!(
                    "{}: are a majority of the NATS servers up? While they elect a leader it takes some seconds",
                    refusal.words()
                )),
                None => unavailable(refusal.words()),
            },
        }
    }

    /// As the contract says it of a write of a document of so many bytes.
    pub(super) fn of_write(self, doing: &str, size_bytes: usize, overhead: usize) -> BackendError {
        match self {
            Self::Unanswered(why) => BackendError::Unknown { why: format!("{doing}: {why}") },
            Self::Undecodable(why) => BackendError::Unknown { why: format!("{doing}: {why}") },
            Self::TooLong { limit } => {
                BackendError::TooLarge { size_bytes, limit_bytes: limit.saturating_sub(overhead) }
            }
            Self::Refused(refusal) if refusal.err_code == code::MESSAGE_TOO_LONG => BackendError::Fatal {
                doing: doing.into(),
                why:
                    "the stream takes shorter messages than when it was opened: raise its max-msg-size with \
                      `nats stream edit`, or open it again with a smaller document_bytes_max"
                        .into(),
                source: None,
            },
            other => other.of_read(doing),
        }
    }
}

impl Refusal {
    /// JetStream's words and number.
    fn words(&self) -> String {
        format!("{} ({})", self.description, self.err_code)
    }

    fn is_permanent(&self) -> bool {
        self.remedy().is_some()
    }

    /// What somebody has to do before it can work.
    fn remedy(&self) -> Option<&'static str> {
        match self.err_code {
            code::INSUFFICIENT_RESOURCES | code::INSUFFICIENT_STORAGE => Some(
                "the servers have no room left for JetStream: free some, or raise max_file_store or \
                 max_memory_store in their configuration",
            ),
            code::STORE_FAILED => Some(
                "the bucket is full or its disk is: raise its limit with `nats stream edit --max-bytes`, or free some",
            ),
            code::NOT_ENABLED | code::NOT_ENABLED_FOR_ACCOUNT => {
                Some("start the server with JetStream (`nats-server -js`), and enable it for the account")
            }
            code::NO_STREAM => Some("the bucket was removed: open it again to make it anew"),
            code::SEALED => Some("the bucket was sealed: use another"),
            _ => None,
        }
    }
}
