//! Who is given a token.

use async_trait::async_trait;

use super::super::{Access as _, Users};
use crate::id::Identity;

/// What somebody asks for at the token endpoint.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct TokenRequest<'a> {
    /// Their proof of who they are: the SP token. Compare it in constant time, and never log it.
    pub bearer: &'a str,
    /// Who they want to be. A suggestion.
    pub identity: Option<&'a str>,
    /// Which document they are going to open. A suggestion too: a token opens all documents that its identity may open.
    pub document: Option<&'a str>,
}

impl std::fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest").field("bearer", &"[redacted]").finish_non_exhaustive()
    }
}

/// Why no token is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// The proof is none: 401. Counts against the peer.
    Unknown,
    /// Not this identity, or not this document: 403.
    NotAllowed,
    /// It cannot be decided without this field of the request, `identity` or `documentId`: 400, which names it.
    Missing {
        /// Its name in the body.
        field: &'static str,
    },
    /// It cannot be found out now: 503.
    Unavailable,
}

/// Decides who is given a token, and as whom.
#[async_trait]
pub trait TokenPolicy: Send + Sync + 'static {
    /// The identity to put into the token.
    ///
    /// # Errors
    /// [`Denied`], as the caller is to hear it.
    async fn identify(&self, request: TokenRequest<'_>) -> Result<Identity, Denied>;
}

/// As the users file says: everybody as themselves, a proctor also as themselves in a session they may open, a back end
/// as anybody; and only for a document that this identity may at least read.
#[async_trait]
impl TokenPolicy for Users {
    async fn identify(&self, request: TokenRequest<'_>) -> Result<Identity, Denied> {
        let user = self.bearer(request.bearer).ok_or(Denied::Unknown)?;
        let wanted = request.identity.unwrap_or(&user.identity);
        if !self.may_be(user, wanted) {
            return Err(Denied::NotAllowed);
        }
        if request.document.is_some_and(|document| !self.may(wanted, document).read) {
            return Err(Denied::NotAllowed);
        }
        Identity::new(wanted).map_err(|_| Denied::NotAllowed)
    }
}
