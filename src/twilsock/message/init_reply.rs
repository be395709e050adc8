//! The answer to the first frame.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire::{self, lenient, lenient_list};
use super::{DATA_SYNC, Refusal, Registration, Status};

/// The answer to [`Init`](super::Init).
#[derive(Clone, Debug, PartialEq)]
pub enum InitReply {
    /// The session is open.
    Accepted(Accepted),
    /// It is not; the client may come back as told.
    Refused(Refusal),
}

/// What a client learns when its session opens. Everything may be absent from a stranger's server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Capabilities that both sides have. Twilsock: without `telemetry.v1` the JavaScript SDK sends none.
    pub capabilities: Vec<String>,
    /// To be presented in the next `init`.
    pub continuation_token: Option<String>,
    /// What became of the one presented.
    pub continuation_status: Option<ContinuationStatus>,
    /// Name of a cache by product. Twilsock: switches the JavaScript SDK's session cache on; must differ by service and
    /// identity.
    pub storage_ids: BTreeMap<String, String>,
    /// Registrations that were accepted; nobody reads them.
    pub registrations: Vec<Registration>,
    /// Whose session it is. Twilsock: the Kotlin SDK fails without it.
    pub account: Option<AccountDescriptor>,
}

/// Account, instances and identity of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDescriptor {
    /// `AC…`.
    pub account_sid: String,
    /// Service by product: `IS…` under `data_sync`.
    pub instance_sids: BTreeMap<String, String>,
    /// As in the token.
    pub identity: String,
}

/// What became of a continuation token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContinuationStatus {
    /// A new one was given out.
    #[serde(default)]
    pub reissued: bool,
    /// In capitals: `MISSING`, `DIFFERENT_IDENTITY`.
    #[serde(default, rename = "reissue_reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For people.
    #[serde(default, rename = "reissue_message", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Storage {
    storage_id: String,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, skip_deserializing)]
    status: Option<Status>,
    #[serde(default, deserialize_with = "lenient_list")]
    capabilities: Vec<String>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    continuation_token: Option<String>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    continuation_token_status: Option<ContinuationStatus>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    offline_storage: Option<BTreeMap<String, Storage>>,
    #[serde(default, deserialize_with = "lenient_list")]
    init_registrations: Vec<Registration>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    account_descriptor: Option<AccountDescriptor>,
}

impl Accepted {
    pub(super) fn read(header: &[u8]) -> Result<Self, String> {
        let wire: Wire = wire::read(header)?;
        let storage = wire.offline_storage.unwrap_or_default().into_iter();
        Ok(Self {
            capabilities: wire.capabilities,
            continuation_token: wire.continuation_token.filter(|token| !token.is_empty()),
            continuation_status: wire.continuation_token_status,
            storage_ids: storage.map(|(product, storage)| (product, storage.storage_id)).collect(),
            registrations: wire.init_registrations,
            account: wire.account_descriptor,
        })
    }

    /// The frame that answers the `init` of this id.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        let storage = self.storage_ids.iter();
        let storage: BTreeMap<String, Storage> =
            storage.map(|(product, id)| (product.clone(), Storage { storage_id: id.clone() })).collect();
        let wire = Wire {
            status: Some(Status::ok()),
            capabilities: self.capabilities.clone(),
            continuation_token: self.continuation_token.clone(),
            continuation_token_status: self.continuation_status.clone(),
            offline_storage: Some(storage).filter(|storage| !storage.is_empty()),
            init_registrations: self.registrations.clone(),
            account_descriptor: self.account.clone(),
        };
        Encoded::of("reply", id, &wire, &Payload::none())
    }
}

impl InitReply {
    /// The frame that answers the `init` of this id.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        match self {
            Self::Accepted(accepted) => accepted.frame(id),
            Self::Refused(refusal) => refusal.reply(id),
        }
    }
}

impl AccountDescriptor {
    /// The Sync service of the session.
    #[must_use]
    pub fn service_sid(&self) -> Option<&str> {
        self.instance_sids.get(DATA_SYNC).map(String::as_str)
    }
}
