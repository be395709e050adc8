//! A token that was had, and how long it is good.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::super::Token;
use crate::limits::TOKEN_CACHE_MARGIN;
use crate::time::Timestamp;

/// What the service has answered.
pub(super) struct Answer {
    pub(super) secret: String,
    pub(super) endpoint: Option<String>,
    pub(super) ends: Option<Instant>,
    pub(super) lasts: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    token: String,
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    expires_at: Option<Value>,
}

impl Answer {
    /// Reads a body. `date` is the service's own time: two clocks need not agree.
    pub(super) fn read(body: &[u8], date: Timestamp, now: Instant) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(body).ok().filter(|wire: &Wire| !wire.token.is_empty())?;
        let ends = match &wire.expires_at {
            Some(Value::String(text)) => Timestamp::parse(text).map(Timestamp::unix_ms),
            Some(Value::Number(seconds)) => seconds.as_i64().map(|seconds| seconds.saturating_mul(1_000)),
            _ => expiry_of(&wire.token),
        };
        let lasts = ends.map(|ends| {
            Duration::from_millis(u64::try_from(ends.saturating_sub(date.unix_ms())).unwrap_or(0))
        });
        // Beyond what can be added to a moment it does not end.
        let ends = lasts.and_then(|lasts| now.checked_add(lasts));
        Some(Self { secret: wire.token, endpoint: wire.endpoint, ends, lasts })
    }

    /// For whoever asked, with what is left of its life.
    pub(super) fn token(&self) -> Token {
        let token = Token::new(self.secret.as_str());
        match self.ends {
            Some(ends) => token.lasting(ends.saturating_duration_since(Instant::now())),
            None => token,
        }
    }

    /// Whether enough is left of its life to begin with it.
    pub(super) fn is_fresh(&self) -> bool {
        let margin = self.lasts.map_or(TOKEN_CACHE_MARGIN, |lasts| TOKEN_CACHE_MARGIN.min(lasts / 2));
        self.ends.is_none_or(|ends| ends.saturating_duration_since(Instant::now()) > margin)
    }
}

/// When a token says that it ends, in milliseconds since 1970. It is read, not believed: only to ask again in time.
fn expiry_of(token: &str) -> Option<i64> {
    let payload = base64url(token.split('.').nth(1)?)?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get("exp")?.as_i64()?.checked_mul(1_000)
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasts(body: &str) -> Option<u64> {
        let date = Timestamp::parse("2026-03-01T09:30:00Z").unwrap();
        Answer::read(body.as_bytes(), date, Instant::now()).unwrap().lasts.map(|lasts| lasts.as_secs())
    }

    #[test]
    fn the_end_is_counted_by_the_clock_of_the_service() {
        assert_eq!(lasts(r#"{"token":"a","expiresAt":"2026-03-01T10:30:00Z"}"#), Some(3_600));
        assert_eq!(lasts(r#"{"token":"a","expiresAt":1772357460}"#), Some(60));
        assert_eq!(lasts(r#"{"token":"a","expiresAt":"2020-03-01T10:30:00Z"}"#), Some(0));
        assert_eq!(lasts(r#"{"token":"a"}"#), None);
        // {"exp":1772361000}
        assert_eq!(lasts(r#"{"token":"e30.eyJleHAiOjE3NzIzNjEwMDB9.x"}"#), Some(3_600));
    }

    #[test]
    fn what_has_no_token_is_no_answer() {
        let date = Timestamp::from_unix_ms(0);
        for body in ["", "{}", r#"{"token":""}"#, r#"{"token":7}"#, "[]"] {
            assert!(Answer::read(body.as_bytes(), date, Instant::now()).is_none(), "{body}");
        }
    }
}
