//! What a server says unasked.

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire;

/// Something happened. The payload is a Sync message; see [`SyncMessage`](super::super::sync::SyncMessage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Which kind; `twilio.sync.event` and others.
    pub message_type: String,
    /// What happened. Sync: never empty and never without `event_type`, because that ends a Node process.
    pub payload: Payload,
}

/// The server speaks about the session itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientUpdate {
    /// What it is about.
    pub kind: ClientUpdateKind,
    /// For people.
    pub message: String,
}

/// What a [`ClientUpdate`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientUpdateKind {
    /// A new token is needed soon. The only kind any SDK knows.
    TokenAboutToExpire,
    /// Something newer.
    Other(String),
}

#[derive(Serialize, Deserialize)]
struct NotificationWire {
    message_type: String,
    #[serde(default)]
    notification_ctx_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ClientUpdateWire {
    client_update_type: String,
    #[serde(default)]
    client_update_message: String,
}

const TOKEN_ABOUT_TO_EXPIRE: &str = "token_about_to_expire";

impl Notification {
    pub(super) fn read(header: &[u8], payload: Payload) -> Result<Self, String> {
        let wire: NotificationWire = wire::read(header)?;
        Ok(Self { message_type: wire.message_type, payload })
    }

    /// The frame. A clone of a notification shares its payload, so this costs a header only.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        let message_type = self.message_type.clone();
        let wire = NotificationWire { message_type, notification_ctx_id: Some(String::new()) };
        Encoded::of("notification", id, &wire, &self.payload)
    }
}

impl ClientUpdate {
    pub(super) fn read(header: &[u8]) -> Result<Self, String> {
        let wire: ClientUpdateWire = wire::read(header)?;
        let kind = match wire.client_update_type.as_str() {
            TOKEN_ABOUT_TO_EXPIRE => ClientUpdateKind::TokenAboutToExpire,
            _ => ClientUpdateKind::Other(wire.client_update_type),
        };
        Ok(Self { kind, message: wire.client_update_message })
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        let client_update_type = match &self.kind {
            ClientUpdateKind::TokenAboutToExpire => TOKEN_ABOUT_TO_EXPIRE.to_owned(),
            ClientUpdateKind::Other(kind) => kind.clone(),
        };
        let wire = ClientUpdateWire { client_update_type, client_update_message: self.message.clone() };
        Encoded::of("client_update", id, &wire, &Payload::none())
    }
}
