//! Subscriptions, and documents that come and go.

use super::peer::Peer;
use super::*;
use sp_sync::twilsock::sync::SyncError;

#[tokio::test]
async fn many_documents_are_subscribed_in_batches_on_one_connection() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    let mut watches = Vec::new();
    for name in 0..20 {
        let name = name.to_string();
        create(&remote, &name).await.unwrap();
        watches.push((name.clone(), remote.watch(&id(&name)).await.unwrap()));
    }
    let others = super::remote(&peer.uri);
    for (name, watch) in &mut watches {
        let present = others.read(&id(name)).await.unwrap().unwrap();
        update(&others, name, present.revision, 5).await.unwrap();
        until_number(watch, 5).await;
    }
    peer.cut();
    until("cut", || !peer.is_subscribed("0")).await;
    until("all are subscribed again", || (0..20).all(|name| peer.is_subscribed(&name.to_string()))).await;
}

#[tokio::test]
async fn the_last_watcher_ends_the_subscription() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    create(&remote, "a").await.unwrap();
    let (one, other) = (remote.watch(&id("a")).await.unwrap(), remote.watch(&id("a")).await.unwrap());
    until("subscribed", || peer.is_subscribed("a")).await;
    drop(one);
    create(&remote, "b").await.unwrap();
    assert!(peer.is_subscribed("a"));
    drop(other);
    until("not subscribed", || !peer.is_subscribed("a")).await;
    let mut again = remote.watch(&id("a")).await.unwrap();
    until("subscribed", || peer.is_subscribed("a")).await;
    peer.overwrite("a", "{\"number\":3}");
    until_number(&mut again, 3).await;
}

#[tokio::test]
async fn replays_in_parts_are_asked_for_to_their_end() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    create(&remote, "a").await.unwrap();
    peer.interrupt(2);
    let mut watch = remote.watch(&id("a")).await.unwrap();
    until("asked three times", || peer.heard("POST /v4/Subscriptions") == 3).await;
    peer.overwrite("a", "{\"number\":3}");
    until_number(&mut watch, 3).await;
}

#[tokio::test]
async fn a_refused_subscription_ends_the_watch_and_others_are_tried_again() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    create(&remote, "a").await.unwrap();
    peer.refuse_subscription("a", SyncError { status: 403, code: 54_007, message: "not yours".into() });
    let mut watch = remote.watch(&id("a")).await.unwrap();
    assert!(next(&mut watch).await.is_ok());
    assert_eq!(next(&mut watch).await.unwrap_err().to_string(), "refused (54007): not yours");
    assert!(watch.next().await.is_none());

    peer.refuse_subscription("a", SyncError { status: 429, code: 54_419, message: "too many".into() });
    let mut watch = remote.watch(&id("a")).await.unwrap();
    until("subscribed", || peer.is_subscribed("a")).await;
    peer.overwrite("a", "{\"number\":3}");
    until_number(&mut watch, 3).await;
}

/// The original's service counts from 0 again, and gives another SID.
#[tokio::test]
async fn revisions_grow_where_the_service_begins_anew() {
    let peer = Peer::original().await;
    let (remote, other) = (remote(&peer.uri), remote(&peer.uri));
    let mut watch = remote.watch(&id("a")).await.unwrap();
    let mut newest = Revision(0);
    for round in 0..4 {
        let made = create(&remote, "a").await.unwrap().revision;
        assert!(made > newest);
        let first = update(&remote, "a", made, 10 + round).await.unwrap().revision;
        assert!(first > made);
        until_number(&mut watch, 10 + round).await;
        // Removed and made anew by somebody else, whose own numbers may be others.
        let found = other.read(&id("a")).await.unwrap().unwrap();
        assert!(other.remove(&id("a"), Some(found.revision)).await.unwrap());
        create(&other, "a").await.unwrap();
        let told = until_number(&mut watch, 0).await;
        assert!(told.revision > first);
        let stale = update(&remote, "a", first, 99).await;
        assert!(matches!(stale, Err(BackendError::Conflict)), "{stale:?}");
        newest = update(&remote, "a", told.revision, 20 + round).await.unwrap().revision;
        assert!(newest > told.revision);
        assert!(remote.remove(&id("a"), Some(newest)).await.unwrap());
        until_removed(&mut watch).await;
    }
}

/// The protocol tells nobody that a document is made.
#[tokio::test]
async fn a_document_that_somebody_else_makes_is_found() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    let mut watch = remote.watch(&id("a")).await.unwrap();
    assert!(matches!(next(&mut watch).await, Ok(Change::Removed)));
    peer.overwrite("a", "{\"number\":8}");
    until_number(&mut watch, 8).await;
}
