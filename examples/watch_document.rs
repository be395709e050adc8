//! Watching a document: the whole of it, one key, and as a type of the application.
//!
//! `cargo run --example watch_document`

mod store;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sp_sync::{DocumentId, Identity, Result, SyncClient};
use tokio_stream::StreamExt as _;

/// What this application keeps in the document. Keys it does not name are left alone.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    step: String,
    reliable_connection: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = store::open().await?;
    let open = async |who: &str| {
        SyncClient::builder()
            .backend(store.clone())
            .document_id(DocumentId::new("Session_demo")?)
            .identity(Identity::new(who)?)
            .initial_data(json!({ "step": "welcome", "reliableConnection": true }))
            .connect()
            .await
    };
    let (page, proctor) = (open("page").await?, open("proctor").await?);

    // Subscribed before the changes are made: a stream tells what comes, get_sync what is there.
    let mut whole = proctor.events().sp_sync_doc_updated();
    let mut step = proctor.events().key_updated("step");
    let mut typed = proctor.typed::<Session>().updates();
    println!("at first: {}", proctor.get_sync().await?.to_value());

    page.set_sync(json!({ "step": "headshot" })).await?;
    page.set_sync(json!({ "reliableConnection": false })).await?;

    if let Some(value) = step.try_next().await?.flatten() {
        println!("step is now {value}");
    }
    while let Some(update) = whole.try_next().await? {
        // A slow watcher skips states, never the newest one.
        let skipped = update.skipped.unwrap_or(0);
        println!("the whole document (states skipped: {skipped}): {}", update.to_value());
        if update["reliableConnection"] == false {
            break;
        }
    }
    while let Some(session) = typed.try_next().await? {
        println!("as a type: step {}, reliable connection: {}", session.step, session.reliable_connection);
        if !session.reliable_connection {
            break;
        }
    }
    Ok(())
}
