//! One address before several servers: a connection goes to the first of them that takes it, as with a load balancer.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) struct Balancer {
    pub(super) at: SocketAddr,
    task: JoinHandle<()>,
}

impl Balancer {
    pub(super) async fn before(servers: [SocketAddr; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    for server in servers {
                        if let Ok(mut far) = TcpStream::connect(server).await {
                            // However it ends, both ends hear of it.
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { at, task }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
