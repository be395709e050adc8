//! Writers of several processes that expect the same revision, over different servers of a cluster.

use std::time::Duration;

use sp_sync::backend::{Backend as _, BackendError, Nats, NatsOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{AGES, id, number, write, write_at_last};
use crate::support::nats::Cluster;

/// Server 2.9 stores many of them: it compares sequences before it proposes a message to the replicas.
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

/// As many messages as a key-value bucket may keep of one key are fewer than there may be rivals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_very_many_processes_makes_it() {
    let cluster = Cluster::start(3).await;
    let urls = cluster.urls();
    let mut rivals = Vec::new();
    for place in 0..80 {
        let options = Nats::options().server(&urls[place % 3]).bucket("rivals").replicas(3);
        rivals.push(options.connect_within(Duration::from_secs(60)).open().await.unwrap());
    }
    for round in 0..3 {
        let name = format!("document-{round}");
        let mut making = JoinSet::new();
        for (place, rival) in rivals.iter().enumerate() {
            let (rival, name) = (rival.clone(), name.clone());
            making.spawn(async move { write(&rival, &name, None, place as u64).await });
        }
        let mut made = Vec::new();
        for outcome in making.join_all().await {
            match outcome {
                Ok(written) => made.push(written.revision),
                Err(BackendError::Conflict) => {}
                Err(other) => panic!("neither held nor lost: {other}"),
            }
        }
        for rival in &rivals {
            assert_eq!([rival.read(&id(&name)).await.unwrap().unwrap().revision], made[..], "round {round}");
        }
    }
}

/// What a rival counted up in a document: how often it held, and how often that is not known.
async fn count_up(rival: Nats, stop: watch::Receiver<bool>) -> (u64, u64) {
    let (mut held, mut in_doubt) = (0, 0);
    while !*stop.borrow() {
        let Ok(Some(found)) = rival.read(&id("a")).await else { continue };
        match write(&rival, "a", Some(found.revision), number(&found.document) + 1).await {
            Ok(_) => held += 1,
            Err(BackendError::Unknown { .. }) => in_doubt += 1,
            Err(_) => {}
        }
    }
    (held, in_doubt)
}

/// Rivals leave messages that do not hold. A server that comes back must not come to differ from the others by them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_stay_alike_when_their_leader_dies_among_rivals() {
    let mut cluster = Cluster::start(3).await;
    let options = cluster.urls().into_iter().fold(Nats::options(), NatsOptions::server);
    let options = options.bucket("rivals").replicas(3).connect_within(AGES);
    let first = options.clone().open().await.unwrap();
    write_at_last(&first, "a", 0).await;
    let (stop, stopped) = watch::channel(false);
    let mut counting = JoinSet::new();
    for _ in 0..6 {
        let rival = options.clone().open().await.unwrap();
        counting.spawn(count_up(rival, stopped.clone()));
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let leader = cluster.until_led("KV_rivals").await;
        cluster.servers[leader].kill();
        tokio::time::sleep(Duration::from_secs(2)).await;
        cluster.until_led("KV_rivals").await;
        cluster.servers[leader].restart().await;
        cluster.until_whole().await;
    }
    stop.send(true).unwrap();
    let (held, in_doubt) =
        counting.join_all().await.into_iter().fold((0, 0), |(held, doubt), (h, d)| (held + h, doubt + d));
    let found = loop {
        if let Ok(Some(found)) = first.read(&id("a")).await {
            break number(&found.document);
        }
    };
    println!("{held} held, {in_doubt} in doubt, {found} counted");
    assert!(
        held > 0 && (held..=held + in_doubt).contains(&found),
        "{held} held, {in_doubt} in doubt, {found} counted"
    );
    let began = Instant::now();
    loop {
        let copies = cluster.copies_of("KV_rivals");
        if copies.iter().all(|copy| copy.is_some() && *copy == copies[0]) {
            return;
        }
        assert!(began.elapsed() < AGES, "the servers' copies differ: {copies:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
