//! Tokens at the doors: who comes in with one, and who is given one.

mod attempts;
mod endpoint;
mod gatekeeper;
mod policy;

pub use attempts::Attempts;
pub use endpoint::TokenEndpoint;
pub use gatekeeper::JwtGatekeeper;
pub use policy::{Denied, TokenPolicy, TokenRequest};
