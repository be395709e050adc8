//! Sockets: TLS and its certificates, deadlines, proxies.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use sp_sync::server::{Serve, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::http::Client;
use super::tls_file as file;

pub(super) fn connector() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

struct Running {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

async fn run(serve: Serve) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "slow"
    };
    let routes = Router::new().route("/", get(async || "here")).route("/slow", get(slow));
    let serving = tokio::spawn(serve.run(listener, routes, async move { drop(stopped.await) }));
    Running { address, stop, serving }
}

/// Asks over TLS, expecting a certificate of this name.
async fn over_tls(address: std::net::SocketAddr, name: &'static str) -> Option<String> {
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = connector().connect(ServerName::try_from(name).unwrap(), stream).await.ok()?;
    Some(Client::over(stream).ask("GET", "/", &[], "").await.body)
}

#[tokio::test]
async fn certificates_are_replaced_while_the_server_runs() {
    let folder = std::env::temp_dir().join(format!("sp-sync-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::copy(file("first.pem"), &certificate).unwrap();
    std::fs::copy(file("first.key.pem"), &key).unwrap();
    let tls = Tls::read(&certificate, &key).unwrap();
    let (told, mut hear) = tokio::sync::mpsc::channel(16);
    tls.follow(certificate.clone(), key.clone(), Duration::from_millis(20), move |read| {
        let _ = told.try_send(read.is_ok());
    });
    let running = run(Serve::new().tls(tls)).await;
    assert_eq!(over_tls(running.address, "first").await.as_deref(), Some("here"));
    assert_eq!(over_tls(running.address, "second").await, None);
    // In between, the two do not fit: the old ones stay.
    std::fs::write(&key, "nonsense").unwrap();
    assert_eq!(hear.recv().await, Some(false));
    assert_eq!(over_tls(running.address, "localhost").await.as_deref(), Some("here"));
    std::fs::copy(file("second.pem"), &certificate).unwrap();
    std::fs::copy(file("second.key.pem"), &key).unwrap();
    while hear.recv().await != Some(true) {}
    assert_eq!(over_tls(running.address, "second").await.as_deref(), Some("here"));
    assert_eq!(over_tls(running.address, "first").await, None);
    // Who speaks no TLS hears nothing, and disturbs nobody.
    let mut plain = Client::to(running.address).await;
    plain.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(plain.reply().await.is_none());
    drop(running.stop);
    running.serving.await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn files_that_are_no_certificate_are_told_without_their_contents() {
    let told = Tls::read(&file("first.key.pem"), &file("first.key.pem")).unwrap_err().to_string();
    assert!(told.contains("first.key.pem: no certificate in PEM form"), "{told}");
    assert!(Tls::read(&file("first.pem"), &file("ca.pem")).is_err());
    assert!(Tls::read(&file("first.pem"), &file("second.key.pem")).is_err());
    assert!(Tls::read(&file("none.pem"), &file("none.pem")).is_err());
}

#[tokio::test]
async fn requests_under_way_are_answered_before_the_server_ends() {
    let running = run(Serve::new()).await;
    let (mut busy, mut idle) = (Client::to(running.address).await, Client::to(running.address).await);
    assert_eq!(idle.ask("GET", "/", &[], "").await.body, "here");
    busy.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(running.stop);
    assert_eq!(busy.reply().await.unwrap().body, "slow");
    assert!(idle.reply().await.is_none());
    timeout(Duration::from_secs(2), running.serving).await.unwrap().unwrap();
}

/// Half a request is given up after a while: such peers cannot hold sockets for ever.
#[tokio::test]
async fn slow_headers_are_given_up() {
    let running = run(Serve::new()).await;
    let mut slow = Client::to(running.address).await;
    slow.send(b"GET / HTTP/1.1\r\nhos").await;
    let given_up = timeout(Duration::from_secs(15), slow.reply()).await.expect("within the deadline");
    assert!(given_up.is_none_or(|reply| reply.status == 408));
    drop(running.stop);
    running.serving.await.unwrap();
}
