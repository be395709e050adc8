//! The NATS backend, over servers that the tests start.

mod promises;

use sp_sync::backend::{Nats, NatsOptions};

use crate::support::nats::Server;

/// Options for a bucket of a test's own.
fn bucket(server: &Server, name: &str) -> NatsOptions {
    Nats::options().server(server.url()).bucket(name)
}
