//! The catalogue as data for programs in other languages: what a client checks before it sends, and after it received.

use serde_json::{Map, Value, json};

use crate::catalogue::{
    Catalogue,
    model::{ActionType, Field, FieldType, Presence, Repeat},
};

/// Every action with its rule. What is usual is left out.
pub(super) fn by_action(catalogue: &Catalogue) -> impl Iterator<Item = (&str, Value)> {
    catalogue.actions().map(|action| (action.name.as_str(), rule(action)))
}

fn rule(action: &ActionType) -> Value {
    let mut rule = Map::new();
    rule.insert("executor".into(), action.executor.as_str().into());
    if action.repeat == Repeat::AtMostOnce {
        rule.insert("atMostOnce".into(), true.into());
    }
    if let Some(expires) = action.expires {
        rule.insert("expiresMs".into(), milliseconds(expires));
    }
    rule.insert("replyWithinMs".into(), milliseconds(action.reply_within));
    if action.extra_fields {
        rule.insert("extraFields".into(), true.into());
    }
    rule.insert("fields".into(), action.fields.iter().map(field).collect());
    if let Some(response) = &action.response {
        rule.insert("response".into(), response.iter().map(field).collect());
    }
    rule.into()
}

fn milliseconds(duration: std::time::Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}

fn field(field: &Field) -> Value {
    let mut rule = Map::new();
    rule.insert("name".into(), field.name.as_str().into());
    rule.extend(kind(&field.kind));
    match &field.presence {
        Presence::Required => rule.insert("required".into(), true.into()),
        Presence::Default(value) => rule.insert("default".into(), value.clone()),
        Presence::Optional => None,
    };
    if field.sensitive {
        rule.insert("sensitive".into(), true.into());
    }
    rule.into()
}

fn kind(kind: &FieldType) -> Map<String, Value> {
    let (name, limits) = match kind {
        FieldType::String { max_len } => ("string", json!({ "maxLen": max_len })),
        FieldType::Bool => ("bool", json!({})),
        FieldType::Int { min, max } => ("int", json!({ "min": min, "max": max })),
        FieldType::Number { min, max } => ("number", json!({ "min": min, "max": max })),
        FieldType::Url { max_len } => ("url", json!({ "maxLen": max_len })),
        FieldType::Timestamp => ("timestamp", json!({})),
        FieldType::Enum(of) => ("enum", json!({ "values": of.values })),
        FieldType::Array { items, max_len } => {
            ("array", json!({ "items": self::kind(items), "maxLen": max_len }))
        }
        FieldType::Object => ("object", json!({})),
    };
    let mut rule = Map::from_iter([("type".to_owned(), Value::from(name))]);
    if let Value::Object(limits) = limits {
        rule.extend(limits.into_iter().filter(|(_, limit)| !limit.is_null()));
    }
    rule
}
