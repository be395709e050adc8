//! sp-sync (documentation comes with the README).
pub mod catalogue;
mod error;

pub use error::{Error, Result, Retry, Source};
