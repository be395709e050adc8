//! One connection: its socket, its session, and the queue through which it is told things.

mod admission;
mod peer;

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

pub(super) use peer::{Peer, PeerId, Shared, Told};

use super::request::Asked;
use super::running::Place;
use super::service::Core;
use super::trace;
use crate::alarm::Alarm;
use crate::twilsock::message::BackoffPolicy;
use crate::twilsock::server_session::{End, Output, ServerSession, Verdict};

/// Things told that are taken over before the socket is looked at again.
const TURN: usize = 64;

/// For the end of a socket to be told to its client.
const LAST_WORDS: Duration = Duration::from_millis(250);

type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), axum::Error>> + Send + 'a>>;

static PEERS: AtomicU64 = AtomicU64::new(0);

/// Serves one client until it goes, is sent away, or is cut off.
pub(super) async fn serve(core: Arc<Core>, socket: WebSocket, address: Option<IpAddr>, place: Place) {
    core.counters.connections.up();
    core.counters.connections_accepted.up();
    let (sender, queue) = mpsc::channel(core.limits.queue_max);
    let max = core.limits.subscriptions_max;
    let number = PEERS.fetch_add(1, Relaxed);
    let peer = Arc::new(Peer::new(number, address, sender, max, core.counters.clone()));
    let (seed, _) = Uuid::new_v4().as_u64_pair();
    let session = ServerSession::new(core.limits.session.clone(), seed, Instant::now());
    let connection = Connection {
        core: core.clone(),
        peer: peer.clone(),
        session,
        socket,
        queue,
        alarm: Alarm::new(),
        sent_away: false,
    };
    trace::connection(peer.id, connection.run()).await;
    for document in peer.leave() {
        core.leave(&document, peer.id).await;
    }
    core.counters.connections.down();
    drop(place);
}

struct Connection {
    core: Arc<Core>,
    peer: Arc<Peer>,
    session: ServerSession,
    socket: WebSocket,
    queue: mpsc::Receiver<Told>,
    alarm: Alarm,
    sent_away: bool,
}

/// The connection is over.
struct Over;

impl Connection {
    async fn run(mut self) {
        let peer = self.peer.clone();
        let mut overrun = pin!(peer.overrun());
        let mut closing = self.core.running.closing();
        loop {
            tokio::select! {
                biased;
                () = &mut overrun => return cut(&self.core, &self.peer),
                over = self.turn(&mut closing) => if over.is_err() { return },
            }
        }
    }

    async fn turn(&mut self, closing: &mut watch::Receiver<bool>) -> Result<(), Over> {
        let Some(deadline) = self.session.deadline() else { return Err(Over) };
        self.alarm.set(Some(deadline));
        // Ranked: the end first; then time, so that nothing is late because much comes; then the client, whose
        // acknowledgements must not wait; what it is to be told is taken over many at a time.
        tokio::select! {
            biased;
            Ok(_) = closing.wait_for(|closing| *closing), if !self.sent_away => {
                self.sent_away = true;
                let (min, max) = self.core.limits.offload_between;
                self.session.shut_down(BackoffPolicy::new(min, max), Instant::now());
            }
            () = self.alarm.rings() => self.session.tick(Instant::now()),
            message = self.socket.recv() => self.received(message),
            Some(told) = self.queue.recv() => self.told(told),
        }
        for _ in 0..TURN {
            let Ok(told) = self.queue.try_recv() else { break };
            self.told(told);
        }
        self.carry_out().await
    }

    /// Twilsock: text messages are no frames.
    fn received(&mut self, message: Option<Result<Message, axum::Error>>) {
        match message {
            Some(Ok(Message::Binary(frame))) => self.session.received(&frame, Instant::now()),
            Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => self.session.lost(),
        }
    }

    fn told(&mut self, told: Told) {
        let now = Instant::now();
        match told {
            Told::Answer(answer) => self.session.respond(&answer.0, &answer.1, now),
            Told::Own(notifications) => {
                for notification in &notifications {
                    self.session.notify(notification, now);
                }
            }
            Told::Shared(shared) => {
                self.core.counters.notification_lag.add(now.saturating_duration_since(shared.since));
                self.session.notify_shared(&shared.id, &shared.frame, now);
            }
            Told::Checked(check, verdict) => {
                if let Verdict::Accepted(admission) = &*verdict {
                    self.peer.identify(&admission.account.identity);
                }
                self.session.token_checked(check, *verdict, now);
            }
        }
    }

    /// Does all that the session wants done; what is to be sent goes out together.
    async fn carry_out(&mut self) -> Result<(), Over> {
        let mut fed = false;
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Send(frame) => {
                    let message = Message::Binary(Bytes::from_owner(frame));
                    self.within(|socket| Box::pin(socket.feed(message))).await?;
                    fed = true;
                }
                Output::CheckToken { check, token, asking } => {
                    admission::check(self.core.clone(), self.peer.clone(), check, token, asking);
                }
                Output::Request { id, request } => {
                    Asked::begin(self.core.clone(), self.peer.clone(), id, &request).await;
                }
                Output::Cut(end) => {
                    self.count(end);
                    // The client may be gone already.
                    let _ = timeout(LAST_WORDS, self.socket.send(Message::Close(None))).await;
                    return Err(Over);
                }
            }
        }
        if fed {
            self.within(|socket| Box::pin(socket.flush())).await?;
        }
        Ok(())
    }

    /// Sends something, as long as the client takes what is sent.
    async fn within<'a>(
        &'a mut self,
        send: impl FnOnce(&'a mut WebSocket) -> Sending<'a>,
    ) -> Result<(), Over> {
        match timeout(self.core.limits.send_within, send(&mut self.socket)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                cut(&self.core, &self.peer);
                Err(Over)
            }
        }
    }

    fn count(&self, end: End) {
        if matches!(end, End::NotAcknowledged | End::TooManyUnacknowledged) {
            cut(&self.core, &self.peer);
        }
    }
}

/// A client that does not take what it is sent.
fn cut(core: &Core, peer: &Peer) {
    core.counters.clients_cut.up();
    trace::cut(peer.id);
}
