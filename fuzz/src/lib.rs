//! What the targets call: the checks of the main package's tests.

#[path = "../../tests/it/corpus/checks.rs"]
pub mod checks;
#[path = "../../tests/it/corpus/wire.rs"]
pub mod wire;
