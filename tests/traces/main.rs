//! What client and server report to `tracing`, and what they never report.
//!
//! A process of its own: whether an event is of interest is remembered by the whole process when it is first met, so
//! a subscriber that comes later, or for one thread only, may never hear of it.

#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the other tests")]
mod support;

#[cfg(feature = "server")]
mod server;

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::Once;

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::{Failure, Notice};
use tokio_stream::StreamExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use support::{Call, Fate, Link, notice_that, open, unavailable};

thread_local! {
    /// What this thread's test has seen. A test and its client live on one thread.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Its spans, with those they are in; the place is the number.
    static SPANS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Those that are entered.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// Writes down every event of this crate, whatever its level, one in a line, and behind it the spans it is in.
struct Capture;

/// The spans that somebody is in.
fn within(parent: Option<&Id>, contextual: bool) -> String {
    let entered = ENTERED.with_borrow(|entered| entered.last().cloned());
    let place = parent.cloned().or_else(|| entered.filter(|_| contextual));
    let place = place.and_then(|id| usize::try_from(id.into_u64() - 1).ok());
    place.map_or_else(String::new, |place| {
        SPANS.with_borrow(|spans| spans.get(place).cloned().unwrap_or_default())
    })
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sp_sync")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("in {}: ", span.metadata().name()));
        span.record(&mut line);
        line.0 += &within(span.parent(), span.is_contextual());
        SPANS.with_borrow_mut(|spans| {
            spans.push(line.0);
            Id::from_u64(spans.len().try_into().unwrap())
        })
    }

    fn try_close(&self, id: Id) -> bool {
        let line = format!("closed {}", within(Some(&id), false));
        LINES.with_borrow_mut(|lines| lines.push(line));
        true
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().level()));
        event.record(&mut line);
        line.0 += &within(event.parent(), event.is_contextual());
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.clone()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(Vec::pop);
    }
}

impl Capture {
    /// From now on everything is written down.
    fn begin() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| tracing::subscriber::set_global_default(Self).unwrap());
        Self
    }

    fn all(&self) -> String {
        LINES.with_borrow(|lines| lines.join("\n"))
    }

    /// Whether one event holds all of these.
    fn has(&self, parts: &[&str]) -> bool {
        LINES.with_borrow(|lines| lines.iter().any(|line| parts.iter().all(|part| line.contains(part))))
    }
}

const SECRET: &str = "correct-horse-battery-staple";

/// C64: events name documents, actions, attempts, revisions and times, and never a value: not of the document, not of
/// an action's field, sensitive or not, and not a handler's message.
#[tokio::test(start_paused = true)]
async fn events_tell_what_happens_and_never_a_value() {
    let capture = Capture::begin();
    let link = Link::new(&Memory::new());
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
    let capture = Capture::begin();
    let link = Link::new(&Memory::new());
    let page = open(link.clone(), "page").await;
    let mut failed = false;
    link.plan(move |call| match call {
        Call::Write if !std::mem::replace(&mut failed, true) => Fate::Unavailable,
        _ => Fate::Pass,
    });
    page.set_sync(json!({ "step": 1 })).await.unwrap();
    assert!(capture.has(&["WARN", "write", "outcome=\"unavailable\""]));
    assert!(capture.has(&["DEBUG", "write", "outcome=\"held\""]));
}
