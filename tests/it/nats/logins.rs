//! Every way to say who one is, right and wrong; and TLS.

use std::path::PathBuf;
use std::time::Duration;

use nkeys::KeyPair;
use sp_sync::backend::{Backend as _, BackendError, Change, Nats, NatsOptions};
use tokio_stream::StreamExt as _;

use super::{AGES, bucket, id, refused, write};
use crate::support::nats::Server;

async fn works(options: NatsOptions) {
    let nats = options.open().await.unwrap();
    let written = write(&nats, "a", None, 1).await.unwrap();
    assert_eq!(nats.read(&id("a")).await.unwrap().unwrap().revision, written.revision);
    nats.remove(&id("a"), None).await.unwrap();
}

/// Refused at once, though there is time; and no secret is told.
async fn does_not(options: NatsOptions, words: &str) {
    let shown = format!("{options:?}");
    let error =
        tokio::time::timeout(AGES, refused(options.connect_within(Duration::from_secs(600)))).await.unwrap();
    assert!(matches!(error, BackendError::Refused { .. } | BackendError::Fatal { .. }), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
    for text in [shown, format!("{error:?} {error}")] {
        assert!(!text.contains("secret") && !text.contains("SUA"), "a secret is told: {text}");
    }
}

#[tokio::test]
async fn user_and_password() {
    let server = Server::with("authorization { user: alice, password: secret }").await;
    let options = || bucket(&server, "b");
    works(options().user_and_password("alice", "secret")).await;
    let address = |login: &str| {
        Nats::options().server(format!("nats://{login}@127.0.0.1:{}", server.port())).bucket("b")
    };
    works(address("alice:secret")).await;
    works(address("alice:%73ecret")).await;
    does_not(options().user_and_password("alice", "secret2"), "does not accept the user and password").await;
    does_not(address("alice:secret2"), "does not accept this client").await;
    does_not(options(), "give a user, a token, a key or a credentials file").await;
}

#[tokio::test]
async fn token() {
    let server = Server::with("authorization { token: secret }").await;
    works(bucket(&server, "b").token("secret")).await;
    does_not(bucket(&server, "b").token("secret2"), "does not accept the token").await;
}

#[tokio::test]
async fn nkey() {
    let (known, other) = (KeyPair::new_user(), KeyPair::new_user());
    let server =
        Server::with(&format!("authorization {{ users: [{{ nkey: {} }}] }}", known.public_key())).await;
    works(bucket(&server, "b").nkey(known.seed().unwrap())).await;
    does_not(bucket(&server, "b").nkey(other.seed().unwrap()), "does not accept the nkey").await;
    does_not(bucket(&server, "b").nkey("secret"), "a user's seed begins with SU").await;
}

/// A JWT, signed as `nsc` signs it.
fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: serde_json::Value) -> String {
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let claims = serde_json::json!({ "jti": uuid::Uuid::new_v4().simple().to_string(), "iat": 1_700_000_000,
        "iss": issuer.public_key(), "sub": subject.public_key(), "name": name, "nats": nats });
    let head = encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let signed = format!("{head}.{}", encode(claims.to_string().as_bytes()));
    format!("{signed}.{}", encode(&issuer.sign(signed.as_bytes()).unwrap()))
}

fn credentials(jwt: &str, user: &KeyPair) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    )
}

/// With an operator, an account and a user, as a server with `nsc` has them.
#[tokio::test]
async fn credentials_file() {
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let (system, user) = (KeyPair::new_account(), KeyPair::new_user());
    let unlimited = serde_json::json!({ "subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1,
        "payload": -1, "wildcards": true, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1 });
    let of_account = serde_json::json!({ "type": "account", "version": 2, "limits": unlimited });
    let of_user = serde_json::json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
    let configuration = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        jwt(&operator, &operator, "operator", serde_json::json!({ "type": "operator", "version": 2 })),
        system.public_key(),
        account.public_key(),
        jwt(&operator, &account, "exams", of_account.clone()),
        system.public_key(),
        jwt(&operator, &system, "system", serde_json::json!({ "type": "account", "version": 2 })),
    );
    let server = Server::with(&configuration).await;
    let file = |name: &str, text: String| {
        let path = server.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = file("good.creds", credentials(&jwt(&account, &user, "app", of_user.clone()), &user));
    works(bucket(&server, "b").credentials_file(good)).await;
    let stranger = KeyPair::new_account();
    let bad = file("bad.creds", credentials(&jwt(&stranger, &user, "app", of_user), &user));
    does_not(bucket(&server, "b").credentials_file(bad), "does not accept the credentials file").await;
    let empty = file("empty.creds", "nothing".into());
    does_not(bucket(&server, "b").credentials_file(empty), "it has no JWT with a seed").await;
    does_not(
        bucket(&server, "b").credentials_file("/nowhere.creds"),
        "reading the credentials file /nowhere.creds",
    )
    .await;
}

fn tls_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/server_doors/tls").join(name)
}

fn tls(certificate: &str, more: &str) -> String {
    let [pem, key] =
        ["pem", "key.pem"].map(|kind| tls_file(&format!("{certificate}.{kind}")).display().to_string());
    format!("tls {{ cert_file: \"{pem}\", key_file: \"{key}\" {more} }}")
}

#[tokio::test]
async fn own_authority() {
    let server = Server::with(&tls("first", "")).await;
    works(bucket(&server, "b").ca_file(tls_file("ca.pem"))).await;
    works(bucket(&server, "b").ca_file(tls_file("ca.pem")).tls_required(true)).await;
    works(
        Nats::options().server(server.url().replace("nats:", "tls:")).bucket("b").ca_file(tls_file("ca.pem")),
    )
    .await;
    does_not(bucket(&server, "b"), "with ca_file").await;
    does_not(bucket(&server, "b").ca_file("/nowhere.pem"), "reading /nowhere.pem").await;
    let server = Server::with(&tls("expired", "")).await;
    does_not(bucket(&server, "b").ca_file(tls_file("expired.ca.pem")), "expired").await;
}

#[tokio::test]
async fn client_certificate() {
    let authority = tls_file("ca.pem").display().to_string();
    let server = Server::with(&tls("first", &format!(", ca_file: \"{authority}\", verify: true"))).await;
    let options = || bucket(&server, "b").ca_file(tls_file("ca.pem"));
    works(options().client_certificate(tls_file("second.pem"), tls_file("second.key.pem"))).await;
    let error = refused(options().connect_within(Duration::from_secs(1))).await;
    assert!(matches!(error, BackendError::Unavailable { .. } | BackendError::Fatal { .. }), "{error}");
}

/// What was started without TLS cannot be spoken to with it.
#[tokio::test]
async fn tls_that_the_server_does_not_have_is_not_gone_without() {
    let server = Server::start().await;
    let error = refused(bucket(&server, "b").tls_required(true).connect_within(Duration::from_secs(1))).await;
    assert!(!matches!(error, BackendError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let mut server = Server::start().await;
    server.kill();
    let error = refused(bucket(&server, "b").connect_within(Duration::from_secs(1))).await;
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("connection refused: start the servers"), "{error}");
    let nowhere =
        Nats::options().server("nats://nowhere.invalid:4222").connect_within(Duration::from_secs(1));
    assert!(refused(nowhere).await.to_string().contains("is the name right?"));
}

/// Who may not write is refused at once, and who may not hear of changes is told so.
#[tokio::test]
async fn permissions() {
    let server = Server::with(
        "authorization { users: [
            { user: all, password: x },
            { user: reader, password: x, permissions: { publish: [\"$JS.API.>\"], subscribe: [\"_INBOX.>\", \"sp.kv.>\"] } },
            { user: deaf, password: x, permissions: { publish: [\">\"], subscribe: [\"_INBOX.>\"] } },
            { user: keeper, password: x, permissions: {
                publish: { allow: [\">\"], deny: [\"$JS.API.STREAM.MSG.DELETE.>\"] }
            } }
        ] }",
    )
    .await;
    let of = |user: &str| bucket(&server, "b").user_and_password(user, "x");
    let all = of("all").open().await.unwrap();
    let made = write(&all, "a", None, 1).await.unwrap();
    let reader = of("reader").open().await.unwrap();
    assert_eq!(reader.read(&id("a")).await.unwrap().unwrap().revision, made.revision);
    let refused = write(&reader, "a", Some(made.revision), 2).await.unwrap_err();
    assert!(matches!(refused, BackendError::Refused { .. }), "{refused:?}");
    let mut watch = reader.watch(&id("a")).await.unwrap();
    assert_eq!(super::next(&mut watch).await, Some(1));
    write(&all, "a", Some(made.revision), 2).await.unwrap();
    assert_eq!(super::next(&mut watch).await, Some(2));
    // Over servers before 2.10 whoever writes has to remove what was written over.
    let keeper = of("keeper").open().await;
    if server.version() < (2, 10) {
        let told = keeper.unwrap_err().to_string();
        assert!(told.contains("$JS.API.STREAM.MSG.DELETE.KV_b") && told.contains("allow it"), "{told}");
    }
    let deaf = of("deaf").open().await.unwrap();
    let mut watch = deaf.watch(&id("a")).await.unwrap();
    let ends = async {
        loop {
            match watch.next().await {
                Some(Ok(Change::Updated(_))) => {}
                other => return other,
            }
        }
    };
    let told = tokio::time::timeout(AGES, ends).await.unwrap();
    assert!(matches!(told, Some(Err(BackendError::Refused { .. }))), "{told:?}");
}
