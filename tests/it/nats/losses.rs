//! Answers that are lost, and what a client makes of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sp_sync::backend::{Backend as _, BackendError, Expect, Nats, Ttl, Write};
use sp_sync::document::Document;
use sp_sync::{Identity, SyncClient};

use super::wire::Wire;
use super::{bucket, id, number, write, write_at_last};
use crate::support::nats::Server;

/// The write held, and nobody was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_unknown() {
    let server = Server::start().await;
    let wire = Wire::to(server.port()).await;
    let options = Nats::options().server(wire.url()).bucket("b").reply_within(Duration::from_millis(1_500));
    let (here, there) = (options.open().await.unwrap(), bucket(&server, "b").open().await.unwrap());
    let made = write(&here, "a", None, 1).await.unwrap();
    // Watched, it is known here what the write stands on: nothing is asked first.
    let _watch = here.watch(&id("a")).await.unwrap();
    wire.mute(true);
    let lost = write(&here, "a", Some(made.revision), 2).await.unwrap_err();
    assert!(matches!(lost, BackendError::Unknown { .. }), "{lost:?}");
    assert_eq!(number(&there.read(&id("a")).await.unwrap().unwrap().document), 2, "it held all the same");
    // Cut, the connection is made anew, and what was on its way is answered at once.
    wire.mute(false);
    wire.cut(false);
    write_at_last(&here, "a", 3).await;
}

/// Without a connection nothing is sent, so nothing can hold later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_was_not_stored() {
    let server = Server::start().await;
    let wire = Wire::to(server.port()).await;
    let options = Nats::options().server(wire.url()).bucket("b").reply_within(Duration::from_millis(1_500));
    let here = options.open().await.unwrap();
    let made = write(&here, "a", None, 1).await.unwrap();
    wire.cut(true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let failed = write(&here, "a", Some(made.revision), 2).await.unwrap_err();
    assert!(matches!(failed, BackendError::Unavailable { .. }), "{failed:?}");
    wire.cut(false);
    let found = loop {
        if let Ok(found) = here.read(&id("a")).await {
            break found.unwrap();
        }
    };
    assert_eq!(found.revision, made.revision);
}

/// Actions that are added over a wire that breaks again and again are all there once, in order (C29).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_resolves_lost_answers() {
    let server = Server::start().await;
    let wire = Wire::to(server.port()).await;
    let options = Nats::options().server(wire.url()).bucket("b").reply_within(Duration::from_secs(2));
    let client = SyncClient::builder()
        .backend(options.open().await.unwrap())
        .document_id(id("Session_lost"))
        .identity(Identity::new("producer").unwrap())
        .connect()
        .await
        .unwrap();
    let breaking = tokio::spawn(async move {
        for round in 0.. {
            tokio::time::sleep(Duration::from_millis(40 + 17 * (round % 5))).await;
            wire.mute(true);
            tokio::time::sleep(Duration::from_millis(5)).await;
            wire.cut(false);
            wire.mute(false);
        }
    });
    for place in 0..40 {
        let message = format!("{place}");
        client.add_action_named("lockScreen", json!({ "message": message })).await.unwrap();
    }
    breaking.abort();
    let _ = breaking.await;
    let there = bucket(&server, "b").open().await.unwrap();
    let found = there.read(&id("Session_lost")).await.unwrap().unwrap();
    let view = found.document.view();
    let waiting = view["extensionActions"].as_array().unwrap();
    let messages: Vec<_> =
        waiting.iter().map(|action| action["message"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<_> = (0..40).map(|place| place.to_string()).collect();
    assert_eq!(messages, expected);
}

/// What was on its way may have been stored all the same, and who asked is not told otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_closing_cuts_short_is_unknown() {
    let server = Server::start().await;
    let there = bucket(&server, "b").open().await.unwrap();
    let (mut in_doubt, mut refused) = (0, 0);
    for round in 0..10 {
        let here = bucket(&server, "b").open().await.unwrap();
        let mut writing = tokio::task::JoinSet::new();
        for place in 0..100 {
            let (here, name) = (here.clone(), format!("document-{round}-{place}"));
            writing.spawn(async move { (write(&here, &name, None, place).await, name) });
        }
        tokio::time::sleep(Duration::from_millis(1 + 2 * round)).await;
        here.close().await;
        for (outcome, name) in writing.join_all().await {
            match outcome {
                Ok(_) => {}
                Err(BackendError::Unknown { .. }) => in_doubt += 1,
                Err(error) => {
                    refused += 1;
                    assert!(there.read(&id(&name)).await.unwrap().is_none(), "{name} is there: {error}");
                }
            }
        }
    }
    assert!(in_doubt + refused > 0, "nothing was on its way");
}

/// Servers before 2.10 read their files back in the order of their names, `10` before `9`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_at_its_tenth_file_loses_nothing() {
    let mut server = Server::start().await;
    let nats = bucket(&server, "b").open().await.unwrap();
    let tenth = server.folder().join("store/jetstream/$G/streams/KV_b/msgs/10.blk");
    let filled = |content: u64| {
        let fields = json!({ "number": content, "filling": "x".repeat(15_000) });
        Arc::new(Document::from_json(&fields.to_string()).unwrap())
    };
    let mut writing = tokio::task::JoinSet::new();
    for place in 0..50 {
        let (nats, tenth) = (nats.clone(), tenth.clone());
        writing.spawn(async move {
            let (name, mut expect) = (id(&format!("document-{place}")), Expect::Absent);
            // Some more of each, so that what one is written over lies in the ninth file and it in the tenth.
            let (mut content, mut more) = (0, 1 + place % 4);
            while more > 0 {
                let write = Write { document: filled(content), expect, ttl: Ttl::Keep };
                expect = Expect::Revision(nats.write(&name, write).await.unwrap().revision);
                content += 1;
                more -= u64::from(tenth.exists());
            }
            (name, expect)
        });
    }
    let written = writing.join_all().await;
    server.kill();
    server.restart().await;
    for (name, expect) in written {
        let found = loop {
            match nats.read(&name).await {
                Ok(found) => break found,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        assert_eq!(found.map(|found| Expect::Revision(found.revision)), Some(expect), "{name}");
    }
}
