//! The connection: requests with answers, over one inbox, and what becomes of them when it is lost.
//!
//! The client crate's own requests are not used: one whose answer does not come stays in its memory for good, and it is
//! not told when the connection is lost. Here a request is forgotten when its time is over, and one that was on its way
//! when the connection went is answered at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Event, HeaderMap, Message, ServerError, StatusCode, Subscriber};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::StreamExt as _;

use super::failure::Failure;
use crate::limits::{NATS_CONNECTION_POLL, NATS_LINK_EVENTS};

/// Why no answer came to what was on its way when the backend was closed.
const CLOSED: &str = "the backend was closed";

/// A connection with what waits for answers over it.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    /// Subject of the inbox, without the last token.
    inbox: String,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// How often messages may have been lost.
    lost: watch::Sender<u64>,
    /// Whether there is a connection, as far as was told.
    is_connected: watch::Sender<bool>,
    reply_within: Duration,
    /// The task that hands out answers. It would hold the connection open.
    handing_out: OnceLock<EndOnDrop>,
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(super) struct EndOnDrop(pub(super) AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A request on its way.
#[derive(Debug)]
struct Waiting {
    subject: String,
    /// Of which connection, by number.
    connection: u64,
    answer: oneshot::Sender<Result<Message, Failure>>,
}

/// Forgets a request that nobody waits for any more.
struct Forget<'a> {
    link: &'a Link,
    number: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.link.waiting().remove(&self.number);
    }
}

impl Link {
    /// Begins to listen for answers and events.
    ///
    /// # Errors
    /// When the inbox cannot be subscribed to.
    pub(super) async fn over(
        client: Client,
        events: mpsc::Receiver<Event>,
        denied: mpsc::Sender<String>,
        reply_within: Duration,
    ) -> Result<Arc<Self>, Failure> {
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await.map_err(|_| Failure::Closed)?;
        let link = Arc::new(Self {
            client,
            inbox,
            next: AtomicU64::new(0),
            waiting: Mutex::default(),
            lost: watch::Sender::new(0),
            is_connected: watch::Sender::new(true),
            reply_within,
            handing_out: OnceLock::new(),
        });
        let handing_out = tokio::spawn(hand_out(Arc::downgrade(&link), answers));
        let _ = link.handing_out.set(EndOnDrop(handing_out.abort_handle()));
        tokio::spawn(listen(Arc::downgrade(&link), events, denied));
        Ok(link)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Changes whenever messages may have been lost: after a reconnection, or when a subscriber was too slow.
    pub(super) fn losses(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }

    /// Messages may have been lost.
    pub(super) fn suspect(&self) {
        self.lost.send_modify(|count| *count += 1);
    }

    /// The moment by which a call that begins now is to be answered.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.reply_within
    }

    /// Sends one message and waits for its answer. Nothing is sent while there is no connection: the client would keep it
    /// and send it whenever there is one.
    pub(super) async fn request(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Message, Failure> {
        // What is seldom waited for, or not for long, is kept apart: the rest then fits where an allocator is quick.
        if self.client.connection_state() != State::Connected {
            timeout_at(deadline, Box::pin(self.connected())).await.map_err(|_| Failure::NotSent)?;
        }
        let size = headers.as_ref().map_or(0, wire_len) + payload.len();
        let limit = self.client.max_payload();
        if size > limit {
            return Err(Failure::TooLong { limit });
        }
        let number = self.next.fetch_add(1, Relaxed);
        let (answer, answered) = oneshot::channel();
        let connection = self.connection();
        self.waiting().insert(number, Waiting { subject: subject.clone(), connection, answer });
        let _forget = Forget { link: self, number };
        let reply = format!("{}.{number}", self.inbox);
        let sent = Box::pin(async {
            match headers {
                Some(headers) => {
                    self.client.publish_with_reply_and_headers(subject, reply, headers, payload).await
                }
                None => self.client.publish_with_reply(subject, reply, payload).await,
            }
        });
        timeout_at(deadline, sent).await.map_err(|_| Failure::NotSent)?.map_err(|_| Failure::Closed)?;
        match timeout_at(deadline, answered).await {
            Err(_) => Err(Failure::Unanswered("no answer came in time")),
            Ok(Err(_)) => Err(Failure::Unanswered(CLOSED)),
            Ok(Ok(settled)) => settled,
        }
    }

    /// Sends one message that nobody answers, if there is a connection.
    pub(super) async fn send(&self, subject: String, payload: Bytes) -> Result<(), Failure> {
        if self.client.connection_state() != State::Connected {
            return Err(Failure::NotSent);
        }
        self.client.publish(subject, payload).await.map_err(|_| Failure::Closed)
    }

    /// Waits for a connection. Events of the client may be dropped, so it looks by itself now and then.
    async fn connected(&self) {
        let mut changed = self.is_connected.subscribe();
        while self.client.connection_state() != State::Connected {
            let _ = timeout(NATS_CONNECTION_POLL, changed.changed()).await;
        }
    }

    /// Number of the present connection, or of the last.
    fn connection(&self) -> u64 {
        self.client.statistics().connects.load(Relaxed)
    }

    fn answer(&self, message: Message) {
        let number = message.subject.rsplit_once('.').and_then(|(_, token)| token.parse().ok());
        let Some(number) = number else { return };
        let Some(waiting) = self.waiting().remove(&number) else { return };
        let settled = match message.status {
            Some(StatusCode::NO_RESPONDERS) => Err(Failure::NoResponders),
            _ => Ok(message),
        };
        // Whoever waited may have gone.
        let _ = waiting.answer.send(settled);
    }

    /// Answers what was on its way over connections that are no more.
    fn lose(&self, also_the_last: bool) {
        let last = self.connection();
        let gone = |waiting: &Waiting| waiting.connection < last || also_the_last;
        let lost: Vec<_> = self.waiting().extract_if(|_, waiting| gone(waiting)).collect();
        for (_, waiting) in lost {
            let _ = waiting.answer.send(Err(Failure::Unanswered("the connection was lost")));
        }
    }

    /// Answers what the server did not let this client publish.
    fn deny(&self, subject: &str, message: &str) {
        let denied: Vec<_> = self.waiting().extract_if(|_, waiting| waiting.subject == subject).collect();
        for (_, waiting) in denied {
            let _ = waiting.answer.send(Err(Failure::Denied(message.into())));
        }
    }

    /// Ends it: what was sent goes out, what waits is answered.
    pub(super) async fn close(&self) {
        // Without a connection there is nothing to flush to.
        let _ = timeout_at(self.deadline(), self.client.flush()).await;
        let _ = self.client.drain().await;
        for (_, waiting) in self.waiting().drain() {
            let _ = waiting.answer.send(Err(Failure::Unanswered(CLOSED)));
        }
    }
}

/// Bytes of headers on the wire: a status line, then name, colon, space, value and a line end for each, and an empty line.
fn wire_len(headers: &HeaderMap) -> usize {
    let lines = headers.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| AsRef::<str>::as_ref(name).len() + value.as_str().len() + 4)
    });
    "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>()
}

async fn hand_out(link: Weak<Link>, mut answers: Subscriber) {
    while let Some(message) = answers.next().await {
        let Some(link) = link.upgrade() else { return };
        link.answer(message);
    }
}

async fn listen(link: Weak<Link>, mut events: mpsc::Receiver<Event>, denied: mpsc::Sender<String>) {
    while let Some(event) = events.recv().await {
        let Some(link) = link.upgrade() else { return };
        // Events may come late, so the state itself is looked at.
        let is_connected = link.client.connection_state() == State::Connected;
        link.is_connected.send_if_modified(|was| std::mem::replace(was, is_connected) != is_connected);
        match event {
            Event::Disconnected => link.lose(!is_connected),
            Event::Connected => {
                link.lose(false);
                link.suspect();
            }
            Event::SlowConsumer(_) => link.suspect(),
            Event::ServerError(ServerError::Other(message)) => {
                if let Some((subject, is_subscription)) = violated(&message) {
                    link.deny(subject, &message);
                    if is_subscription {
                        let _ = denied.try_send(subject.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

/// The subject of a permissions violation, and whether it was subscribed to.
fn violated(message: &str) -> Option<(&str, bool)> {
    let rest = message.strip_prefix("Permissions Violation for ")?;
    let (doing, quoted) = rest.split_once(" to \"")?;
    Some((quoted.split_once('"')?.0, doing == "Subscription"))
}

/// A channel for the client's events. It is never waited for: an event that finds it full is dropped, and the next one
/// shows the same state.
pub(super) fn events() -> (mpsc::Sender<Event>, mpsc::Receiver<Event>) {
    mpsc::channel(NATS_LINK_EVENTS)
}
