//! What a caller gives is checked alike in both languages, from one catalogue.

use serde_json::{Map, Value, json};
use sp_sync::{Catalogue, Error};

use super::compiled;
use crate::server::puppet::Puppet;

/// The kind of an error, and the field it names.
fn kind(error: &Error) -> (&'static str, Option<&str>) {
    match error {
        Error::UnknownAction { .. } => ("UnknownAction", None),
        Error::UnknownExecutor { .. } => ("UnknownExecutor", None),
        Error::MissingField { field, .. } => ("MissingField", Some(field)),
        Error::UnknownField { field, .. } => ("UnknownField", Some(field)),
        Error::WrongType { field, .. } => ("WrongType", Some(field)),
        Error::OutOfRange { field, .. } => ("OutOfRange", Some(field)),
        Error::Reserved { .. } => ("Reserved", None),
        other => panic!("{other:?}"),
    }
}

fn rust(name: &str, info: &Map<String, Value>, response: bool) -> Result<Map<String, Value>, Error> {
    if response {
        return Catalogue::proctoring().build_response(name, info.clone());
    }
    let built = Catalogue::proctoring().build_info(name, info.clone(), None)?;
    let mut action = Map::new();
    action.insert("action".into(), name.into());
    action.insert("executor".into(), built.executor().into());
    action.extend(built.respond_to.clone().map(|respond_to| ("respondTo".into(), respond_to.into())));
    action.extend(built.fields);
    Ok(action)
}

/// Values that fit some field, and values that fit none.
fn values() -> Vec<Value> {
    let texts = [
        "",
        "live",
        "info",
        "welcome",
        "x",
        "https://example.com/a?b=%20#c",
        "http:/x",
        "https://",
        "mailto:a@b",
        "javascript:alert(1)",
        "https://ex ample.com/",
        "https://u@h:99999/",
        "https://[::1]:80/",
        "file:///a",
        "2026-01-31T09:30:00Z",
        "2026-02-29T00:00:00Z",
        "2024-02-29T23:59:60+00:00",
        "2026-01-31T09:30:60Z",
        "2026-01-31t09:30:00z",
        "2026-01-31T09:30:00.5-23:59",
        "2026-01-31T24:00:00Z",
    ];
    let long = ["é🙂".repeat(2_100), "y".repeat(70)].map(Value::from);
    let others = [
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(9_007_199_254_740_992_u64),
        json!(1_000_000),
        json!({}),
        json!({ "a": [1] }),
        json!([]),
        json!(["x", "y"]),
        json!([1]),
        json!([{ "id": "a" }]),
        Value::Null,
    ];
    texts.map(Value::from).into_iter().chain(long).chain(others).collect()
}

/// C24–C27, C53: every field of every action and response with every value, and what no action may be given.
#[tokio::test]
async fn the_same_is_refused_and_the_same_is_written() {
    let Some(mut node) = compiled().and_then(|folder| Puppet::running("heart.cjs", Some(&folder))) else {
        return;
    };
    let (mut taken, mut refused) = (0, 0);
    let mut cases: Vec<(String, Map<String, Value>, bool)> = Vec::new();
    let catalogue = Catalogue::proctoring();
    for action in catalogue.actions() {
        for response in [false, true] {
            let fields = if response { action.response_fields() } else { &action.fields };
            // A value for each mandatory field that fits, so that the one in question decides.
            let base: Map<String, Value> = fields
                .iter()
                .filter(|field| field.is_required())
                .filter_map(|field| {
                    let fits = |value: &Value| {
                        let alone = Map::from_iter([(field.name.clone(), value.clone())]);
                        let result = rust(&action.name, &alone, response);
                        !matches!(result, Err(Error::WrongType { .. } | Error::OutOfRange { .. }))
                    };
                    values()
                        .into_iter()
                        .rev()
                        .find(|value| !value.is_null() && fits(value))
                        .map(|value| (field.name.clone(), value))
                })
                .collect();
            cases.push((action.name.clone(), base.clone(), response));
            for (field, value) in
                fields.iter().flat_map(|field| values().into_iter().map(move |value| (field, value)))
            {
                let mut info = base.clone();
                info.insert(field.name.clone(), value);
                cases.push((action.name.clone(), info, response));
            }
            for (key, value) in [
                ("respondTo", json!("onboarding")),
                ("respondTo", json!("nobody")),
                ("respondTo", json!(1)),
                ("action", json!("x")),
                ("_sp", json!({})),
                ("constructor", json!(1)),
                ("own", json!(1)),
                ("own", Value::Null),
            ] {
                let mut info = base.clone();
                info.insert(key.into(), value);
                cases.push((action.name.clone(), info, response));
            }
        }
    }
    cases.push(("toString".into(), Map::new(), false));
    for (name, info, response) in cases {
        let told = node.tell("check", json!({ "name": name, "info": info, "response": response })).await;
        match rust(&name, &info, response) {
            Ok(written) => {
                taken += 1;
                let is = if response { &told["fields"] } else { &told["action"] };
                assert_eq!(is.to_string(), Value::from(written).to_string(), "{name} {info:?}: {told}");
            }
            Err(error) => {
                refused += 1;
                let (kind, field) = kind(&error);
                assert_eq!(told["refused"], kind, "{name} {info:?}: {error}, {told}");
                assert!(field.is_none_or(|field| told["field"] == field), "{name} {info:?}: {error}, {told}");
            }
        }
    }
    assert!(taken > 300 && refused > 1_000, "{taken} taken, {refused} refused");
}
