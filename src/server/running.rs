//! Whether a service is open, and how many connections it has.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Open until it is closed, for good.
#[derive(Debug)]
pub(super) struct Running {
    closing: watch::Sender<bool>,
    connections: watch::Sender<usize>,
}

/// A connection, as long as it is held.
#[derive(Debug)]
pub(super) struct Place {
    connections: watch::Sender<usize>,
}

impl Default for Running {
    fn default() -> Self {
        Self { closing: watch::Sender::new(false), connections: watch::Sender::new(0) }
    }
}

impl Running {
    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Hears of the end.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(super) fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// A place for one more, unless there are so many or the end has come.
    pub(super) fn enter(&self, max: usize) -> Option<Place> {
        let entered = self.connections.send_if_modified(|connections| {
            let free = *connections < max;
            *connections += usize::from(free);
            free
        });
        (entered && !self.is_closing()).then(|| self.place()).or_else(|| {
            if entered {
                drop(self.place());
            }
            None
        })
    }

    fn place(&self) -> Place {
        Place { connections: self.connections.clone() }
    }

    /// Tells all connections to end, and waits for them.
    pub(super) async fn close(&self, within: Duration) -> bool {
        self.closing.send_replace(true);
        let mut connections = self.connections.subscribe();
        timeout(within, connections.wait_for(|connections| *connections == 0)).await.is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.send_modify(|connections| *connections -= 1);
    }
}
