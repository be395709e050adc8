//! Checking a token, in the order of the protocol's page on tokens: form, header, issuer and subject, signature, times,
//! grants. Nothing that a token says is used before the check it depends on has passed, except what chooses the key.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::{Algorithm, ApiKey, JwtError};
use crate::limits::{JWT_BYTES_MAX, JWT_LEEWAY, JWT_LIFETIME_MAX, NAME_CHARS_MAX};

/// The name of an account's own service, which tokens may use instead of its SID.
const DEFAULT_SERVICE: &str = "default";

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who its bearer is: 1 to 256 characters.
    pub identity: String,
    /// `AC…`.
    pub account_sid: String,
    /// `IS…`, also where the token says `default`.
    pub service_sid: String,
    /// `SK…` of the key that signed it.
    pub key_sid: String,
    /// When it ends: seconds since 1970.
    pub expires_s: u64,
    /// For how long it is good from now on. No leeway: that is for clocks that differ, not for more time.
    pub lasts: Duration,
}

/// Checks tokens of one account for one service.
#[derive(Clone, Debug)]
pub struct Verifier {
    account_sid: String,
    service_sid: String,
    keys: BTreeMap<String, ApiKey>,
    leeway: Duration,
    without_service: bool,
}

impl Verifier {
    /// For tokens of this account (`AC…`) and this service (`IS…`). Without a [`key`](Self::key) it refuses all.
    #[must_use]
    pub fn new(account_sid: impl Into<String>, service_sid: impl Into<String>) -> Self {
        Self {
            account_sid: account_sid.into(),
            service_sid: service_sid.into(),
            keys: BTreeMap::new(),
            leeway: JWT_LEEWAY,
            without_service: false,
        }
    }

    /// Accepts tokens that this key signed. The SID of an earlier one replaces it.
    #[must_use]
    pub fn key(mut self, key: ApiKey) -> Self {
        self.keys.insert(key.sid().to_owned(), key);
        self
    }

    /// How far clocks may differ; 30 s by default. Too little refuses what a slow clock signed just now; too much gives
    /// dead tokens more life.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// Accepts a Sync grant that names no service as one for this service. Off by default: the libraries make such
    /// tokens without a word when a service was forgotten.
    #[must_use]
    pub fn without_service(self, accepted: bool) -> Self {
        Self { without_service: accepted, ..self }
    }

    /// Checks a token. `now_s` is the time in seconds since 1970.
    ///
    /// # Errors
    /// The first of [`JwtError`], in the order in which its variants stand, that applies.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Verified, JwtError> {
        let parts = Parts::read(token)?;
        let algorithm = parts.algorithm()?;
        let claims = &parts.claims;
        let key = text(claims, "iss").and_then(|issuer| self.keys.get(issuer));
        let key = key.filter(|_| text(claims, "sub") == Some(&self.account_sid));
        let key = key.ok_or(JwtError::IssuerOrSubject)?;
        if !algorithm.verify(key.secret(), parts.signed, &parts.signature) {
            return Err(JwtError::Signature);
        }
        let expires_s = self.times(claims, now_s)?;
        let identity = self.grants(claims)?;
        Ok(Verified {
            identity,
            account_sid: self.account_sid.clone(),
            service_sid: self.service_sid.clone(),
            key_sid: key.sid().to_owned(),
            expires_s,
            lasts: Duration::from_secs(expires_s.saturating_sub(now_s)),
        })
    }

    fn times(&self, claims: &Map<String, Value>, now_s: u64) -> Result<u64, JwtError> {
        let (leeway, longest) = (self.leeway.as_secs(), JWT_LIFETIME_MAX.as_secs());
        let expires = claims.get("exp").and_then(Value::as_u64).ok_or(JwtError::Expired)?;
        if expires.saturating_add(leeway) <= now_s {
            return Err(JwtError::Expired);
        }
        // Both ends of the life that a token states for itself were read from one clock: no leeway.
        let stated = match claims.get("iat") {
            None => 0,
            Some(issued) => expires.saturating_sub(issued.as_u64().ok_or(JwtError::TooLong)?),
        };
        if stated > longest || expires.saturating_sub(now_s) > longest.saturating_add(leeway) {
            return Err(JwtError::TooLong);
        }
        let begins = match claims.get("nbf") {
            None => 0,
            Some(begins) => begins.as_u64().ok_or(JwtError::NotYetValid)?,
        };
        if begins > now_s.saturating_add(leeway) {
            return Err(JwtError::NotYetValid);
        }
        Ok(expires)
    }

    /// The identity, when the grant is for this service.
    fn grants(&self, claims: &Map<String, Value>) -> Result<String, JwtError> {
        let grants = claims.get("grants").and_then(Value::as_object).ok_or(JwtError::Grants)?;
        let sync = grants.get("data_sync").and_then(Value::as_object).ok_or(JwtError::Grants)?;
        match sync.get("service_sid") {
            None | Some(Value::Null) if self.without_service => {}
            Some(Value::String(service)) if service == DEFAULT_SERVICE || *service == self.service_sid => {}
            Some(Value::String(service)) if !service.is_empty() => return Err(JwtError::OtherService),
            _ => return Err(JwtError::NoService),
        }
        let identity = text(grants, "identity").filter(|identity| !identity.is_empty());
        let identity = identity.ok_or(JwtError::NoIdentity)?;
        let long = |text: &str| text.chars().count() > NAME_CHARS_MAX;
        if long(identity) {
            return Err(JwtError::IdentityTooLong);
        }
        if text(sync, "endpoint_id").is_some_and(long) {
            return Err(JwtError::EndpointTooLong);
        }
        Ok(identity.to_owned())
    }
}

/// A token taken apart, of which nothing is believed yet.
struct Parts<'t> {
    /// The first two parts as they stand: what is signed.
    signed: &'t str,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signature: Vec<u8>,
}

impl<'t> Parts<'t> {
    fn read(token: &'t str) -> Result<Self, JwtError> {
        if token.len() > JWT_BYTES_MAX {
            return Err(JwtError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        // A fourth part would leave a dot in the second, which is no digit.
        let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| JwtError::Malformed);
        let object = |part: &str| -> Result<Map<String, Value>, JwtError> {
            serde_json::from_slice(&bytes(part)?).map_err(|_| JwtError::Malformed)
        };
        Ok(Self { signed, header: object(header)?, claims: object(claims)?, signature: bytes(signature)? })
    }

    fn algorithm(&self) -> Result<Algorithm, JwtError> {
        let algorithm = text(&self.header, "alg").and_then(Algorithm::of);
        let typed = text(&self.header, "typ") == Some("JWT");
        let content = text(&self.header, "cty").is_some_and(|cty| cty.starts_with("twilio-fpa"));
        algorithm.filter(|_| typed && content).ok_or(JwtError::Header)
    }
}

fn text<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    object.get(key)?.as_str()
}
