//! The integration tests: one binary, one module per behaviour.

#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "embedded")]
mod embedded;
