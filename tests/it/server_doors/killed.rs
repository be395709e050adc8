//! `kill -9` of a serving process while the official SDK and a client of this crate write through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use sp_sync::token::Token;
use sp_sync::{DocumentId, Identity, SyncClient};

use super::command_line::{Desk, Running, SERVE};
use crate::server::puppet::Puppet;
use crate::server::until;

const DOCUMENT: &str = "Session_killed";
const KILLS: u64 = 3;

/// A port that is free now, and will be after each kill: nobody else here asks for one by its number.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn token(running: &Running) -> String {
    let bearer = [("authorization", "Bearer token of bert")];
    let given = running.client().await.ask("POST", "/sync/tokens", &bearer, "{}").await;
    given.json()["token"].as_str().unwrap_or_else(|| panic!("{}", given.body)).to_owned()
}

async fn client(at: SocketAddr) -> SyncClient {
    SyncClient::builder()
        .base_uri(format!("http://{at}"))
        .token(Token::new("token of bert"))
        .document_id(DocumentId::new(DOCUMENT).unwrap())
        .identity(Identity::new("back end").unwrap())
        .connect()
        .await
        .unwrap()
}

/// Counts up, one write for each number, until told to stop. A write whose answer is lost in the crash is looked up (C29),
/// so all of them hold.
async fn count(client: SyncClient, counted: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        client.set_sync(json!({ "rust": counted.load(Ordering::SeqCst) + 1 })).await.unwrap();
        counted.fetch_add(1, Ordering::SeqCst);
    }
}

/// C15, C29: what was acknowledged to either client is in the file; both go on with the server that is started from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_that_either_client_was_told() {
    let Some(mut node) = Puppet::new() else { return };
    let desk = Desk::new();
    let port = free_port();
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let line = format!("{SERVE} --store file:@documents.db").replace("127.0.0.1:0", &at.to_string());
    let mut running = desk.start(&line);
    node.connect("page", &token(&running).await, at).await;
    node.open("page", DOCUMENT).await;
    let rust = client(at).await;
    let stop = Arc::new(AtomicBool::new(false));
    let counted = Arc::new(AtomicU64::new(0));
    let counting = tokio::spawn(count(rust.clone(), counted.clone(), stop.clone()));

    // The page adds one number after the other to an array; what it is told holds is remembered.
    let mut number = 0;
    let (mut held, mut doubtful) = (Vec::new(), Vec::new());
    for kill in 0..KILLS {
        let mut asked = Vec::new();
        for _ in 0..30 {
            number += 1;
            let push = json!({ "who": "page", "as": DOCUMENT, "key": "page", "value": number });
            asked.push((number, node.ask("push", push).await));
            if asked.len() == 10 {
                // Some are acknowledged by now, some on their way.
                node.answer(asked[0].1).await.unwrap();
                held.push(asked.remove(0).0);
            }
        }
        // The other client is back, and in the middle of its counting.
        let so_far = counted.load(Ordering::SeqCst);
        until("it counts", || counted.load(Ordering::SeqCst) > so_far + kill).await;
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running = desk.start(&line);
        for (number, ask) in asked {
            match node.answer(ask).await {
                Ok(_) => held.push(number),
                Err(_) => doubtful.push(number),
            }
        }
        // Both go on.
        number += 1;
        let push = json!({ "who": "page", "as": DOCUMENT, "key": "page", "value": number });
        node.tell("push", push).await;
        held.push(number);
    }
    stop.store(true, Ordering::SeqCst);
    counting.await.unwrap();
    let counted = counted.load(Ordering::SeqCst);
    rust.close().await.unwrap();
    let found = running.rest("GET", &format!("/Documents/{DOCUMENT}"), "").await.json();
    let page: Vec<u64> = found["data"]["page"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    println!("{counted} of rust, {} of the page, {} in doubt", held.len(), doubtful.len());
    assert_eq!(found["data"]["rust"], counted);
    for number in &held {
        assert_eq!(page.iter().filter(|found| *found == number).count(), 1, "{number} of {page:?}");
    }
    assert!(page.iter().all(|found| held.contains(found) || doubtful.contains(found)), "{page:?}");
    assert!(counted >= KILLS && held.len() > 30, "{counted} {}", held.len());
}
