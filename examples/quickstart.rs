//! The smallest whole program: one document in memory, a page that asks, an extension that answers.

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::{DocumentId, Executor, Handlers, Identity, Result, SyncClient, extension};

#[tokio::main]
async fn main() -> Result<()> {
    let store = Memory::new();
    let open = |who: &str| {
        SyncClient::builder()
            .backend(store.clone())
            .document_id(DocumentId::new("Session_demo").expect("a good name"))
            .identity(Identity::new(who).expect("a good name"))
            .initial_data(json!({ "reliableConnection": true }))
    };
    let page = open("page").connect().await?;
    let browser_extension = open("extension").connect().await?;

    let handlers = Handlers::new().answer(async |_: extension::GetDisplayCount| {
        Ok(extension::GetDisplayCountResponse { display_count: 2 })
    });
    tokio::spawn(
        async move { browser_extension.executor(Executor::from("extension")).serve(handlers).await },
    );

    page.set_sync(json!({ "step": "systemCheck" })).await?;
    let displays = page.request(extension::GetDisplayCount {}).respond_to("onboarding").await?;
    println!("the extension counts {} displays", displays.display_count);
    println!("the document now holds {}", page.get_sync().await?.to_value());
    Ok(())
}
