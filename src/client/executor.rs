//! Taking actions with an end that is said on purpose.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio_stream::{Stream, StreamExt as _};

use super::SyncClient;
use super::delivery::Delivery;
use super::handlers::Handlers;
use super::place::Place;
use super::shared::Kind;
use crate::error::Result;
use crate::id::Executor;

/// One executor, seen from a client; made by [`SyncClient::executor`].
#[derive(Clone, Debug)]
pub struct ExecutorHandle {
    client: SyncClient,
    executor: Executor,
}

impl ExecutorHandle {
    pub(super) fn new(client: SyncClient, executor: Executor) -> Self {
        Self { client, executor }
    }

    /// Takes actions from now on, also those that wait already: one at a time, oldest first (C33–C36). Several
    /// subscriptions of one client take turns; the order stays. The stream of an executor that the catalogue
    /// does not have ends at once; [`serve`](Self::serve) and [`actions_added`](super::Events::actions_added) say why.
    pub fn subscribe(&self) -> Deliveries {
        let (key, place) = self.client.shared.register(self.executor.clone(), Kind::Handler);
        if self.client.shared.check_executor(&self.executor).is_err() {
            place.end();
        }
        Deliveries { client: self.client.clone(), key, place }
    }

    /// Carries actions out with a table of typed handlers until the client ends or this call is dropped. A handler
    /// whose action is taken over is dropped where it waits.
    ///
    /// # Errors
    /// [`Error::UnknownExecutor`](crate::Error::UnknownExecutor) when the catalogue has no such executor;
    /// [`Error::Invalid`](crate::Error::Invalid) when the table is empty, has two handlers for one action, or one for
    /// another executor's.
    ///
    /// # Cancel safety
    /// Dropped, it lets go of the action in hand; the others stay in the array.
    pub async fn serve(&self, handlers: Handlers) -> Result<()> {
        self.client.shared.check_executor(&self.executor)?;
        handlers.check(self.executor.as_str())?;
        let mut deliveries = self.subscribe();
        while let Some(delivery) = deliveries.next().await {
            handlers.carry_out(delivery).await;
        }
        Ok(())
    }
}

/// Actions of one executor to be carried out; see [`ExecutorHandle::subscribe`]. Dropping it unsubscribes; when the
/// last subscriber of this client is gone, what was taken and not started is given back (C44).
#[must_use]
#[derive(Debug)]
pub struct Deliveries {
    client: SyncClient,
    key: u64,
    place: Arc<Place>,
}

impl Stream for Deliveries {
    type Item = Delivery;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(hand) = ready!(self.place.poll_take(context)) else { return Poll::Ready(None) };
            if let Some(delivery) = Delivery::new(self.client.clone(), hand) {
                return Poll::Ready(Some(delivery));
            }
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.client.shared.unregister(self.key);
    }
}
