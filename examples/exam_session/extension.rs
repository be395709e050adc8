//! The browser extension: a process of its own that carries out what the others add to `extensionActions`.

use std::process::Stdio;

use serde_json::json;
use sp_sync::{Delivery, Executor, Failure, Notice, extension, onboarding};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio_stream::StreamExt as _;

use crate::LEASE;
use crate::stage::{Deed, Outcome, Session, Stage};

/// The extension itself, until it is told to stop the session. `hangs_at` names an action it begins and never ends.
pub(crate) async fn run(session: &Session, hangs_at: Option<&str>) -> Outcome {
    let client = session.join("extension").await?;
    let mut notices = client.events().notices();
    tokio::spawn(async move {
        while let Some(Ok(notice)) = notices.next().await {
            if let Notice::StartedOnceAndLost { .. } = notice {
                tell("injectPassword", 1, "lost", "was begun by somebody who is gone: it is not repeated");
            }
        }
    });
    client.add_action(onboarding::ExtensionReady::new("1.0")).await?;
    let mut actions = client.executor(Executor::from("extension")).subscribe();
    while let Some(delivery) = actions.next().await {
        let (name, attempt) = (delivery.action().name().to_owned(), delivery.attempt());
        tell(&name, attempt, "begun", "begins");
        if hangs_at == Some(name.as_str()) {
            std::future::pending::<()>().await;
        }
        match carry_out(&client, delivery).await? {
            Ok(done) => tell(&name, attempt, "done", &done),
            Err(failure) => tell(&name, attempt, "failed", &failure),
        }
        if name == "stopSession" {
            break;
        }
    }
    drop(actions);
    Ok(client.close().await?)
}

/// Does what is asked, and says how it ended.
async fn carry_out(
    client: &sp_sync::SyncClient,
    delivery: Delivery,
) -> sp_sync::Result<Result<String, String>> {
    let done = match delivery.action().name() {
        "getDisplayCount" => {
            delivery.respond(extension::GetDisplayCountResponse::new(2)).await?;
            return Ok(Ok("answers 2".into()));
        }
        "openExam" if delivery.attempt() == 1 => {
            delivery.fail(Failure::new("not_ready", "the window is not there yet")).await?;
            return Ok(Err("fails: the window is not there yet".into()));
        }
        "openExam" => {
            let exam: extension::OpenExam = delivery.parse()?;
            client.set_sync(json!({ "openPage": exam.exam_url })).await?;
            format!("opens {}", exam.exam_url)
        }
        "lockScreen" => {
            client.set_sync(json!({ "screenLocked": true })).await?;
            "covers the exam".into()
        }
        "showMessage" => {
            let message: extension::ShowMessage = delivery.parse()?;
            format!("shows “{}”", message.text)
        }
        "startSession" => "watches the student from now on".into(),
        "stopSession" => "releases the computer".into(),
        _ => "done".into(),
    };
    delivery.finish().await?;
    Ok(Ok(done))
}

/// One line for the stage: action, attempt, end, and words for the audience.
fn tell(action: &str, attempt: u32, end: &str, words: &str) {
    println!("{action} {attempt} {end} {words}");
}

/// The extension's process, seen by the one who started it.
pub(crate) struct Process {
    stage: Stage,
    name: &'static str,
    child: Child,
}

impl Process {
    pub(crate) fn start(
        stage: &Stage,
        session: &Session,
        name: &'static str,
        hangs_at: Option<&str>,
    ) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // In the environment, where nobody else sees a password that the address may have.
        command.env("SP_SYNC_BACKEND", &session.address).arg(session.document.as_str()).args(hangs_at);
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        stage.say(name, format!("starts as process {}", child.id().unwrap_or_default()));
        let output = child.stdout.take().ok_or("the process has no output")?;
        let lines = BufReader::new(output).lines();
        tokio::spawn(repeat(stage.clone(), name, lines));
        Ok(Self { stage: stage.clone(), name, child })
    }

    /// Says why nothing happens for a while.
    pub(crate) fn waits_for_a_lease(&self) {
        let words = format!("waits one lease, here {LEASE:?}: its predecessor might only be slow");
        self.stage.say(self.name, words);
    }

    pub(crate) async fn begins(&self, action: &str) -> Outcome {
        self.stage.until(self.name, action, "begun").await
    }

    pub(crate) async fn does(&self, action: &str) -> Outcome {
        self.stage.until(self.name, action, "done").await
    }

    /// Waits until it reports an action of a predecessor as lost.
    pub(crate) async fn reports(&self, action: &str) -> Outcome {
        self.stage.until(self.name, action, "lost").await
    }

    /// `kill -9`: the process has no chance to give anything back.
    pub(crate) async fn kill(&mut self) -> Outcome {
        self.child.kill().await?;
        self.stage.say(self.name, "† is killed (SIGKILL) with the action in its hands");
        Ok(())
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn leaves(&mut self) -> Outcome {
        self.does("stopSession").await?;
        let status = self.child.wait().await?;
        self.stage.say(self.name, format!("ends by itself ({status})"));
        if status.success() { Ok(()) } else { Err("the extension failed".into()) }
    }
}

/// Repeats on the stage what a process says.
async fn repeat(stage: Stage, who: &'static str, mut lines: Lines<BufReader<ChildStdout>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let [action, attempt, end, words] = words[..] else { continue };
        let attempt = attempt.parse().unwrap_or(1);
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        stage.say(who, format!("{action}{again}: {words}"));
        stage.note(Deed { who: who.into(), action: action.into(), attempt, end: end.into() });
    }
}
