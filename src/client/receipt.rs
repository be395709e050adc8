//! What a sender knows of its actions (C28).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::shared::{Seen, Shared};
use crate::backend::Revision;
use crate::document::Document;
use crate::error::{Error, Result, Retry};
use crate::id::ActionId;

/// Proof that actions are in the document durably. It does not mean that anybody has run them.
#[derive(Clone, Debug)]
pub struct Receipt {
    ids: Vec<ActionId>,
    revision: Revision,
    shared: Arc<Shared>,
}

impl Receipt {
    pub(super) fn new(ids: Vec<ActionId>, revision: Revision, shared: Arc<Shared>) -> Self {
        Self { ids, revision, shared }
    }

    /// The identities of the actions, in the order of the batch. Empty in plain mode.
    #[must_use]
    pub fn ids(&self) -> &[ActionId] {
        &self.ids
    }

    /// The identity of the first action; `None` in plain mode and for an empty batch.
    #[must_use]
    pub fn id(&self) -> Option<&ActionId> {
        self.ids.first()
    }

    /// The revision that held them.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Waits until none of the actions lies in its array any more: each was taken by an executor, withdrawn, or
    /// cleared. Answers "is the extension there at all?".
    ///
    /// # Errors
    /// [`Error::Timeout`] after `within`; [`Error::NotFound`] or [`Error::Closed`] when the document or the client
    /// goes first; [`Error::Invalid`] in plain mode, where actions have no identity.
    ///
    /// # Cancel safety
    /// Only looks: may be dropped and called again.
    pub async fn taken(&self, within: Duration) -> Result<()> {
        self.until("executor that takes the action", within, |document, id| !lies(document, id)).await
    }

    /// Waits until none of the actions is left in the document: each was finished, given up, withdrawn, expired or
    /// cleared.
    ///
    /// # Errors
    /// As [`taken`](Self::taken).
    ///
    /// # Cancel safety
    /// Only looks: may be dropped and called again.
    pub async fn finished(&self, within: Duration) -> Result<()> {
        let gone = |document: &Document, id: &ActionId| !lies(document, id) && !claimed(document, id);
        self.until("end of the action", within, gone).await
    }

    async fn until(
        &self,
        what: &str,
        within: Duration,
        done: impl Fn(&Document, &ActionId) -> bool + Send + Sync,
    ) -> Result<()> {
        if self.ids.is_empty() && self.shared.plain {
            let why = "in plain mode actions have no identity and cannot be followed".into();
            return Err(Error::Invalid { what: "receipt", why });
        }
        let mut states: watch::Receiver<Seen> = self.shared.states.subscribe();
        let all_done = |seen: &Seen| match seen {
            Seen::State(state) => self.ids.iter().all(|id| done(&state.document, id)),
            Seen::Over(_) => true,
        };
        match timeout(within, states.wait_for(all_done)).await {
            Ok(Ok(seen)) => match &*seen {
                Seen::State(_) => Ok(()),
                Seen::Over(error) => Err(error.clone()),
            },
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => {
                let why = match &*self.shared.states.borrow() {
                    Seen::State(state) if self.ids.iter().any(|id| lies(&state.document, id)) => {
                        "it still waits in its array: is its executor there, and done with what stands before it?"
                    }
                    _ => "it was taken and is being carried out",
                };
                Err(Error::Timeout { what: what.to_owned(), after: within, why, retry: Retry::Now })
            }
        }
    }
}

fn lies(document: &Document, id: &ActionId) -> bool {
    document.queues().any(|(_, items)| items.iter().any(|item| item.id() == Some(id)))
}

fn claimed(document: &Document, id: &ActionId) -> bool {
    let mut claims = document.ledger().into_iter().flat_map(crate::document::Ledger::claimed);
    claims.any(|(_, claims)| claims.iter().any(|claim| claim.id() == Some(id)))
}
