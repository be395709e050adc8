//! Serving routes on a socket: what stands between the network and a [`Router`](axum::Router).
//!
//! `axum::serve` would do, but for three things that a server on the open network needs: an end to waiting for a peer's
//! handshake and headers, a bound on open sockets, and TLS whose certificate may be replaced.

mod tls;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use tls::{Tls, TlsError};

use super::answer::BehindProxy;
use crate::limits::{SERVER_HANDSHAKE_WITHIN, SERVER_HEADERS_BYTES_MAX, SERVER_SOCKETS_MAX};

/// How routes are served; see [`Serve::run`].
#[derive(Clone, Debug, Default)]
pub struct Serve {
    tls: Option<Tls>,
    behind_proxy: bool,
    drain_within: Duration,
}

impl Serve {
    /// Plain HTTP, to peers that come themselves.
    #[must_use]
    pub fn new() -> Self {
        Self { drain_within: Duration::from_secs(5), ..Self::default() }
    }

    /// With TLS.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Believes the last address in `X-Forwarded-For`, which a proxy in front must set. Without such a proxy, anybody
    /// could write there whom they please, and so get around the limit on attempts.
    #[must_use]
    pub fn behind_proxy(self, behind: bool) -> Self {
        Self { behind_proxy: behind, ..self }
    }

    /// How long requests that are under way may take when the server stops; 5 s by default.
    #[must_use]
    pub fn drain_within(self, time: Duration) -> Self {
        Self { drain_within: time, ..self }
    }

    /// Serves until `stop` is ready; then takes no more sockets, and ends when requests under way are answered or their
    /// time is over. WebSocket connections are not waited for: the service's own shutdown ends them.
    pub async fn run(self, listener: TcpListener, routes: Router, stop: impl Future<Output = ()>) {
        let routes = if self.behind_proxy { routes.layer(axum::Extension(BehindProxy)) } else { routes };
        let places = Arc::new(Semaphore::new(SERVER_SOCKETS_MAX));
        let (stopping, stopped) = watch::channel(false);
        let mut open = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            // Those that are done are taken away first: their number is bounded by the places all the same.
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = open.join_next() => {}
                (socket, place) = accept(&listener, &places) => {
                    let (peer, stopped) = (Socket { routes: routes.clone(), tls: self.tls.clone() }, stopped.clone());
                    open.spawn(async move {
                        let _place = place;
                        peer.serve(socket, stopped).await;
                    });
                }
            }
        }
        drop(listener);
        // Nobody listens when no connection is open.
        let _ = stopping.send(true);
        let ended = async { while open.join_next().await.is_some() {} };
        // What has not ended by then is dropped with the set.
        let _ = timeout(self.drain_within, ended).await;
    }
}

/// The next socket. One that is gone already, or that the system has no room for, is passed over.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> ((TcpStream, SocketAddr), Option<tokio::sync::OwnedSemaphorePermit>) {
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers are not held back; where that cannot be said, they come a little later.
                let _ = stream.set_nodelay(true);
                return ((stream, peer), place);
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

struct Socket {
    routes: Router,
    tls: Option<Tls>,
}

impl Socket {
    async fn serve(self, (stream, peer): (TcpStream, SocketAddr), stopped: watch::Receiver<bool>) {
        match &self.tls {
            None => self.speak(stream, peer, stopped).await,
            Some(tls) => {
                let shaken = timeout(SERVER_HANDSHAKE_WITHIN, tls.acceptor().accept(stream)).await;
                if let Ok(Ok(stream)) = shaken {
                    self.speak(stream, peer, stopped).await;
                }
            }
        }
    }

    async fn speak<S>(&self, stream: S, peer: SocketAddr, mut stopped: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let routes = self.routes.clone().layer(axum::Extension(ConnectInfo(peer)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(SERVER_HANDSHAKE_WITHIN)
            .max_buf_size(SERVER_HEADERS_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
            .with_upgrades();
        let mut connection = pin!(connection);
        // A peer that breaks off or speaks no HTTP is its own affair.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
