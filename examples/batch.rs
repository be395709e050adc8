//! Several actions in one write: whole or not at all, with nobody's actions between them.
//!
//! `cargo run --example batch`

mod store;

use std::time::Duration;

use serde_json::json;
use sp_sync::{Batch, DocumentId, Identity, Result, SyncClient, extension};
use tokio_stream::StreamExt as _;

#[tokio::main]
async fn main() -> Result<()> {
    let store = store::open().await?;
    let open = async |who: &str| {
        SyncClient::builder()
            .backend(store.clone())
            .document_id(DocumentId::new("Session_demo")?)
            .identity(Identity::new(who)?)
            .connect()
            .await
    };
    let (back_end, browser_extension) = (open("back-end").await?, open("extension").await?);

    // By name the fields are checked at run time, before anything is sent. One mistake refuses all of them.
    let wrong = Batch::new()
        .then_named("startSession", json!({ "modality": "live" }))
        .then_named("openExam", json!({}));
    match back_end.add_actions(wrong).await {
        Ok(_) => unreachable!("openExam without an address was accepted"),
        Err(error) => println!("refused as a whole: {error}"),
    }

    // As types a missing field does not compile.
    let right = Batch::new()
        .then(extension::StartSession::new(extension::Modality::Live))
        .then(extension::OpenExam::new("https://exam.example.com/"))
        .then(extension::ShowMessage::new("Good luck!"));
    let receipt = back_end.add_actions(right).await?;
    println!(
        "{} actions lie in the document, in one revision ({})",
        receipt.ids().len(),
        receipt.revision().0
    );

    let taken = browser_extension.events().extension_actions_added()?.take(3);
    let names: Vec<String> = taken.map(|event| event.action.name().to_owned()).collect().await;
    println!("the extension is told in this order: {}", names.join(", "));
    receipt.finished(Duration::from_secs(10)).await?;
    println!("none of them is left in the document");
    Ok(())
}
