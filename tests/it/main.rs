//! One test binary, a module for each behaviour.

mod catalogue;
#[cfg(feature = "codegen")]
mod node;
