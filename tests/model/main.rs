//! model
#![allow(missing_docs)]
mod client;
mod exhaustive;
mod explore;
mod history;
mod properties;
mod simulate;
mod world;
