//! Bytes to frames.

use std::borrow::Cow;

use serde::Deserialize;

use super::super::wire::Plain;
use super::{Fault, Frame, FrameError, LINE_END, MAGIC, PayloadKind};
use crate::limits::{TWILSOCK_HEADER_BYTES_MAX, TWILSOCK_ID_CHARS_MAX};

/// Digits of a length that are read; more than any limit has.
const DIGITS_MAX: usize = 9;

impl<'a> Frame<'a> {
    /// Reads one message of at most `bytes_max` bytes. Looks at the header only: whether the payload is the JSON that
    /// it says it is, is for whoever reads it.
    ///
    /// # Errors
    /// [`FrameError`] says what is wrong and where.
    pub fn decode(message: &'a [u8], bytes_max: usize) -> Result<Self, FrameError> {
        if message.len() > bytes_max {
            return Err(Fault::TooLong { bytes: message.len(), limit: bytes_max }.at(bytes_max));
        }
        let (start, length) = header_length(message)?;
        let present = message.len() - start;
        if present < length {
            return Err(Fault::Short { part: "header", stated: length, present }.at(start));
        }
        let end = start + length;
        let header = &message[start..end];
        let core = core(header).map_err(|fault| fault.at(start))?;
        let rest = message[end..].strip_prefix(LINE_END).ok_or(Fault::LineEnd.at(end))?;
        let payload = payload(core.size, rest).map_err(|fault| fault.at(end + LINE_END.len()))?;
        Ok(Self { header, method: core.method, id: core.id, kind: core.kind, payload })
    }
}

/// What every frame's header is read for; the rest is skipped until somebody asks.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Header<'a> {
    #[serde(borrow)]
    method: Plain<'a>,
    #[serde(borrow)]
    id: Plain<'a>,
    #[serde(borrow)]
    payload_type: Plain<'a>,
    #[serde(borrow)]
    payload_size: Plain<'a>,
}

struct Core<'a> {
    method: Cow<'a, str>,
    id: Cow<'a, str>,
    kind: PayloadKind,
    size: Size,
}

/// Where the header begins, and how long it says it is.
fn header_length(message: &[u8]) -> Result<(usize, usize), FrameError> {
    let line = message.strip_prefix(MAGIC).ok_or(Fault::Magic.at(0))?;
    let digits = line.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&line[..digits]).ok().and_then(|digits| digits.parse().ok());
    let length: usize = number.ok_or(Fault::HeaderLength.at(MAGIC.len()))?;
    if !line[digits..].starts_with(LINE_END) {
        return Err(Fault::HeaderLength.at(MAGIC.len() + digits));
    }
    if length > TWILSOCK_HEADER_BYTES_MAX {
        let fault = Fault::HeaderTooLong { bytes: length, limit: TWILSOCK_HEADER_BYTES_MAX };
        return Err(fault.at(MAGIC.len()));
    }
    Ok((MAGIC.len() + digits + LINE_END.len(), length))
}

fn core(header: &[u8]) -> Result<Core<'_>, Fault> {
    // A struct would be read from an array, too.
    if header.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::Header);
    }
    let header: Header<'_> = serde_json::from_slice(header).map_err(|_| Fault::Header)?;
    let (method, id) = (text("method", header.method)?, text("id", header.id)?);
    if id.chars().count() > TWILSOCK_ID_CHARS_MAX {
        return Err(Fault::Field { field: "id", expected: "text of at most 128 characters" });
    }
    let size = match header.payload_size {
        Plain::Null => Size::Bytes(0),
        Plain::Number(number) => number.as_u64().map_or(Size::Unreadable, Size::Bytes),
        _ => Size::Unreadable,
    };
    Ok(Core { method, id, kind: kind(&header.payload_type), size })
}

fn text<'a>(field: &'static str, value: Plain<'a>) -> Result<Cow<'a, str>, Fault> {
    match value {
        Plain::Text(text) if !text.is_empty() => Ok(text),
        _ => Err(Fault::Field { field, expected: "text that is not empty" }),
    }
}

/// Twilsock: what begins with `application/json`, or says nothing, is JSON; what begins with `text/plain` is text;
/// anything else is not read.
fn kind(payload_type: &Plain<'_>) -> PayloadKind {
    match payload_type {
        Plain::Null => PayloadKind::Json,
        Plain::Text(kind) if kind.starts_with("application/json") => PayloadKind::Json,
        Plain::Text(kind) if kind.starts_with("text/plain") => PayloadKind::Text,
        _ => PayloadKind::Other,
    }
}

/// The payload's length by the header.
enum Size {
    Bytes(u64),
    Unreadable,
}

/// Twilsock: where no size is stated, or 0, whatever follows is not read.
fn payload(size: Size, rest: &[u8]) -> Result<&[u8], Fault> {
    let Size::Bytes(bytes) = size else {
        return Err(Fault::Field { field: "payload_size", expected: "a number of bytes" });
    };
    let stated = usize::try_from(bytes).unwrap_or(usize::MAX);
    let short = Fault::Short { part: "payload", stated, present: rest.len() };
    let (payload, behind) = rest.split_at_checked(stated).ok_or(short)?;
    if stated > 0 && !behind.is_empty() && behind != LINE_END {
        return Err(Fault::Surplus { bytes: behind.len() });
    }
    Ok(payload)
}
