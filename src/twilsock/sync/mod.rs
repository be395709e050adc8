//! What travels inside: the Sync service's resources, requests, subscriptions and events.
//!
//! Documents are complete. Lists, maps and streams are told apart by [`Target`] and their events by [`Event::Other`],
//! so that they fit in later without moving a wall.
//!
//! Application data travels as text: what a store has as text is not parsed to be sent, and is serialised once for all
//! its subscribers.

mod address;
mod code;
mod data;
mod document;
mod event;
mod event_wire;
mod identifier;
mod kind;
mod request;
mod request_read;
mod subscription;
mod subscription_wire;
mod target;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod ttl;

pub use address::Address;
pub use code::{Code, SyncError};
pub use data::Data;
pub use document::{DocumentResource, DocumentState, configuration};
pub use event::{
    Confirmed, DocumentRemoved, DocumentUpdated, Event, FailedSubscription, Replay, SyncMessage,
};
pub use identifier::{EventId, Revision, is_sid};
pub use kind::Kind;
pub use request::{CreateDocument, SyncRequest, UpdateDocument};
pub use subscription::{
    Correlation, SubscribeAction, SubscriptionAnswer, SubscriptionBatch, SubscriptionEntry,
};
pub use target::{Place, Target};
pub use ttl::Ttl;

pub use crate::time::Timestamp;

/// Message type of live events of documents.
pub const DOCUMENT_EVENT: &str = "com.twilio.rtd.cds.document";

/// Message type of confirmations and of all replayed events.
pub const SYNC_EVENT: &str = "twilio.sync.event";
