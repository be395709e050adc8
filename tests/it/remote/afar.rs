//! A server of this crate behind TLS and a proxy, with certificates of an authority of one's own: what stands between a
//! program in a company's network and the service.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::server::{Attempts, JwtGatekeeper, Serve, Service, Tls, TokenEndpoint, router};
use sp_sync::token::{HttpTokens, Token};
use sp_sync::{Identity, SyncClient};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::causes::{patient, told_at_once};
use super::*;
use crate::server_doors::{ACCOUNT, SERVICE, keys, tls_file, users};

/// Ana's own document, as the users file of the doors has it.
const DOCUMENT: &str = "Session_ES0123456789abcdef0123456789abcdef";
const ANA: &str = crate::server_doors::ANA;

/// A server with a token endpoint on a free port, whose certificate is for `first`, `localhost` and 127.0.0.1; it tells
/// clients to come to `host`.
async fn serving(host: &str, tls: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (keys, users) = (keys(), users());
    let service = Service::builder(ACCOUNT, SERVICE, Memory::new(), JwtGatekeeper::new(keys.verifier()));
    let service = service.access(users.clone()).build().unwrap();
    let scheme = if tls { "wss" } else { "ws" };
    let tokens = TokenEndpoint::new(keys.minter().unwrap(), users).attempts(Attempts::default());
    let tokens = tokens.endpoint(format!("{scheme}://{host}:{}/v3/wsconnect", at.port()));
    let mut serve = Serve::new();
    if tls {
        serve = serve.tls(Tls::read(&tls_file("first.pem"), &tls_file("first.key.pem")).unwrap());
    }
    tokio::spawn(serve.run(listener, router(&service).merge(tokens.router()), std::future::pending()));
    at
}

/// C1: a client needs the service's address and a token; tokens and documents come from there.
#[tokio::test]
async fn a_client_opens_its_document_by_the_address_of_the_service_alone() {
    let at = serving("127.0.0.1", false).await;
    let open = |token: &str, document: &str| {
        SyncClient::builder()
            .base_uri(format!("http://{at}"))
            .token(Token::new(token))
            .document_id(id(document))
            .identity(Identity::new(ANA).unwrap())
            .initial_data(json!({ "reliableConnection": true }))
            .connect()
    };
    let client = open("token of ana", DOCUMENT).await.unwrap();
    client.set_sync(json!({ "step": "headshot" })).await.unwrap();
    let other = open("token of bert", DOCUMENT).await.unwrap();
    let content = other.get_sync().await.unwrap().to_value();
    assert_eq!(content, json!({ "reliableConnection": true, "step": "headshot" }));
    // A document that is not hers, and a token that is nobody's.
    for (token, document) in [("token of ana", "Session_ES9"), ("token of nobody", DOCUMENT)] {
        let error = open(token, document).await.unwrap_err();
        assert!(matches!(error, sp_sync::Error::Refused { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_believed_where_it_is_named_and_nowhere_else() {
    let at = serving("localhost", true).await;
    let base = format!("https://localhost:{}", at.port());
    let tokens = HttpTokens::builder(&base, Token::new("token of ana")).document_id(id(DOCUMENT));
    let tokens = tokens.identity(Identity::new(ANA).unwrap());
    let uri = format!("wss://localhost:{}/v3/wsconnect", at.port());
    let remote = Remote::builder().uri(&uri).ca_file(tls_file("ca.pem")).build().unwrap();
    let client = SyncClient::builder()
        .backend(remote)
        .token(tokens.ca_file(tls_file("ca.pem")).build().unwrap())
        .document_id(id(DOCUMENT))
        .identity(Identity::new(ANA).unwrap())
        .connect()
        .await
        .unwrap();
    client.set_sync(json!({ "step": "headshot" })).await.unwrap();

    let cause = format!("TLS with localhost:{}: invalid peer certificate: UnknownIssuer", at.port());
    told_at_once(patient(&uri).build().unwrap(), &cause).await;
    let broken = patient(&uri).ca_file(tls_file("first.key.pem")).build().unwrap();
    told_at_once(broken, "first.key.pem: it holds no certificate in PEM form").await;
    let missing = patient(&uri).ca_file(tls_file("none.pem")).build().unwrap();
    told_at_once(missing, "none.pem: ").await;
    // Opening does not try again for a minute what fails in the same way.
    let opening = SyncClient::builder().backend(patient(&uri).build().unwrap());
    let opening = opening.document_id(id(DOCUMENT)).identity(Identity::new(ANA).unwrap()).connect();
    let error = tokio::time::timeout(Duration::from_secs(10), opening).await.expect("at once").unwrap_err();
    assert!(error.to_string().contains(&cause) && error.retry() == sp_sync::Retry::Never, "{error}");
}

/// A proxy that makes tunnels to this machine, whatever name is asked for, and remembers what it was asked.
async fn proxy(heads: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(tunnel(near, heads.clone()));
        }
    });
    at
}

async fn tunnel(near: TcpStream, heads: Arc<Mutex<Vec<String>>>) {
    let mut near = BufReader::new(near);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if near.read_line(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let port: u16 = head.split(['\r', ' ']).nth(1).unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
    heads.lock().unwrap().push(head);
    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    // Either side may hang up.
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}

/// The proxy and the authority are named by the environment, so this is a process of its own.
#[tokio::test]
async fn a_program_behind_a_proxy_reaches_a_service_with_tls() {
    let at = serving("first", true).await;
    let heads = Arc::new(Mutex::new(Vec::new()));
    let proxy = proxy(heads.clone()).await;
    let mut program = tokio::process::Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "remote::afar::program", "--ignored", "--nocapture", "--test-threads=1"]);
    program.env("SP_SYNC_BASE", format!("https://first:{}", at.port()));
    program.env("HTTPS_PROXY", format!("http://user:p%40ss@{proxy}")).env_remove("https_proxy");
    program.env("SSL_CERT_FILE", tls_file("ca.pem")).env_remove("SSL_CERT_DIR");
    program.env_remove("NO_PROXY").env_remove("no_proxy").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(4 * LONG, program.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("headshot, and back"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let heads = heads.lock().unwrap();
    // One for the token, one for the documents.
    assert_eq!(heads.len(), 2, "{heads:?}");
    for head in &*heads {
        assert!(head.starts_with(&format!("CONNECT first:{} HTTP/1.1\r\n", at.port())), "{head}");
        assert!(head.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"), "{head}");
    }
}

#[tokio::test]
#[ignore = "another test starts it as a process of its own"]
async fn program() {
    let Ok(base) = std::env::var("SP_SYNC_BASE") else { return };
    let client = SyncClient::builder()
        .base_uri(base)
        .token(Token::new("token of ana"))
        .document_id(id(DOCUMENT))
        .identity(Identity::new(ANA).unwrap())
        .connect()
        .await
        .unwrap();
    client.set_sync(json!({ "step": "headshot" })).await.unwrap();
    println!("{}, and back", client.get_sync().await.unwrap().to_value()["step"].as_str().unwrap());
    client.close().await.unwrap();
}
