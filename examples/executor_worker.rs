//! Carrying actions out one at a time, and every way to say how one ended.
//!
//! `cargo run --example executor_worker`

mod store;

use std::time::Duration;

use serde_json::json;
use sp_sync::{Batch, Delivery, DocumentId, Failure, Identity, Notice, Result, SyncClient, extension};
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
    let (back_end, worker) = (open("back-end").await?, open("worker").await?);

    let mut notices = worker.events().notices();
    tokio::spawn(async move {
        while let Some(Ok(notice)) = notices.next().await {
            if let Notice::ActionFailed { action, failure, .. } = notice {
                println!("operator  hears that the worker gives up {}: {}", action.name(), failure.message);
            }
        }
    });
    let mut actions = worker.executor("extension").subscribe();
    let working = tokio::spawn(async move {
        while let Some(delivery) = actions.next().await {
            carry_out(delivery).await?;
        }
        Ok::<_, sp_sync::Error>(())
    });

    let commands = Batch::new()
        .then(extension::LockScreen::new("One moment"))
        .then(extension::OpenExam::new("https://exam.example.com/"))
        .then(extension::InjectPassword {})
        .then(extension::CloseBlockedApps::new(vec!["recorder".into()]));
    let receipt = back_end.add_actions(commands).await?;
    receipt.finished(Duration::from_secs(10)).await?;

    let answer =
        back_end.request(extension::ShowMessage::new("Are you there?")).respond_to("onboarding").await?;
    println!("back end  the student confirmed: {}", answer.acknowledged);

    working.abort();
    worker.close().await
}

async fn carry_out(delivery: Delivery) -> Result<()> {
    let name = delivery.action().name().to_owned();
    println!("worker    {name}, attempt {}", delivery.attempt());
    match name.as_str() {
        // It failed, and may work the next time: it keeps its place and is tried again after a moment.
        "openExam" if delivery.attempt() == 1 => {
            delivery.fail(Failure::new("not_ready", "no window yet")).await
        }
        // It can never work.
        "closeBlockedApps" => delivery.reject(Failure::new("no_rights", "this needs an administrator")).await,
        // At most once: by now the document has let go of it. If this process dies here, nobody repeats it.
        "injectPassword" => {
            println!("worker    types the password; whatever happens, this is never repeated");
            delivery.finish().await
        }
        // It takes a person minutes: the queue goes on, the answer comes later.
        "showMessage" => {
            let Some(responder) = delivery.detach().await? else { return Ok(()) };
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                println!("worker    answers later, when the student has clicked");
                responder.respond(json!({ "acknowledged": true })).await
            });
            Ok(())
        }
        _ => delivery.finish().await,
    }
}
