//! A wire to a server that can be cut, and that can swallow what the server says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) struct Wire {
    address: SocketAddr,
    switches: Arc<Switches>,
}

#[derive(Default)]
struct Switches {
    /// What the server says does not arrive.
    is_mute: AtomicBool,
    /// New connections are closed at once.
    is_down: AtomicBool,
    /// Changes when all connections are to be cut.
    cuts: watch::Sender<u64>,
}

impl Wire {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let switches = Arc::<Switches>::default();
        let its = switches.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !its.is_down.load(Ordering::SeqCst) {
                    tokio::spawn(carry(client, port, its.clone()));
                }
            }
        });
        Self { address, switches }
    }

    pub(super) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    pub(super) fn mute(&self, is_mute: bool) {
        self.switches.is_mute.store(is_mute, Ordering::SeqCst);
    }

    /// Cuts every connection; while it is down, new ones too.
    pub(super) fn cut(&self, is_down: bool) {
        self.switches.is_down.store(is_down, Ordering::SeqCst);
        self.switches.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn carry(client: TcpStream, port: u16, switches: Arc<Switches>) {
    let mut cuts = switches.cuts.subscribe();
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let back = async {
        let mut piece = vec![0; 65_536];
        while let Ok(length @ 1..) = from_server.read(&mut piece).await {
            let is_mute = switches.is_mute.load(Ordering::SeqCst);
            if !is_mute && to_client.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = back => {}
        _ = cuts.changed() => {}
    }
}
