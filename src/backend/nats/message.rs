//! What a message of the stream says, and how a document becomes one.
//!
//! The value is the document's plain JSON, so that `nats kv get` shows it. When it was made, written, and expires stands
//! in one header, in milliseconds of the server's clock; and what the message stands on in another, see
//! [`chain`](super::chain). Those that the server adds when it repeats a message make seven: one more, and every reader's
//! table of them would be twice as large.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use serde::Deserialize;

use super::chain::{Basis, Chained, Claim};
use super::failure::Failure;
use crate::backend::{BackendError, BackendTime, Revision, Stored};
use crate::document::Document;
use crate::limits::NATS_TTL_SLACK;
use crate::time::Timestamp;

/// Two or three numbers: made, written, expires.
const TIMES: &str = "Sp-Times";
const AFTER: &str = "Sp-After";
const OVER: &str = "Sp-Over";

/// The key-value convention's mark of a removed key.
const OPERATION: &str = "KV-Operation";

/// What the server adds to what it repeats.
const SEQUENCE: &str = "Nats-Sequence";
const LAST_SEQUENCE: &str = "Nats-Last-Sequence";

/// The condition of a write: sequence of the newest message of its subject, 0 for none.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// Seconds after which the server removes a message, where the stream allows it (2.11 and later).
const TIME_TO_LIVE: &str = "Nats-TTL";

/// What stands under a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Sequence of the message that stands, 0 when none does.
    pub(super) seq: u64,
    /// Whether it is a document, expired or not, rather than the mark that one was removed.
    pub(super) is_document: bool,
    /// Sequence of the newest message, which may be void.
    pub(super) tail: u64,
    /// The document, unless it is known to have expired.
    pub(super) stored: Option<Stored>,
}

impl Found {
    /// The document, unless it has expired.
    pub(super) fn alive(&self, now: BackendTime) -> Option<&Stored> {
        self.stored.as_ref().filter(|stored| stored.expires.is_none_or(|end| end > now))
    }

    /// What a message stands on that follows this.
    pub(super) const fn basis(&self) -> Basis {
        let claim = if self.is_document { Claim::After(self.seq) } else { Claim::Over(self.seq) };
        Basis { claim, tail: self.tail }
    }
}

/// When a document was made and written, and when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) created: BackendTime,
    pub(super) written: BackendTime,
    pub(super) expires: Option<BackendTime>,
}

impl Times {
    /// Of what a stranger put there, all that is known is when.
    pub(super) const fn at(time: BackendTime) -> Self {
        Self { created: time, written: time, expires: None }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut times = text.split(' ').map(|time| time.parse().map(BackendTime));
        let (created, written) = (times.next()?.ok()?, times.next()?.ok()?);
        let expires = times.next().transpose().ok()?;
        Some(Self { created, written, expires })
    }

    /// The document with these times.
    pub(super) const fn stored(self, seq: u64, document: Arc<Document>, at: BackendTime) -> Stored {
        let Self { created, written: updated, expires } = self;
        Stored { revision: Revision(seq), document, expires, created, updated, at }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.created.0, self.written.0)?;
        self.expires.map_or(Ok(()), |end| write!(f, " {}", end.0))
    }
}

/// Headers of a message that stands on something.
///
/// One server compares the sequence and stores the message in one step, also where nothing stands (0). In a cluster
/// that a subject has no message yet is compared where the replicas store, which must refuse nothing; see
/// [`chain`](super::chain).
fn standing_on(basis: Basis, is_replicated: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if basis.tail > 0 || !is_replicated {
        headers.insert(EXPECTED, basis.tail.to_string());
    }
    match basis.claim {
        Claim::Anything => {}
        Claim::After(seq) => headers.insert(AFTER, seq.to_string()),
        Claim::Over(seq) => headers.insert(OVER, seq.to_string()),
    }
    headers
}

/// Headers of a document.
pub(super) fn of_document(basis: Basis, is_replicated: bool, times: Times) -> HeaderMap {
    let mut headers = standing_on(basis, is_replicated);
    headers.insert(TIMES, times.to_string());
    headers
}

/// Lets the server remove a document by itself, some time after it expires.
pub(super) fn let_end(headers: &mut HeaderMap, expires: BackendTime, now: BackendTime) {
    let left = Duration::from_millis(expires.0.saturating_sub(now.0)) + NATS_TTL_SLACK;
    headers.insert(TIME_TO_LIVE, left.as_secs().to_string());
}

/// Headers of the mark that a document was removed.
pub(super) fn of_removal(basis: Basis, is_replicated: bool) -> HeaderMap {
    let mut headers = standing_on(basis, is_replicated);
    headers.insert(OPERATION, "DEL");
    headers
}

/// Headers of a turn that is taken by whoever comes first.
pub(super) fn of_turn(basis: Basis, is_replicated: bool) -> HeaderMap {
    standing_on(basis, is_replicated)
}

/// What headers say, the value apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) claim: Claim,
    pub(super) is_removal: bool,
    /// `None` when a stranger wrote it.
    pub(super) times: Option<Times>,
    /// Where the server repeated the message.
    pub(super) place: Option<Place>,
}

impl Said {
    pub(super) fn by(headers: Option<&HeaderMap>) -> Self {
        // Looked up by name, each would be hashed, and its name copied. Of several values the last one counts: the server adds its own
        // behind those that somebody published.
        let lines = headers.into_iter().flat_map(HeaderMap::iter);
        Self::of(lines.filter_map(|(name, values)| Some((name.as_ref(), values.last()?.as_str()))))
    }

    /// The same from the bytes in which the server stores them: a status line, then a header a line.
    fn by_bytes(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
        Self::of(lines.map(|(name, value)| (name, value.trim())))
    }

    fn of<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut after, mut over, mut seq, mut before) = (None, None, None, None);
        let (mut is_removal, mut times) = (false, None);
        for (name, value) in headers {
            let number = || value.parse().ok();
            match name {
                AFTER => after = number(),
                OVER => over = number(),
                SEQUENCE => seq = number(),
                LAST_SEQUENCE => before = number(),
                OPERATION => is_removal = true,
                TIMES => times = Times::parse(value),
                _ => {}
            }
        }
        let claim = after.map(Claim::After).or_else(|| over.map(Claim::Over)).unwrap_or(Claim::Anything);
        let place = seq.zip(before).map(|(seq, before)| Place { seq, before });
        Self { claim, is_removal, times, place }
    }

    /// The message that says this, as one of its key. One that names a message to come is nobody's here, and never holds.
    pub(super) const fn chained(&self, seq: u64) -> Chained {
        let claim = if self.claim.seq() < seq { self.claim } else { Claim::NEVER };
        Chained { seq, claim, is_removal: self.is_removal }
    }
}

/// Numbers of a republished message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) seq: u64,
    /// Sequence of the message before it under the same key, 0 when there was none.
    pub(super) before: u64,
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

    /// What its headers say.
    pub(super) fn said(&self) -> Result<Said, Failure> {
        let bytes = data_encoding::BASE64.decode(self.hdrs.as_bytes());
        bytes.map(|bytes| Said::by_bytes(&bytes)).map_err(|error| Failure::Undecodable(error.to_string()))
    }

    /// The state of its key, where it stands and `tail` is the newest message.
    ///
    /// # Errors
    /// When the value is no document; see [`document`].
    pub(super) fn found(&self, key: &str, tail: u64, at: BackendTime) -> Result<Found, BackendError> {
        let undecodable = |error: data_encoding::DecodeError| damaged(key, &error.to_string());
        let said = self.said().map_err(|failure| failure.of_read(&format!("reading `{key}`")))?;
        let found = Found { seq: self.seq, is_document: !said.is_removal, tail, stored: None };
        if said.is_removal {
            return Ok(found);
        }
        let times = said.times.unwrap_or_else(|| Times::at(self.time().unwrap_or(at)));
        let value = data_encoding::BASE64.decode(self.data.as_bytes()).map_err(undecodable)?;
        let document = document(key, &value, None)?;
        Ok(Found { stored: Some(times.stored(self.seq, document, at)), ..found })
    }
}

/// The document of a value, which mostly is another state of `like`.
///
/// # Errors
/// When it is no JSON object: `nats kv put` can store anything.
pub(super) fn document(
    key: &str,
    value: &[u8],
    like: Option<&Document>,
) -> Result<Arc<Document>, BackendError> {
    let text = std::str::from_utf8(value).map_err(|error| damaged(key, &error.to_string()))?.into();
    let document = Document::from_shared(&text, like);
    document.map(Arc::new).map_err(|error| damaged(key, &error.to_string()))
}

fn damaged(key: &str, why: &str) -> BackendError {
    BackendError::Fatal {
        doing: format!("reading the key `{key}`"),
        why: format!("{why}: it was not written by this crate; remove it with `nats kv del`"),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server puts its own behind those that somebody published: they are not believed, and nobody reads them otherwise.
    #[test]
    fn of_headers_that_stand_twice_the_last_counts() {
        let mut headers = HeaderMap::new();
        let mut bytes = String::from("NATS/1.0\r\n");
        for (name, values) in [
            (SEQUENCE, ["18446744073709551615", "7"]),
            (LAST_SEQUENCE, ["0", "6"]),
            (TIMES, ["1 2", "5 6 9"]),
        ] {
            for value in values {
                headers.append(name, value);
                bytes += &format!("{name}: {value}\r\n");
            }
        }
        for said in [Said::by(Some(&headers)), Said::by_bytes(bytes.as_bytes())] {
            let place = said.place.unwrap();
            assert_eq!((place.seq, place.before), (7, 6));
            let times =
                Times { created: BackendTime(5), written: BackendTime(6), expires: Some(BackendTime(9)) };
            assert_eq!(said.times, Some(times));
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for expires in [None, Some(BackendTime(3))] {
            let times = Times { created: BackendTime(1), written: BackendTime(2), expires };
            assert_eq!(Times::parse(&times.to_string()), Some(times));
        }
        for text in ["", "1", "1 2 x", "1  2", "-1 2"] {
            assert_eq!(Times::parse(text), None, "{text:?}");
        }
    }
}
