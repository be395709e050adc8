//! Requests to hear of changes, and to hear no more.

use std::sync::Arc;

use super::super::Permissions;
use super::super::connection::{Peer, Told};
use super::super::document::{Command, Subscription};
use super::super::service::Core;
use super::Asked;
use crate::id::DocumentId;
use crate::limits::{SYNC_ESTIMATED_DELIVERY, SYNC_SUBSCRIPTION_BATCH_MAX};
use crate::twilsock::message::Response;
use crate::twilsock::sync::{
    Address, Code, Correlation, FailedSubscription, Kind, SubscribeAction, SubscriptionAnswer,
    SubscriptionBatch, SubscriptionEntry, SyncError, SyncMessage,
};

/// Whoever asked, and the number that all they hear of it bears.
#[derive(Clone)]
struct Asker {
    core: Arc<Core>,
    peer: Arc<Peer>,
    correlation: Correlation,
}

/// Sync: the answer is always the same, because the Kotlin SDK does not look at its status; what became of each object
/// follows as a notification.
pub(super) async fn subscribe(asked: Asked, batch: SubscriptionBatch) {
    let asker = Asker { core: asked.core.clone(), peer: asked.peer.clone(), correlation: batch.correlation };
    let answer = SubscriptionAnswer {
        estimated_delivery: SYNC_ESTIMATED_DELIVERY,
        batch_max: SYNC_SUBSCRIPTION_BATCH_MAX,
        ttl: None,
    };
    asked.answer(Response::json(200, answer.payload()));
    let mut unknown = Vec::new();
    for (number, entry) in batch.entries.into_iter().enumerate() {
        if number >= asker.core.limits.subscriptions_max.max(SYNC_SUBSCRIPTION_BATCH_MAX) {
            asker.fail(entry, Code::TooManySubscriptions.into());
            continue;
        }
        match (batch.action, entry.kind) {
            (SubscribeAction::Cancel, _) => asker.cancel(entry).await,
            (SubscribeAction::Establish, Some(Kind::Document)) => match asker.core.names.met(&entry.sid) {
                Some(document) => asker.establish(&document, entry).await,
                None => unknown.push(entry),
            },
            (SubscribeAction::Establish, _) => {
                let error = SyncError::from(Code::NoSuchPath).saying("This server has documents only");
                asker.fail(entry, error);
            }
        }
    }
    if !unknown.is_empty() {
        tokio::spawn(asker.establish_unknown(unknown));
    }
}

impl Asker {
    /// SIDs that this server has not met since it was started. All of them are sought at once, in one pass.
    async fn establish_unknown(self, entries: Vec<SubscriptionEntry>) {
        let sought: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                let (core, address) = (self.core.clone(), Address::Sid(entry.sid.clone()));
                (entry, tokio::spawn(async move { core.find(&address).await }))
            })
            .collect();
        for (entry, found) in sought {
            match found.await.unwrap_or_else(|_| Err(Code::Internal.into())) {
                Ok(document) => self.establish(&document, entry).await,
                Err(error) => self.fail(entry, error),
            }
        }
    }

    async fn establish(&self, document: &DocumentId, entry: SubscriptionEntry) {
        match self.core.may(self.peer.identity(), document).await {
            Ok(may) if may.read => {}
            Ok(may) => return self.deny(document, entry, may).await,
            Err(error) => {
                self.core.leave(document, self.peer.id).await;
                return self.fail(entry, error);
            }
        }
        let Self { peer, correlation, .. } = self.clone();
        let subscription = Subscription { peer, last_event_id: entry.last_event_id, correlation };
        self.core.command(document, Command::Subscribe(Box::new(subscription))).await;
    }

    /// Saying so takes its time; other requests go on.
    async fn deny(&self, document: &DocumentId, entry: SubscriptionEntry, may: Permissions) {
        if self.peer.knows(document) {
            self.peer.bar(document);
        }
        self.core.leave(document, self.peer.id).await;
        let asker = self.clone();
        let document = document.clone();
        tokio::spawn(async move {
            let error = asker.core.denial(&asker.peer, &document, may).await;
            asker.fail(entry, error);
        });
    }

    /// What was never subscribed to is canceled as well: clients wait for the confirmation.
    async fn cancel(&self, entry: SubscriptionEntry) {
        let Self { core, peer, correlation } = self;
        let subscribed = || peer.subscribed_to(|document| core.names.sid(document) == entry.sid);
        // What was asked for as something else than a document is answered as such, whether or not there is a document.
        let met = || core.names.met(&entry.sid).filter(|_| entry.kind == Some(Kind::Document));
        match met().or_else(subscribed) {
            Some(document) => {
                let of = Box::new((peer.clone(), correlation.clone()));
                core.command(&document, Command::Cancel(of)).await
            }
            None => {
                let canceled = SyncMessage::canceled(correlation, &[(entry.sid, entry.kind)]);
                peer.notify(Told::Own([canceled].into()));
            }
        }
    }

    fn fail(&self, entry: SubscriptionEntry, error: SyncError) {
        let failed = FailedSubscription { sid: entry.sid, kind: entry.kind, error };
        let notification = FailedSubscription::notification(&self.correlation, &[failed]);
        self.peer.notify(Told::Own([notification].into()));
    }
}
