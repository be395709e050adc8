//! Lengths of compact UTF-8 JSON, counted without building the text.

use std::io;
use std::sync::OnceLock;

use serde::Serialize;

/// A length that is counted when somebody first asks: whoever only passes a document on never does. It says nothing of
/// what it measures, so any two are equal. Documents of 4 GiB and more are beyond every limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Len(OnceLock<u32>);

impl Len {
    pub(super) fn get(&self, count: impl FnOnce() -> usize) -> usize {
        let narrow = || u32::try_from(count()).unwrap_or(u32::MAX);
        *self.0.get_or_init(narrow) as usize
    }

    /// What it measures has changed by so much.
    pub(super) fn change(&mut self, by: impl FnOnce() -> isize) {
        if let Some(before) = self.0.take() {
            let after = (before as usize).saturating_add_signed(by());
            *self = Self(u32::try_from(after).unwrap_or(u32::MAX).into());
        }
    }
}

impl PartialEq for Len {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that `value` takes as compact JSON. Everything counted here has string keys, so it always serialises.
pub(super) fn json_len<T: Serialize + ?Sized>(value: &T) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX / 4,
    }
}

/// Fails at the first byte that is another.
struct Comparison<'a>(&'a [u8]);

impl io::Write for Comparison<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether `value` is written as this text. Equal lengths would not do: a number may be written longer than it was read,
/// and so make up for white space or for a key that stands twice.
pub(super) fn is_written_as<T: Serialize + ?Sized>(value: &T, text: &str) -> bool {
    let mut rest = Comparison(text.as_bytes());
    serde_json::to_writer(&mut rest, value).is_ok() && rest.0.is_empty()
}

/// Bytes that `text` takes as a JSON string. Most texts here have nothing to escape: then it is as long as it is.
pub(super) fn text_len(text: &str) -> usize {
    let escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().any(escaped) { json_len(text) } else { text.len() + 2 }
}

/// Bytes of `[a,b,c]` or `{…}` around `count` members that take `members` bytes together.
pub(super) const fn enclosed_len(count: usize, members: usize) -> usize {
    2 + members + count.saturating_sub(1)
}

/// Decimal digits of a number.
pub(super) const fn digits(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_the_same_text() {
        for (text, same) in [
            (r#"{"n":1}"#, true),
            (r#"{"n":1} "#, false),
            (r#"{"n":1e5,   "b":1}"#, false),
            (r#"{"n":1e15,"a":1,"a":0    }"#, false),
        ] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(is_written_as(&value, text), same, "{text}");
        }
    }

    #[test]
    fn a_text_is_counted_as_it_is_written() {
        for text in [
            "",
            "plain",
            "é – 漢 🙂",
            "quote\"",
            "back\\slash",
            "line\nend",
            "nul\0",
            "\u{7f}",
            "\u{1f}",
            "/",
        ] {
            assert_eq!(text_len(text), json_len(text), "{text:?}");
        }
    }
}
