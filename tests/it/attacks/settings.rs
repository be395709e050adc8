//! Settings, tokens and decoders that nobody sane would choose.

use super::*;

/// C7: a token may last for ever.
#[tokio::test(start_paused = true)]
async fn a_token_may_last_for_ever() {
    let door = crate::support::Door::new(Memory::new());
    let token = sp_sync::token::Token::new("t 1000").lasting(Duration::MAX);
    let opened =
        tokio::spawn(
            async move { crate::support::builder(door, "page").token(token).connect().await.map(drop) },
        )
        .await;
    assert!(opened.is_ok(), "panicked");
}

/// C51: a linger longer than a lease is refused.
#[tokio::test(start_paused = true)]
async fn a_linger_longer_than_a_lease_is_refused() {
    let store = Memory::new();
    let settings = Settings { finish_linger: AGES, ..Settings::default() };
    let error = builder(store.clone(), "page").settings(settings).connect().await.unwrap_err();
    assert_eq!(error.to_string(), "invalid setting: `finish_linger`: it must be at most a third of `lease`");
}

/// C40: a rate too slow for the lease is refused.
#[tokio::test(start_paused = true)]
async fn a_rate_too_slow_for_the_lease_is_refused() {
    let store = Memory::new();
    let settings = Settings { writes_per_second: Some(0.02), ..Settings::default() };
    let error = builder(store.clone(), "one").settings(settings).connect().await.unwrap_err();
    assert!(error.to_string().contains("at 0.02 writes per second it must be at least 150.0 s"), "{error}");
}

/// A decoder whose message names the value after what it expected.
#[derive(Debug)]
struct Pin;

impl TryFrom<String> for Pin {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("bad PIN, expected four digits, got {text}"))
    }
}

#[derive(Debug, serde::Deserialize)]
struct Fields {
    #[serde(deserialize_with = "pin")]
    #[allow(dead_code)]
    pin: Pin,
}

fn pin<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Pin, D::Error> {
    let text: String = serde::Deserialize::deserialize(from)?;
    Pin::try_from(text).map_err(serde::de::Error::custom)
}

/// C64: a decoder of the applications own is not quoted.
#[tokio::test(start_paused = true)]
async fn a_decoder_of_the_applications_own_is_not_quoted() {
    let page = open(Memory::new(), "page").await;
    page.set_sync(json!({ "pin": "hunter2" })).await.unwrap();
    let error = page.get_sync().await.unwrap().parse::<Fields>().unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// C57: a backend too slow for the lease is refused.
#[tokio::test(start_paused = true)]
async fn a_backend_too_slow_for_the_lease_is_refused() {
    let error = builder(Odd { writes_per_second: Some(1e-30), ..Odd::over(&Memory::new()) }, "page")
        .connect()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
}
