//! The student's page, the proctor and the back end: each a task with a connection of its own.

use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::Revision;
use sp_sync::{Batch, Error, Handlers, SyncClient, extension, onboarding};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;

use crate::extension::Process;
use crate::stage::{Outcome, Session, Stage};

const PATIENCE: Duration = Duration::from_secs(10);

/// Creates the session, sends it its commands and ends it.
pub(crate) struct BackEnd {
    stage: Stage,
    client: SyncClient,
}

impl BackEnd {
    pub(crate) async fn enter(stage: &Stage, session: &Session) -> Outcome<Self> {
        let client = session.join("back-end").await?;
        stage.say("back end", "creates the document with reliableConnection = true");
        Ok(Self { stage: stage.clone(), client })
    }

    pub(crate) async fn forgets_the_address(&mut self) -> Outcome {
        let before = self.client.get_sync().await?.revision();
        self.stage.say("back end", "adds openExam and forgets its address");
        let refused = self.client.add_action_named("openExam", json!({ "newWindow": true })).await;
        let Err(error @ Error::MissingField { .. }) = refused else { panic!("it was not refused") };
        self.stage.say("back end", format!("✗ {error}"));
        assert_eq!(self.client.get_sync().await?.revision(), before, "something was written");
        self.stage
            .say("back end", format!("nothing was sent: the document is still at revision {}", before.0));
        Ok(())
    }

    pub(crate) async fn starts_the_exam(&mut self) -> Outcome {
        let batch = Batch::new()
            .then(extension::StartSession::new(extension::Modality::Live))
            .then(extension::OpenExam::new("https://exam.example.com/"))
            .then(extension::ShowMessage::new("Good luck!"));
        let receipt = self.client.add_actions(batch).await?;
        let revision = receipt.revision().0;
        self.stage
            .say("back end", format!("startSession, openExam, showMessage: all in revision {revision}"));
        Ok(())
    }

    pub(crate) async fn stops_the_session(&mut self) -> Outcome {
        self.stage.say("back end", "adds stopSession");
        let receipt = self.client.add_action(extension::StopSession::default()).await?;
        receipt.finished(PATIENCE).await?;
        Ok(())
    }

    pub(crate) async fn closes_the_session(&self) -> Outcome {
        self.client.set_sync(json!({ "status": "finished" })).await?;
        Ok(())
    }

    pub(crate) async fn leaves(self) -> Outcome {
        Ok(self.client.close().await?)
    }
}

/// Watches the document, and steps in.
pub(crate) struct Proctor {
    stage: Stage,
    client: SyncClient,
    watching: JoinHandle<Vec<Revision>>,
}

impl Proctor {
    pub(crate) async fn enter(stage: &Stage, session: &Session) -> Outcome<Self> {
        let client = session.join("proctor").await?;
        stage.say("proctor", "opens the same document and watches it (spSyncDocUpdated)");
        let watching = tokio::spawn(watch_document(stage.clone(), client.clone()));
        Ok(Self { stage: stage.clone(), client, watching })
    }

    pub(crate) async fn locks_the_screen(&self) -> Outcome {
        self.stage.say("proctor", "adds lockScreen");
        self.client.add_action(extension::LockScreen::new("Please wait for your proctor")).await?;
        Ok(())
    }

    pub(crate) async fn says(&self, text: &str) -> Outcome {
        self.stage.say("proctor", "adds showMessage, while there is no extension at all");
        self.client.add_action(extension::ShowMessage::new(text)).await?;
        Ok(())
    }

    /// Stops watching, and says which revisions it was shown.
    pub(crate) async fn leaves(self) -> Outcome<Vec<Revision>> {
        self.client.get_sync().await?;
        let seen = tokio::time::timeout(PATIENCE, self.watching).await??;
        self.client.close().await?;
        Ok(seen)
    }
}

/// Says what changes among the document's own fields, until the session is finished.
async fn watch_document(stage: Stage, client: SyncClient) -> Vec<Revision> {
    let mut revisions = Vec::new();
    let mut shown = json!({});
    let mut updates = client.events().sp_sync_doc_updated();
    while let Some(Ok(document)) = updates.next().await {
        revisions.push(document.revision());
        for (key, value) in document.iter().filter(|(key, _)| !key.ends_with("Actions")) {
            if shown.get(key) != Some(value) {
                stage.say("proctor", format!("sees {key} = {value}"));
                shown[key] = value.clone();
            }
        }
        if shown.get("status").and_then(Value::as_str) == Some("finished") {
            break;
        }
    }
    revisions
}

/// Where the student is. It carries out `onboardingActions`, and asks the extension.
pub(crate) struct Page {
    stage: Stage,
    client: SyncClient,
    ready: watch::Receiver<bool>,
    serving: JoinHandle<sp_sync::Result<()>>,
}

impl Page {
    pub(crate) async fn enter(stage: &Stage, session: &Session) -> Outcome<Self> {
        let client = session.join("page").await?;
        let document = client.get_sync().await?;
        stage.say("page", format!("opens the same document: {}", document.to_value()));
        let (told, ready) = watch::channel(false);
        let there = stage.clone();
        let handlers = Handlers::new().on(move |extension: onboarding::ExtensionReady| {
            if !told.send_replace(true) {
                there.say("page", format!("hears that extension {} is there", extension.version));
            }
            async { Ok(()) }
        });
        let serving = {
            let client = client.clone();
            tokio::spawn(async move { client.executor("onboarding").serve(handlers).await })
        };
        Ok(Self { stage: stage.clone(), client, ready, serving })
    }

    pub(crate) async fn hears_that_the_extension_is_ready(&self) -> Outcome {
        tokio::time::timeout(PATIENCE, self.ready.clone().wait_for(|ready| *ready)).await??;
        Ok(())
    }

    pub(crate) async fn asks_for_displays(&self, extension: &Process) -> Outcome {
        self.stage.say("page", "asks the extension: getDisplayCount, respond to onboarding");
        let answer = self.client.request(extension::GetDisplayCount {}).respond_to("onboarding").await?;
        // What the extension says of itself comes through a pipe, which is slower than its answer.
        extension.does("getDisplayCount").await?;
        self.stage.say("page", format!("is answered: {} displays", answer.display_count));
        self.client.set_sync(json!({ "displays": answer.display_count })).await?;
        Ok(())
    }

    pub(crate) async fn wants_the_password(&self) -> Outcome {
        self.stage.say("page", "adds injectPassword, which the catalogue marks at-most-once");
        self.client.add_action(extension::InjectPassword {}).await?;
        Ok(())
    }

    pub(crate) async fn leaves(self) -> Outcome {
        self.serving.abort();
        Ok(self.client.close().await?)
    }
}
