//! One test binary, a module for each behaviour.

mod claims;
mod support_b;
mod taking;
