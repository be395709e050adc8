//! A bucket that keeps all messages of a key, as one with several replicas does: messages that were stored but do not hold are passed over by
//! everybody, and go when nobody needs them. One server serves here, and the test itself stores what rivals would.

use std::time::Duration;

use sp_sync::backend::{Backend as _, BackendError, Directory as _, Expect, Nats, NatsOptions, Ttl, Write};

use super::{AGES, bucket, id, next, number, numbered, until, write};
use crate::support::nats::Server;

/// A server with such a bucket, and a client of the server.
pub(super) async fn with_history(name: &str) -> (Server, async_nats::Client, NatsOptions) {
    let server = Server::start().await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let config = serde_json::json!({
        "name": format!("KV_{name}"), "subjects": [format!("$KV.{name}.>")], "max_msgs_per_subject": 1_000_000_000,
        "discard": "new", "retention": "limits", "storage": "file", "num_replicas": 1, "allow_rollup_hdrs": true,
        "republish": {
            "src": format!("$KV.{name}.*"),
            "dest": format!("sp.kv.{name}.{{{{partition(1024,1)}}}}.{{{{wildcard(1)}}}}"),
        },
    });
    let path = format!("$JS.API.STREAM.CREATE.KV_{name}");
    let made = client.request(path, config.to_string().into()).await.unwrap();
    assert!(!String::from_utf8_lossy(&made.payload).contains("error"), "{made:?}");
    let options = bucket(&server, name);
    (server, client, options)
}

/// Whatever is not needed is removed after two seconds.
fn soon_swept(options: NatsOptions) -> NatsOptions {
    options.sweep_interval(Duration::from_secs(2)).reply_within(Duration::from_millis(1_900))
}

/// Stores a message as another process would whose check by the leader came in time, and answers its sequence.
async fn plant(client: &async_nats::Client, key: &str, headers: &[(&str, u64)], value: &str) -> u64 {
    let mut named = async_nats::HeaderMap::new();
    for (name, value) in headers {
        named.insert(*name, value.to_string());
    }
    let subject = format!("$KV.b.{key}");
    let stored = client.request_with_headers(subject, named, value.to_owned().into()).await.unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&stored.payload).unwrap();
    stored["seq"].as_u64().expect("it was stored")
}

async fn messages(client: &async_nats::Client, key: &str) -> u64 {
    let subject = format!("$KV.b.{key}");
    let filter = format!(r#"{{"subjects_filter":"{subject}"}}"#);
    let answer = client.request("$JS.API.STREAM.INFO.KV_b", filter.into()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    info["state"]["subjects"][&subject].as_u64().unwrap_or_default()
}

async fn read(nats: &Nats, name: &str) -> Option<(u64, u64)> {
    let found = nats.read(&id(name)).await.unwrap()?;
    Some((found.revision.0, number(&found.document)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_hold_is_passed_over_and_built_on_by_nobody() {
    let (_server, client, options) = with_history("b").await;
    let (here, there) = (options.clone().open().await.unwrap(), options.open().await.unwrap());
    let first = write(&here, "a", None, 1).await.unwrap().revision;
    let second = write(&here, "a", Some(first), 2).await.unwrap().revision;
    let mut watch = here.watch(&id("a")).await.unwrap();
    assert_eq!(next(&mut watch).await, Some(2));
    // A rival of the second write, and one that made the document when it was there.
    plant(&client, "a", &[("Sp-After", first.0)], r#"{"number":99}"#).await;
    plant(&client, "a", &[("Sp-Over", 0)], r#"{"number":98}"#).await;
    for nats in [&here, &there] {
        assert_eq!(read(nats, "a").await, Some((second.0, 2)));
        assert_eq!(nats.list(None, 10).await.unwrap(), [id("a")]);
    }
    assert!(matches!(write(&there, "a", Some(first), 3).await, Err(BackendError::Conflict)));
    assert!(matches!(write(&there, "a", None, 3).await, Err(BackendError::Conflict)));
    let third = write(&there, "a", Some(second), 3).await.unwrap().revision;
    assert_eq!(next(&mut watch).await, Some(3), "void states were told");
    // One that holds, of a writer that this process does not know.
    let fourth = plant(&client, "a", &[("Sp-After", third.0)], r#"{"number":4}"#).await;
    plant(&client, "a", &[("Sp-After", third.0)], r#"{"number":97}"#).await;
    assert_eq!(next(&mut watch).await, Some(4));
    assert_eq!(read(&there, "a").await, Some((fourth, 4)));
    write(&here, "a", Some(sp_sync::backend::Revision(fourth)), 5).await.unwrap();
    assert_eq!(next(&mut watch).await, Some(5));
}

/// Its writer saw nothing, and slept while others wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_maker_changes_nothing() {
    let (_server, client, options) = with_history("b").await;
    let nats = options.clone().open().await.unwrap();
    let mut newest = write(&nats, "a", None, 0).await.unwrap().revision;
    for content in 1..=100 {
        newest = write(&nats, "a", Some(newest), content).await.unwrap().revision;
    }
    plant(&client, "a", &[("Sp-Over", 0)], r#"{"number":999}"#).await;
    let other = options.open().await.unwrap();
    assert_eq!(read(&other, "a").await, Some((newest.0, 100)));
    assert!(other.remove(&id("a"), Some(newest)).await.unwrap());
    // Now nothing stands: of two makers, one of which saw the mark, the first holds.
    let made = plant(&client, "a", &[("Sp-Over", 0)], r#"{"number":1}"#).await;
    plant(&client, "a", &[("Sp-Over", made - 1)], r#"{"number":2}"#).await;
    for nats in [nats, other] {
        assert_eq!(read(&nats, "a").await, Some((made, 1)));
    }
}

/// As `nats kv put` and `nats kv del` do it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_by_hand_holds() {
    let (_server, client, options) = with_history("b").await;
    let nats = options.open().await.unwrap();
    let mut watch = nats.watch(&id("a")).await.unwrap();
    assert_eq!(next(&mut watch).await, None);
    let first = write(&nats, "a", None, 1).await.unwrap().revision;
    let put = plant(&client, "a", &[], r#"{"number":7}"#).await;
    plant(&client, "a", &[("Sp-After", first.0)], r#"{"number":99}"#).await;
    until(&mut watch, 7).await;
    assert_eq!(read(&nats, "a").await, Some((put, 7)));
    write(&nats, "a", Some(sp_sync::backend::Revision(put)), 8).await.unwrap();
    assert_eq!(next(&mut watch).await, Some(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_leaves_what_stands_and_no_more() {
    let (_server, client, options) = with_history("b").await;
    let nats = soon_swept(options).open().await.unwrap();
    let mut stays = write(&nats, "stays", None, 0).await.unwrap().revision;
    let first = stays;
    for content in 1..=5 {
        stays = write(&nats, "stays", Some(stays), content).await.unwrap().revision;
    }
    // A server that deletes the newest message of a key finds none of that key any more, though older ones are there.
    let void = plant(&client, "stays", &[("Sp-After", first.0)], r#"{"number":99}"#).await;
    assert_eq!(void, stays.0 + 1);
    let gone = write(&nats, "removed", None, 1).await.unwrap().revision;
    plant(&client, "removed", &[("Sp-After", gone.0 - 1)], r#"{"number":99}"#).await;
    assert!(nats.remove(&id("removed"), None).await.unwrap());
    let passing =
        Write { document: numbered(1), expect: Expect::Absent, ttl: Ttl::After(Duration::from_secs(1)) };
    nats.write(&id("expired"), passing).await.unwrap();
    let swept = async |stays: (u64, u64), wanted: [u64; 3]| {
        let swept = async {
            loop {
                assert_eq!(read(&nats, "stays").await, Some(stays), "while it is swept");
                assert_eq!(read(&nats, "removed").await, None, "while it is swept");
                let left = [
                    messages(&client, "stays").await,
                    messages(&client, "removed").await,
                    messages(&client, "expired").await,
                ];
                if left == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(AGES, swept).await.expect("traces are still there");
    };
    // The void message stays until there is a newer one.
    swept((stays.0, 5), [2, 0, 0]).await;
    let newest = write(&nats, "stays", Some(stays), 6).await.unwrap().revision;
    swept((newest.0, 6), [1, 0, 0]).await;
    let again = write(&nats, "removed", None, 2).await.unwrap().revision;
    assert!(again > newest);
    assert_eq!(read(&nats, "removed").await, Some((again.0, 2)));
    write(&nats, "stays", Some(newest), 7).await.unwrap();
}

/// Also of a key that never rests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_over_goes_soon() {
    let (_server, client, options) = with_history("b").await;
    let nats = soon_swept(options).open().await.unwrap();
    let mut newest = write(&nats, "a", None, 0).await.unwrap().revision;
    let gone = async {
        for content in 1.. {
            newest = write(&nats, "a", Some(newest), content).await.unwrap().revision;
            if content > 30 && messages(&client, "a").await < content / 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(AGES, gone).await.expect("nothing goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_longer_than_messages_are_kept_is_told() {
    let (_server, _client, options) = with_history("b").await;
    let refused = options.reply_within(Duration::from_secs(60)).open().await.unwrap_err().to_string();
    assert!(refused.contains("reply_within is 60s: make it shorter than 60s"), "{refused}");
}

/// No writer of this crate names a message that is yet to come, and none stores what is no document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_strangers_store_harms_no_other_document() {
    let (_server, client, options) = with_history("b").await;
    let nats = options.open().await.unwrap();
    let first = write(&nats, "a", None, 1).await.unwrap().revision;
    for claim in ["Sp-After", "Sp-Over"] {
        plant(&client, "a", &[(claim, 999_999_999_999)], r#"{"number":99}"#).await;
    }
    assert_eq!(read(&nats, "a").await, Some((first.0, 1)));
    plant(&client, "b", &[], "no document").await;
    assert!(nats.read(&id("b")).await.is_err());
    assert_eq!(nats.list(None, 10).await.unwrap(), [id("a"), id("b")]);
    let second = write(&nats, "a", Some(first), 2).await.unwrap().revision;
    assert_eq!(read(&nats, "a").await, Some((second.0, 2)));
}
