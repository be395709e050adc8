//! Subscriptions: asked for in batches, on every connection anew, until each is confirmed.

use serde_json::Value;

use super::asking::What;
use super::{Due, Machine, backoff};
use crate::backend::BackendError;
use crate::id::DocumentId;
use crate::limits::{REMOTE_RETRY_MAX, REMOTE_RETRY_MIN};
use crate::twilsock::client_session::{Moment, RequestError};
use crate::twilsock::message::{Notification, Request, Response};
use crate::twilsock::sync::{
    Confirmed, Correlation, Event, EventId, FailedSubscription, Replay, SubscriptionAnswer,
    SubscriptionBatch, SubscriptionEntry, SyncMessage,
};

/// How far a watched document is with being told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Subscription {
    /// There is nothing to subscribe to, or it has ended.
    #[default]
    No,
    /// To be asked for with the next batch.
    Wanted,
    /// Asked for with this number, from this event on.
    Asked { correlation: u64, from: EventId },
    /// To be asked for when the time of this number has come.
    Later(u64),
    /// Every change is told.
    Established,
}

impl Machine {
    pub(super) fn want_if_not(&mut self, id: &DocumentId) {
        if let Some(watched) = self.watched.get_mut(id)
            && watched.subscription == Subscription::No
        {
            watched.subscription = Subscription::Wanted;
            self.wanted.push(id.clone());
        }
    }

    /// Sync: subscriptions end with their connection.
    pub(super) fn subscribe_anew(&mut self) {
        self.batches.clear();
        self.wanted.clear();
        for (id, watched) in &mut self.watched {
            if watched.sid.is_some() {
                watched.subscription = Subscription::Wanted;
                self.wanted.push(id.clone());
            }
        }
    }

    /// Asks for all that are wanted; whether there were any.
    pub(super) fn subscribe(&mut self, moment: Moment) -> bool {
        if !self.is_open || self.wanted.is_empty() {
            return false;
        }
        let wanted = std::mem::take(&mut self.wanted);
        for names in wanted.chunks(self.batch_max.max(1)) {
            self.correlations += 1;
            let correlation = self.correlations;
            let (mut entries, mut asked) = (Vec::new(), Vec::new());
            for id in names {
                let Some(watched) = self.watched.get_mut(id) else { continue };
                let (Some(sid), Some(from)) = (&watched.sid, watched.event) else { continue };
                if watched.subscription == Subscription::Wanted {
                    watched.subscription = Subscription::Asked { correlation, from };
                    entries.push(SubscriptionEntry::document(sid.clone(), from));
                    asked.push(id.clone());
                }
            }
            if !entries.is_empty() {
                let batch = SubscriptionBatch::establish(Correlation::new(correlation), entries);
                self.batches.insert(correlation, asked);
                self.ask(What::Subscribe(correlation), Request::subscribe(&batch), moment);
            }
        }
        true
    }

    pub(super) fn cancel(&mut self, sid: String, moment: Moment) {
        if !self.is_open {
            return;
        }
        self.correlations += 1;
        let entry = SubscriptionEntry { last_event_id: None, ..SubscriptionEntry::document(sid, EventId(0)) };
        let batch = SubscriptionBatch::cancel(Correlation::new(self.correlations), vec![entry]);
        self.ask(What::Cancel, Request::subscribe(&batch), moment);
    }

    /// Sync: the answer says when the confirmations should be there; they may have come before.
    pub(super) fn subscription_answered(
        &mut self,
        correlation: u64,
        answer: &Result<Response, RequestError>,
        moment: Moment,
    ) {
        match answer {
            Ok(response) if response.is_success() => {
                let answer = SubscriptionAnswer::read(&response.body);
                self.batch_max = answer.batch_max;
                self.at(moment.now + answer.estimated_delivery, Due::Subscriptions(correlation));
                if let Some(ttl) = answer.ttl {
                    self.at(moment.now + ttl, Due::Renewal);
                }
            }
            // Sync: whatever the refusal, it is asked again.
            Ok(_) | Err(_) if self.is_open => self.at_later(correlation, moment),
            _ => {}
        }
    }

    fn at_later(&mut self, correlation: u64, moment: Moment) {
        for id in self.batches.remove(&correlation).unwrap_or_default() {
            let of_it = |subscription| matches!(subscription, Subscription::Asked { correlation: own, .. } if own == correlation);
            if self.watched.get(&id).is_some_and(|watched| of_it(watched.subscription)) {
                self.later(&id, moment);
            }
        }
    }

    /// Asks again after a wait that grows.
    fn later(&mut self, id: &DocumentId, moment: Moment) {
        let Some(watched) = self.watched.get_mut(id) else { return };
        let wait = backoff(watched.failures, moment.chance).clamp(REMOTE_RETRY_MIN / 2, 2 * REMOTE_RETRY_MAX);
        watched.failures = watched.failures.saturating_add(1);
        self.correlations += 1;
        let correlation = self.correlations;
        watched.subscription = Subscription::Later(correlation);
        self.batches.insert(correlation, vec![id.clone()]);
        self.at(moment.now + wait, Due::Subscriptions(correlation));
    }

    /// What has not been confirmed by now is asked for again.
    pub(super) fn subscriptions_due(&mut self, due: u64) {
        for id in self.batches.remove(&due).unwrap_or_default() {
            let Some(watched) = self.watched.get_mut(&id) else { continue };
            match watched.subscription {
                Subscription::Asked { correlation, .. } | Subscription::Later(correlation)
                    if correlation == due =>
                {
                    watched.subscription = Subscription::Wanted;
                    self.wanted.push(id);
                }
                _ => {}
            }
        }
    }

    pub(super) fn notified(&mut self, notification: &Notification, moment: Moment) {
        let Some(SyncMessage { correlation, events }) = SyncMessage::read(&notification.payload) else {
            return;
        };
        for event in events {
            match event {
                Event::Established(confirmed) => self.confirmed(&confirmed, correlation.as_ref(), moment),
                Event::Failed(failed) => self.not_confirmed(&failed, correlation.as_ref(), moment),
                // One with a number answers this client's own request.
                Event::Canceled { sid, .. } if correlation.is_none() => {
                    if let Some(id) = self.sids.get(&sid).cloned() {
                        self.later(&id, moment);
                    }
                }
                Event::DocumentUpdated(updated, data) => self.updated(&updated, &data, moment),
                // It may be of a document that another one of this name has replaced since.
                Event::DocumentRemoved(removed) => self.gone(&removed.sid, moment),
                // A change that cannot be read is still one.
                Event::Other { event_type, event } if event_type == "document_updated" => {
                    if let Some(sid) = event.get("document_sid").and_then(Value::as_str) {
                        self.look_at(sid, moment);
                    }
                }
                _ => {}
            }
        }
    }

    /// The document of this request, if that still waits for its confirmation.
    fn awaited(&self, sid: &str, correlation: Option<&Correlation>) -> Option<(DocumentId, EventId)> {
        let id = self.sids.get(sid)?;
        match self.watched.get(id)?.subscription {
            Subscription::Asked { correlation: own, from }
                if correlation.is_none_or(|number| *number == Correlation::new(own)) =>
            {
                Some((id.clone(), from))
            }
            _ => None,
        }
    }

    fn confirmed(&mut self, confirmed: &Confirmed, correlation: Option<&Correlation>, moment: Moment) {
        let Some((id, from)) = self.awaited(&confirmed.sid, correlation) else { return };
        let Some(watched) = self.watched.get_mut(&id) else { return };
        match confirmed.replay {
            Replay::Completed => {
                watched.subscription = Subscription::Established;
                watched.failures = 0;
                // Never seen, but it costs little: an event was not told that should have been.
                if confirmed.last_event_id > watched.event {
                    self.look(&id, moment);
                }
            }
            Replay::Interrupted if watched.event > Some(from) => {
                watched.subscription = Subscription::Wanted;
                self.wanted.push(id);
            }
            Replay::Interrupted => self.later(&id, moment),
            _ => {}
        }
    }

    fn not_confirmed(
        &mut self,
        failed: &FailedSubscription,
        correlation: Option<&Correlation>,
        moment: Moment,
    ) {
        let Some((id, _)) = self.awaited(&failed.sid, correlation) else { return };
        match failed.error.status {
            404 => self.gone(&failed.sid, moment),
            401 | 403 => {
                let (code, message) = (i64::from(failed.error.code), failed.error.message.clone());
                self.end_watch(&id, BackendError::Refused { code, message });
            }
            _ => self.later(&id, moment),
        }
    }

    /// There are no more events of this document: perhaps there is another of its name.
    fn gone(&mut self, sid: &str, moment: Moment) {
        if let Some(watched) = self.sids.get(sid).and_then(|id| self.watched.get_mut(id)) {
            watched.subscription = Subscription::No;
        }
        self.look_at(sid, moment);
    }

    fn look_at(&mut self, sid: &str, moment: Moment) {
        if let Some(id) = self.sids.get(sid).cloned() {
            self.look(&id, moment);
        }
    }
}
