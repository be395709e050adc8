//! A store with bad habits.

use super::*;

/// The store in memory, with one habit or none.
#[derive(Clone)]
pub(super) struct Odd {
    pub(super) store: Memory,
    /// While set, writes are refused, and asked to wait so long.
    pub(super) on: Arc<AtomicBool>,
    pub(super) wait: Duration,
    /// Writes are answered so much later than they hold, so watches tell of them first, as those of
    /// [`Embedded`](sp_sync::backend::Embedded) may.
    pub(super) answers_after: Duration,
    /// The rate that it states.
    pub(super) writes_per_second: Option<f64>,
}

impl Odd {
    /// Without a habit.
    pub(super) fn over(store: &Memory) -> Self {
        let (on, wait, answers_after) = (Arc::default(), Duration::ZERO, Duration::ZERO);
        Self { store: store.clone(), on, wait, answers_after, writes_per_second: None }
    }

    /// Answers writes after the watch has told of them.
    pub(super) fn answering_late(store: &Memory) -> Self {
        Self { answers_after: Duration::from_millis(20), ..Self::over(store) }
    }
}

#[async_trait]
impl Backend for Odd {
    fn facts(&self) -> Facts {
        let mut facts = self.store.facts();
        facts.writes_per_second = self.writes_per_second.or(facts.writes_per_second);
        facts
    }
    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.store.read(id).await
    }
    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        if self.on.load(Ordering::SeqCst) {
            return Err(BackendError::RateLimited { retry_after: Some(self.wait) });
        }
        let answer = self.store.write(id, write).await;
        if !self.answers_after.is_zero() {
            tokio::time::sleep(self.answers_after).await;
        }
        answer
    }
    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.store.remove(id, expect).await
    }
    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.store.watch(id).await
    }
}
