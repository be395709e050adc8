//! sp-sync (documentation comes with the README).
pub mod catalogue;
mod error;

pub use catalogue::{
    Catalogue,
    typed::{TypedAction, TypedRequest},
    types::{ActionTypes, extension, onboarding},
};
pub use error::{Error, Result, Retry, Source};
