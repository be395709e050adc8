//! What the driver reports to `tracing`, and what it never reports.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::{Failure, Notice};
use tokio_stream::StreamExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{Call, Fate, Link, notice_that, open, unavailable};

/// Writes down every event of this crate, whatever its level, one in a line.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sp_sync"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().level()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Capture {
    fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }

    /// Whether one event holds all of these.
    fn has(&self, parts: &[&str]) -> bool {
        self.0.lock().unwrap().iter().any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

const SECRET: &str = "correct-horse-battery-staple";

/// C64: events name documents, actions, attempts, revisions and times, and never a value: not of the document, not of
/// an action's field, sensitive or not, and not a handler's message.
#[tokio::test(start_paused = true)]
async fn events_tell_what_happens_and_never_a_value() {
    let capture = Capture::default();
    let _guard = tracing::subscriber::set_default(capture.clone());
    let link = Link::new(Memory::new(), |_| Fate::Pass);
    let page = open(link.clone(), "page").await;
    let mut notices = page.events().notices();

    page.set_sync(json!({ "note": SECRET })).await.unwrap();
    assert!(capture.has(&[
        "DEBUG",
        "write",
        "document=Session_test",
        "operations=1",
        "outcome=\"held\"",
        "revision=",
        "latency_us="
    ]));

    let info = json!({ "roomURL": format!("https://{SECRET}.example.com/"), "token": SECRET });
    page.add_action_named("joinCall", info).await.unwrap();
    let mut actions = page.executor("extension").subscribe();
    let first = actions.next().await.unwrap();
    let id = format!("id={}", first.id());
    let joined = ["executor=extension", "action=\"joinCall\"", id.as_str()];
    first.fail(Failure::new("busy", SECRET)).await.unwrap();
    let second = actions.next().await.unwrap();
    second.finish().await.unwrap();
    assert!(capture.has(&[&["DEBUG", "action started", "attempt=1"], &joined[..]].concat()));
    assert!(capture.has(&[&["WARN", "action failed", "attempt=1", "code=\"busy\""], &joined[..]].concat()));
    assert!(capture.has(&[&["DEBUG", "action started", "attempt=2"], &joined[..]].concat()));
    assert!(capture.has(&[&["DEBUG", "action finished", "attempt=2"], &joined[..]].concat()));

    link.cut_watches(unavailable());
    notice_that(&mut notices, |notice| matches!(notice, Notice::BackendFailing { .. }).then_some(())).await;
    assert!(capture.has(&["WARN", "backend failed", "doing=\"watching\"", "outcome=\"unavailable\""]));
    assert!(capture.has(&["INFO", "notice=\"BackendFailing\""]));

    assert!(!capture.all().contains(SECRET), "{}", capture.all());
}

/// A write that loses against another says so.
#[tokio::test(start_paused = true)]
async fn a_write_that_fails_is_reported_with_its_outcome() {
    let capture = Capture::default();
    let _guard = tracing::subscriber::set_default(capture.clone());
    let link = Link::new(Memory::new(), |_| Fate::Pass);
    let page = open(link.clone(), "page").await;
    let mut failed = false;
    link.plan(move |call| match call {
        Call::Write if !std::mem::replace(&mut failed, true) => Fate::Fail(unavailable()),
        _ => Fate::Pass,
    });
    page.set_sync(json!({ "step": 1 })).await.unwrap();
    assert!(capture.has(&["WARN", "write", "outcome=\"unavailable\""]));
    assert!(capture.has(&["DEBUG", "write", "outcome=\"held\""]));
}
