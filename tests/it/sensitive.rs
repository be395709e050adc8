//! Sensitive values never appear (C64).

use std::fmt::{Debug, Write as _};

use serde::Deserialize;
use serde_json::json;
use sp_sync::backend::{Backend, Memory};
use sp_sync::token::Token;
use sp_sync::{Batch, Catalogue, Error, Failure, Handlers, SyncClient, extension};
use tokio_stream::StreamExt as _;

use crate::support::{builder, document_id, notice_that, open};

const SECRET: &str = "s3cret-value";

/// Everything that an error may show: its message, its causes, and itself.
fn shown(error: &Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(text, " {cause:?} {cause}").unwrap();
        source = cause.source();
    }
    text
}

fn hides(what: &str, shown: impl Debug) {
    let text = format!("{shown:?} {shown:#?}");
    assert!(!text.contains(SECRET), "{what} shows a sensitive value: {text}");
}

fn join_call() -> extension::JoinCall {
    extension::JoinCall {
        room_url: "https://media.example.com".into(),
        token: SECRET.into(),
        receive_audio: None,
        receive_video: None,
        allow_chat: None,
    }
}

/// C64: nothing that can be printed shows a sensitive value.
#[tokio::test(start_paused = true)]
async fn nothing_printed_shows_a_sensitive_value() {
    let store = Memory::new();
    let client = builder(store.clone(), "a").initial_data(json!({ "x": SECRET })).connect().await.unwrap();
    hides("a generated action", join_call());
    hides("a batch", Batch::new().then(join_call()).then_named("joinCall", json!({ "token": SECRET })));
    hides("a token", Token::new(SECRET));
    let info = json!({ "roomURL": "https://media.example.com", "token": SECRET });
    hides(
        "a built action",
        Catalogue::proctoring().build_info("joinCall", info.as_object().unwrap().clone(), 0),
    );

    let mut notices = client.events().notices();
    let receipt = client.add_action(join_call()).await.unwrap();
    hides("a receipt", &receipt);
    hides("a snapshot", client.get_sync().await.unwrap());
    hides("a client", (&client, client.events(), client.executor("extension")));
    hides("a request", client.request_named("joinCall", info));
    hides("a builder", SyncClient::builder().token(Token::new(SECRET)).initial_data(json!({ "x": SECRET })));

    let mut deliveries = client.executor("extension").subscribe();
    let delivery = deliveries.next().await.unwrap();
    assert_eq!(delivery.action().get("token"), Some(&json!(SECRET)), "it is there for who asks");
    hides("a delivery", &delivery);
    hides("an action", delivery.action());
    hides("a stream of deliveries", &deliveries);
    hides("a parsed action", delivery.parse::<extension::JoinCall>().unwrap());
    delivery.reject(Failure::new("media", "no camera")).await.unwrap();
    notice_that(&mut notices, |notice| {
        hides("a notice", notice);
        matches!(notice, sp_sync::Notice::ActionFailed { .. }).then_some(())
    })
    .await;
    let mut events = client.events().extension_actions_added().unwrap();
    drop(deliveries);
    client.add_action(join_call()).await.unwrap();
    hides("an event", events.next().await.unwrap());
    let stored = store.read(&document_id()).await.unwrap().unwrap();
    hides("what waits in a stored document", stored.document.waiting("extension"));
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its types matter")]
struct Wrong {
    token: u32,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its types matter")]
struct WrongDocument {
    x: Vec<u8>,
}

/// C64: no error quotes a value, and none of its causes does.
#[tokio::test(start_paused = true)]
async fn no_error_quotes_a_value() {
    let client = builder(Memory::new(), "a").initial_data(json!({ "x": SECRET })).connect().await.unwrap();
    let room = "https://media.example.com";
    let wrong = [
        json!({ "roomURL": SECRET, "token": "t" }),
        json!({ "roomURL": room, "token": [SECRET] }),
        json!({ "roomURL": room, "token": SECRET.repeat(400) }),
        json!({ "roomURL": room, "token": "t", "receiveAudio": SECRET }),
        json!({ "token": SECRET }),
        json!({ "roomURL": room, "token": "t", "respondTo": { "x": SECRET } }),
        json!([SECRET]),
        json!(SECRET),
    ];
    for info in wrong {
        let error = client.add_action_named("joinCall", info).await.unwrap_err();
        assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    }
    let error = client.get_sync().await.unwrap().parse::<WrongDocument>().unwrap_err();
    assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    let error = client.typed::<WrongDocument>().get().await.unwrap_err();
    assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    for refused in [client.set_sync(json!(SECRET)).await, client.set_sync(json!({ "_sp": SECRET })).await] {
        let error = refused.unwrap_err();
        assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    }

    client.add_action(join_call()).await.unwrap();
    let mut deliveries = client.executor("extension").subscribe();
    let delivery = deliveries.next().await.unwrap();
    let error = delivery.parse::<Wrong>().unwrap_err();
    assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    assert_eq!(
        error.to_string(),
        "field `token` of action `joinCall` does not fit the type asked for: it should be u32"
    );
}

/// C64: a handler whose fields do not fit fails without quoting them, in the notice and in the answer.
#[tokio::test(start_paused = true)]
async fn a_failed_handler_does_not_quote_what_it_was_given() {
    let store = Memory::new();
    let malformed = json!({ "action": "joinCall", "executor": "extension", "roomURL": 7, "token": [SECRET] });
    crate::support::overwrite(&store, json!({ "extensionActions": [malformed] })).await;
    let client = open(store, "a").await;
    let mut notices = client.events().notices();
    let serving = client.clone();
    let handlers = Handlers::new().on(async |_: extension::JoinCall| Ok(()));
    let serving = tokio::spawn(async move { serving.executor("extension").serve(handlers).await });
    let failure = notice_that(&mut notices, |notice| {
        hides("a notice", notice);
        match notice {
            sp_sync::Notice::ActionRetried { .. } => panic!("its fields are the same in every attempt"),
            sp_sync::Notice::ActionFailed { failure, .. } => Some(failure.clone()),
            _ => None,
        }
    })
    .await;
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        (
            "fields",
            "field `roomURL` of action `joinCall` does not fit the type asked for: it should be a string"
        )
    );
    serving.abort();
}
