//! One test binary, a module for each behaviour.

mod catalogue;
#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "codegen")]
mod node;
