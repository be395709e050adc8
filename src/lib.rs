// In the repository the link leads to the file, here to the page made of it: the first definition counts.
#![cfg_attr(doc, doc = "[requirements]: mod@requirements\n")]
#![cfg_attr(all(doc, feature = "server"), doc = "[server]: mod@server::running_it\n")]
// Its programs use `embedded` and `remote`; without these features they are not compiled, and it is shown all the same.
#![cfg_attr(any(all(feature = "embedded", feature = "remote"), not(doctest)), doc = include_str!("../README.md"))]
#![cfg_attr(
    all(doctest, not(all(feature = "embedded", feature = "remote"))),
    doc = "Its programs are compiled with `embedded` and `remote`."
)]
#![deny(missing_docs, unreachable_pub, missing_debug_implementations)]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]
#![deny(clippy::missing_errors_doc, clippy::missing_panics_doc)]
pub mod action;
mod alarm;
pub mod backend;
pub mod catalogue;
pub mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod document;
mod error;
pub mod id;
mod json;
pub mod limits;
mod percent;
#[cfg(doc)]
#[doc = include_str!("../docs/requirements.md")]
pub mod requirements {}
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "remote")]
mod socket;
#[cfg(any(feature = "nats", feature = "remote", feature = "server"))]
#[cfg_attr(
    not(any(feature = "remote", feature = "server")),
    allow(dead_code, unreachable_pub, reason = "part of the wire's messages, which are not compiled then")
)]
mod time;
pub mod token;
// Public for this repository's tests and fuzz targets only: it may change with every version.
#[cfg(any(feature = "remote", feature = "server"))]
#[doc(hidden)]
pub mod twilsock;

pub use action::Action;
pub use catalogue::{
    Catalogue,
    typed::{TypedAction, TypedRequest},
    types::{ActionTypes, extension, onboarding},
};
pub use client::{
    Batch, Delivery, Handlers, Notice, Receipt, Responder, Settings, Snapshot, SyncClient, Update,
};
pub use document::Failure;
pub use error::{Error, Result, Retry, Source};
pub use id::{ActionId, DocumentId, Executor, Identity};
