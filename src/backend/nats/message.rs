//! What a message of the stream says, and how a document becomes one.
//!
//! The value is the document's plain JSON, so that `nats kv get` shows it. When it was made, written, and expires stands
//! in headers, in milliseconds of the server's clock.

use std::sync::Arc;

use async_nats::HeaderMap;
use serde::Deserialize;

use crate::backend::{BackendError, BackendTime, Revision, Stored};
use crate::document::Document;
use crate::time::Timestamp;

const CREATED: &str = "Sp-Created";
const WRITTEN: &str = "Sp-Written";
const EXPIRES: &str = "Sp-Expires";

/// The key-value convention's mark of a removed key.
const OPERATION: &str = "KV-Operation";

/// What the server adds to what it repeats.
const SEQUENCE: &str = "Nats-Sequence";
const LAST_SEQUENCE: &str = "Nats-Last-Sequence";

/// The condition of a write: sequence of the newest message of its subject, 0 for none.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// Of messages with the same one the server stores the first, within two minutes.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// What stands under a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Sequence of the newest message, 0 when there is none.
    pub(super) seq: u64,
    /// The document, expired or not; `None` when the key was removed or never written.
    pub(super) stored: Option<Stored>,
}

impl Found {
    /// The document, unless it has expired.
    pub(super) fn alive(&self, now: BackendTime) -> Option<&Stored> {
        self.stored.as_ref().filter(|stored| stored.expires.is_none_or(|end| end > now))
    }
}

/// When a document was made and written, and when it expires.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) created: Option<BackendTime>,
    pub(super) written: Option<BackendTime>,
    pub(super) expires: Option<BackendTime>,
}

impl Times {
    fn of(header: impl Fn(&str) -> Option<u64>) -> Self {
        let time = |name| header(name).map(BackendTime);
        Self { created: time(CREATED), written: time(WRITTEN), expires: time(EXPIRES) }
    }

    /// The document with these times; what is not known is `at`.
    pub(super) fn stored(self, seq: u64, document: Arc<Document>, at: BackendTime) -> Stored {
        let updated = self.written.unwrap_or(at);
        let created = self.created.unwrap_or(updated);
        Stored { revision: Revision(seq), document, expires: self.expires, created, updated, at }
    }
}

/// Headers of a message that is stored when nothing but `expected` stands under its key.
///
/// In a cluster, server 2.9 compares the sequence before it proposes a message to the replicas, and not again when they
/// store it: of fifty writes that expect the same revision and come together, all fifty hold. It does look at the
/// message's id when it stores it. A sequence belongs to one key of the stream and is expected by those who would follow
/// it, so it is their id: the first is stored, the others are told that they are duplicates. One that comes later is
/// refused by the comparison. That nothing stands under a key (0) is looked at when it is stored.
fn conditional(expected: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED, expected.to_string());
    if expected > 0 {
        headers.insert(MESSAGE_ID, format!("after-{expected}"));
    }
    headers
}

/// Headers of a document.
pub(super) fn of_document(expected: u64, times: Times) -> HeaderMap {
    let mut headers = conditional(expected);
    let named = [(CREATED, times.created), (WRITTEN, times.written), (EXPIRES, times.expires)];
    for (name, time) in named.into_iter().filter_map(|(name, time)| Some((name, time?))) {
        headers.insert(name, time.0.to_string());
    }
    headers
}

/// Headers of the mark that a document was removed.
pub(super) fn of_removal(expected: u64, now: BackendTime) -> HeaderMap {
    let mut headers = conditional(expected);
    headers.insert(OPERATION, "DEL");
    headers.insert(WRITTEN, now.0.to_string());
    headers
}

/// Headers of a turn that is taken by whoever comes first.
pub(super) fn of_turn(expected: u64) -> HeaderMap {
    conditional(expected)
}

/// What headers say, the value apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) is_removal: bool,
    pub(super) times: Times,
}

impl Said {
    pub(super) fn by(headers: Option<&HeaderMap>) -> Self {
        let Some(headers) = headers else { return Self { is_removal: false, times: Times::default() } };
        let number = |name: &str| headers.get(name).and_then(|value| value.as_str().parse().ok());
        Self { is_removal: headers.get(OPERATION).is_some(), times: Times::of(number) }
    }

    /// The same from the bytes in which the server stores them: a status line, then a header a line.
    fn by_bytes(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let header = |name: &str| {
            let mut lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
        };
        let number = |name: &str| header(name).and_then(|value| value.parse().ok());
        Self { is_removal: header(OPERATION).is_some(), times: Times::of(number) }
    }
}

/// Numbers of a republished message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) seq: u64,
    /// Sequence of the message before it under the same key, 0 when there was none.
    pub(super) before: u64,
}

impl Place {
    /// `None` when the server did not repeat it: somebody published on its subject.
    pub(super) fn of(headers: Option<&HeaderMap>) -> Option<Self> {
        let number = |name: &str| headers?.get(name)?.as_str().parse().ok();
        Some(Self { seq: number(SEQUENCE)?, before: number(LAST_SEQUENCE)? })
    }
}

/// A message as the server reads it out.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    pub(super) seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: String,
}

impl Raw {
    /// The server's time when it was stored.
    pub(super) fn time(&self) -> Option<BackendTime> {
        let ms = Timestamp::parse(&self.time)?.unix_ms();
        u64::try_from(ms).ok().map(BackendTime)
    }

    /// The state of its key.
    ///
    /// # Errors
    /// When the value is no document; see [`document`].
    pub(super) fn found(&self, key: &str, at: BackendTime) -> Result<Found, BackendError> {
        let undecodable = |error: data_encoding::DecodeError| damaged(key, &error.to_string());
        let base64 = |text: &str| data_encoding::BASE64.decode(text.as_bytes()).map_err(undecodable);
        let mut said = Said::by_bytes(&base64(&self.hdrs)?);
        if said.is_removal {
            return Ok(Found { seq: self.seq, stored: None });
        }
        said.times.written = said.times.written.or_else(|| self.time());
        let document = document(key, &base64(&self.data)?)?;
        Ok(Found { seq: self.seq, stored: Some(said.times.stored(self.seq, document, at)) })
    }
}

/// The document of a value.
///
/// # Errors
/// When it is no JSON object: `nats kv put` can store anything.
pub(super) fn document(key: &str, value: &[u8]) -> Result<Arc<Document>, BackendError> {
    let text = std::str::from_utf8(value).map_err(|error| damaged(key, &error.to_string()))?;
    let document = Document::from_shared(&text.into()).map_err(|error| damaged(key, &error.to_string()))?;
    Ok(Arc::new(document))
}

fn damaged(key: &str, why: &str) -> BackendError {
    BackendError::Fatal {
        doing: format!("reading the key `{key}`"),
        why: format!(
            "{why}: it was not written by this crate; remove it with `nats kv del` or write it anew"
        ),
        source: None,
    }
}
