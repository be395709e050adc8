//! A newer token for a running session.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::frame::{Encoded, Payload};
use super::super::wire;
use super::encode;
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
    pub(super) fn read(header: Map<String, Value>) -> Result<Self, String> {
        let wire: Wire = wire::read(header)?;
        Ok(Self { token: Token::new(wire.token) })
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        encode("update", id, &Wire { token: self.token.secret().to_owned() }, Payload::none())
    }
}
