//! Connections that hear of one document.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::time::Instant;

use super::super::connection::{Peer, PeerId, Shared, Told};
use super::super::names::Names;
use super::Subscription;
use super::write::{event_id, revision};
use crate::backend::{BackendTime, Stored};
use crate::id::DocumentId;
use crate::twilsock::message::Notification;
use crate::twilsock::sync::{
    Confirmed, Correlation, DocumentRemoved, DocumentUpdated, FailedSubscription, Kind, Replay, SyncError,
    SyncMessage, Timestamp,
};

/// Ids of shared frames: unique in this process, and of another form than those of a session.
static FRAMES: AtomicU64 = AtomicU64::new(0);

/// Whom to tell, and in whose name.
pub(super) struct Subscribers {
    document: DocumentId,
    sid: String,
    peers: HashMap<PeerId, Arc<Peer>>,
}

impl Subscribers {
    pub(super) fn new(document: DocumentId, sid: String) -> Self {
        Self { document, sid, peers: HashMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Takes a connection in: first it is a subscriber, then it is told what it missed, then that it is one. So
    /// nothing falls between, and all that comes later is told live.
    pub(super) fn take(&mut self, subscription: &Subscription, newest: &Stored) {
        let Subscription { peer, last_event_id, correlation } = subscription;
        if let Err(error) = peer.subscribe(&self.document) {
            return self.refuse(subscription, error);
        }
        self.peers.insert(peer.id, peer.clone());
        let mut told = Vec::with_capacity(2);
        // Sync: without an event nothing is missed; an event higher than the newest is from a store that was restored.
        if last_event_id.is_some_and(|known| event_id(newest) > known) {
            told.push(self.updated(newest, Some(correlation)));
        }
        let confirmed = Confirmed {
            sid: self.sid.clone(),
            kind: Some(Kind::Document),
            replay: Replay::Completed,
            last_event_id: Some(event_id(newest)),
        };
        told.push(Confirmed::notification(correlation, &[confirmed]));
        peer.notify(Told::Own(told.into()));
    }

    /// Tells a connection that it will hear nothing.
    pub(super) fn refuse(&mut self, subscription: &Subscription, error: SyncError) {
        let Subscription { peer, correlation, .. } = subscription;
        self.drop_peer(peer.id);
        let failed = FailedSubscription { sid: self.sid.clone(), kind: Some(Kind::Document), error };
        peer.notify(Told::Own([FailedSubscription::notification(correlation, &[failed])].into()));
    }

    /// Ends a subscription as its client asked.
    pub(super) fn cancel(&mut self, peer: &Peer, correlation: &Correlation) {
        self.drop_peer(peer.id);
        let canceled = SyncMessage::canceled(correlation, &[(self.sid.clone(), Some(Kind::Document))]);
        peer.notify(Told::Own([canceled].into()));
    }

    /// Ends the subscriptions of those who may not read any more. Sync: as if by the client's own wish, which makes the
    /// SDKs ask anew; then they hear why not.
    pub(super) fn bar(&mut self, may_read: impl Fn(&str) -> bool) {
        let barred = self.peers.values().filter(|peer| !may_read(peer.identity()));
        let barred: Vec<Arc<Peer>> = barred.cloned().collect();
        for peer in barred {
            self.drop_peer(peer.id);
            peer.bar(&self.document);
            peer.notify(Told::Own([SyncMessage::ended(&self.sid, Kind::Document)].into()));
        }
    }

    /// Ends a subscription without a word.
    pub(super) fn drop_peer(&mut self, peer: PeerId) {
        if let Some(peer) = self.peers.remove(&peer) {
            peer.unsubscribe(&self.document);
        }
    }

    /// Tells all but the author of a new state. It is written down once for all of them.
    pub(super) fn tell_updated(&self, stored: &Stored, author: Option<PeerId>) {
        if self.others(author).next().is_some() {
            self.tell(self.updated(stored, None), author);
        }
    }

    /// Tells all but the author of the end; then nobody is a subscriber any more.
    pub(super) fn tell_removed(&mut self, at: Option<BackendTime>, author: Option<PeerId>) {
        let date_created = at.map(timestamp);
        let removed = DocumentRemoved { sid: self.sid.clone(), id: None, date_created };
        self.tell(removed.notification(), author);
        for peer in std::mem::take(&mut self.peers).into_values() {
            peer.unsubscribe(&self.document);
        }
    }

    fn others(&self, author: Option<PeerId>) -> impl Iterator<Item = &Arc<Peer>> {
        self.peers.values().filter(move |peer| Some(peer.id) != author)
    }

    fn tell(&self, notification: Notification, author: Option<PeerId>) {
        let id = format!("TN{:032x}", FRAMES.fetch_add(1, Relaxed));
        let shared = Arc::new(Shared { frame: notification.frame(&id), id, since: Instant::now() });
        for peer in self.others(author) {
            peer.notify(Told::Shared(shared.clone()));
        }
    }

    fn updated(&self, stored: &Stored, replayed_for: Option<&Correlation>) -> Notification {
        let event = DocumentUpdated {
            id: event_id(stored),
            sid: self.sid.clone(),
            unique_name: Names::unique_name(&self.document).map(str::to_owned),
            revision: Some(revision(stored)),
            date_created: Some(timestamp(stored.updated)),
            date_expires: Some(stored.expires.map(timestamp)),
        };
        event.notification(&stored.document.to_json(), replayed_for)
    }
}

/// A backend's time on the wire.
pub(in super::super) fn timestamp(time: BackendTime) -> Timestamp {
    Timestamp::from_unix_ms(i64::try_from(time.0).unwrap_or(i64::MAX))
}
