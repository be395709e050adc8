//! A backend that counts the writes that reach it, and may take its time over each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::DocumentId;
use sp_sync::backend::{Backend, BackendError, Facts, Revision, Stored, Watch, Write, Written};

#[derive(Clone)]
pub struct Counting<B> {
    inner: B,
    delay: Duration,
    writes: Arc<AtomicUsize>,
}

impl<B: Backend> Counting<B> {
    pub fn new(inner: B) -> Self {
        Self::slow(inner, Duration::ZERO)
    }

    /// Takes this long over each write.
    pub fn slow(inner: B, delay: Duration) -> Self {
        Self { inner, delay, writes: Arc::default() }
    }

    /// Writes since this was asked last.
    pub fn take_writes(&self) -> usize {
        self.writes.swap(0, Relaxed)
    }
}

#[async_trait]
impl<B: Backend> Backend for Counting<B> {
    fn facts(&self) -> Facts {
        self.inner.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.inner.read(id).await
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        self.writes.fetch_add(1, Relaxed);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.inner.write(id, write).await
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.inner.remove(id, expect).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.inner.watch(id).await
    }
}
