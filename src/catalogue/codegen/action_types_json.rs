//! The original's ActionTypes object: each action with its defaults, and `null` for what is mandatory.

use serde_json::{Map, Value};

use crate::catalogue::{
    Catalogue,
    model::{ActionType, Presence},
};

pub(super) fn write(catalogue: &Catalogue) -> String {
    format!("{:#}\n", object(catalogue))
}

/// By executor, then by action.
pub(super) fn object(catalogue: &Catalogue) -> Value {
    let of_executor = |name: &str| -> Map<String, Value> {
        catalogue.actions_of(name).map(|action| (action.name.clone(), action_object(action))).collect()
    };
    catalogue.executors().map(|executor| (executor.name.clone(), of_executor(&executor.name))).collect()
}

fn action_object(action: &ActionType) -> Value {
    let mut object = Map::new();
    object.insert("action".to_owned(), Value::from(action.name.as_str()));
    object.insert("executor".to_owned(), Value::from(action.executor.as_str()));
    for field in &action.fields {
        match &field.presence {
            Presence::Required => object.insert(field.name.clone(), Value::Null),
            Presence::Default(value) => object.insert(field.name.clone(), value.clone()),
            Presence::Optional => None,
        };
    }
    Value::Object(object)
}
