//! One test binary, a module for each behaviour.

mod claims;
mod plain;
mod responding;
mod support_b;
mod taking;
