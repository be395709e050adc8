//! The smallest whole program: one document, in memory unless told otherwise, a page that asks, an extension that answers.
//!
//! `cargo run --example quickstart`

mod store;

use serde_json::json;
use sp_sync::{DocumentId, Handlers, Identity, Result, SyncClient, extension};

#[tokio::main]
async fn main() -> Result<()> {
    let store = store::open().await?;
    let open = async |who: &str| {
        SyncClient::builder()
            .backend(store.clone())
            .document_id(DocumentId::new("Session_demo")?)
            .identity(Identity::new(who)?)
            .initial_data(json!({ "reliableConnection": true }))
            .connect()
            .await
    };
    let page = open("page").await?;
    let browser_extension = open("extension").await?;

    let handlers = Handlers::new().answer(async |_: extension::GetDisplayCount| {
        Ok(extension::GetDisplayCountResponse { display_count: 2 })
    });
    tokio::spawn(async move { browser_extension.executor("extension").serve(handlers).await });

    page.set_sync(json!({ "step": "systemCheck" })).await?;
    let displays = page.request(extension::GetDisplayCount {}).respond_to("onboarding").await?;
    println!("the extension counts {} displays", displays.display_count);
    // The write that stores the answer also takes it out of its queue: both queues are empty again.
    page.set_sync(json!({ "displays": displays.display_count })).await?;
    println!("the document now holds {}", page.get_sync().await?.to_value());
    Ok(())
}
