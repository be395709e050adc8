//! One test binary, a module for each behaviour.

mod catalogue;
mod claims;
#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "codegen")]
mod node;
mod support_b;
mod taking;
