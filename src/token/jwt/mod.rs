//! Access tokens of the Sync protocol (feature `server`): JSON Web Tokens signed with an API key's secret. [`Verifier`]
//! checks them in a fixed order, each check with its own number; [`Minter`] makes them. Pure: both are told the time.
//!
//! HMAC with SHA-2 only, written on the crates `hmac` and `sha2`: the general JWT crates check signature and claims in
//! an order of their own, and would bring RSA and elliptic curves that no token here may use.

mod error;
mod mac;
mod mint;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;

pub use error::JwtError;
pub use mac::Algorithm;
pub use mint::{MintError, Minter};
pub use verify::{Verified, Verifier};

/// An API key: its SID, and the secret that signs. The secret is never printed.
#[derive(Clone)]
pub struct ApiKey {
    sid: String,
    secret: String,
}

impl ApiKey {
    /// A key with its secret, whose UTF-8 bytes sign.
    #[must_use]
    pub fn new(sid: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { sid: sid.into(), secret: secret.into() }
    }

    /// `SK…`.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("sid", &self.sid).field("secret", &"[redacted]").finish()
    }
}
