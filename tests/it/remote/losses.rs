//! Connections that are cut, and answers that do not come.

use std::time::Duration;

use serde_json::json;
use sp_sync::backend::{Backend as _, BackendError, Remote};
use sp_sync::token::Token;
use sp_sync::{Batch, DocumentId, Identity, SyncClient};

use super::peer::{Fate, Peer, is_write};
use super::proxy::{Faults, Proxy};
use super::*;

#[tokio::test]
async fn what_was_missed_while_the_connection_was_lost_is_told() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    create(&remote, "a").await.unwrap();
    let mut watch = remote.watch(&id("a")).await.unwrap();
    until("subscribed", || peer.is_subscribed("a")).await;
    for round in 1..4 {
        peer.cut();
        until("cut", || !peer.is_subscribed("a")).await;
        peer.overwrite("a", &format!("{{\"number\":{round}}}"));
        until_number(&mut watch, round).await;
    }
    assert_eq!(peer.connections(), 4);
    // A removal, too.
    peer.cut();
    until("cut", || !peer.is_subscribed("a")).await;
    peer.remove("a");
    until_removed(&mut watch).await;
}

/// Whether the write held or not, nobody can know; the truth is read afterwards.
#[tokio::test]
async fn a_write_whose_answer_is_lost_is_in_doubt_and_is_not_repeated() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    let made = create(&remote, "a").await.unwrap().revision;
    for (fate, number) in [(Fate::CutAfter, 1), (Fate::CutBefore, 2)] {
        let mut left = 1;
        let before = peer.heard("POST /v3/Documents/");
        peer.plan(move |request| match is_write(request) && std::mem::take(&mut left) == 1 {
            true => fate.clone(),
            false => Fate::Pass,
        });
        let present = remote.read(&id("a")).await.unwrap().unwrap();
        let lost = update(&remote, "a", present.revision, number).await;
        assert!(matches!(lost, Err(BackendError::Unknown { .. })), "{lost:?}");
        let found = remote.read(&id("a")).await.unwrap().unwrap();
        assert_eq!(super::number(&found), 1, "the first write held, the second did not");
        assert!(found.revision > made);
        assert_eq!(peer.heard("POST /v3/Documents/"), before + 1);
    }
}

/// The service tells the author nothing of what it wrote itself: a write in doubt must not hide from its own watch.
#[tokio::test]
async fn a_write_that_is_never_answered_is_shown_to_its_own_watcher() {
    let peer = Peer::start().await;
    let remote = Remote::builder().uri(&peer.uri).token(Token::new("good"));
    let remote = remote.reply_within(Duration::from_millis(300)).build().unwrap();
    let made = create(&remote, "a").await.unwrap().revision;
    let mut watch = remote.watch(&id("a")).await.unwrap();
    until("subscribed", || peer.is_subscribed("a")).await;
    peer.plan(|request| if is_write(request) { Fate::Silence } else { Fate::Pass });
    let lost = update(&remote, "a", made, 7).await;
    assert!(matches!(lost, Err(BackendError::Unknown { .. })), "{lost:?}");
    until_number(&mut watch, 7).await;
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_read_survives_lost_connections_and_passing_failures() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    create(&remote, "a").await.unwrap();
    let mut fates = vec![Fate::CutAfter, Fate::Answer(503, 20_503), Fate::Answer(502, 0)].into_iter();
    peer.plan(move |_| fates.next().unwrap_or(Fate::Pass));
    assert_eq!(number(&remote.read(&id("a")).await.unwrap().unwrap()), 0);
    assert_eq!(peer.heard("GET "), 4);
}

#[tokio::test]
async fn without_a_service_a_call_fails_when_its_time_is_over() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("ws://{}/v3/wsconnect", listener.local_addr().unwrap());
    drop(listener);
    let remote =
        Remote::builder().uri(uri).token(Token::new("good")).queue_within(Duration::from_millis(200));
    let remote = remote.build().unwrap();
    let failed = create(&remote, "a").await;
    assert!(matches!(failed, Err(BackendError::Unavailable { .. })), "{failed:?}");
}

#[tokio::test]
async fn the_connection_ends_with_the_last_clone_and_the_last_watch() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    let watch = remote.clone().watch(&id("a")).await.unwrap();
    drop(remote);
    assert_eq!(peer.present(), 1);
    drop(watch);
    until("the connection has ended", || peer.present() == 0).await;

    let remote = super::remote(&peer.uri);
    let mut watch = remote.watch(&id("a")).await.unwrap();
    remote.close().await;
    until("the connection has ended", || peer.present() == 0).await;
    until_failed(&mut watch).await;
    assert!(matches!(remote.read(&id("a")).await, Err(BackendError::Unavailable { .. })));
}

async fn until_failed(watch: &mut Watch) {
    while next(watch).await.is_ok() {}
}

/// C29: through a wire that swallows one answer in forty and cuts, every action arrives once and in order, and nobody is
/// left in doubt: a connection that was of use is made again soon enough for what is in doubt to be looked up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_on_a_bad_wire_lose_nothing_and_repeat_nothing() {
    let peer = Peer::start().await;
    let delay_max = Duration::from_millis(2);
    let faults = Faults { delay_max, swallow_one_in: 40, ..Faults::default() };
    let proxy = Proxy::start(&peer.uri, faults).await;
    let open = |who: &str| {
        SyncClient::builder()
            .backend(remote(&proxy.uri))
            .document_id(DocumentId::new("Session_wire").unwrap())
            .identity(Identity::new(who).unwrap())
            .connect()
    };
    let (sender, taker) = (open("sender").await.unwrap(), open("taker").await.unwrap());
    let mut actions = taker.executor("extension").subscribe();
    const ALL: usize = 60;
    let sending = async {
        for number in 0..ALL {
            let batch = Batch::new().then_named("openExam", crate::support::numbered(number));
            crate::support::add_patiently(&sender, batch).await;
            sender.set_sync(json!({ "sent": number })).await.unwrap();
        }
    };
    let taking = async {
        let mut taken = Vec::new();
        while taken.len() < ALL {
            let delivery = actions.next().await.unwrap();
            let again = delivery.attempt() > 1;
            let number = crate::support::number_of(&json!({ "examURL": delivery.action().get("examURL") }));
            if !again || !taken.contains(&number) {
                taken.push(number);
            }
            delivery.finish().await.unwrap();
        }
        taken
    };
    let ((), taken) = tokio::time::timeout(Duration::from_secs(400), async { tokio::join!(sending, taking) })
        .await
        .expect("it hangs");
    assert_eq!(taken, (0..ALL).collect::<Vec<_>>());
    assert!(proxy.cuts() > 0, "the wire was good");
    println!("{} cuts", proxy.cuts());
}
