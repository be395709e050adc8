//! What a server counts of itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Durations;

/// A number that only grows, or goes up and down.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn down(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Everything that is counted. Nothing here has the name of a person or a document.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Connections now.
    pub connections: Count,
    /// Connections since the start.
    pub connections_accepted: Count,
    /// Connections that were turned away because there were too many.
    pub connections_refused: Count,
    /// Tokens that were not good.
    pub tokens_refused: Count,
    /// Clients cut off because they did not read or acknowledge in time.
    pub clients_cut: Count,
    /// Documents at hand now.
    pub documents: Count,
    /// Subscriptions now.
    pub subscriptions: Count,
    /// Requests since the start.
    pub requests: Count,
    /// Requests that were answered with anything but success.
    pub requests_refused: Count,
    /// Writes that held.
    pub writes_held: Count,
    /// Conditional writes that met another revision, as the client was told.
    pub writes_stale: Count,
    /// Writes that were tried again because another server's or client's came first.
    pub writes_repeated: Count,
    /// Writes refused for other reasons: size, rate, rights, the backend.
    pub writes_refused: Count,
    /// Writes whose outcome the backend could not tell.
    pub writes_unknown: Count,
    /// Notifications handed to connections.
    pub notifications: Count,
    /// From the moment a change was known here until it was handed to a connection.
    pub notification_lag: Durations,
}
