//! The suite that tells whether a backend keeps the promises of [its contract](crate::backend#contract).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use sp_sync::backend::Memory;
//! use sp_sync::conformance;
//!
//! let report = conformance::check(|| async { Memory::new() }).await;
//! report.assert_ok();
//! # }
//! ```
//!
//! A backend whose documents outlive it implements [`Subject`] instead of passing a closure, so that durability is
//! checked as well. [`Faulty`] wraps any backend and injects faults, to see how a client of the contract fares.
//!
//! Every promise is one small function in the file of its topic. The suite makes documents under names of its own,
//! so it can run against a store that is in use; it needs real time, about ten seconds, for times to live.

mod bench;
mod clock;
mod concurrency;
mod content;
mod directory;
mod durability;
mod faulty;
mod names;
mod random;
mod report;
mod revisions;
mod sizes;
mod stale;
mod ttl;
mod watcher;
mod watching;
mod writes;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;

pub use faulty::{Faults, Faulty, Injected};
pub use report::{Checked, Report, Verdict};

use crate::backend::Backend;
use bench::{Bench, Broken, Outcome};

/// How long one promise may take before it counts as broken: a backend that hangs keeps none.
const PROMISE_WITHIN: Duration = Duration::from_secs(60);

/// Where backends to be checked come from. Any `Fn() -> impl Future<Output = impl Backend>` is one.
#[async_trait]
pub trait Subject: Send + Sync + 'static {
    /// A backend to check. May be called several times; each may be empty or show the same store.
    async fn open(&self) -> Arc<dyn Backend>;

    /// What a new process finds after this backend was closed, in good order or not. `None`, the default, where
    /// nothing is promised to survive.
    async fn reopen(&self, closed: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        drop(closed);
        None
    }
}

#[async_trait]
impl<F, Fut> Subject for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: Backend,
{
    async fn open(&self) -> Arc<dyn Backend> {
        Arc::new(self().await)
    }
}

/// Checks every promise.
///
/// Calls that answer `RateLimited` or `Unavailable` are repeated and watches that end are begun anew, as a client
/// would; an `Unknown` breaks the promise in hand.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn check(subject: impl Subject) -> Report {
    check_only(subject, |_| true).await
}

/// Checks the promises whose name, like `watching::ends_at_the_newest`, is wanted.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn check_only(subject: impl Subject, is_wanted: impl Fn(&str) -> bool + Send + Sync) -> Report {
    let subject: Arc<dyn Subject> = Arc::new(subject);
    let mut checked = Vec::new();
    for topic in TOPICS {
        let mut running = JoinSet::new();
        for (place, promise) in
            topic.promises.iter().enumerate().filter(|(_, promise)| is_wanted(promise.name))
        {
            let subject = subject.clone();
            running.spawn(async move { (place, promise.check(subject).await) });
            if !topic.at_once {
                checked.extend(running.join_next().await.and_then(Result::ok).map(|(_, done)| done));
            }
        }
        let mut rest: Vec<_> = running.join_all().await;
        rest.sort_by_key(|(place, _)| *place);
        checked.extend(rest.into_iter().map(|(_, done)| done));
    }
    Report { checked }
}

/// Promises about one thing.
struct Topic {
    promises: &'static [Promise],
    /// Whether its promises are checked at the same time, because they mostly wait.
    at_once: bool,
}

const TOPICS: &[Topic] = &[
    Topic { promises: writes::PROMISES, at_once: false },
    Topic { promises: revisions::PROMISES, at_once: false },
    Topic { promises: content::PROMISES, at_once: false },
    Topic { promises: names::PROMISES, at_once: false },
    Topic { promises: sizes::PROMISES, at_once: false },
    Topic { promises: clock::PROMISES, at_once: false },
    Topic { promises: concurrency::PROMISES, at_once: false },
    Topic { promises: watching::PROMISES, at_once: false },
    Topic { promises: directory::PROMISES, at_once: false },
    Topic { promises: durability::PROMISES, at_once: false },
    Topic { promises: ttl::PROMISES, at_once: true },
];

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One sentence of the contract and the function that checks it.
#[derive(Clone, Copy)]
struct Promise {
    name: &'static str,
    sentence: &'static str,
    run: fn(Bench) -> Running,
}

impl Promise {
    #[expect(clippy::disallowed_methods, reason = "the suite measures how long a promise took")]
    async fn check(&self, subject: Arc<dyn Subject>) -> Checked {
        let began = std::time::Instant::now();
        let bench = Bench::new(subject).await;
        let run = tokio::spawn(tokio::time::timeout(PROMISE_WITHIN, (self.run)(bench)));
        let verdict = match run.await {
            Ok(Ok(Ok(()))) => Verdict::Kept,
            Ok(Ok(Err(Broken::Promise(how)))) => Verdict::Broken(how),
            Ok(Ok(Err(Broken::NotApplicable(why)))) => Verdict::NotApplicable(why),
            Ok(Err(_)) => Verdict::Broken(format!("not settled within {PROMISE_WITHIN:?}")),
            Err(panic) => Verdict::Broken(format!("the backend panicked: {panic}")),
        };
        Checked { name: self.name, sentence: self.sentence, verdict, took: began.elapsed() }
    }
}

/// A promise from the function of the same name in this topic.
macro_rules! promise {
    ($topic:literal, $run:ident, $sentence:literal) => {
        $crate::conformance::Promise {
            name: concat!($topic, "::", stringify!($run)),
            sentence: $sentence,
            run: |bench| Box::pin(async move { $run(&bench).await }),
        }
    };
}

/// Breaks the promise with a message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::conformance::bench::Broken::Promise(format!($($message)+)));
        }
    };
}

use {ensure, promise};
