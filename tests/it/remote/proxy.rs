//! A wire with faults: bytes pass late, and connections are cut, with an answer on its way or between two.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the wire does to what passes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Each piece is held up for up to so long.
    pub(crate) delay_max: Duration,
    /// One in so many pieces from the service is swallowed, and the connection cut; 0 for none.
    pub(crate) swallow_one_in: u64,
    /// Connections are cut after so long, whatever is on its way; zero for never.
    pub(crate) cut_after: Duration,
}

pub(crate) struct Proxy {
    pub(crate) uri: String,
    cuts: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) async fn start(to: &str, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (from, path) = (listener.local_addr().unwrap(), "/v3/wsconnect");
        let to = to.strip_prefix("ws://").unwrap().strip_suffix(path).unwrap().to_owned();
        let cuts = Arc::new(AtomicU64::new(0));
        let counted = cuts.clone();
        tokio::spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                let (to, cuts) = (to.clone(), counted.clone());
                tokio::spawn(async move {
                    let Ok(outer) = TcpStream::connect(to).await else { return };
                    inner.set_nodelay(true).unwrap();
                    outer.set_nodelay(true).unwrap();
                    let ((from_client, to_client), (from_service, to_service)) =
                        (inner.into_split(), outer.into_split());
                    tokio::select! {
                        () = pass(from_client, to_service, Faults { swallow_one_in: 0, ..faults }, 1) => {}
                        () = pass(from_service, to_client, faults, cuts.load(Ordering::SeqCst) + 2) => {}
                        () = after(faults.cut_after) => {}
                    }
                    cuts.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { uri: format!("ws://{from}{path}"), cuts }
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn after(time: Duration) {
    match time.is_zero() {
        true => std::future::pending().await,
        false => tokio::time::sleep(time).await,
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    faults: Faults,
    seed: u64,
) {
    let mut random = crate::support::Dice::new(seed);
    let mut buffer = vec![0; 64 * 1_024];
    let mut pieces = 0_u64;
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        pieces += 1;
        // The first ones open the session.
        if faults.swallow_one_in > 0 && pieces > 5 && random.roll(faults.swallow_one_in) == 0 {
            return;
        }
        let longest = u64::try_from(faults.delay_max.as_micros()).unwrap();
        if longest > 0 {
            tokio::time::sleep(Duration::from_micros(random.roll(longest))).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
