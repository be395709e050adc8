//! Many at once on one document.

use serde_json::{Value, json};
use sp_sync::backend::Memory;
use sp_sync::twilsock::message::Method;

use super::{Running, service};

const PARTIES: u64 = 8;
const ADDITIONS: u64 = 25;
const PATH: &str = "/v3/Documents/sum";

/// Reads, adds one, writes over the revision it read, and begins again when somebody was faster.
async fn add(server: &Running, who: u64) -> u64 {
    let mut party = server.join(&format!("p{who}")).await;
    let mut stale = 0;
    for _ in 0..ADDITIONS {
        loop {
            let (_, read) = party.call(Method::Get, PATH, Value::Null).await;
            let sum = read["data"]["sum"].as_u64().unwrap() + 1;
            let revision = read["revision"].as_str().unwrap();
            let (code, said) =
                party.call_if(Method::Post, PATH, json!({ "data": { "sum": sum } }), Some(revision)).await;
            match code {
                200 => break,
                412 => stale += 1,
                other => panic!("{other} {said}"),
            }
        }
    }
    stale
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_addition_is_lost_among_many_writers_on_two_servers() {
    let store = Memory::new();
    let servers = [Running::new(service(store.clone())).await, Running::new(service(store)).await];
    let servers = std::sync::Arc::new(servers);
    let mut witness = servers[0].join("witness").await;
    let sid = witness.create("sum", json!({ "sum": 0 })).await["sid"].as_str().unwrap().to_owned();
    witness.establish(&sid, json!(1), 1).await;
    let adding: Vec<_> = (0..PARTIES)
        .map(|who| {
            let servers = servers.clone();
            tokio::spawn(async move { add(&servers[usize::from(who % 2 == 0)], who).await })
        })
        .collect();
    let (mut id, mut sum) = (1, 0);
    while sum < PARTIES * ADDITIONS {
        let event = witness.told().await["event"].clone();
        let (next, shown) = (event["id"].as_u64().unwrap(), event["document_data"]["sum"].as_u64().unwrap());
        assert!(next > id && shown > sum, "{next} {shown} after {id} {sum}");
        (id, sum) = (next, shown);
    }
    for task in adding {
        task.await.unwrap();
    }
    assert_eq!(witness.get("sum").await["data"]["sum"], PARTIES * ADDITIONS);
    let counted = servers.iter().map(|server| server.service.counters().writes_held.get()).sum::<u64>();
    assert_eq!(counted, PARTIES * ADDITIONS + 1);
}

/// Sets without a condition all hold, whoever else writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blind_writes_of_two_servers_all_hold() {
    let store = Memory::new();
    let servers = [Running::new(service(store.clone())).await, Running::new(service(store)).await];
    let servers = std::sync::Arc::new(servers);
    servers[0].join("x").await.create("sum", json!({})).await;
    let setting: Vec<_> = (0..4_usize)
        .map(|who| {
            let servers = servers.clone();
            tokio::spawn(async move {
                let mut party = servers[who % 2].join("x").await;
                let mut revisions = Vec::new();
                for n in 0..50 {
                    let written = party.set("sum", json!({ "who": who, "n": n })).await;
                    revisions.push(written["last_event_id"].as_u64().unwrap());
                }
                assert!(revisions.is_sorted());
                revisions
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in setting {
        all.extend(task.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (2..=201).collect::<Vec<u64>>(), "each is a revision of its own");
}
