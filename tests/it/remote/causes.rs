//! Why there is no connection: whoever waits in vain is told.

use sp_sync::token::Token;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// What a call says that has waited in vain, once it says this: the first may have waited for too short a time.
async fn until_told(remote: &Remote, cause: &str) {
    let asking = async {
        loop {
            let error = remote.read(&id("a")).await.unwrap_err();
            assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
            if error.to_string().contains(cause) {
                return;
            }
            println!("{error}");
        }
    };
    tokio::time::timeout(2 * LONG, asking).await.unwrap_or_else(|_| panic!("nobody was told: {cause}"));
}

/// What no waiting cures is told by the first call, long before it would give up waiting.
pub(super) async fn told_at_once(remote: Remote, cause: &str) {
    let told = tokio::time::timeout(Duration::from_secs(10), remote.read(&id("a"))).await;
    let error = told.expect("told at once").unwrap_err();
    assert!(matches!(error, BackendError::Fatal { .. }) && error.to_string().contains(cause), "{error}");
}

/// With the usual patience.
pub(super) fn patient(uri: &str) -> sp_sync::backend::remote::Builder {
    Remote::builder().uri(uri).token(Token::new("good"))
}

fn impatient(uri: &str) -> sp_sync::backend::remote::Builder {
    Remote::builder().uri(uri).token(Token::new("good")).queue_within(Duration::from_millis(500))
}

/// A service that says this to whoever comes, and hangs up.
async fn saying(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 1_024];
            let _ = socket.read(&mut asked).await;
            let _ = socket.write_all(words).await;
        }
    });
    at.to_string()
}

#[tokio::test]
async fn a_port_where_nobody_listens_and_a_name_that_nobody_has_are_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let remote = impatient(&format!("ws://{at}/v3/wsconnect")).build().unwrap();
    until_told(&remote, &format!("connecting to {at}: Connection refused")).await;
    let remote = impatient("ws://nobody.invalid/v3/wsconnect").build().unwrap();
    until_told(&remote, "connecting to nobody.invalid:80: failed to lookup address").await;
}

#[tokio::test]
async fn a_service_that_opens_no_websocket_is_quoted() {
    for (words, cause) in [
        (
            &b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"[..],
            "answers 401 Unauthorized instead of",
        ),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answers 404 Not Found instead of"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "HTTP"),
    ] {
        let at = saying(words).await;
        told_at_once(patient(&format!("ws://{at}/v3/wsconnect")).build().unwrap(), cause).await;
    }
    // That passes.
    let at = saying(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    let remote = impatient(&format!("ws://{at}/v3/wsconnect")).build().unwrap();
    until_told(&remote, "answers 503 Service Unavailable instead of").await;
    // Plain text where TLS is expected.
    let at = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let remote = patient(&format!("wss://{at}/v3/wsconnect")).build().unwrap();
    told_at_once(remote, &format!("TLS with {at}: received corrupt message")).await;
}

/// A client hears the same, through the layers above.
#[tokio::test]
async fn a_client_that_cannot_connect_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let settings =
        sp_sync::Settings { connect_within: Duration::from_secs(8), ..sp_sync::Settings::default() };
    let error = sp_sync::SyncClient::builder()
        .backend(impatient(&format!("ws://{at}/v3/wsconnect")).build().unwrap())
        .document_id(id("a"))
        .identity(sp_sync::Identity::new("agent").unwrap())
        .settings(settings)
        .connect()
        .await
        .unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
}
