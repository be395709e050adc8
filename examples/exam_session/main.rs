//! One exam session, told by those who take part in it: the student's page, the browser extension, a proctor and the
//! back end. Each has its own connection to one store; the extension is a process of its own, and is killed twice.
//!
//! `cargo run --features embedded --example exam_session`
//!
//! The store is a new file, or what the variable `SP_SYNC_BACKEND` names: another file, or a bucket of NATS JetStream
//! (`nats://127.0.0.1:4222/demo`, with the feature `nats`).

mod extension;
mod parties;
mod proof;
mod stage;

use std::time::Duration;

use sp_sync::Settings;
use stage::{Outcome, Session, Stage};

/// How long a silent holder of an action is respected. The default is 30 s; an audience is less patient.
const LEASE: Duration = Duration::from_millis(1_500);

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match arguments.next() {
        // This very program, started anew as the extension's process.
        Some(document) => extension::run(&Session::of(&document)?, arguments.next().as_deref()).await,
        None => exam().await,
    }
}

async fn exam() -> Outcome {
    let session = Session::new()?;
    let stage = Stage::new();
    println!("One exam session: the document {} in {}\n", session.document, session.store);

    let mut back_end = parties::BackEnd::enter(&stage, &session).await?;
    let proctor = parties::Proctor::enter(&stage, &session).await?;
    let page = parties::Page::enter(&stage, &session).await?;

    stage.heading("A mistake never leaves the building");
    back_end.forgets_the_address().await?;

    stage.heading("A question, and its answer");
    let mut first = extension::Process::start(&stage, &session, "extension 1", Some("lockScreen"))?;
    page.hears_that_the_extension_is_ready().await?;
    page.asks_for_displays(&first).await?;

    stage.heading("Three commands in one write; one of them fails and is tried again");
    back_end.starts_the_exam().await?;
    first.does("showMessage").await?;

    stage.heading("The extension is killed in the middle of an action");
    proctor.locks_the_screen().await?;
    first.begins("lockScreen").await?;
    first.kill().await?;
    proctor.says("The screen is locked, a moment please").await?;
    let mut second = extension::Process::start(&stage, &session, "extension 2", Some("injectPassword"))?;
    second.waits_for_a_lease();
    second.does("showMessage").await?;

    stage.heading("A password is typed once or not at all, even by a process that is killed while typing");
    page.wants_the_password().await?;
    second.begins("injectPassword").await?;
    second.kill().await?;
    let mut third = extension::Process::start(&stage, &session, "extension 3", None)?;
    third.waits_for_a_lease();
    third.reports("injectPassword").await?;

    stage.heading("The end");
    back_end.stops_the_session().await?;
    third.leaves().await?;
    back_end.closes_the_session().await?;
    let seen = proctor.leaves().await?;
    page.leaves().await?;
    back_end.leaves().await?;

    proof::show(&stage, &session, &seen).await?;
    let store = &session.store;
    println!("\nThe document stays for you to look at, in {store}:");
    println!("    sp-sync docs --store {store}");
    println!("    sp-sync get {} --store {store}", session.document);
    println!("(In a clone, `cargo run --features cli --` stands for `sp-sync`.)");
    Ok(())
}

/// The settings of every party.
fn settings() -> Settings {
    Settings { lease: LEASE, ..Settings::default() }
}
