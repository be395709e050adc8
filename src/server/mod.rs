//! A Sync service of one's own: the official SDKs and clients of this crate connect to it and share documents that live
//! in any [backend](crate::backend).
//!
//! ```
//! use async_trait::async_trait;
//! use sp_sync::backend::Memory;
//! use sp_sync::server::{self, Admitted, Gatekeeper, Refusal, Service};
//! use sp_sync::{Identity, token::Token};
//!
//! /// For this page only: whoever says a name is let in by that name.
//! struct Trusting;
//!
//! #[async_trait]
//! impl Gatekeeper for Trusting {
//!     async fn admit(&self, token: &Token) -> Result<Admitted, Refusal> {
//!         let identity = Identity::new(token.secret());
//!         let identity = identity.map_err(|error| Refusal::new(401, 20101, error.to_string()))?;
//!         Ok(Admitted::new(identity, None))
//!     }
//! }
//!
//! # fn main() -> sp_sync::Result<()> {
//! let (account, service) = ("AC00000000000000000000000000000000", "IS00000000000000000000000000000000");
//! let service = Service::builder(account, service, Memory::new(), Trusting).build()?;
//! let application: axum::Router = axum::Router::new().merge(server::router(&service));
//! # drop(application);
//! # Ok(())
//! # }
//! ```
//!
//! How a request travels: a socket's message goes to the connection's session, which hands over a request; the request
//! goes to the task of its document, which writes to the backend; the answer goes into the author's queue, and after it
//! a notification into the queue of every other subscriber.
//!
//! How to run one as a process is told in [`running_it`].
//!
//! The server keeps nothing that another server on the same backend could not find out: SIDs are derived from names,
//! revisions and event ids are the backend's. So any number of servers may stand before one backend, and a client that
//! comes back, to whichever of them, is told what it missed.

#[cfg(doc)]
#[doc = include_str!("../../docs/server.md")]
pub mod running_it {}

mod access;
mod answer;
mod clock;
mod connection;
mod counters;
mod document;
mod durations;
mod files;
mod limits;
mod names;
mod operations;
mod pace;
mod queues;
mod request;
mod rest;
mod rights;
mod running;
mod seeking;
mod service;
mod sockets;
mod sweeping;
mod tokens;
mod trace;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;

pub use access::{Access, Admitted, Everything, Gatekeeper, Nobody, Permissions, Refusal};
pub use counters::{Count, Counters};
pub use durations::Durations;
pub use files::{FileError, Keys, TokenDigest, Users};
pub use limits::Limits;
pub use operations::{Operations, Timed};
pub use rest::Rest;
pub use service::{Builder, Service};
pub use sockets::{Serve, Tls, TlsError};
pub use tokens::{Attempts, Denied, JwtGatekeeper, TokenEndpoint, TokenPolicy, TokenRequest};

use crate::limits::{SERVER_READ_BUFFER_BYTES, SERVER_WRITE_BUFFER_BYTES, TWILSOCK_HEADER_BYTES_MAX};

/// Serves the routes of a service, and nothing else, until [`Service::shut_down`], as [`Serve`] does by default.
pub async fn serve(service: &Service, listener: TcpListener) {
    let mut closing = service.core.running.closing();
    let closed = async move { drop(closing.wait_for(|closing| *closing).await) };
    Serve::new().run(listener, router(service), closed).await;
}

/// The routes of a service, to be served alone or within an application of one's own: `/v3/wsconnect`, where the SDKs
/// connect. Sockets must have `TCP_NODELAY` set, as [`serve`] sets it, or every answer that follows another waits 40 ms.
pub fn router(service: &Service) -> Router {
    Router::new().route("/v3/wsconnect", get(connect)).with_state(service.clone())
}

async fn connect(State(service): State<Service>, peer: answer::Peer, upgrade: WebSocketUpgrade) -> Response {
    let core = service.core;
    let limits = &core.limits;
    // A few above the limit are let in so far that they can be told when to come back.
    let Some(place) = core.running.enter(limits.connections_max + limits.connections_max / 8 + 1) else {
        trace::full(peer.address, limits.connections_max);
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    // A frame that is somewhat too large is answered by the session.
    let message_max = limits.session.frame_bytes_max + TWILSOCK_HEADER_BYTES_MAX;
    upgrade
        .read_buffer_size(SERVER_READ_BUFFER_BYTES)
        .write_buffer_size(SERVER_WRITE_BUFFER_BYTES)
        .max_message_size(message_max)
        .max_frame_size(message_max)
        .on_upgrade(move |socket| connection::serve(core, socket, peer.address, place))
}
