//! A backend that injects faults into another.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::random::Random;
use super::stale;
use crate::backend::{
    Authenticated, Backend, BackendError, Directory, Facts, Revision, Stored, Watch, Write, Written,
};
use crate::id::DocumentId;

/// How often each fault is injected: probabilities from 0 to 1, all 0 by default.
///
/// Delays and stale watches keep the contract, and so do refusals for a patient client. Lost answers, lost requests
/// and late writes show as [`BackendError::Unknown`], which the contract allows too but no suite can see through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// A write or removal is carried out, and [`BackendError::Unknown`] is answered.
    pub lost_answers: f64,
    /// Nothing is carried out, and [`BackendError::Unknown`] is answered.
    pub lost_requests: f64,
    /// [`BackendError::Unknown`] is answered, and the write or removal is carried out up to `delay_max` later, when
    /// its expectation still holds.
    pub late_writes: f64,
    /// A call is held up before it is carried out, and its answer again, each for up to `delay_max`.
    pub delays: f64,
    /// The longest delay, also of watches and late writes. 10 ms by default.
    pub delay_max: Duration,
    /// A call is refused with [`BackendError::RateLimited`].
    pub rate_limited: f64,
    /// A call fails with [`BackendError::Unavailable`].
    pub unavailable: f64,
    /// A watcher is told late, and of the states in between not at all.
    pub stale_watches: f64,
    /// A watch ends with an error after it told a state.
    pub watch_breaks: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            lost_answers: 0.0,
            lost_requests: 0.0,
            late_writes: 0.0,
            delays: 0.0,
            delay_max: Duration::from_millis(10),
            rate_limited: 0.0,
            unavailable: 0.0,
            stale_watches: 0.0,
            watch_breaks: 0.0,
        }
    }
}

/// How often each fault was injected so far. The names are those of [`Faults`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are those of Faults")]
pub struct Injected {
    pub lost_answers: u64,
    pub lost_requests: u64,
    pub late_writes: u64,
    pub delays: u64,
    pub rate_limited: u64,
    pub unavailable: u64,
    pub stale_watches: u64,
    pub watch_breaks: u64,
}

impl Injected {
    /// All of them together.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.lost_answers
            + self.lost_requests
            + self.late_writes
            + self.delays
            + self.rate_limited
            + self.unavailable
            + self.stale_watches
            + self.watch_breaks
    }
}

/// A backend that passes every call on to another and injects faults, chosen by a seed. For the same calls in the
/// same order it chooses the same faults. Clones share everything.
#[derive(Debug)]
pub struct Faulty<B: ?Sized> {
    shared: Arc<Shared>,
    inner: Arc<B>,
}

impl<B: ?Sized> Clone for Faulty<B> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), inner: self.inner.clone() }
    }
}

/// What the calls and the watches of one backend have in common.
#[derive(Debug)]
pub(super) struct Shared {
    random: Random,
    faults: Mutex<Faults>,
    counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    lost_answers: AtomicU64,
    lost_requests: AtomicU64,
    late_writes: AtomicU64,
    delays: AtomicU64,
    rate_limited: AtomicU64,
    unavailable: AtomicU64,
    pub(super) stale_watches: AtomicU64,
    pub(super) watch_breaks: AtomicU64,
}

impl<B: Backend> Faulty<B> {
    /// Wraps a backend.
    pub fn new(inner: B, seed: u64, faults: Faults) -> Self {
        let shared =
            Shared { random: Random::seeded(seed), faults: Mutex::new(faults), counts: Counts::default() };
        Self { shared: Arc::new(shared), inner: Arc::new(inner) }
    }
}

impl<B: ?Sized> Faulty<B> {
    /// Injects other faults from now on; `Faults::default()` heals it. Watches that run are affected too.
    pub fn set(&self, faults: Faults) {
        *self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// How often faults were injected so far.
    #[must_use]
    pub fn injected(&self) -> Injected {
        let counts = &self.shared.counts;
        Injected {
            lost_answers: counts.lost_answers.load(Relaxed),
            lost_requests: counts.lost_requests.load(Relaxed),
            late_writes: counts.late_writes.load(Relaxed),
            delays: counts.delays.load(Relaxed),
            rate_limited: counts.rate_limited.load(Relaxed),
            unavailable: counts.unavailable.load(Relaxed),
            stale_watches: counts.stale_watches.load(Relaxed),
            watch_breaks: counts.watch_breaks.load(Relaxed),
        }
    }

    /// The backend inside, without faults.
    #[must_use]
    pub fn inner(&self) -> &B {
        &self.inner
    }
}

impl Shared {
    pub(super) fn faults(&self) -> Faults {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this fault is injected now; if so, it is counted.
    pub(super) fn chooses(&self, probability: f64, count: impl FnOnce(&Counts) -> &AtomicU64) -> bool {
        let happens = probability > 0.0 && self.random.happens(probability);
        if happens {
            count(&self.counts).fetch_add(1, Relaxed);
        }
        happens
    }

    /// A time up to the longest delay.
    pub(super) fn delay(&self) -> Duration {
        self.random.up_to(self.faults().delay_max)
    }

    async fn hold_up(&self) {
        if self.chooses(self.faults().delays, |counts| &counts.delays) {
            tokio::time::sleep(self.delay()).await;
        }
    }

    fn refuse(&self, doing: &str) -> Result<(), BackendError> {
        let faults = self.faults();
        if self.chooses(faults.rate_limited, |counts| &counts.rate_limited) {
            return Err(BackendError::RateLimited { retry_after: Some(Duration::from_millis(1)) });
        }
        if self.chooses(faults.unavailable, |counts| &counts.unavailable) {
            return Err(unavailable(doing));
        }
        Ok(())
    }

    /// A call that changes nothing.
    async fn look<T>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, BackendError>> + Send,
    ) -> Result<T, BackendError> {
        self.hold_up().await;
        self.refuse(doing)?;
        let answer = call.await;
        self.hold_up().await;
        answer
    }

    /// A call that changes something. A late one is spawned, so it must own what it needs.
    async fn change<T: Send + 'static>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, BackendError>> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.hold_up().await;
        self.refuse(doing)?;
        let faults = self.faults();
        if self.chooses(faults.lost_requests, |counts| &counts.lost_requests) {
            return Err(unknown("the request was lost"));
        }
        if self.chooses(faults.late_writes, |counts| &counts.late_writes) {
            let delay = self.delay();
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                call.await
            });
            return Err(unknown("the request is still under way"));
        }
        let answer = call.await;
        if self.chooses(faults.lost_answers, |counts| &counts.lost_answers) {
            return Err(unknown("the answer was lost"));
        }
        self.hold_up().await;
        answer
    }
}

fn unknown(what: &str) -> BackendError {
    BackendError::Unknown { why: format!("{what} (injected)") }
}

pub(super) fn unavailable(doing: &str) -> BackendError {
    BackendError::Unavailable { doing: doing.to_owned(), why: "an injected fault".into(), source: None }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: Backend + ?Sized> Backend for Faulty<B> {
    fn facts(&self) -> Facts {
        self.inner.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.shared.look("reading", self.inner.read(id)).await
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let (inner, id) = (self.inner.clone(), id.clone());
        self.shared.change("writing", async move { inner.write(&id, write).await }).await
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        let (inner, id) = (self.inner.clone(), id.clone());
        self.shared.change("removing", async move { inner.remove(&id, expect).await }).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let watch = self.shared.look("watching", self.inner.watch(id)).await?;
        Ok(stale::passed_on(watch, self.shared.clone()))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.inner.directory().map(|_| self as &dyn Directory)
    }

    fn authenticated(&self) -> Option<&dyn Authenticated> {
        self.inner.authenticated()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: Backend + ?Sized> Directory for Faulty<B> {
    async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>, BackendError> {
        let Some(directory) = self.inner.directory() else { return Err(unavailable("listing")) };
        self.shared.look("listing", directory.list(after, limit)).await
    }
}
