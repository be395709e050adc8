//! The action types: checks, reading, comparing, writing.

mod adding;
#[cfg(feature = "cli")]
mod command_line;
mod comparing;
#[cfg(feature = "codegen")]
mod generated;
#[cfg(feature = "toml")]
mod hostile;
#[cfg(feature = "codegen")]
mod own;
mod responding;
#[cfg(feature = "toml")]
mod rules;
#[cfg(feature = "codegen")]
mod schema;
mod typed;
#[cfg(feature = "codegen")]
mod typescript;

use serde_json::{Map, Value};
use sp_sync::{Catalogue, Error, catalogue::BuiltAction};

/// The object of a `json!({…})`.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

/// Builds one action of the built-in catalogue at place 3 of a batch.
fn build(action: &str, info: Value) -> Result<BuiltAction, Error> {
    Catalogue::proctoring().build_info(action, object(info), 3)
}

fn refused(action: &str, info: Value) -> String {
    build(action, info).expect_err("this should be refused").to_string()
}
