//! Documents that are watched: what is known of them, and looking when it is not known enough.

use std::sync::Arc;

use tokio::time::Instant;

use super::asking::Then;
use super::subscribing::Subscription;
use super::{Due, Machine, Order, backoff};
use crate::backend::{BackendError, BackendTime, Change, Revision, Stored};
use crate::document::Document;
use crate::id::DocumentId;
use crate::limits::REMOTE_LOOK_EVERY;
use crate::twilsock::client_session::Moment;
use crate::twilsock::sync::{Data, DocumentUpdated, EventId};

/// A document that somebody watches.
#[derive(Debug, Default)]
pub(super) struct Watched {
    presence: Presence,
    /// When the presence was learned.
    touched: Order,
    /// The newest revision told.
    newest: Option<Revision>,
    /// The state told last: of the next one most is the same.
    document: Option<Arc<Document>>,
    /// While it is there.
    pub(super) sid: Option<String>,
    pub(super) event: Option<EventId>,
    created: Option<BackendTime>,
    expires: Option<BackendTime>,
    pub(super) subscription: Subscription,
    /// Subscription requests that failed in a row.
    pub(super) failures: u32,
    /// A look is on its way.
    is_looking: bool,
    look_at: Option<Instant>,
    look_failures: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Unknown,
    Absent,
    Present,
}

impl Machine {
    /// A state of a document, learned of by what was sent at `asked`.
    pub(super) fn show(&mut self, id: &DocumentId, stored: &Stored, sid: &str, event: EventId, asked: Order) {
        let now = self.order;
        let Some(watched) = self.watched.get_mut(id) else { return };
        let is_newer = watched.newest.is_none_or(|newest| stored.revision > newest);
        // What was thought to be gone is there after all.
        let is_back = watched.presence != Presence::Present && asked > watched.touched;
        if !is_newer && !is_back {
            if watched.newest == Some(stored.revision) && watched.presence == Presence::Present {
                watched.touched = now;
                self.want_if_not(id);
            }
            return;
        }
        watched.presence = Presence::Present;
        watched.touched = now;
        watched.newest = watched.newest.max(Some(stored.revision));
        watched.look_at = None;
        watched.event = Some(event);
        watched.document = Some(stored.document.clone());
        (watched.created, watched.expires) = (Some(stored.created), stored.expires);
        if watched.sid.as_deref() != Some(sid) {
            let before = watched.sid.replace(sid.to_owned());
            watched.subscription = Subscription::No;
            self.sids.insert(sid.to_owned(), id.clone());
            if let Some(before) = before {
                self.sids.remove(&before);
            }
        }
        self.told(id, Ok(Change::Updated(stored.clone())));
        self.want_if_not(id);
    }

    /// A document was not there when what was sent at `asked` was carried out.
    pub(super) fn absent(&mut self, id: &DocumentId, asked: Order, moment: Moment) {
        let now = self.count();
        let Some(watched) = self.watched.get_mut(id) else { return };
        if watched.presence == Presence::Present && asked < watched.touched {
            return self.look(id, moment);
        }
        let is_news = watched.presence != Presence::Absent;
        watched.presence = Presence::Absent;
        watched.touched = now;
        watched.subscription = Subscription::No;
        let look_at = moment.now + REMOTE_LOOK_EVERY;
        watched.look_at = Some(look_at);
        if let Some(sid) = watched.sid.take() {
            self.sids.remove(&sid);
        }
        self.at(look_at, Due::Look(id.clone()));
        if is_news {
            self.told(id, Ok(Change::Removed));
        }
    }

    /// The service tells of a change.
    pub(super) fn updated(&mut self, event: &DocumentUpdated, data: &Data, moment: Moment) {
        let Some(id) = self.sids.get(&event.sid).cloned() else { return };
        let before = self.watched.get(&id).and_then(|watched| watched.document.as_deref());
        // Whoever asks for one that cannot be read hears why.
        let Ok(document) = Document::from_shared(data.text(), before) else { return self.look(&id, moment) };
        let now = self.count();
        self.clock.saw(event.date_created, moment.now);
        let at = self.clock.at(moment.now);
        let course = self.names.course(&id, now);
        let Some(revision) = course.revision(&event.sid, event.id, now, now) else { return };
        if let Some(text) = &event.revision {
            course.remember(revision, &event.sid, text.clone());
        }
        let Some(watched) = self.watched.get(&id) else { return };
        let updated = event.date_created.map_or(at, super::clock::time);
        let expires = match event.date_expires {
            Some(expires) => expires.map(super::clock::time),
            None => watched.expires,
        };
        let created = watched.created.unwrap_or(updated);
        let document = Arc::new(document);
        let stored = Stored { revision, document, expires, created, updated, at };
        self.show(&id, &stored, &event.sid, event.id, now);
    }

    /// Finds out whether a watched document is there.
    pub(super) fn look(&mut self, id: &DocumentId, moment: Moment) {
        let Some(watched) = self.watched.get_mut(id).filter(|watched| !watched.is_looking) else { return };
        watched.is_looking = true;
        watched.look_at = None;
        self.get(id.clone(), Then::Look, moment);
    }

    pub(super) fn look_if_due(&mut self, id: &DocumentId, moment: Moment) {
        let due = |watched: &&Watched| watched.look_at.is_some_and(|at| at <= moment.now);
        if self.watched.get(id).filter(due).is_some() {
            self.look(id, moment);
        }
    }

    /// A look has ended.
    pub(super) fn looked(&mut self, id: &DocumentId) {
        if let Some(watched) = self.watched.get_mut(id) {
            watched.is_looking = false;
        }
    }

    /// What passes is tried again; what does not ends the watch.
    pub(super) fn look_failed(&mut self, id: &DocumentId, error: BackendError, moment: Moment) {
        if !error.is_transient() {
            return self.end_watch(id, error);
        }
        let Some(watched) = self.watched.get_mut(id) else { return };
        let look_at = moment.now + backoff(watched.look_failures, moment.chance);
        watched.look_failures = watched.look_failures.saturating_add(1);
        watched.look_at = Some(look_at);
        self.at(look_at, Due::Look(id.clone()));
    }

    /// Nobody watches it any more.
    pub(in super::super) fn unwatch(&mut self, id: &DocumentId, moment: Moment) {
        self.forget(id, moment);
        self.settle(moment);
    }

    /// Tells everybody who watches it that this is the end.
    pub(super) fn end_watch(&mut self, id: &DocumentId, why: BackendError) {
        if let Some(watched) = self.watched.remove(id) {
            if let Some(sid) = &watched.sid {
                self.sids.remove(sid);
            }
            self.told(id, Err(why));
        }
    }

    fn forget(&mut self, id: &DocumentId, moment: Moment) {
        let Some(watched) = self.watched.remove(id) else { return };
        let Some(sid) = watched.sid else { return };
        self.sids.remove(&sid);
        if matches!(watched.subscription, Subscription::Asked { .. } | Subscription::Established) {
            self.cancel(sid, moment);
        }
    }
}
