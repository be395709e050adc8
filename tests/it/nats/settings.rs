//! The bucket is made with the right settings, and a wrong one is named.

use std::time::Duration;

use sp_sync::backend::nats::Storage;
use sp_sync::backend::{Backend as _, BackendError, Nats};
use tokio::task::JoinSet;

use super::{bucket, id, refused, write};
use crate::support::nats::Server;

/// What the server says of a bucket's stream.
fn stream(server: &Server, name: &str) -> serde_json::Value {
    let page = server.get("/jsz?accounts=true&streams=true&config=true").unwrap();
    let streams = page["account_details"][0]["stream_detail"].as_array().unwrap();
    streams.iter().find(|stream| stream["name"] == format!("KV_{name}")).unwrap().clone()
}

#[tokio::test]
async fn many_make_the_bucket_at_once() {
    let server = Server::start().await;
    let mut opening = JoinSet::new();
    for _ in 0..20 {
        let options = bucket(&server, "many");
        opening.spawn(async move { options.open().await.map(|nats| nats.bucket().to_owned()) });
    }
    for opened in opening.join_all().await {
        assert_eq!(opened.unwrap(), "many");
    }
    let config = &stream(&server, "many")["config"];
    // Servers before 2.10 do not enforce a limit rightly.
    let is_old = server.version() < (2, 10);
    assert_eq!(config["max_msgs_per_subject"], if is_old { 1_000_000_000 } else { 1 });
    assert_eq!(config["discard"], "new");
    assert_eq!(config["deny_delete"].as_bool().unwrap_or_default(), !is_old);
    assert_eq!(config["republish"]["src"], "$KV.many.*");
    // It is a key-value bucket to others too.
    let client = async_nats::connect(server.url()).await.unwrap();
    async_nats::jetstream::new(client).get_key_value("many").await.unwrap();
}

#[tokio::test]
async fn a_bucket_with_other_settings_is_refused_with_the_command_that_mends_it() {
    let server = Server::start().await;
    bucket(&server, "b").open().await.unwrap().close().await;
    let told = refused(bucket(&server, "b").replicas(3)).await.to_string();
    assert!(told.contains("replicas is 1, wanted is 3: run `nats stream edit KV_b --replicas 3`"), "{told}");
    let told = refused(bucket(&server, "b").storage(Storage::Memory)).await.to_string();
    assert!(told.contains("storage is file, wanted is memory: that cannot be changed"), "{told}");
    // As `nats kv add --history 5 --ttl 1h` makes it.
    let client = async_nats::connect(server.url()).await.unwrap();
    let config = r#"{"name":"KV_other","subjects":["$KV.other.>"],"max_msgs_per_subject":5,"max_age":3600000000000,
        "discard":"new","deny_delete":true,"allow_rollup_hdrs":true,"retention":"limits","storage":"file","num_replicas":1}"#;
    client.request("$JS.API.STREAM.CREATE.KV_other", config.into()).await.unwrap();
    let told = refused(bucket(&server, "other")).await.to_string();
    let limit = if server.version() < (2, 10) { 1_000_000_000 } else { 1 };
    let history = format!(
        "history (max_msgs_per_subject) is 5, wanted is {limit}: run `nats stream edit KV_other \
         --max-msgs-per-subject={limit}`"
    );
    for part in [
        history.as_str(),
        "max_age is 3600000000000 ns, wanted is none",
        "republish is none, wanted is `$KV.other.*` to `sp.kv.other.{{partition(1024,1)}}.{{wildcard(1)}}`",
        "--republish-source '$KV.other.*'",
    ] {
        assert!(told.contains(part), "{part:?} is not in: {told}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_not_made_unasked() {
    let server = Server::start().await;
    let error = refused(bucket(&server, "b").create(false)).await;
    assert!(matches!(error, BackendError::Fatal { .. }));
    let command = if server.version() < (2, 10) { "nats stream add KV_b" } else { "nats kv add b" };
    assert!(error.to_string().contains(&format!("run `{command}")), "{error}");
    assert!(error.to_string().contains("--replicas 1 --storage file"), "{error}");
    bucket(&server, "b").open().await.unwrap();
    bucket(&server, "b").create(false).open().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_is_said_at_once() {
    let server = Server::start().await;
    let told = refused(bucket(&server, "b").replicas(3)).await.to_string();
    assert!(told.contains("this server is in no cluster and cannot keep 3 replicas"), "{told}");
    let told = refused(bucket(&server, "a.b")).await.to_string();
    assert!(told.contains("a bucket's name has 1 to 64 letters"), "{told}");
    let told = refused(bucket(&server, "b").document_bytes_max(2_000_000)).await.to_string();
    assert!(told.contains("the server takes 1048576 bytes in a message (max_payload)"), "{told}");
    for address in ["http://127.0.0.1", "nats://user:secret@:x"] {
        let told = refused(Nats::options().server(address)).await.to_string();
        assert!(told.contains("write nats://host:4222") && !told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn a_server_without_jetstream_is_named_as_such() {
    let server = Server::with("# jetstream is off").await;
    let options = bucket(&server, "b").connect_within(Duration::from_secs(1));
    let told = refused(options).await.to_string();
    assert!(
        told.contains("start it with `nats-server -js`") || told.contains("start the server with JetStream"),
        "{told}"
    );
}

#[tokio::test]
async fn a_server_that_takes_less_makes_documents_shorter() {
    let server = Server::with("max_payload: 4096").await;
    let nats = bucket(&server, "b").open().await.unwrap();
    let limit = nats.facts().document_bytes_max;
    assert_eq!(limit, 4_096 - 512);
    sp_sync::conformance::check_only(super::promises::Bucket(bucket(&server, "b")), |name| {
        name.starts_with("sizes")
    })
    .await
    .assert_ok();
}

/// A write for which there is no room says what to do, and is not tried for ever.
#[tokio::test]
async fn a_full_bucket_says_so() {
    let server = Server::start().await;
    let nats = bucket(&server, "b").open().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut config = stream(&server, "b")["config"].clone();
    config["max_bytes"] = 2_000.into();
    client.request("$JS.API.STREAM.UPDATE.KV_b", config.to_string().into()).await.unwrap();
    let mut made = 0;
    let error = loop {
        match write(&nats, &format!("document-{made}"), None, made).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 100, "the bucket is never full");
    };
    assert!(made > 1, "{error}");
    assert!(matches!(error, BackendError::Fatal { .. }), "{error:?}");
    assert!(error.to_string().contains("nats stream edit --max-bytes"), "{error}");
    assert!(nats.read(&id("document-0")).await.unwrap().is_some());
}
