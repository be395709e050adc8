//! Who watches what in this process, and the newest state each name was told.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;

use super::row::{Known, Row};
use crate::backend::{BackendError, BackendTime, Change, Stored};
use crate::id::DocumentId;

/// The watched names. States come from the writer, from reads, and from the watching thread; whoever is late with an
/// older one is passed over.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    /// Wakes the watching thread.
    wake: SyncSender<()>,
}

#[derive(Debug, Default)]
struct State {
    topics: HashMap<DocumentId, watch::Sender<News>>,
    /// When watched documents expire, soonest first.
    expiries: BTreeSet<(BackendTime, DocumentId)>,
    /// Every change up to this number has been told. Unknown while the watching thread does not run.
    told_seq: Option<i64>,
    is_followed: bool,
}

/// What watchers of a name are told.
#[derive(Clone, Debug)]
struct News {
    /// Number of the change, -1 before anything was read.
    seq: i64,
    stored: Option<Stored>,
    failure: Option<BackendError>,
}

/// The end of a store wakes its watching thread, which then ends too.
impl Drop for Hub {
    fn drop(&mut self) {
        self.wake();
    }
}

impl Hub {
    pub(super) fn new(wake: SyncSender<()>) -> Self {
        Self { state: Mutex::default(), wake }
    }

    /// A poisoned lock is taken over: no change below leaves a state that another could not go on from.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the watching thread; a full channel means that it is about to wake anyway.
    fn wake(&self) {
        let _ = self.wake.try_send(());
    }

    /// Takes part in a name. The caller then reads it and tells [`Hub::tell`] what it found, so that the first state
    /// of the stream is not older than the call.
    pub(super) fn join(self: &Arc<Self>, id: &DocumentId) -> Watching {
        let vacant = || watch::Sender::new(News { seq: -1, stored: None, failure: None });
        let receiver = self.lock().topics.entry(id.clone()).or_insert_with(vacant).subscribe();
        Watching { changes: Some(WatchStream::new(receiver)), hub: Arc::downgrade(self), id: id.clone() }
    }

    fn leave(&self, id: &DocumentId) {
        let mut state = self.lock();
        if state.topics.get(id).is_some_and(|topic| topic.receiver_count() == 0) {
            state.drop_topic(id);
        }
    }

    /// Tells one state that was read.
    pub(super) fn tell(&self, id: &DocumentId, row: Row) {
        if self.lock().tell(id, row) {
            self.wake();
        }
    }

    /// Tells what one commit changed: the changes after `before` up to `after`.
    pub(super) fn tell_commit(&self, before: i64, after: i64, changes: Vec<(DocumentId, Row)>) {
        let mut state = self.lock();
        let mut sooner = false;
        for (id, row) in changes {
            sooner |= state.tell(&id, row);
        }
        if state.told_seq == Some(before) {
            state.told_seq = Some(after);
        }
        drop(state);
        if sooner {
            self.wake();
        }
    }

    /// Ends every watch with this failure.
    pub(super) fn fail(&self, failure: &BackendError) {
        let mut state = self.lock();
        for topic in state.topics.values() {
            topic.send_modify(|news| news.failure = Some(failure.clone()));
        }
        *state = State { is_followed: state.is_followed, ..State::default() };
    }

    /// Content of the newest state that was told, if anybody watches the name.
    pub(super) fn known(&self, id: &DocumentId) -> Option<Known> {
        let state = self.lock();
        let news = state.topics.get(id)?.borrow();
        news.stored.as_ref().map(|stored| (stored.revision, stored.document.clone()))
    }

    /// Whether the caller has to start the watching thread.
    pub(super) fn needs_follower(&self) -> bool {
        let mut state = self.lock();
        !std::mem::replace(&mut state.is_followed, true)
    }

    /// The watching thread ends: unconditionally, or only when nobody watches. Answers whether it does.
    pub(super) fn unfollow(&self, unconditionally: bool) -> bool {
        let mut state = self.lock();
        let ends = unconditionally || state.topics.is_empty();
        if ends {
            (state.is_followed, state.told_seq) = (false, None);
        }
        ends
    }

    pub(super) fn told_seq(&self) -> Option<i64> {
        self.lock().told_seq
    }

    /// Every change up to `seq` has been told.
    pub(super) fn told_up_to(&self, seq: i64) {
        let mut state = self.lock();
        state.told_seq = Some(state.told_seq.map_or(seq, |told| told.max(seq)));
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().topics.is_empty()
    }

    pub(super) fn watched(&self) -> Vec<DocumentId> {
        self.lock().topics.keys().cloned().collect()
    }

    /// Whether somebody watches this name and has not been told this change.
    pub(super) fn lacks(&self, id: &DocumentId, seq: i64) -> bool {
        self.lock().topics.get(id).is_some_and(|topic| topic.borrow().seq < seq)
    }

    pub(super) fn next_expiry(&self) -> Option<BackendTime> {
        self.lock().expiries.first().map(|(end, _)| *end)
    }

    /// Watched documents that have expired as far as is known here. Another process may have prolonged their life.
    pub(super) fn take_expired(&self, now: BackendTime) -> Vec<DocumentId> {
        let mut state = self.lock();
        let mut due = Vec::new();
        while state.expiries.first().is_some_and(|(end, _)| *end <= now) {
            due.extend(state.expiries.pop_first().map(|(_, id)| id));
        }
        due
    }
}

impl State {
    /// Answers whether the soonest expiry has become sooner.
    fn tell(&mut self, id: &DocumentId, row: Row) -> bool {
        let Some(topic) = self.topics.get(id) else { return false };
        let soonest = self.expiries.first().map(|(end, _)| *end);
        let expires = row.stored.as_ref().and_then(|stored| stored.expires);
        let mut before = None;
        let told = topic.send_if_modified(|news| {
            // The same change again, but without content: the document has expired since.
            let has_expired = row.seq == news.seq && row.stored.is_none() && news.stored.is_some();
            if row.seq <= news.seq && !has_expired {
                return false;
            }
            // An absence that lasts is not told again; before anything was read, it is.
            let is_news = row.stored.is_some() || news.stored.is_some() || news.seq < 0;
            before = news.stored.as_ref().and_then(|stored| stored.expires);
            *news = News { seq: row.seq, stored: row.stored, failure: None };
            is_news
        });
        if !told {
            return false;
        }
        if let Some(before) = before {
            self.expiries.remove(&(before, id.clone()));
        }
        if let Some(expires) = expires {
            self.expiries.insert((expires, id.clone()));
        }
        expires.is_some_and(|expires| soonest.is_none_or(|soonest| expires < soonest))
    }

    fn drop_topic(&mut self, id: &DocumentId) {
        let Some(topic) = self.topics.remove(id) else { return };
        if let Some(expires) = topic.borrow().stored.as_ref().and_then(|stored| stored.expires) {
            self.expiries.remove(&(expires, id.clone()));
        }
    }
}

/// The stream of one watcher. Ends with the store, and after a failure.
#[derive(Debug)]
pub(super) struct Watching {
    changes: Option<WatchStream<News>>,
    hub: Weak<Hub>,
    id: DocumentId,
}

impl Stream for Watching {
    type Item = Result<Change, BackendError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(changes) = &mut self.changes else { return Poll::Ready(None) };
        match Pin::new(changes).poll_next(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(News { failure: Some(failure), .. })) => {
                self.changes = None;
                Poll::Ready(Some(Err(failure)))
            }
            Poll::Ready(Some(News { stored, .. })) => {
                Poll::Ready(Some(Ok(stored.map_or(Change::Removed, Change::Updated))))
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(hub) = self.hub.upgrade() {
            hub.leave(&self.id);
        }
    }
}
