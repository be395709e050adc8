//! Hearing of a document from its backend, for as long as somebody wants to.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_stream::StreamExt as _;

use super::super::trace;
use crate::backend::{Backend, BackendError, Change, Watch};
use crate::id::DocumentId;
use crate::limits::{BACKOFF_MIN, SERVER_WATCH_BACKOFF_MAX};

type Opening = Pin<Box<dyn Future<Output = Result<Watch, BackendError>> + Send>>;

/// A watch that is begun anew when it breaks.
pub(super) struct Watching {
    backend: Arc<dyn Backend>,
    document: DocumentId,
    state: State,
    pause: Duration,
}

enum State {
    /// Exits: `Opening` when the time has come.
    Paused(Instant),
    /// Exits: `Open`; `Paused` when it fails.
    Opening(Opening),
    /// Exits: `Paused` when it breaks.
    Open(Watch),
}

impl Watching {
    pub(super) fn new(backend: Arc<dyn Backend>, document: DocumentId) -> Self {
        Self { backend, document, state: State::Paused(Instant::now()), pause: BACKOFF_MIN }
    }

    /// The next change; the first after each beginning is the present state.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> Change {
        loop {
            self.state = match &mut self.state {
                State::Paused(until) => {
                    sleep_until(*until).await;
                    let (backend, document) = (self.backend.clone(), self.document.clone());
                    State::Opening(Box::pin(async move { backend.watch(&document).await }))
                }
                State::Opening(opening) => match opening.await {
                    Ok(watch) => State::Open(watch),
                    Err(error) => self.paused(Some(&error)),
                },
                State::Open(watch) => match watch.next().await {
                    Some(Ok(change)) => {
                        self.pause = BACKOFF_MIN;
                        return change;
                    }
                    Some(Err(error)) => self.paused(Some(&error)),
                    None => self.paused(None),
                },
            }
        }
    }

    fn paused(&mut self, failed: Option<&BackendError>) -> State {
        if let Some(error) = failed {
            trace::store_failed(error);
        }
        let until = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(SERVER_WATCH_BACKOFF_MAX);
        State::Paused(until)
    }
}
