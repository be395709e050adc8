//! Names of documents as keys of the bucket, and the subjects made of them.

use std::fmt;
use std::sync::Arc;

use crate::backend::BackendError;
use crate::id::DocumentId;
use crate::limits::{NATS_BUCKET_CHARS_MAX, NATS_SHARDS};

/// A key of the bucket: one token of a subject. Letters, digits, `-`, `_` and `/` stand for themselves, every other byte
/// of a name's UTF-8 is `=` and two capital hexadecimal digits, as `nats kv` allows it. Ordinary names read as they are;
/// the longest possible key has 3 072 characters, which with its prefix fits in one line of the protocol (4 096).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(Arc<str>);

/// The key of messages that tell the server's time. No name is written so: no two hexadecimal digits follow.
pub(super) const CLOCK: &str = "=clock";

/// The key by which processes take turns in sweeping.
pub(super) const SWEEP: &str = "=sweep";

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl Key {
    pub(super) fn of(id: &DocumentId) -> Self {
        let name = id.as_str();
        if name.bytes().all(stands_for_itself) {
            return Self(name.into());
        }
        let mut key = String::with_capacity(3 * name.len());
        for byte in name.bytes() {
            if stands_for_itself(byte) {
                key.push(char::from(byte));
            } else {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                key.extend(['=', char::from(high), char::from(low)]);
            }
        }
        Self(key.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of the republished changes that this key is in: the server's own function, FNV-1a, which it documents
    /// under deterministic partitioning of subjects.
    pub(super) fn shard(&self) -> u16 {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = self.0.bytes().fold(0x811C_9DC5, mix);
        u16::try_from(hash % u32::from(NATS_SHARDS)).unwrap_or_default()
    }
}

/// So that a token of a subject finds its entry in a map of keys.
impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/')
}

/// The name of which this is the key. `None` for keys that nobody wrote from here: those of the bucket's own, and those
/// of strangers.
pub(super) fn document_id(key: &str) -> Option<DocumentId> {
    let mut name = Vec::with_capacity(key.len());
    let mut bytes = key.bytes();
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            b'=' => 16 * hex(bytes.next()?)? + hex(bytes.next()?)?,
            plain if stands_for_itself(plain) => plain,
            _ => return None,
        });
    }
    let id = DocumentId::new(String::from_utf8(name).ok()?).ok()?;
    // A stranger may have escaped what needs no escaping: that is another key.
    (Key::of(&id).as_str() == key).then_some(id)
}

fn hex(digit: u8) -> Option<u8> {
    HEX.iter().position(|it| *it == digit).and_then(|at| u8::try_from(at).ok())
}

/// A bucket's subjects.
#[derive(Clone, Debug)]
pub(super) struct Names {
    bucket: Arc<str>,
}

impl Names {
    /// # Errors
    /// When the name would not do as a token.
    pub(super) fn new(bucket: &str) -> Result<Self, BackendError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if bucket.is_empty() || bucket.len() > NATS_BUCKET_CHARS_MAX || !bucket.chars().all(fits) {
            return Err(BackendError::Fatal {
                doing: format!("opening the bucket `{bucket}`"),
                why: format!(
                    "a bucket's name has 1 to {NATS_BUCKET_CHARS_MAX} letters, digits, `-` and `_`: choose another"
                ),
                source: None,
            });
        }
        Ok(Self { bucket: bucket.into() })
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The stream that is the bucket.
    pub(super) fn stream(&self) -> String {
        format!("KV_{}", self.bucket)
    }

    /// Where values of a key are published.
    pub(super) fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.bucket)
    }

    /// Where the server repeats what was stored, a shard a token.
    pub(super) fn republished(&self, shard: u16) -> String {
        format!("sp.kv.{}.{shard}.*", self.bucket)
    }

    pub(super) fn republish_source(&self) -> String {
        format!("$KV.{}.*", self.bucket)
    }

    pub(super) fn republish_destination(&self) -> String {
        format!("sp.kv.{}.{{{{partition({NATS_SHARDS},1)}}}}.{{{{wildcard(1)}}}}", self.bucket)
    }
}

/// The key in a subject of this bucket, republished or not.
pub(super) fn key_in(subject: &str) -> &str {
    subject.rsplit_once('.').map_or(subject, |(_, key)| key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_has_a_key_of_its_own(name in "\\PC{1,256}", other in "\\PC{1,256}") {
            let (Ok(id), Ok(its)) = (DocumentId::new(name), DocumentId::new(other)) else { return Ok(()) };
            let key = Key::of(&id);
            prop_assert!(key.as_str().bytes().all(|byte| stands_for_itself(byte) || byte == b'='));
            prop_assert!(key.as_str().len() <= 3_072);
            prop_assert_eq!(document_id(key.as_str()), Some(id.clone()));
            prop_assert_eq!(Key::of(&its) == key, its == id);
        }

        #[test]
        fn what_is_no_key_is_no_name(key in "[-/_=.a-zA-Z0-9]{1,40}") {
            if let Some(id) = document_id(&key) {
                let its = Key::of(&id);
                prop_assert_eq!(its.as_str(), key);
            }
        }
    }

    #[test]
    fn ordinary_names_read_as_they_are() {
        let session = DocumentId::session("ES0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(Key::of(&session).as_str(), session.as_str());
        assert_eq!(Key::of(&DocumentId::new("a.b c").unwrap()).as_str(), "a=2Eb=20c");
        for own in [CLOCK, SWEEP] {
            assert_eq!(document_id(own), None, "no document is called so");
        }
    }

    /// As nats-server 2.9.10 republishes them.
    #[test]
    fn shards_are_those_of_the_server() {
        for (name, shard) in [("hello", 171), ("Session_1", 203), ("x", 135)] {
            assert_eq!(Key::of(&DocumentId::new(name).unwrap()).shard(), shard);
        }
    }
}
