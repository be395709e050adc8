//! model
#![allow(missing_docs)]
mod client;
mod exhaustive;
mod explore;
mod history;
mod simulate;
mod world;
