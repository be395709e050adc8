//! The first frame of a connection.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::frame::{Encoded, Payload};
use super::super::wire::{self, lenient, lenient_list};
use crate::token::Token;

/// Who calls and what it understands. Only the token is required.
#[derive(Clone, Debug, PartialEq)]
pub struct Init {
    /// The access token.
    pub token: Token,
    /// What the client was given by an earlier [`Accepted`](super::Accepted). Identifies it, authenticates nothing.
    pub continuation_token: Option<String>,
    /// Names such as `client_update`, `telemetry.v1`.
    pub capabilities: Vec<String>,
    /// Free description of the client, for logs.
    pub metadata: Map<String, Value>,
    /// Kinds of notifications wanted; `None` where the client does not say. Twilsock: the Kotlin SDK does not and
    /// wants them all the same.
    pub registrations: Option<Vec<Registration>>,
    /// Opaque.
    pub tweaks: Option<Value>,
}

/// Kinds of notifications a client wants from a product, or a server grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Given by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_ctx_id: Option<String>,
    /// `ers`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// `data_sync`.
    pub product: String,
    /// 0 from the JavaScript SDK; a server's answer has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_protocol_version: Option<u32>,
    /// `twilio.sync.event` and others.
    #[serde(default)]
    pub message_types: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    token: String,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    continuation_token: Option<String>,
    #[serde(default, deserialize_with = "lenient_list")]
    capabilities: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    registrations: Option<Registrations>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tweaks: Option<Value>,
}

/// Registrations that have the form of one; others are passed over.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Registrations(#[serde(deserialize_with = "lenient_list")] Vec<Registration>);

impl Init {
    /// A client's usual first frame: it understands `client_update` and wants to be told its account.
    #[must_use]
    pub fn new(token: Token, continuation_token: Option<String>, metadata: Map<String, Value>) -> Self {
        let capabilities = vec!["client_update".to_owned(), "account_descriptor".to_owned()];
        Self { token, continuation_token, capabilities, metadata, registrations: None, tweaks: None }
    }

    pub(super) fn read(header: &[u8]) -> Result<Self, String> {
        let wire: Wire = wire::read(header)?;
        Ok(Self {
            token: Token::new(wire.token),
            continuation_token: wire.continuation_token.filter(|token| !token.is_empty()),
            capabilities: wire.capabilities,
            metadata: wire.metadata.unwrap_or_default(),
            registrations: wire.registrations.map(|registrations| registrations.0),
            tweaks: wire.tweaks,
        })
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        let wire = Wire {
            token: self.token.secret().to_owned(),
            continuation_token: self.continuation_token.clone(),
            capabilities: self.capabilities.clone(),
            metadata: Some(self.metadata.clone()),
            registrations: self.registrations.clone().map(Registrations),
            tweaks: self.tweaks.clone(),
        };
        Encoded::of("init", id, &wire, &Payload::none())
    }
}
