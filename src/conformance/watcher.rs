//! One watcher, who begins anew when a watch ends, and who notices when it goes back.

use std::sync::Arc;
use std::time::Duration;

use tokio_stream::StreamExt as _;

use super::bench::{Broken, Outcome, patiently};
use super::ensure;
use crate::backend::{Backend, Change, Revision, Stored, Watch};
use crate::id::DocumentId;

/// How long a change may take to be told.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// How often a watch may break off before the backend counts as unable to watch.
const RESTARTS_MAX: usize = 1_000;

pub(super) struct Watcher {
    backend: Arc<dyn Backend>,
    id: DocumentId,
    stream: Watch,
    restarts: usize,
    newest: Option<(Revision, Arc<str>)>,
    /// The last state told, until another is.
    present: Option<Stored>,
}

impl Watcher {
    pub(super) async fn begin(backend: Arc<dyn Backend>, id: DocumentId) -> Outcome<Self> {
        let stream = patiently(|| backend.watch(&id)).await?;
        Ok(Self { backend, id, stream, restarts: 0, newest: None, present: None })
    }

    /// The next state: the document, or `None` when it is not there.
    pub(super) async fn next(&mut self) -> Outcome<Option<Stored>> {
        self.present = self.told().await?;
        Ok(self.present.clone())
    }

    async fn told(&mut self) -> Outcome<Option<Stored>> {
        loop {
            match tokio::time::timeout(TOLD_WITHIN, self.stream.next()).await {
                Err(_) => return Err(Broken::Promise(format!("nothing was told within {TOLD_WITHIN:?}"))),
                Ok(Some(Ok(Change::Removed))) => return Ok(None),
                Ok(Some(Ok(Change::Updated(stored)))) => return self.checked(stored).map(Some),
                Ok(Some(Err(_)) | None) => {
                    self.restarts += 1;
                    ensure!(self.restarts <= RESTARTS_MAX, "the watch broke off {} times", self.restarts);
                    self.stream = patiently(|| self.backend.watch(&self.id)).await?;
                }
            }
        }
    }

    fn checked(&mut self, stored: Stored) -> Outcome<Stored> {
        let (revision, text) = (stored.revision, stored.document.to_json());
        if let Some((newest, before)) = &self.newest {
            ensure!(revision >= *newest, "revision {} was told after {}", revision.0, newest.0);
            ensure!(
                revision != *newest || *before == text,
                "revision {} was told with two contents",
                newest.0
            );
        }
        self.newest = Some((revision, text));
        Ok(stored)
    }

    /// The first state that is wanted. The others may be passed over, but none may go back.
    pub(super) async fn until(
        &mut self,
        what: &str,
        is_wanted: impl Fn(Option<&Stored>) -> bool + Send + Sync,
    ) -> Outcome<Option<Stored>> {
        let waited = async {
            loop {
                let state = self.next().await?;
                if is_wanted(state.as_ref()) {
                    return Ok(state);
                }
            }
        };
        match tokio::time::timeout(TOLD_WITHIN, waited).await {
            Ok(told) => told.map_err(|broken| match broken {
                Broken::Promise(how) => Broken::Promise(format!("waiting for {what}: {how}")),
                other => other,
            }),
            Err(_) => Err(Broken::Promise(format!("{what} was not told within {TOLD_WITHIN:?}"))),
        }
    }

    /// Waits for a revision or a newer one, unless it was the last told.
    pub(super) async fn until_revision(&mut self, revision: Revision) -> Outcome<Stored> {
        if let Some(present) = self.present.take_if(|present| present.revision >= revision) {
            return Ok(present);
        }
        let is_there = |state: Option<&Stored>| state.is_some_and(|stored| stored.revision >= revision);
        match self.until(&format!("revision {}", revision.0), is_there).await? {
            Some(stored) => Ok(stored),
            None => Err(Broken::Promise("a removal was told instead".into())),
        }
    }

    pub(super) async fn until_removed(&mut self) -> Outcome {
        self.until("the removal", |state| state.is_none()).await.map(|_| ())
    }
}
