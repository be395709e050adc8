//! What one server is told, the clients of another hear; and when one dies, its clients lose nothing at the other.

use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::twilsock::message::Method;
use sp_sync::{Handlers, extension};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt as _;

use super::pair::Pair;
use crate::embedded::Scratch;
use crate::server::party::Party;
use crate::server::puppet::Puppet;
use crate::server_doors::command_line::Desk;
use crate::support::nats::{Cluster, Server};

/// Longer than anything here takes on the busiest machine.
const LONG: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_before_one_file_are_one_service() {
    let scratch = Scratch::new();
    are_one_service(&mut Pair::before(&format!("file:{}", scratch.file().display())).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_before_one_nats_server_are_one_service() {
    let nats = Server::start().await;
    are_one_service(&mut Pair::before(&format!("{}/exams", nats.url())).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_before_three_nats_servers_are_one_service() {
    let nats = Cluster::start(3).await;
    let hosts: Vec<String> = nats.urls().iter().map(|url| url.replace("nats://", "")).collect();
    let store = format!("nats://{}/exams?replicas=3", hosts.join(","));
    are_one_service(&mut Pair::before(&store).await).await;
}

async fn are_one_service(pair: &mut Pair) {
    what_is_written_at_one_is_heard_at_the_other(pair).await;
    actions_go_from_one_to_the_other(pair).await;
    rights_that_change_at_one_hold_at_the_other(pair).await;
    the_end_of_a_document_is_told_at_both(pair).await;
    clients_of_one_that_is_killed_lose_nothing_at_the_other(pair).await;
}

/// C17
async fn what_is_written_at_one_is_heard_at_the_other(pair: &Pair) {
    let (here, there) = (pair.client(0, "Session_heard").await, pair.client(1, "Session_heard").await);
    let mut slowest = Duration::ZERO;
    for (writer, reader) in [(&here, &there), (&there, &here)] {
        let mut updates = reader.events().sp_sync_doc_updated();
        for n in 0..20 {
            let written = writer.set_sync(json!({ "n": n })).await.map(|_| Instant::now()).unwrap();
            loop {
                let update = timeout(LONG, updates.next()).await.expect("it is told").unwrap().unwrap();
                if update["n"] == n {
                    break;
                }
            }
            slowest = slowest.max(written.elapsed());
        }
    }
    println!("heard at the other server within {slowest:?} of the answer at the first");
    for client in [here, there] {
        client.close().await.unwrap();
    }
}

/// C47
async fn actions_go_from_one_to_the_other(pair: &Pair) {
    let (page, worker) = (pair.client(0, "Session_actions").await, pair.client(1, "Session_actions").await);
    let handlers = Handlers::new()
        .answer(async |_: extension::GetDisplayCount| Ok(extension::GetDisplayCountResponse::new(2)));
    let executor = worker.clone();
    let serving = tokio::spawn(async move { executor.executor("extension").serve(handlers).await });
    for _ in 0..10 {
        let asked = page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(LONG);
        assert_eq!(asked.await.unwrap().display_count, 2);
    }
    serving.abort();
    for client in [page, worker] {
        client.close().await.unwrap();
    }
}

async fn rights_that_change_at_one_hold_at_the_other(pair: &Pair) {
    let sid = pair.make(0, "Session_rights").await;
    let row = async |letters: &str| {
        let has = |letter| letters.contains(letter);
        let form = format!("Read={}&Write={}&Manage=false", has('r'), has('w'));
        let set = pair.rest(0, "POST", "/Session_rights/Permissions/eve", &form).await;
        assert_eq!(set.status, 200, "{}", set.body);
    };
    row("r").await;
    let mut eve = Party::join(pair.at[1], &pair.token(0, "eve").await).await;
    eve.establish(&sid, Value::Null, 1).await;
    let get = (Method::Get, "/v3/Documents/Session_rights");
    assert_eq!(eve.call(get.0, get.1, Value::Null).await.0, 200);
    row("").await;
    let changed = Instant::now();
    // What begins now is judged by it; what is running ends as soon as the store tells of it.
    assert_eq!(eve.call(get.0, get.1, Value::Null).await.0, 403);
    let told = eve.told().await;
    assert_eq!(told["event_type"], "subscription_canceled", "{told}");
    println!("a subscription at the other server ended {:?} after its right", changed.elapsed());
}

async fn the_end_of_a_document_is_told_at_both(pair: &Pair) {
    let sid = pair.make(0, "Session_ends").await;
    let mut parties = Vec::new();
    for server in 0..2 {
        let mut party = Party::join(pair.at[server], &pair.token(server, "back end").await).await;
        party.establish(&sid, Value::Null, 1).await;
        parties.push(party);
    }
    assert_eq!(pair.rest(0, "POST", "/Session_ends", "Ttl=1").await.status, 200);
    for party in &mut parties {
        while party.told().await["event_type"] != "document_removed" {}
    }
    for server in 0..2 {
        assert_eq!(pair.rest(server, "GET", "/Session_ends", "").await.status, 404);
    }
}

/// C15, C17
async fn clients_of_one_that_is_killed_lose_nothing_at_the_other(pair: &mut Pair) {
    const NAME: &str = "Session_killed";
    let Some(mut page) = Puppet::new() else { return };
    let token = pair.token(0, "eve").await;
    let form = "Read=true&Write=true&Manage=false";
    pair.make(1, NAME).await;
    assert_eq!(pair.rest(1, "POST", &format!("/{NAME}/Permissions/eve"), form).await.status, 200);
    page.connect("page", &token, pair.front.at).await;
    page.open("page", NAME).await;
    let rust = pair.client_of_either(NAME).await;
    rust.set_sync(json!({ "rust": 1 })).await.unwrap();
    let update = |data: Value| json!({ "who": "page", "as": NAME, "data": data });
    page.tell("update", update(json!({ "page": 1 }))).await;

    pair.kill(0);
    let killed = Instant::now();
    // Written while neither of them is connected, or is on the way.
    let missed = "Data=%7B%22rust%22%3A1%2C%22page%22%3A1%2C%22missed%22%3Atrue%7D";
    assert_eq!(pair.rest(1, "POST", &format!("/{NAME}"), missed).await.status, 200);
    page.event("page", |event| event["event"] == "updated" && event["data"]["missed"] == true).await;
    let page_back = killed.elapsed();
    let newest = async {
        while rust.get_sync().await.map_or(true, |data| data.data().get("missed").is_none()) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, newest).await.expect("the newest revision arrives");
    println!(
        "after the kill the page had the newest revision in {page_back:?}, the other in {:?}",
        killed.elapsed()
    );
    page.tell("update", update(json!({ "page": 2 }))).await;
    rust.set_sync(json!({ "rust": 2 })).await.unwrap();
    let data = pair.data(1, NAME).await;
    assert_eq!((&data["page"], &data["rust"], &data["missed"]), (&json!(2), &json!(2), &json!(true)));

    // It comes back, and what is written there is heard where its clients are now.
    pair.start(0);
    let again = "Data=%7B%22again%22%3Atrue%7D";
    assert_eq!(pair.rest(0, "POST", &format!("/{NAME}"), again).await.status, 200);
    page.event("page", |event| event["event"] == "updated" && event["data"]["again"] == true).await;
    rust.close().await.unwrap();
}

/// Nobody new is sent to a server whose store is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_not_ready_while_nats_is_away() {
    let mut nats = Server::start().await;
    let pair = Pair::before(&format!("{}/exams", nats.url())).await;
    let until = async |status: u16| {
        let asking = async {
            while pair.ask(0, "/readyz").await != status {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LONG, asking).await.unwrap_or_else(|_| panic!("/readyz never says {status}"));
    };
    until(200).await;
    nats.kill();
    until(503).await;
    assert_eq!(pair.ask(0, "/healthz").await, 200);
    nats.restart().await;
    until(200).await;
}

/// Commands on documents, and a look at the options, need a NATS server and make nothing by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_made_on_demand_only() {
    let nats = Server::with("authorization { user: ana, password: \"pa/ss\" }").await;
    let desk = Desk::new();
    let address = nats.url().replace("://", "://ana:pa%2Fss@");
    let run = |line: &str, address: &str| {
        // An address with a password is given as one should: where nobody sees it.
        let mut command = desk.command(line);
        let output = command.env("SP_SYNC_STORE", format!("{address}/exams")).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = (output.status.code(), text(&output.stdout), text(&output.stderr));
        assert!(
            !format!("{said:?}").contains("pa/ss") && !format!("{said:?}").contains("pa%2Fss"),
            "{said:?}"
        );
        said
    };
    for line in ["docs", "get Session_1", "set Session_1 a=1"] {
        let (status, out, err) = run(line, &address);
        assert_eq!((status, out.as_str()), (Some(1), ""), "{line}");
        assert!(err.contains("make it with `sp-sync set DOC --create` (?replicas=3 "), "{err}");
    }
    let check = "serve --keys @keys.toml --check";
    let (status, out, err) = run(check, &address);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.ends_with(&format!("documents in {}/exams, which will be made\n", nats.url())), "{out}");
    let (_, out, err) = run("set Session_1 a=1 --create", &address);
    assert!(out.starts_with("Session_1: made, revision "), "{out}");
    assert_eq!(err, "warning: there was no bucket exams: it was made, with replicas=1\n");
    assert_eq!(run("get Session_1 a", &address).1, "1\n");
    assert!(run("docs", &address).1.starts_with("Session_1  revision "));
    assert!(run(check, &address).1.ends_with("/exams\n"));
    let (status, _, err) = run("docs", &nats.url());
    assert_eq!(status, Some(1), "{err}");
    assert!(err.contains("does not accept this client"), "{err}");
}
