//! The gatekeeper that checks signed tokens.

use async_trait::async_trait;

use super::super::clock;
use super::super::{Admitted, Gatekeeper, Refusal};
use crate::id::Identity;
use crate::token::Token;
use crate::token::jwt::{JwtError, Verifier};

/// Lets in who has a token that one of our API keys signed. The refusal says exactly which check failed, as the
/// original's service does; never anything of the token.
#[derive(Clone, Debug)]
pub struct JwtGatekeeper {
    verifier: Verifier,
}

impl JwtGatekeeper {
    /// With this verifier: [`Keys::verifier`](crate::server::Keys::verifier) makes one.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier }
    }
}

impl From<JwtError> for Refusal {
    fn from(error: JwtError) -> Self {
        Self::new(error.status(), error.code(), error.to_string())
    }
}

#[async_trait]
impl Gatekeeper for JwtGatekeeper {
    async fn admit(&self, token: &Token) -> Result<Admitted, Refusal> {
        let verified = self.verifier.verify(token.secret(), clock::unix_s())?;
        let identity = Identity::new(verified.identity).map_err(|_| JwtError::IdentityTooLong)?;
        Ok(Admitted::new(identity, Some(verified.lasts)))
    }
}
