//! Writers of several processes that expect the same revision, over different servers of a cluster.

use std::time::Duration;

use sp_sync::backend::{Backend as _, BackendError, Nats, NatsOptions};
use tokio::task::JoinSet;

use super::{id, write};
use crate::support::nats::Cluster;

/// Server 2.9 alone would let many of them hold: it compares sequences before it proposes a message to the replicas.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_rivals_holds_each_time() {
    let cluster = Cluster::start(3).await;
    let mut rivals = Vec::new();
    for url in cluster.urls() {
        let options = Nats::options().server(url).bucket("rivals").replicas(3);
        rivals.push(options.connect_within(Duration::from_secs(60)).open().await.unwrap());
    }
    let mut newest = write(&rivals[0], "a", None, 0).await.unwrap().revision;
    for round in 1..=20 {
        let mut writing = JoinSet::new();
        for rival in rivals.iter().cycle().take(30) {
            let rival = rival.clone();
            writing.spawn(async move { write(&rival, "a", Some(newest), round).await });
        }
        let mut held = Vec::new();
        for outcome in writing.join_all().await {
            match outcome {
                Ok(written) => held.push(written.revision),
                Err(BackendError::Conflict) => {}
                Err(other) => panic!("neither held nor lost: {other}"),
            }
        }
        assert_eq!(held.len(), 1, "round {round}: {held:?}");
        newest = held[0];
    }
    for rival in rivals {
        assert_eq!(rival.read(&id("a")).await.unwrap().unwrap().revision, newest);
    }
}

/// The same for making, removing, and making anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_rivals_makes_it_and_one_removes_it() {
    let cluster = Cluster::start(3).await;
    let options = cluster.urls().into_iter().fold(Nats::options(), NatsOptions::server);
    let options = options.bucket("rivals").replicas(3).connect_within(Duration::from_secs(60));
    let (here, there) = (options.clone().open().await.unwrap(), options.open().await.unwrap());
    for round in 0..10 {
        let (mut making, mut removing) = (JoinSet::new(), JoinSet::new());
        for rival in [&here, &there].into_iter().cycle().take(20) {
            let rival = rival.clone();
            making.spawn(async move { write(&rival, "a", None, round).await });
        }
        let made: Vec<_> = making.join_all().await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(made.len(), 1, "round {round}");
        let revision = made[0].revision;
        for rival in [&here, &there].into_iter().cycle().take(20) {
            let rival = rival.clone();
            removing.spawn(async move { rival.remove(&id("a"), Some(revision)).await });
        }
        let removed =
            removing.join_all().await.into_iter().filter(|outcome| matches!(outcome, Ok(true))).count();
        assert_eq!(removed, 1, "round {round}");
    }
}
