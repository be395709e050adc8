//! What each operation does to the JSON, literally.

mod claims;
mod fields;
mod full;
mod handing;
mod queues;
mod reading;
mod resolving;

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::id::ActionId;

fn document(value: Value) -> Document {
    let document = Document::from_json(&value.to_string()).unwrap();
    assert_eq!(document.size_bytes(), document.to_json().len());
    document
}

fn writer(by: &str, number: u64) -> Writer {
    let instance = by.rsplit('#').next().unwrap().into();
    Writer { by: by.into(), instance, number, plain: false }
}

fn item(value: Value) -> Arc<Item> {
    Arc::new(Item::from_value(value))
}

/// An action without anything else.
fn act(id: &str) -> Value {
    json!({ "action": "lockScreen", "executor": "x", "_sp": { "id": id } })
}

fn claim(by: &str, n: u32, id: &str) -> Value {
    json!({ "by": by, "n": n, "t": 0, "a": act(id) })
}

fn id(text: &str) -> ActionId {
    text.into()
}

fn apply_with(
    rules: &Rules,
    before: &Value,
    by: &str,
    operations: &[Operation],
) -> (Value, Vec<Result<Outcome>>) {
    let before = document(before.clone());
    let applied = apply(&before, &writer(by, 1), rules, operations);
    let after = applied.document.unwrap_or(before);
    assert_eq!(after.size_bytes(), after.to_json().len(), "{}", after.to_json());
    (serde_json::from_str(&after.to_json()).unwrap(), applied.outcomes)
}

/// Applies one operation as `me#1`: the next document without the list of writers, and the outcome.
fn one(before: Value, operation: Operation) -> (Value, Result<Outcome>) {
    let (mut after, mut outcomes) = apply_with(&Rules::default(), &before, "me#1", &[operation]);
    if let Some(ledger) = after.get_mut("_sp").and_then(Value::as_object_mut) {
        ledger.remove("w");
    }
    (after, outcomes.remove(0))
}

/// Applies one operation that changes nothing and answers with this.
fn nothing(before: Value, operation: Operation, expected: &Outcome) {
    let applied = apply(&document(before), &writer("me#1", 1), &Rules::default(), &[operation]);
    assert!(applied.document.is_none());
    assert_eq!(applied.outcomes[0].as_ref().unwrap(), expected);
}

fn waiting(ids: &[&str]) -> Value {
    json!({ "xActions": ids.iter().map(|id| act(id)).collect::<Vec<_>>() })
}

fn take(executor: &str) -> Operation {
    Operation::Claim { executor: executor.into(), fresh: "fresh".into(), released: vec![] }
}

fn finish(id: &str) -> Operation {
    Operation::Finish { executor: "x".into(), id: id.into(), response: None }
}

fn answer(id: &str, to: &str, item: Value) -> Operation {
    let response = Response { executor: to.into(), item: Arc::new(Item::from_value(item)) };
    Operation::Finish { executor: "x".into(), id: id.into(), response: Some(response) }
}

fn take_over(before: &Value) -> Operation {
    let mark = document(before.clone()).claims("x")[0].mark();
    Operation::TakeOver { executor: "x".into(), mark }
}

fn claimed(claims: Value) -> Value {
    json!({ "xActions": [], "_sp": { "v": 1, "claims": { "x": claims } } })
}

fn taken(outcome: &Result<Outcome>) -> &Taken {
    match outcome {
        Ok(Outcome::Taken(taken)) => taken,
        other => panic!("{other:?}"),
    }
}
