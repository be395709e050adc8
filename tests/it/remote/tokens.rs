//! Access tokens of a remote service (C7, C8).

use sp_sync::backend::Authenticated as _;
use sp_sync::{Identity, SyncClient};

use super::peer::Peer;
use super::*;

/// C7: the subscription goes on with the new token, on the same connection.
#[tokio::test]
async fn a_token_is_renewed_without_dropping_the_subscription() {
    let peer = Peer::start().await;
    peer.tokens_last(Duration::from_secs(2));
    let remote = remote(&peer.uri);
    create(&remote, "a").await.unwrap();
    let mut watch = remote.watch(&id("a")).await.unwrap();
    for round in 1..5 {
        remote.install_token(&Token::new(format!("good-{round}"))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        peer.overwrite("a", &format!("{{\"number\":{round}}}"));
        until_number(&mut watch, round).await;
    }
    assert_eq!(peer.connections(), 1);
    assert_eq!(peer.tokens(), ["good", "good-1", "good-2", "good-3", "good-4"]);
}

/// C8: calls and watches end at once when the token has, and a new one brings everything back.
#[tokio::test]
async fn an_expired_token_fails_calls_until_there_is_another() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    create(&remote, "a").await.unwrap();
    peer.tokens_last(Duration::from_millis(300));
    remote.install_token(&Token::new("short")).await.unwrap();
    let mut watch = remote.watch(&id("a")).await.unwrap();
    while !matches!(next(&mut watch).await, Err(BackendError::TokenExpired)) {}
    assert!(matches!(remote.read(&id("a")).await, Err(BackendError::TokenExpired)));
    assert!(matches!(create(&remote, "b").await, Err(BackendError::TokenExpired)));
    let connections = peer.connections();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(peer.connections(), connections, "without a token there is nothing to connect for");
    peer.tokens_last(Duration::from_secs(60));
    remote.install_token(&Token::new("another")).await.unwrap();
    create(&remote, "b").await.unwrap();
    assert!(remote.watch(&id("a")).await.is_ok());
}

#[tokio::test]
async fn a_forged_token_is_refused_in_the_words_of_the_service() {
    let peer = Peer::start().await;
    let remote = Remote::builder().uri(&peer.uri).token(Token::new("forged")).build().unwrap();
    let error = remote.read(&id("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "refused (20107): Invalid signature");
    let expired = Remote::builder().uri(&peer.uri).token(Token::new("expired")).build().unwrap();
    assert!(matches!(expired.read(&id("a")).await, Err(BackendError::TokenExpired)));
    let none = Remote::builder().uri(&peer.uri).build().unwrap();
    assert!(none.read(&id("a")).await.unwrap_err().to_string().contains("call .token(…)"));
}

/// A client of this service whose tokens are made as they are asked for, and that says nothing of their end.
async fn provided(peer: &Peer, last: Duration) -> (SyncClient, crate::support::Mint) {
    let mint = crate::support::Mint::new(last, u64::MAX).silent();
    let client = SyncClient::builder()
        .backend(Remote::builder().uri(&peer.uri).unpaced().build().unwrap())
        .document_id(id("Session_tokens"))
        .identity(Identity::new("agent").unwrap())
        .token(mint.clone())
        .connect()
        .await
        .unwrap();
    (client, mint)
}

/// C7: a client installs what its provider gives, and asks again when the service no longer takes it.
#[tokio::test]
async fn a_client_with_a_provider_outlives_its_tokens() {
    let peer = Peer::start().await;
    peer.tokens_last(Duration::from_millis(400));
    let (client, mint) = provided(&peer, Duration::from_secs(60)).await;
    for number in 0..15 {
        client.set_sync(serde_json::json!({ "number": number })).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(mint.made() >= 3, "{} tokens", mint.made());
    client.close().await.unwrap();
}

/// C7: the service knows the end better than the token says; it is believed once in a while, however often it warns.
#[tokio::test]
async fn a_token_that_the_service_warns_of_is_renewed_on_the_same_connection() {
    let peer = Peer::start().await;
    peer.warn_after(Duration::from_millis(300));
    let (client, mint) = provided(&peer, Duration::from_secs(3_600)).await;
    until("a second token is presented", || peer.tokens().len() == 2).await;
    // That one is warned of as well.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((mint.made(), peer.tokens().len(), peer.connections()), (2, 2, 1));
    client.set_sync(serde_json::json!({ "number": 1 })).await.unwrap();
    client.close().await.unwrap();
}

/// The service knows a client again that was away, and one whose program was started anew.
#[tokio::test]
async fn what_the_service_calls_a_client_is_presented_again() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    assert_eq!(remote.continuation_token(), None);
    create(&remote, "a").await.unwrap();
    peer.cut();
    until("cut", || peer.present() == 0).await;
    remote.read(&id("a")).await.unwrap();
    assert_eq!(peer.continuations(), ["", "continue"]);
    let kept = remote.continuation_token().unwrap();
    drop(remote);
    let next_life = Remote::builder().uri(&peer.uri).token(Token::new("good")).continuation_token(kept);
    next_life.build().unwrap().read(&id("a")).await.unwrap();
    assert_eq!(peer.continuations(), ["", "continue", "continue"]);
}

/// C64: no token is ever shown.
#[tokio::test]
async fn no_token_is_shown() {
    let peer = Peer::start().await;
    let builder = Remote::builder().uri(&peer.uri).token(Token::new("good hush-hush"));
    assert!(!format!("{builder:?}").contains("hush"));
    let remote = builder.build().unwrap();
    assert!(!format!("{remote:?} {remote:#?}").contains("hush"));
    create(&remote, "a").await.unwrap();
    assert!(!format!("{remote:?} {remote:#?}").contains("hush"));
}
