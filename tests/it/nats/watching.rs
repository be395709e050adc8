//! Watchers end at the newest, whatever happens to servers and wires.

use sp_sync::backend::{Backend as _, Change, Nats, NatsOptions};
use std::time::Duration;
use tokio_stream::StreamExt as _;

use super::wire::Wire;
use super::{AGES, bucket, id, next, number, until, write, write_at_last};
use crate::support::nats::{Cluster, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_restarts_while_watching() {
    let mut server = Server::start().await;
    let nats = bucket(&server, "b").open().await.unwrap();
    let mut watch = nats.watch(&id("a")).await.unwrap();
    assert_eq!(next(&mut watch).await, None);
    for round in 1..=3 {
        write_at_last(&nats, "a", round).await;
        server.kill();
        server.restart().await;
        write_at_last(&nats, "a", 10 * round).await;
        until(&mut watch, 10 * round).await;
    }
}

/// What is written while a client has no connection is told when it is back, without another write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_told_after_a_reconnection() {
    let server = Server::start().await;
    let wire = Wire::to(server.port()).await;
    let here = Nats::options().server(wire.url()).bucket("b").open().await.unwrap();
    let there = bucket(&server, "b").open().await.unwrap();
    let mut watches = Vec::new();
    for name in ["a", "b", "c"] {
        write(&there, name, None, 1).await.unwrap();
        let mut watch = here.watch(&id(name)).await.unwrap();
        assert_eq!(next(&mut watch).await, Some(1));
        watches.push((name, watch));
    }
    wire.cut(true);
    for name in ["a", "b"] {
        write_at_last(&there, name, 2).await;
    }
    there.remove(&id("c"), None).await.unwrap();
    wire.cut(false);
    for (name, watch) in &mut watches {
        assert_eq!(next(watch).await, (*name != "c").then_some(2), "{name}");
    }
}

/// A message that is lost without a trace shows with the next one of its document: the others are looked at then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_one_document_heals_the_others() {
    let server = Server::start().await;
    let wire = Wire::to(server.port()).await;
    let here = Nats::options().server(wire.url()).bucket("b").open().await.unwrap();
    let there = bucket(&server, "b").open().await.unwrap();
    let [mut one, mut other] = {
        write(&there, "one", None, 1).await.unwrap();
        write(&there, "other", None, 1).await.unwrap();
        [here.watch(&id("one")).await.unwrap(), here.watch(&id("other")).await.unwrap()]
    };
    assert_eq!((next(&mut one).await, next(&mut other).await), (Some(1), Some(1)));
    wire.mute(true);
    write_at_last(&there, "one", 2).await;
    write_at_last(&there, "other", 2).await;
    // Long enough for the messages to be swallowed, and shorter than the silence after which the server is given up.
    tokio::time::sleep(Duration::from_millis(500)).await;
    wire.mute(false);
    write_at_last(&there, "one", 3).await;
    until(&mut one, 3).await;
    until(&mut other, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_killed_while_watching() {
    let mut cluster = Cluster::start(3).await;
    let options = cluster.urls().into_iter().fold(Nats::options(), NatsOptions::server);
    let options = options.bucket("b").replicas(3).connect_within(AGES);
    let (here, there) = (options.clone().open().await.unwrap(), options.open().await.unwrap());
    let mut watch = here.watch(&id("a")).await.unwrap();
    let mut content = 0;
    for _ in 0..2 {
        content += 1;
        let written = write_at_last(&there, "a", content).await;
        let leader = cluster.until_led("KV_b").await;
        cluster.servers[leader].kill();
        content += 1;
        let after = write_at_last(&there, "a", content).await;
        assert!(after > written);
        until(&mut watch, content).await;
        cluster.servers[leader].restart().await;
        cluster.until_whole().await;
    }
}

/// A paused leader keeps its connections open and answers nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_paused_while_watching() {
    let cluster = Cluster::start(3).await;
    let options = cluster.urls().into_iter().fold(Nats::options(), NatsOptions::server);
    let options = options.bucket("b").replicas(3).connect_within(AGES);
    let (here, there) = (options.clone().open().await.unwrap(), options.open().await.unwrap());
    let mut watch = here.watch(&id("a")).await.unwrap();
    write_at_last(&there, "a", 1).await;
    let leader = cluster.until_led("KV_b").await;
    cluster.servers[leader].pause();
    write_at_last(&there, "a", 2).await;
    until(&mut watch, 2).await;
    cluster.servers[leader].resume();
    write_at_last(&here, "a", 3).await;
    until(&mut watch, 3).await;
}

/// However many documents are open, the server has no consumer, and as many subscriptions as there are shards at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_watches_need_no_consumer() {
    const WATCHED: u64 = 10_000;
    let server = Server::start().await;
    let nats = bucket(&server, "b").open().await.unwrap();
    let mut watches = Vec::new();
    for place in 0..WATCHED {
        watches.push(nats.watch(&id(&format!("Session_{place}"))).await.unwrap());
    }
    let state = server.get("/jsz?consumers=true").unwrap();
    assert_eq!(state["consumers"], 0, "{state}");
    let subscriptions = server.get("/connz").unwrap()["connections"][0]["subscriptions"].as_u64().unwrap();
    assert!(subscriptions <= 1_025, "{subscriptions} subscriptions");
    for place in [0, WATCHED / 2, WATCHED - 1] {
        write(&nats, &format!("Session_{place}"), None, place + 1).await.unwrap();
        let watch = &mut watches[usize::try_from(place).unwrap()];
        until(watch, place + 1).await;
    }
    drop(watches);
    let gone = async {
        while server.get("/connz").unwrap()["connections"][0]["subscriptions"].as_u64().unwrap() > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(AGES, gone).await.expect("subscriptions remain");
}

/// All watchers of one process share one document.
#[tokio::test]
async fn a_change_is_read_once_for_all_watchers() {
    let server = Server::start().await;
    let (here, there) =
        (bucket(&server, "b").open().await.unwrap(), bucket(&server, "b").open().await.unwrap());
    let mut watches = Vec::new();
    for _ in 0..10 {
        watches.push(here.watch(&id("a")).await.unwrap());
    }
    write(&there, "a", None, 7).await.unwrap();
    let mut shared = Vec::new();
    for watch in &mut watches {
        loop {
            match tokio::time::timeout(AGES, watch.next()).await.unwrap().unwrap().unwrap() {
                Change::Updated(stored) => break shared.push(stored.document),
                Change::Removed => {}
            }
        }
    }
    assert_eq!(number(&shared[0]), 7);
    assert!(shared.iter().all(|document| std::sync::Arc::ptr_eq(document, &shared[0])));
}

/// A closed backend ends its watches, and the process leaves the server.
#[tokio::test]
async fn closing_and_dropping_both_leave_the_server() {
    let server = Server::start().await;
    let nats = bucket(&server, "b").open().await.unwrap();
    let mut watch = nats.watch(&id("a")).await.unwrap();
    next(&mut watch).await;
    nats.clone().close().await;
    assert!(tokio::time::timeout(AGES, watch.next()).await.unwrap().is_none());
    assert!(nats.read(&id("a")).await.is_err());
    drop(nats);
    let other = bucket(&server, "b").open().await.unwrap();
    let mut watch = other.watch(&id("a")).await.unwrap();
    drop(other);
    // A watch keeps the connection.
    assert_eq!(next(&mut watch).await, None);
    assert_eq!(server.get("/connz").unwrap()["num_connections"], 1);
    drop(watch);
    let gone = async {
        while server.get("/connz").unwrap()["num_connections"] != 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(AGES, gone).await.expect("connections remain");
}
