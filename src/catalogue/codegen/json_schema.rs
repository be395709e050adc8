//! JSON Schema 2020-12 of the objects as they lie in the document.

use serde_json::{Map, Value, json};

use super::shared_enums;
use crate::catalogue::{
    Catalogue,
    model::{ActionType, Field, FieldType},
    value::MAX_INT,
};

/// `$defs` holds `<action>` for each action, `<action>.response` for each response, `type.<name>` for each shared
/// enum and `bookkeeping` for `_sp`. The schema itself accepts any action and any response: an array's element.
pub(super) fn write(catalogue: &Catalogue) -> String {
    let mut defs = Map::new();
    for shared in shared_enums(catalogue) {
        let name = shared.name.clone().unwrap_or_default();
        defs.insert(format!("type.{name}"), json!({ "description": shared.doc, "enum": shared.values }));
    }
    let doc = "Bookkeeping between clients. Readers that do not know it pass over it.";
    defs.insert("bookkeeping".to_owned(), json!({ "description": doc, "type": "object" }));
    let executors: Vec<&str> = catalogue.executors().map(|executor| executor.name.as_str()).collect();
    let mut any = Vec::new();
    for action in catalogue.actions() {
        any.push(json!({ "$ref": format!("#/$defs/{}", action.name) }));
        defs.insert(action.name.clone(), action_schema(action, &executors));
        if let Some(fields) = &action.response {
            let name = format!("{}.response", action.name);
            any.push(json!({ "$ref": format!("#/$defs/{name}") }));
            defs.insert(name, response_schema(action, fields, &executors));
        }
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{} {}", catalogue.name(), catalogue.version()),
        "anyOf": any,
        "$defs": defs,
    });
    format!("{schema:#}\n")
}

fn action_schema(action: &ActionType, executors: &[&str]) -> Value {
    let mut properties = Map::new();
    properties.insert("action".to_owned(), json!({ "const": action.name }));
    properties.insert("executor".to_owned(), json!({ "const": action.executor }));
    properties.insert("respondTo".to_owned(), json!({ "enum": executors }));
    object_schema(&action.doc, properties, &action.fields, action.extra_fields)
}

/// A response carries its request's name, and the requester as executor.
fn response_schema(action: &ActionType, fields: &[Field], executors: &[&str]) -> Value {
    let mut properties = Map::new();
    properties.insert("action".to_owned(), json!({ "const": action.name }));
    properties.insert("executor".to_owned(), json!({ "enum": executors }));
    object_schema(&format!("Response to {}.", action.name), properties, fields, false)
}

fn object_schema(doc: &str, mut properties: Map<String, Value>, fields: &[Field], extra: bool) -> Value {
    properties.insert("_sp".to_owned(), json!({ "$ref": "#/$defs/bookkeeping" }));
    let mut required = vec!["action", "executor"];
    for field in fields {
        properties.insert(field.name.clone(), field_schema(field));
        if field.is_required() {
            required.push(&field.name);
        }
    }
    json!({
        "description": doc,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": extra,
    })
}

fn field_schema(field: &Field) -> Value {
    let mut schema = type_schema(&field.kind);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), Value::from(field.doc.as_str()));
        if let Some(value) = field.default() {
            object.insert("default".to_owned(), value.clone());
        }
    }
    schema
}

fn type_schema(kind: &FieldType) -> Value {
    let mut schema = match kind {
        FieldType::String { max_len } => json!({ "type": "string", "maxLength": max_len }),
        FieldType::Bool => json!({ "type": "boolean" }),
        FieldType::Int { min, max } => json!({
            "type": "integer",
            "minimum": min.unwrap_or(-MAX_INT),
            "maximum": max.unwrap_or(MAX_INT),
        }),
        FieldType::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        FieldType::Url { max_len } => json!({
            "type": "string",
            "format": "uri",
            "pattern": "^[A-Za-z][A-Za-z0-9+.-]*:",
            "maxLength": max_len,
        }),
        FieldType::Timestamp => json!({ "type": "string", "format": "date-time" }),
        FieldType::Enum(of) => match &of.name {
            Some(name) => json!({ "$ref": format!("#/$defs/type.{name}") }),
            None => json!({ "enum": of.values }),
        },
        FieldType::Array { items, max_len } => {
            json!({ "type": "array", "items": type_schema(items), "maxItems": max_len })
        }
        FieldType::Object => json!({ "type": "object" }),
    };
    // A limit that is not set has no keyword.
    if let Some(object) = schema.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    schema
}
