//! One test binary, a module for each behaviour.

mod support_b;
mod taking;
