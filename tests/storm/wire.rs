//! The wire between clients and the services: in front of all of them like a balancer, and as bad as it is told to be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// Each piece takes so long.
    Slow(Duration),
    /// What clients say arrives; what they are answered does not, until they are cut off.
    Deaf,
}

/// Weather, and how often all connections have been cut.
type State = (Weather, u64);

pub(crate) struct Wire {
    /// Where clients connect.
    pub(crate) at: SocketAddr,
    state: Arc<watch::Sender<State>>,
}

impl Wire {
    /// New connections go to the services in turn, past those that are down.
    pub(crate) async fn start(services: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new((Weather::Fair, 0)));
        let (services, turn, told) = (Arc::new(services), Arc::new(AtomicUsize::new(0)), state.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (services, turn, state) = (services.clone(), turn.clone(), told.subscribe());
                tokio::spawn(async move {
                    for _ in 0..services.len() {
                        let next = turn.fetch_add(1, Ordering::SeqCst) % services.len();
                        if let Ok(service) = TcpStream::connect(services[next]).await {
                            return connect(client, service, state).await;
                        }
                    }
                });
            }
        });
        Self { at, state }
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.state.send_modify(|state| state.0 = weather);
    }

    /// Cuts every connection there is, with whatever is on its way; those that come after it have fair weather.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| *state = (Weather::Fair, state.1 + 1));
    }
}

async fn connect(client: TcpStream, service: TcpStream, state: watch::Receiver<State>) {
    client.set_nodelay(true).unwrap();
    service.set_nodelay(true).unwrap();
    let ((from_client, to_client), (from_service, to_service)) = (client.into_split(), service.into_split());
    let (mut cuts, before) = (state.clone(), state.borrow().1);
    tokio::select! {
        () = pass(from_client, to_service, state.clone(), false) => {}
        () = pass(from_service, to_client, state, true) => {}
        _ = cuts.wait_for(|(_, cuts)| *cuts > before) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: watch::Receiver<State>, answers: bool) {
    let mut buffer = vec![0; 64 * 1_024];
    let mut swallowed = false;
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let weather = state.borrow().0;
        // After a gap nothing of a stream makes sense.
        swallowed |= answers && weather == Weather::Deaf;
        if swallowed {
            continue;
        }
        if let Weather::Slow(delay) = weather {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// A port that is free now, and will be after its owner was killed: nobody else here asks for one by its number.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits for something to become true, for so long.
pub(crate) fn within(patience: Duration, mut happens: impl FnMut() -> bool) -> bool {
    let since = Instant::now();
    while !happens() {
        if since.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
