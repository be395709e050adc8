//! A token service, and a client that is given nothing but its address (C1).

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sp_sync::token::{HttpTokens, TokenProvider as _};
use sp_sync::{Error, Identity, Retry, SyncClient};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::peer::Peer;
use super::*;

/// Answers every request with what it is told; keeps what was asked.
struct Desk {
    base: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Desk {
    /// `answer` is given the number of the request.
    async fn start(answer: impl Fn(usize) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (asked, given): (Arc<Mutex<Vec<_>>>, AtomicUsize) = Default::default();
        let desk = Self { base, asked: asked.clone() };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (head, body) = request(&mut stream).await;
                asked.lock().unwrap().push((head, body));
                let (status, answer) = answer(given.fetch_add(1, Ordering::SeqCst));
                let answer = answer.to_string();
                let head = format!(
                    "HTTP/1.1 {status} As ordered\r\nDate: Sun, 01 Mar 2026 09:30:00 GMT\r\nContent-Length: {}\r\n\r\n",
                    answer.len()
                );
                let _ = stream.write_all((head + &answer).as_bytes()).await;
            }
        });
        desk
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn tokens(&self, bearer: &str) -> sp_sync::token::HttpTokensBuilder {
        HttpTokens::builder(&self.base, Token::new(bearer))
            .identity(Identity::new("agent").unwrap())
            .document_id(id("Session_a"))
    }
}

async fn request(stream: &mut tokio::net::TcpStream) -> (String, Value) {
    let mut read = Vec::new();
    loop {
        read.push(stream.read_u8().await.unwrap());
        if read.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(read).unwrap();
    let length = head.to_lowercase();
    let length =
        length.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_token_is_asked_for_with_identity_document_and_bearer() {
    let desk =
        Desk::start(|n| (200, json!({ "token": format!("t{n}"), "expiresAt": "2026-03-01T10:30:00Z" })))
            .await;
    let tokens = desk.tokens("bearer").build().unwrap();
    tokens.prefetch().await.unwrap();
    let first = tokens.token().await.unwrap();
    assert_eq!((first.secret(), desk.asked()), ("t0", 1));
    // By the clock of the service, which is far from ours.
    assert!((3_590..=3_600).contains(&first.lasts().unwrap().as_secs()));
    assert_eq!(tokens.clone().token().await.unwrap().secret(), "t1");
    let (head, body) = desk.asked.lock().unwrap()[0].clone();
    assert!(head.starts_with("POST /v1/sync/tokens HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer bearer\r\n"), "{head}");
    assert_eq!(body, json!({ "identity": "agent", "documentId": "Session_a" }));
    assert_eq!(tokens.endpoint().await.unwrap(), None);
}

#[tokio::test]
async fn failures_say_what_to_do_next_and_show_no_token() {
    for (status, body, retry, words) in [
        (401, json!({ "message": "who?", "code": 7 }), Retry::Never, "log in again"),
        (403, json!(null), Retry::Never, "log in again"),
        (404, json!({}), Retry::Never, "look at address"),
        (429, json!({}), Retry::After(Duration::from_secs(1)), "429"),
        (503, json!({ "message": "busy" }), Retry::After(Duration::from_secs(1)), "busy"),
        (200, json!({ "tokn": "x" }), Retry::After(Duration::from_secs(1)), "without a `token`"),
    ] {
        let desk = Desk::start(move |_| (status, body.clone())).await;
        let builder = desk.tokens("secret");
        assert!(!format!("{builder:?}").contains("secret"));
        let tokens = builder.build().unwrap();
        let error = tokens.token().await.unwrap_err();
        assert_eq!(error.retry(), retry, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error:?} {error} {tokens:?}").contains("secret"));
    }
    let nobody = HttpTokens::builder("http://127.0.0.1:9/v1", Token::new("x"))
        .identity(Identity::new("agent").unwrap())
        .document_id(id("a"))
        .build()
        .unwrap();
    let error = nobody.token().await.unwrap_err();
    assert!(error.to_string().contains("connecting to 127.0.0.1:9"), "{error}");
    let bad = HttpTokens::builder("ftp://x", Token::new("x")).build().unwrap_err();
    assert!(matches!(bad, Error::Invalid { .. }));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_keeps_the_token_for_the_next_start_and_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = std::env::temp_dir().join(format!("sp-sync-tokens-{}", uuid()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("token.json");
    let desk = Desk::start(|n| {
        (
            200,
            json!({ "token": format!("t{n}"), "expiresAt": "2026-03-01T10:30:00Z", "endpoint": "ws://x/y" }),
        )
    })
    .await;
    let open = |identity: &str| {
        let tokens = desk.tokens("bearer").cache_file(&file).identity(Identity::new(identity).unwrap());
        tokens.build().unwrap()
    };
    assert_eq!(open("agent").token().await.unwrap().secret(), "t0");
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let second = open("agent");
    assert_eq!(second.endpoint().await.unwrap().as_deref(), Some("ws://x/y"));
    assert_eq!(second.token().await.unwrap().secret(), "t0", "the same, without a request");
    assert_eq!(second.token().await.unwrap().secret(), "t1", "asked again: another");
    assert_eq!(open("agent").token().await.unwrap().secret(), "t1");
    assert_eq!(open("somebody").token().await.unwrap().secret(), "t2", "never another's");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(open("somebody").token().await.unwrap().secret(), "t3", "others might have read it");
    assert_eq!(mode(), 0o600);
    open("somebody").forget().await;
    assert!(!file.exists());
    std::fs::remove_dir_all(&folder).unwrap();
}

fn uuid() -> String {
    format!("{}-{:?}", std::process::id(), std::thread::current().id()).replace(['(', ')'], "")
}

/// C1: a client is made from a base URI, a document id, an identity, a token and initial data.
#[tokio::test]
async fn a_client_needs_no_more_than_an_address_and_a_token() {
    let peer = Peer::start().await;
    let uri = peer.uri.clone();
    let desk = Desk::start(move |n| (200, json!({ "token": format!("good-{n}"), "endpoint": uri }))).await;
    let open = || {
        SyncClient::builder()
            .base_uri(&desk.base)
            .token(Token::new("bearer"))
            .document_id(id("Session_base"))
            .identity(Identity::new("agent").unwrap())
            .initial_data(json!({ "reliableConnection": true }))
    };
    let client = open().connect().await.unwrap();
    assert_eq!(client.get_sync().await.unwrap()["reliableConnection"], true);
    client.set_sync(json!({ "step": "headshot" })).await.unwrap();
    assert_eq!((desk.asked(), peer.tokens()), (1, vec!["good-0".to_owned()]));
    let other = open().connect().await.unwrap();
    assert_eq!(other.get_sync().await.unwrap()["step"], "headshot");
    let both = open().backend(sp_sync::backend::Memory::new()).connect().await.unwrap_err();
    assert!(both.to_string().contains("not both"), "{both}");
}

/// A token from a file may have been revoked: once, another is asked for.
#[tokio::test]
async fn a_refused_first_token_is_replaced_by_another() {
    let peer = Peer::start().await;
    let uri = peer.uri.clone();
    let token = |n| if n == 0 { "forged".to_owned() } else { format!("good-{n}") };
    let desk = Desk::start(move |n| (200, json!({ "token": token(n), "endpoint": uri }))).await;
    let client = SyncClient::builder().base_uri(&desk.base).token(Token::new("bearer"));
    let client = client.document_id(id("Session_base")).identity(Identity::new("agent").unwrap());
    client.connect().await.unwrap().set_sync(json!({ "x": 1 })).await.unwrap();
    assert_eq!(peer.tokens(), ["forged", "good-1"]);
}
