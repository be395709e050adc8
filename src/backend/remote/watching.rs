//! The stream of one watcher.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;

use super::link::Link;
use crate::backend::{BackendError, Change};
use crate::id::DocumentId;

/// What watchers of a name are told; the newest only.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// `None` before anything is known.
    pub(super) change: Option<Change>,
    pub(super) failure: Option<BackendError>,
}

/// Keeps the connection, and ends the subscription if it was the last.
pub(super) struct Watching {
    /// `None` after a failure.
    changes: Option<WatchStream<News>>,
    link: Arc<Link>,
    id: DocumentId,
}

impl Watching {
    pub(super) fn new(receiver: watch::Receiver<News>, link: Arc<Link>, id: DocumentId) -> Self {
        Self { changes: Some(WatchStream::new(receiver)), link, id }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // First the receiver, by which the others are counted.
        self.changes = None;
        self.link.leave(&self.id);
    }
}

impl Stream for Watching {
    type Item = Result<Change, BackendError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(changes) = &mut self.changes else { return Poll::Ready(None) };
            let Some(news) = std::task::ready!(Pin::new(changes).poll_next(context)) else {
                self.changes = None;
                return Poll::Ready(None);
            };
            if let Some(failure) = news.failure {
                self.changes = None;
                return Poll::Ready(Some(Err(failure)));
            }
            if let Some(change) = news.change {
                return Poll::Ready(Some(Ok(change)));
            }
        }
    }
}
