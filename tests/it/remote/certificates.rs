//! Certificates that are not to be believed: nobody goes on over such a connection, and the cause is told.

use sp_sync::backend::Memory;
use sp_sync::server::{JwtGatekeeper, Serve, Service, Tls, router};
use tokio::net::TcpListener;

use super::causes::{patient, told_at_once};
use crate::server_doors::{ACCOUNT, SERVICE, keys, tls_file};

/// A server with this certificate; its port.
async fn serving(certificate: &str) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = Service::builder(ACCOUNT, SERVICE, Memory::new(), JwtGatekeeper::new(keys().verifier()));
    let [pem, key] = ["pem", "key.pem"].map(|kind| tls_file(&format!("{certificate}.{kind}")));
    let serve = Serve::new().tls(Tls::read(&pem, &key).unwrap());
    tokio::spawn(serve.run(listener, router(&service.build().unwrap()), std::future::pending()));
    port
}

async fn refused(host: &str, port: u16, authority: &str, cause: &str) {
    let uri = format!("wss://{host}:{port}/v3/wsconnect");
    let remote = patient(&uri).ca_file(tls_file(authority)).build().unwrap();
    told_at_once(remote, &format!("TLS with {host}:{port}: invalid peer certificate: {cause}")).await;
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_refused_though_its_authority_is_believed() {
    let port = serving("expired").await;
    refused("localhost", port, "expired.ca.pem", "certificate expired").await;
}

/// It is for `first`, `localhost` and 127.0.0.1.
#[tokio::test]
async fn a_certificate_for_another_name_is_refused_though_its_authority_is_believed() {
    let port = serving("first").await;
    refused("127.0.0.2", port, "ca.pem", "certificate not valid for name \"127.0.0.2\"").await;
}
