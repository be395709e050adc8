//! Who watches what in this process, and the newest state each key was told.
//!
//! States come from writes made here, from reads, and from what the servers repeat; whoever is late with an older one is
//! passed over. Every message holds the whole document, so nothing that came before it is missed.
//!
//! Where a message may be void (see [`chain`](super::chain)) the hub knows what stands up to which message of a key. One that
//! comes right behind that is judged by itself; one that comes later has to wait for a read.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::{Notify, OnceCell, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;

use super::Shared;
use super::chain::Stand;
use super::link::EndOnDrop;
use super::message::Found;
use super::names::Key;
use crate::backend::{BackendError, BackendTime, Change, Stored};
use crate::document::Document;
use crate::limits::NATS_REPEAT_WITHIN;

#[derive(Debug, Default)]
pub(super) struct Hub {
    state: Mutex<State>,
    /// Wakes whoever waits for the soonest expiry.
    sooner: Notify,
}

#[derive(Debug, Default)]
struct State {
    topics: HashMap<Key, Topic>,
    shards: HashMap<u16, Shard>,
    /// When watched documents expire, soonest first.
    expiries: BTreeSet<(BackendTime, Key)>,
    is_closed: bool,
}

#[derive(Debug)]
struct Topic {
    news: watch::Sender<News>,
    /// What this process is writing: repeated by the server, it need not be read again.
    writing: Option<Arc<Document>>,
    /// Sequence of the newest message that was heard but could not be judged, because those before it were not.
    unjudged: u64,
    /// Wakes the write that waits to hear of its message.
    heard: Option<Arc<Notify>>,
    /// Whether anything was told of it, if only that there is nothing.
    is_known: bool,
}

/// What watchers of a key are told.
#[derive(Clone, Debug, Default)]
struct News {
    /// Sequence of the message that stands, 0 when there was none.
    seq: u64,
    is_document: bool,
    /// Sequence of the newest message, which may be void.
    tail: u64,
    stored: Option<Stored>,
    failure: Option<Box<BackendError>>,
}

/// Part of the changes, with all watched documents in it.
#[derive(Debug)]
struct Shard {
    topics: usize,
    subscription: Arc<Subscription>,
}

/// A subscription to one shard; it ends with the shard's last topic.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// The task that hands out what comes.
    pub(super) task: OnceCell<EndOnDrop>,
}

impl Hub {
    /// A poisoned lock is taken over: no change below leaves a state that another could not go on from.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes part in a key. The caller then subscribes to its shard unless somebody did, reads the key, and tells
    /// [`Hub::tell`] what it found, so that the first state of the stream is not older than the call.
    pub(super) fn join(self: &Arc<Self>, key: &Key) -> (Watching, Arc<Subscription>) {
        let mut state = self.lock();
        let State { topics, shards, is_closed, .. } = &mut *state;
        let is_new = !topics.contains_key(key);
        let topic = topics.entry(key.clone()).or_insert_with(Topic::vacant);
        let shard =
            shards.entry(key.shard()).or_insert_with(|| Shard { topics: 0, subscription: Arc::default() });
        shard.topics += usize::from(is_new);
        let changes = (!*is_closed).then(|| WatchStream::new(topic.news.subscribe()));
        (Watching { changes, hub: self.clone(), key: key.clone(), backend: None }, shard.subscription.clone())
    }

    fn leave(&self, key: &Key) {
        let mut state = self.lock();
        if state.topics.get(key).is_some_and(|topic| topic.news.receiver_count() == 0) {
            state.drop_topic(key);
        }
    }

    /// The newest state that was told, if anybody watches the key and was told any.
    pub(super) fn known(&self, key: &Key) -> Option<Found> {
        let state = self.lock();
        let news = state.topics.get(key)?.news.borrow();
        (news.seq > 0).then(|| Found {
            seq: news.seq,
            is_document: news.is_document,
            tail: news.tail,
            stored: news.stored.clone(),
        })
    }

    /// The document that was told last, if anybody watches the key and there is one.
    pub(super) fn document(&self, key: &Key) -> Option<Arc<Document>> {
        let state = self.lock();
        let news = state.topics.get(key)?.news.borrow();
        news.stored.as_ref().map(|stored| stored.document.clone())
    }

    /// Sequence of the state that was told last, 0 for none; `None` when nobody watches.
    pub(super) fn seq(&self, key: &Key) -> Option<u64> {
        Some(self.lock().topics.get(key)?.news.borrow().seq)
    }

    /// The key that a token of a subject is, what stands under it, and its newest message, if anybody watches.
    pub(super) fn watched_as(&self, token: &str) -> Option<(Key, Stand, u64)> {
        let state = self.lock();
        let (key, topic) = state.topics.get_key_value(token)?;
        let news = topic.news.borrow();
        Some((key.clone(), Stand { seq: news.seq, is_document: news.is_document }, news.tail))
    }

    /// A message was heard that follows some which were not. Answers whether the key is to be read for it: not where that
    /// was said before, and not where whoever began to watch it is reading it for the first time.
    pub(super) fn heard_unjudged(&self, key: &str, seq: u64) -> bool {
        let mut state = self.lock();
        let Some(topic) = state.topics.get_mut(key) else { return false };
        let is_first = topic.unjudged == 0;
        topic.unjudged = topic.unjudged.max(seq);
        topic.wake();
        is_first && topic.is_known
    }

    /// Whether a message was heard meanwhile that a reader of everything up to `tail` has not seen. Asked once: it may have
    /// been swept since.
    pub(super) fn take_unjudged(&self, key: &str, tail: u64) -> bool {
        self.lock().topics.get_mut(key).is_some_and(|topic| std::mem::take(&mut topic.unjudged) > tail)
    }

    /// A message was heard that does not hold, right behind those that were judged.
    pub(super) fn heard_void(&self, key: &str, seq: u64) {
        if let Some(topic) = self.lock().topics.get_mut(key) {
            topic.news.send_if_modified(|news| {
                news.tail = news.tail.max(seq);
                false
            });
            topic.wake();
        }
    }

    /// Whether a message of this process holds, as far as it is heard soon. `None` when nobody watches, or when more has
    /// happened than tells.
    pub(super) async fn holds(&self, key: &str, seq: u64) -> Option<bool> {
        let judged = async {
            loop {
                let heard = {
                    let mut state = self.lock();
                    let topic = state.topics.get_mut(key)?;
                    let (stands, tail) = {
                        let news = topic.news.borrow();
                        (news.seq, news.tail)
                    };
                    if stands == seq || tail == seq {
                        return Some(stands == seq);
                    }
                    if tail > seq || topic.unjudged >= seq {
                        return None;
                    }
                    // One of this key is on its way at a time, so nobody else waits.
                    topic.heard.insert(Arc::default()).clone()
                };
                heard.notified().await;
            }
        };
        tokio::time::timeout(NATS_REPEAT_WITHIN, judged).await.ok().flatten()
    }

    /// Remembers what is being written, where somebody watches.
    pub(super) fn write_begins(&self, key: &Key, document: &Arc<Document>) {
        if let Some(topic) = self.lock().topics.get_mut(key) {
            topic.writing = Some(document.clone());
        }
    }

    /// The document that this process is writing under a key, if this is its text.
    pub(super) fn written_here(&self, key: &Key, text: &[u8]) -> Option<Arc<Document>> {
        let writing = self.lock().topics.get(key)?.writing.clone()?;
        (writing.to_json().as_bytes() == text).then_some(writing)
    }

    /// Tells one state. One without any message is believed when nothing was told since `seq_before`: the key was never
    /// written, or the trace of its removal is gone.
    pub(super) fn tell(&self, key: &Key, found: Found, seq_before: u64) {
        if self.lock().tell(key, found, seq_before) {
            self.sooner.notify_one();
        }
    }

    /// Ends every watch with this failure.
    pub(super) fn fail(&self, failure: &BackendError) {
        self.lock().fail(failure, |_| true);
    }

    /// Ends every watch of one shard with this failure.
    pub(super) fn fail_shard(&self, shard: u16, failure: &BackendError) {
        self.lock().fail(failure, |key| key.shard() == shard);
    }

    /// Ends every watch of one key with this failure.
    pub(super) fn fail_key(&self, failed: &Key, failure: &BackendError) {
        self.lock().fail(failure, |key| key == failed);
    }

    /// Ends every watch, without a failure, and those to come.
    pub(super) fn close(&self) {
        *self.lock() = State { is_closed: true, ..State::default() };
        self.sooner.notify_one();
    }

    pub(super) fn watched(&self) -> Vec<Key> {
        self.lock().topics.keys().cloned().collect()
    }

    /// Returns when the soonest expiry may have become sooner.
    pub(super) async fn sooner(&self) {
        self.sooner.notified().await;
    }

    pub(super) fn next_expiry(&self) -> Option<BackendTime> {
        self.lock().expiries.first().map(|(end, _)| *end)
    }

    /// Watched documents that have expired as far as is known here. Another process may have prolonged their life.
    pub(super) fn take_expired(&self, now: BackendTime) -> Vec<Key> {
        let mut state = self.lock();
        let mut due = Vec::new();
        while state.expiries.first().is_some_and(|(end, _)| *end <= now) {
            due.extend(state.expiries.pop_first().map(|(_, key)| key));
        }
        due
    }
}

impl State {
    /// Answers whether the soonest expiry has become sooner.
    fn tell(&mut self, key: &Key, found: Found, seq_before: u64) -> bool {
        let Some(topic) = self.topics.get_mut(key) else { return false };
        let soonest = self.expiries.first().map(|(end, _)| *end);
        let expires = found.stored.as_ref().and_then(|stored| stored.expires);
        let mut before = None;
        let told = topic.news.send_if_modified(|news| {
            let is_gone = found.seq == 0 && news.seq == seq_before;
            // The same again, but without content: the document has expired since.
            let has_expired = found.seq == news.seq && found.stored.is_none() && news.stored.is_some();
            let (tail, is_further) = (found.tail.max(news.tail), found.tail > news.tail);
            if found.seq == news.seq && !has_expired && !is_gone {
                // At most a void message came.
                news.tail = tail;
                return false;
            }
            // What stands after more messages is what stands later.
            if !is_further && !has_expired && !is_gone {
                return false;
            }
            // An absence that lasts is not told again. Whoever begins to watch looks for itself.
            let is_news = found.stored.is_some() || news.stored.is_some();
            before = news.stored.as_ref().and_then(|stored| stored.expires);
            let seq = found.seq.max(news.seq);
            *news = News { seq, is_document: found.is_document, tail, stored: found.stored, failure: None };
            is_news
        });
        topic.is_known = true;
        topic.wake();
        if !told {
            return false;
        }
        topic.writing = None;
        if let Some(before) = before {
            self.expiries.remove(&(before, key.clone()));
        }
        if let Some(expires) = expires {
            self.expiries.insert((expires, key.clone()));
        }
        expires.is_some_and(|expires| soonest.is_none_or(|soonest| expires < soonest))
    }

    fn drop_topic(&mut self, key: &Key) {
        let Some(topic) = self.topics.remove(key) else { return };
        if let Some(expires) = topic.news.borrow().stored.as_ref().and_then(|stored| stored.expires) {
            self.expiries.remove(&(expires, key.clone()));
        }
        if let Some(shard) = self.shards.get_mut(&key.shard()) {
            shard.topics -= 1;
            if shard.topics == 0 {
                self.shards.remove(&key.shard());
            }
        }
    }

    fn fail(&mut self, failure: &BackendError, concerned: impl Fn(&Key) -> bool) {
        let keys: Vec<_> = self.topics.keys().filter(|key| concerned(key)).cloned().collect();
        for key in keys {
            if let Some(topic) = self.topics.get(&key) {
                topic.news.send_modify(|news| news.failure = Some(Box::new(failure.clone())));
            }
            self.drop_topic(&key);
        }
    }
}

impl Topic {
    fn vacant() -> Self {
        let news = watch::Sender::new(News::default());
        Self { news, writing: None, unjudged: 0, heard: None, is_known: false }
    }

    /// A permit is kept, so whoever begins to wait after this is woken too.
    fn wake(&mut self) {
        if let Some(heard) = self.heard.take() {
            heard.notify_one();
        }
    }
}

/// The stream of one watcher. Ends when the backend is closed, and after a failure.
#[derive(Debug)]
pub(super) struct Watching {
    changes: Option<WatchStream<News>>,
    hub: Arc<Hub>,
    key: Key,
    /// Lives as long as somebody watches.
    backend: Option<Arc<Shared>>,
}

impl Watching {
    /// The same, keeping the backend alive.
    pub(super) fn keeping(mut self, backend: Arc<Shared>) -> Self {
        self.backend = Some(backend);
        self
    }
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
                Poll::Ready(Some(Err(*failure)))
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
        self.hub.leave(&self.key);
    }
}
