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

/// Sync: the answer is always the same, because the Kotlin SDK does not look at its status; what became of each object
/// follows as a notification.
pub(super) async fn subscribe(asked: Asked, batch: SubscriptionBatch) {
    let (core, peer) = (asked.core.clone(), asked.peer.clone());
    let answer = SubscriptionAnswer {
        estimated_delivery: SYNC_ESTIMATED_DELIVERY,
        batch_max: SYNC_SUBSCRIPTION_BATCH_MAX,
        ttl: None,
    };
    asked.answer(Response::json(200, answer.payload()));
    let mut unknown = Vec::new();
    for (number, entry) in batch.entries.into_iter().enumerate() {
        if number >= core.limits.subscriptions_max.max(SYNC_SUBSCRIPTION_BATCH_MAX) {
            fail(&peer, entry, &batch.correlation, Code::TooManySubscriptions.into());
            continue;
        }
        match (batch.action, entry.kind) {
            (SubscribeAction::Cancel, _) => cancel(&core, &peer, entry, &batch.correlation).await,
            (SubscribeAction::Establish, Some(Kind::Document)) => match core.names.met(&entry.sid) {
                Some(document) => establish(&core, &peer, &document, entry, &batch.correlation).await,
                None => unknown.push(entry),
            },
            (SubscribeAction::Establish, _) => {
                let error = SyncError::from(Code::NoSuchPath).saying("This server has documents only");
                fail(&peer, entry, &batch.correlation, error);
            }
        }
    }
    if !unknown.is_empty() {
        tokio::spawn(establish_unknown(core, peer, unknown, batch.correlation));
    }
}

/// SIDs that this server has not met since it was started. All of them are sought at once, in one pass.
async fn establish_unknown(
    core: Arc<Core>,
    peer: Arc<Peer>,
    entries: Vec<SubscriptionEntry>,
    correlation: Correlation,
) {
    let sought: Vec<_> = entries
        .into_iter()
        .map(|entry| {
            let (core, address) = (core.clone(), Address::Sid(entry.sid.clone()));
            (entry, tokio::spawn(async move { core.find(&address).await }))
        })
        .collect();
    for (entry, found) in sought {
        match found.await.unwrap_or_else(|_| Err(Code::Internal.into())) {
            Ok(document) => establish(&core, &peer, &document, entry, &correlation).await,
            Err(error) => fail(&peer, entry, &correlation, error),
        }
    }
}

async fn establish(
    core: &Arc<Core>,
    peer: &Arc<Peer>,
    document: &DocumentId,
    entry: SubscriptionEntry,
    correlation: &Correlation,
) {
    match core.may(peer.identity(), document).await {
        Ok(may) if may.read => {}
        Ok(may) => return deny(core, peer, document, entry, correlation, may).await,
        Err(error) => {
            core.leave(document, peer.id).await;
            return fail(peer, entry, correlation, error);
        }
    }
    let (peer, last_event_id) = (peer.clone(), entry.last_event_id);
    let subscription = Subscription { peer, last_event_id, correlation: correlation.clone() };
    core.command(document, Command::Subscribe(Box::new(subscription))).await;
}

/// Saying so takes its time; other requests go on.
async fn deny(
    core: &Arc<Core>,
    peer: &Arc<Peer>,
    document: &DocumentId,
    entry: SubscriptionEntry,
    correlation: &Correlation,
    may: Permissions,
) {
    if peer.knows(document) {
        peer.bar(document);
    }
    core.leave(document, peer.id).await;
    let (core, peer, document, correlation) =
        (core.clone(), peer.clone(), document.clone(), correlation.clone());
    tokio::spawn(async move {
        let error = core.denial(&peer, &document, may).await;
        fail(&peer, entry, &correlation, error);
    });
}

/// What was never subscribed to is canceled as well: clients wait for the confirmation.
async fn cancel(core: &Arc<Core>, peer: &Arc<Peer>, entry: SubscriptionEntry, correlation: &Correlation) {
    let subscribed = || peer.subscribed_to(|document| core.names.sid(document) == entry.sid);
    // What was asked for as something else than a document is answered as such, whether or not there is a document.
    let met = || core.names.met(&entry.sid).filter(|_| entry.kind == Some(Kind::Document));
    match met().or_else(subscribed) {
        Some(document) => core.command(&document, Command::Cancel(peer.clone(), correlation.clone())).await,
        None => {
            let canceled = SyncMessage::canceled(correlation, &[(entry.sid, entry.kind)]);
            peer.notify(Told::Own([canceled].into()));
        }
    }
}

fn fail(peer: &Peer, entry: SubscriptionEntry, correlation: &Correlation, error: SyncError) {
    let failed = FailedSubscription { sid: entry.sid, kind: entry.kind, error };
    peer.notify(Told::Own([FailedSubscription::notification(correlation, &[failed])].into()));
}
