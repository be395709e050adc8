//! sp-sync (documentation comes with the README).
pub mod action;
pub mod backend;
pub mod catalogue;
pub mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod document;
mod error;
pub mod id;
pub mod limits;
pub mod token;

pub use action::Action;
pub use catalogue::{
    Catalogue,
    typed::{TypedAction, TypedRequest},
    types::{ActionTypes, extension, onboarding},
};
pub use client::{Batch, Delivery, Handlers, Notice, Settings, SyncClient};
pub use document::Failure;
pub use error::{Error, Result, Retry, Source};
pub use id::{ActionId, DocumentId, Executor, Identity};
