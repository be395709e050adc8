//! One test binary, a module for each behaviour.

mod adding;
mod catalogue;
mod data;
mod events;
mod faults;
mod fidelity;
mod handles;
#[cfg(feature = "codegen")]
mod node;
mod opening;
mod sensitive;
mod support;
mod tokens;
