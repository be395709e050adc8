//! A newer token for a running session.

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire;
use crate::token::Token;

/// A client renews its token. Twilsock: it carries nothing else, and is answered by a bare status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The new token.
    pub token: Token,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    token: String,
}

impl Update {
    pub(super) fn read(header: &[u8]) -> Result<Self, String> {
        let wire: Wire = wire::read(header)?;
        Ok(Self { token: Token::new(wire.token) })
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        Encoded::of("update", id, &Wire { token: self.token.secret().to_owned() }, &Payload::none())
    }
}
