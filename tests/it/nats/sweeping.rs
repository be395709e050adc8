//! What expired unwatched, and traces of what was removed, go without harm to what came after.

use std::time::Duration;

use sp_sync::backend::{Backend as _, Expect, Ttl, Write};

use super::{AGES, bucket, id, numbered, write};
use crate::support::nats::Server;

/// Messages of a bucket with this subject.
async fn messages(client: &async_nats::Client, subject: &str) -> u64 {
    let filter = format!(r#"{{"subjects_filter":"{subject}"}}"#);
    let answer = client.request("$JS.API.STREAM.INFO.KV_b", filter.into()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    info["state"]["subjects"][subject].as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_documents_and_old_marks_go() {
    let server = Server::start().await;
    let options = bucket(&server, "b").sweep_interval(Duration::from_secs(2));
    let nats = options.reply_within(Duration::from_millis(1_900)).open().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let passing =
        Write { document: numbered(1), expect: Expect::Absent, ttl: Ttl::After(Duration::from_secs(1)) };
    for name in ["expired", "made-anew"] {
        nats.write(&id(name), passing.clone()).await.unwrap();
    }
    write(&nats, "removed", None, 1).await.unwrap();
    nats.remove(&id("removed"), None).await.unwrap();
    let stays = write(&nats, "stays", None, 1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let anew = loop {
        // The clock of the server decides when it has expired.
        if let Ok(written) = write(&nats, "made-anew", None, 2).await {
            break written;
        }
    };
    let gone = async {
        for subject in ["$KV.b.expired", "$KV.b.removed"] {
            while messages(&client, subject).await > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    tokio::time::timeout(AGES, gone).await.expect("they are still there");
    // Sweeps go on, and leave these.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(nats.read(&id("made-anew")).await.unwrap().unwrap().revision, anew.revision);
    assert_eq!(nats.read(&id("stays")).await.unwrap().unwrap().revision, stays.revision);
    let again = write(&nats, "removed", None, 3).await.unwrap();
    assert!(again.revision > stays.revision);
    assert_eq!(server.get("/jsz").unwrap()["consumers"], 0, "a sweep takes its consumer along");
}
