//! Asking an executor and waiting for its response; what a failure and silence look like.
//!
//! `cargo run --example request_response`

mod store;

use std::time::Duration;

use sp_sync::{DocumentId, Error, Failure, Handlers, Identity, Result, Settings, SyncClient, extension};

#[tokio::main]
async fn main() -> Result<()> {
    let store = store::open().await?;
    let open = async |who: &str| {
        SyncClient::builder()
            .backend(store.clone())
            .document_id(DocumentId::new("Session_demo")?)
            .identity(Identity::new(who)?)
            // One attempt, so that this example need not wait for five.
            .settings(Settings { attempts_max: 1, ..Settings::default() })
            .connect()
            .await
    };
    let page = open("page").await?;

    // Nobody carries anything out yet: the request is withdrawn, so that it does not run an hour later.
    let silence =
        page.request(extension::Ping {}).respond_to("onboarding").within(Duration::from_millis(200));
    match silence.await {
        Err(error @ Error::Timeout { .. }) => println!("nobody answered: {error}"),
        other => return other.map(drop),
    }

    let handlers = Handlers::new()
        .answer(async |_: extension::GetDisplayCount| Ok(extension::GetDisplayCountResponse::new(2)))
        .answer(async |_: extension::GetMediaDevices| {
            Err(Failure::new("no_camera", "no camera is connected"))
        });
    let browser_extension = open("extension").await?;
    tokio::spawn(async move { browser_extension.executor("extension").serve(handlers).await });

    let answer = page.request(extension::GetDisplayCount {}).respond_to("onboarding").await?;
    println!("the extension counts {} displays", answer.display_count);

    match page.request(extension::GetMediaDevices {}).respond_to("onboarding").await {
        Err(Error::Failed { action, code, message }) => println!("{action} failed ({code}): {message}"),
        other => return other.map(drop),
    }
    Ok(())
}
