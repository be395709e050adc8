//! Making tokens.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use super::{Algorithm, ApiKey};
use crate::limits::{JWT_LIFETIME_MAX, JWT_LIFETIME_MIN, NAME_CHARS_MAX};
use crate::token::Token;

/// Why a token is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// A token lives from three minutes to a day.
    #[error("a token lives 180 to 86400 seconds, not {}", .0.as_secs())]
    Lifetime(Duration),
    /// An identity has 1 to 256 characters.
    #[error("an identity has 1 to 256 characters, not {0}")]
    Identity(usize),
}

/// Makes tokens with one key, for one service of its account.
#[derive(Clone, Debug)]
pub struct Minter {
    account_sid: String,
    service_sid: String,
    key: ApiKey,
    algorithm: Algorithm,
}

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
    cty: &'static str,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    grants: Grants<'a>,
    iat: u64,
    exp: u64,
    iss: &'a str,
    sub: &'a str,
}

#[derive(Serialize)]
struct Grants<'a> {
    identity: &'a str,
    data_sync: Sync<'a>,
}

#[derive(Serialize)]
struct Sync<'a> {
    service_sid: &'a str,
}

impl Minter {
    /// With a key (`SK…`) of this account (`AC…`), for this service (`IS…` or `default`).
    #[must_use]
    pub fn new(account_sid: impl Into<String>, service_sid: impl Into<String>, key: ApiKey) -> Self {
        let (account_sid, service_sid) = (account_sid.into(), service_sid.into());
        Self { account_sid, service_sid, key, algorithm: Algorithm::default() }
    }

    /// Signs in another way than HS256.
    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// A token for this identity, good for `lifetime` from `now_s` (seconds since 1970), in the very bytes of the
    /// official library for JavaScript: two tokens of one second for one identity are equal.
    ///
    /// # Errors
    /// [`MintError`] for a lifetime or an identity that is never accepted.
    pub fn mint(&self, identity: &str, lifetime: Duration, now_s: u64) -> Result<Token, MintError> {
        if !(JWT_LIFETIME_MIN..=JWT_LIFETIME_MAX).contains(&lifetime) {
            return Err(MintError::Lifetime(lifetime));
        }
        let length = identity.chars().count();
        if length == 0 || length > NAME_CHARS_MAX {
            return Err(MintError::Identity(length));
        }
        let header = Header { alg: self.algorithm.name(), typ: "JWT", cty: "twilio-fpa;v=1" };
        let claims = Claims {
            jti: format!("{}-{now_s}", self.key.sid()),
            grants: Grants { identity, data_sync: Sync { service_sid: &self.service_sid } },
            iat: now_s,
            exp: now_s.saturating_add(lifetime.as_secs()),
            iss: self.key.sid(),
            sub: &self.account_sid,
        };
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.algorithm.sign(self.key.secret(), &signed);
        Ok(Token::new(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))).lasting(lifetime))
    }
}

/// Structs of texts and numbers always have JSON.
fn part<T: Serialize>(object: &T) -> String {
    BASE64URL_NOPAD.encode(&serde_json::to_vec(object).unwrap_or_default())
}
