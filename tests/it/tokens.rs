//! Access tokens (C7, C8).

use std::time::Duration;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::token::Token;
use sp_sync::{Error, Notice, Settings};
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt as _;

use crate::support::{AGES, Door, Mint, builder, notice_that, told};

fn expired(notice: &Notice) -> Option<()> {
    matches!(notice, Notice::TokenExpired).then_some(())
}

/// C7: over more than ten renewals of a token of ten seconds, no write fails and no event is missed.
#[tokio::test(start_paused = true)]
async fn short_lived_tokens_are_renewed_without_a_gap() {
    let store = Memory::new();
    let door = Door::new(store.clone());
    let mint = Mint::new(Duration::from_secs(10), u64::MAX);
    let client = builder(door.clone(), "a").token(mint.clone()).connect().await.unwrap();
    let mut notices = client.events().notices();
    let mut seen = client.events().key_updated("number");
    for number in 0..120 {
        client.set_sync(json!({ "number": number })).await.unwrap();
        assert_eq!(seen.next().await.unwrap().unwrap(), Some(json!(number)));
        sleep(Duration::from_secs(1)).await;
    }
    assert!(mint.made() > 11, "{} tokens", mint.made());
    assert!(mint.made() < 40, "a token of ten seconds is not asked for all the time: {}", mint.made());
    assert_eq!(door.turned_away(), 0);
    assert!(told(&mut notices).await.is_empty());
}

/// C7: a new token is asked for when three minutes of the old one remain, or up to a fifth of them later.
#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_three_minutes_before_its_end() {
    let mint = Mint::new(Duration::from_secs(3_600), u64::MAX);
    let door = Door::new(Memory::new());
    let _client = builder(door.clone(), "a").token(mint.clone()).connect().await.unwrap();
    sleep(Duration::from_secs(3_600 - 181)).await;
    assert_eq!(door.installed(), 1);
    sleep(Duration::from_secs(2 + 36)).await;
    assert_eq!((door.installed(), mint.made()), (2, 2));
}

/// C7: clients that were given their tokens in the same moment do not all come for the next in the same moment.
#[tokio::test(start_paused = true)]
async fn renewals_of_many_clients_are_spread() {
    let door = Door::new(Memory::new());
    let mut clients = Vec::new();
    for number in 0..60 {
        let mint = Mint::new(Duration::from_secs(3_600), u64::MAX);
        clients.push(builder(door.clone(), &format!("client {number}")).token(mint).connect().await.unwrap());
    }
    sleep(Duration::from_secs(3_600 - 180)).await;
    let mut most = 0;
    for _ in 0..36 {
        let before = door.installed();
        sleep(Duration::from_secs(1)).await;
        most = most.max(door.installed() - before);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(door.installed(), 120);
    assert!(most < 20, "{most} in one second");
}

/// C7: what waits in the client while the token is refused is written with the next one.
#[tokio::test(start_paused = true)]
async fn a_token_of_unknown_length_is_replaced_when_it_is_refused() {
    let store = Memory::new();
    let door = Door::new(store.clone());
    let mint = Mint::new(Duration::from_secs(30), u64::MAX).silent();
    let client = builder(door.clone(), "a").token(mint.clone()).connect().await.unwrap();
    let mut notices = client.events().notices();
    for number in 0..20 {
        sleep(Duration::from_secs(10)).await;
        client.set_sync(json!({ "number": number })).await.unwrap();
    }
    assert!(mint.made() >= 6);
    assert!(told(&mut notices).await.is_empty(), "a token that was replaced is no news");
}

/// C8: expired and no new one to be had: writes fail at once, one notice, and a token brings everything back.
#[tokio::test(start_paused = true)]
async fn without_a_token_writes_fail_at_once_until_one_is_installed() {
    let store = Memory::new();
    let door = Door::new(store.clone());
    let mint = Mint::new(Duration::from_secs(60), 1);
    let client = builder(door.clone(), "a").token(mint.clone()).connect().await.unwrap();
    let mut notices = client.events().notices();
    client.set_sync(json!({ "before": 1 })).await.unwrap();
    notice_that(&mut notices, expired).await;

    let started = Instant::now();
    let error = client.set_sync(json!({ "during": 1 })).await.unwrap_err();
    assert!(matches!(error, Error::TokenExpired));
    assert_eq!(
        error.to_string(),
        "the access token has expired: install a new one to go on, nothing that was accepted is lost"
    );
    let refused = client.add_action_named("leaveCall", json!(null)).await;
    assert!(matches!(refused, Err(Error::TokenExpired)));
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(client.get_sync().await.unwrap()["before"], 1, "reading goes on");
    sleep(AGES).await;
    assert!(told(&mut notices).await.is_empty(), "told once");

    client.install_token(&mint.make()).await.unwrap();
    client.set_sync(json!({ "after": 1 })).await.unwrap();
    let content = client.get_sync().await.unwrap();
    assert_eq!(content.to_value(), json!({ "before": 1, "after": 1 }));
}

/// C8: without a token nothing is asked of the backend, however long it takes; the watch comes back with the token.
#[tokio::test(start_paused = true)]
async fn reconnecting_stops_without_a_token() {
    let store = Memory::new();
    let link = crate::support::Link::new(&store);
    let client = builder(link.clone(), "a").connect().await.unwrap();
    let mut notices = client.events().notices();
    let refuse = || sp_sync::backend::BackendError::TokenExpired;
    link.plan(move |_| crate::support::Fate::Fail(refuse));
    link.cut_watches(refuse());
    notice_that(&mut notices, expired).await;
    let asked = link.asked(crate::support::Call::Watch);
    sleep(AGES).await;
    assert_eq!(link.asked(crate::support::Call::Watch), asked);
    // A token that this backend does not take resumes nothing, and says why.
    let error = client.install_token(&Token::new("x")).await.unwrap_err();
    assert_eq!(error.to_string(), "invalid token: the backend `memory` takes no tokens");
}

/// C8: a client whose watch was refused hears of others' writes again once it has a token.
#[tokio::test(start_paused = true)]
async fn a_token_brings_the_subscription_back() {
    let store = Memory::new();
    let door = Door::new(store.clone());
    let mint = Mint::new(Duration::from_secs(3_600), 1);
    let client = builder(door.clone(), "a").token(mint.clone()).connect().await.unwrap();
    let mut notices = client.events().notices();
    door.revoke();
    let error = client.set_sync(json!({ "lost": 1 })).await.unwrap_err();
    assert!(matches!(error, Error::TokenExpired), "{error}");
    notice_that(&mut notices, expired).await;
    let mut updates = client.events().sp_sync_doc_updated();
    client.install_token(&mint.make()).await.unwrap();
    let other = crate::support::open(store, "other").await;
    other.set_sync(json!({ "news": 1 })).await.unwrap();
    crate::support::update_with(&mut updates, |content| content.contains_key("news")).await;
}

/// C7: a fixed token never replaces one that the application has installed since.
#[tokio::test(start_paused = true)]
async fn a_fixed_token_is_not_installed_again() {
    let door = Door::new(Memory::new());
    let mint = Mint::new(Duration::from_secs(600), 0);
    let client = builder(door.clone(), "a").token(mint.make()).connect().await.unwrap();
    let mut notices = client.events().notices();
    for _ in 0..10 {
        sleep(Duration::from_secs(500)).await;
        client.install_token(&mint.make()).await.unwrap();
        client.set_sync(json!({ "x": 1 })).await.unwrap();
    }
    assert_eq!(door.installed(), 11);
    assert!(told(&mut notices).await.is_empty());
    notice_that(&mut notices, expired).await;
}

/// C8: what was accepted before the token expired is in the document after it was replaced.
#[tokio::test(start_paused = true)]
async fn nothing_that_was_accepted_is_lost_to_an_expired_token() {
    let store = Memory::new();
    let door = Door::new(store.clone());
    let mint = Mint::new(Duration::from_secs(5), u64::MAX);
    let settings = Settings { waiting_max: 10_000, ..Settings::default() };
    let client = builder(door.clone(), "a").token(mint.clone()).settings(settings).connect().await.unwrap();
    let mut accepted = Vec::new();
    for number in 0..60 {
        if number % 7 == 0 {
            door.revoke();
        }
        let key = format!("key{number}");
        match client.set_sync(json!({ &*key: number })).await {
            Ok(_) => accepted.push(key),
            Err(error) => assert!(matches!(error, Error::TokenExpired), "{error}"),
        }
        sleep(Duration::from_millis(300)).await;
    }
    let content = crate::support::stored(&store).await;
    assert!(accepted.iter().all(|key| content.get(key).is_some()));
    assert_eq!(accepted.len(), 60, "a provider that has tokens makes refusals invisible");
}

/// C7: a backend without tokens says so instead of passing over one.
#[tokio::test]
async fn a_token_for_a_backend_that_takes_none_is_refused() {
    let error = builder(Memory::new(), "a").token(Token::new("secret")).connect().await.unwrap_err();
    assert_eq!(error.to_string(), "invalid token: the backend `memory` takes no tokens: leave .token(…) out");
}

/// C8: a token that the backend does not accept is reported, and the one before stays in use.
#[tokio::test(start_paused = true)]
async fn a_refused_token_leaves_the_present_one_in_use() {
    let door = Door::new(Memory::new());
    let mint = Mint::new(Duration::from_secs(600), 1);
    let client = builder(door, "a").token(mint).connect().await.unwrap();
    let error = client.install_token(&Token::new("nonsense")).await.unwrap_err();
    assert_eq!(error.to_string(), "refused (20101): this is no token");
    client.set_sync(json!({ "x": 1 })).await.unwrap();
}
