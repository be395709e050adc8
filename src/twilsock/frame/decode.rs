//! Bytes to frames.

use serde_json::{Map, Value};

use super::{Fault, Frame, FrameError, LINE_END, MAGIC};
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
        let header = header(&message[start..end]).map_err(|fault| fault.at(start))?;
        let rest = message[end..].strip_prefix(LINE_END).ok_or(Fault::LineEnd.at(end))?;
        let payload = payload(&header, rest).map_err(|fault| fault.at(end + LINE_END.len()))?;
        Ok(Self { header, payload })
    }
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

fn header(bytes: &[u8]) -> Result<Map<String, Value>, Fault> {
    let header: Map<String, Value> = serde_json::from_slice(bytes).map_err(|_| Fault::Header)?;
    let text = |field: &'static str| {
        let value = header.get(field).and_then(Value::as_str).filter(|value| !value.is_empty());
        value.ok_or(Fault::Field { field, expected: "text that is not empty" })
    };
    text("method")?;
    if text("id")?.chars().count() > TWILSOCK_ID_CHARS_MAX {
        return Err(Fault::Field { field: "id", expected: "text of at most 128 characters" });
    }
    Ok(header)
}

/// Twilsock: where no size is stated, or 0, whatever follows is not read.
fn payload<'a>(header: &Map<String, Value>, rest: &'a [u8]) -> Result<&'a [u8], Fault> {
    let stated = match header.get("payload_size") {
        None | Some(Value::Null) => 0,
        Some(size) => size
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .ok_or(Fault::Field { field: "payload_size", expected: "a number of bytes" })?,
    };
    let short = Fault::Short { part: "payload", stated, present: rest.len() };
    let (payload, behind) = rest.split_at_checked(stated).ok_or(short)?;
    if stated > 0 && !behind.is_empty() && behind != LINE_END {
        return Err(Fault::Surplus { bytes: behind.len() });
    }
    Ok(payload)
}
