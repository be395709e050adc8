//! The JSON Schema agrees with the checks of this crate.

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sp_sync::catalogue::{
    ActionType, Catalogue, Field, FieldType,
    codegen::{Language, Options, generate},
};

fn schema_of(catalogue: &Catalogue) -> Value {
    serde_json::from_str(&generate(catalogue, Language::JsonSchema, &Options::default())).unwrap()
}

/// Validates against one definition of the schema, formats included.
fn validator(schema: &Value, definition: &str) -> Validator {
    let one = json!({ "$ref": format!("#/$defs/{definition}"), "$defs": schema["$defs"] });
    jsonschema::options().should_validate_formats(true).build(&one).unwrap()
}

fn own() -> Catalogue {
    Catalogue::from_toml_str(include_str!("own.toml")).unwrap()
}

/// A value that the type accepts, near its limits.
fn sample(kind: &FieldType) -> Value {
    match kind {
        FieldType::String { max_len } => json!("é".repeat(max_len.unwrap_or(5).min(4096))),
        FieldType::Bool => json!(true),
        FieldType::Int { min, max } => json!(max.or(*min).unwrap_or(-(1 << 53))),
        FieldType::Number { max, .. } => json!(max.unwrap_or(1.5)),
        FieldType::Url { .. } => json!("https://user@example.com:8443/a%20b/?q=1#/end"),
        FieldType::Timestamp => json!("2024-02-29T23:59:59.5+02:00"),
        FieldType::Enum(of) => json!(of.values.last()),
        FieldType::Array { items, max_len } => json!(vec![sample(items); max_len.unwrap_or(3)]),
        FieldType::Object => json!({ "free": [1, null] }),
        other => panic!("no sample for {other:?}"),
    }
}

fn samples(fields: &[Field], wanted: impl Fn(&Field) -> bool) -> Map<String, Value> {
    fields
        .iter()
        .filter(|field| wanted(field))
        .map(|field| (field.name.clone(), sample(&field.kind)))
        .collect()
}

/// The object as it is on the wire.
fn wire(action: &ActionType, executor: &str, fields: Map<String, Value>) -> Value {
    let mut object = Map::new();
    object.insert("action".to_owned(), json!(action.name));
    object.insert("executor".to_owned(), json!(executor));
    object.extend(fields);
    Value::Object(object)
}

/// Values of every JSON type: whatever the field is, most of them do not fit.
fn misfits() -> [Value; 7] {
    [
        json!(null),
        json!(true),
        json!(-1.5e300),
        json!("\u{0}no value of anything"),
        json!([[]]),
        json!({}),
        json!([null]),
    ]
}

#[test]
fn every_action_that_is_accepted_fits_the_schema() {
    for catalogue in [Catalogue::proctoring().clone(), own()] {
        let schema = schema_of(&catalogue);
        let any = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        for action in catalogue.actions() {
            let definition = validator(&schema, &action.name);
            for info in [samples(&action.fields, |_| true), samples(&action.fields, Field::is_required)] {
                let built = catalogue.build_info(&action.name, info, 0).unwrap();
                let mut object = wire(action, &action.executor, built.fields);
                assert!(definition.is_valid(&object), "{object}: {:?}", definition.validate(&object));
                object["respondTo"] = json!(catalogue.executors().next().unwrap().name);
                object["_sp"] = json!({ "id": "c4T1x0Qe" });
                assert!(definition.is_valid(&object) && any.is_valid(&object), "{object}");
            }
        }
    }
}

#[test]
fn every_response_that_is_accepted_fits_the_schema() {
    for catalogue in [Catalogue::proctoring().clone(), own()] {
        let schema = schema_of(&catalogue);
        for action in catalogue.actions().filter(|action| action.answers()) {
            let definition = validator(&schema, &format!("{}.response", action.name));
            let fields = action.response_fields();
            for given in [samples(fields, |_| true), samples(fields, Field::is_required)] {
                catalogue.check_response(&action.name, &given).unwrap();
                let object = wire(action, "self", given.clone());
                let known = catalogue.executor("self").is_some();
                assert_eq!(definition.is_valid(&object), known, "{object}");
                let requester = &catalogue.executors().next().unwrap().name;
                assert!(definition.is_valid(&wire(action, requester, given)));
            }
        }
    }
}

#[test]
fn what_is_changed_is_refused_by_both() {
    for catalogue in [Catalogue::proctoring().clone(), own()] {
        let schema = schema_of(&catalogue);
        for action in catalogue.actions() {
            let definition = validator(&schema, &action.name);
            let info = samples(&action.fields, |_| true);
            let right = wire(action, &action.executor, info.clone());
            let refuse = |object: &Value| assert!(!definition.is_valid(object), "{object}");
            for (key, value) in
                [("action", json!("other")), ("executor", json!("other")), ("respondTo", json!("other"))]
            {
                let mut object = right.clone();
                object[key] = value;
                refuse(&object);
            }
            if !action.extra_fields {
                let mut object = right.clone();
                object["misspelt"] = json!(1);
                refuse(&object);
            }
            for field in &action.fields {
                if field.is_required() {
                    let mut object = right.clone();
                    object.as_object_mut().unwrap().remove(&field.name);
                    refuse(&object);
                }
                for value in misfits() {
                    let mut changed = info.clone();
                    changed.insert(field.name.clone(), value.clone());
                    // Null counts as absent: it never reaches the wire.
                    if !value.is_null() && catalogue.build_info(&action.name, changed.clone(), 0).is_err() {
                        refuse(&wire(action, &action.executor, changed));
                    }
                }
            }
        }
    }
}

/// Texts near to URLs.
fn url() -> impl Strategy<Value = String> {
    "(https?|wss|mailto|file|[a-z+.-]{1,3}):(//)?([a-z]{0,2}@)?([a-z0-9.:%]{0,9}|\\[[0-9a-f:.]{0,9}\\])(:[0-9]{0,6})?[/?#%a-f0-9é|\\[:@!]{0,9}"
}

/// Texts near to RFC 3339 timestamps, in capitals.
fn timestamp() -> impl Strategy<Value = String> {
    "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{0,3})?(Z|[+-][0-2][0-9]:[0-6][0-9])"
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..40_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        url().prop_map(Value::from),
        timestamp().prop_map(Value::from),
        prop::sample::select(vec!["info", "screen", "live", "approved", "headshot", "some"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,3}", inner), 0..4)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// An action and info for it: fields of its own, of others, and anything else.
fn random_call() -> impl Strategy<Value = (String, Map<String, Value>)> {
    let actions: Vec<ActionType> = Catalogue::proctoring().actions().cloned().collect();
    prop::sample::select(actions).prop_flat_map(|action| {
        let names: Vec<String> = action.fields.iter().chain(action.response_fields()).map(|f| f.name.clone()).collect();
        let right = samples(&action.fields, |_| true);
        let name = prop_oneof![
            20 => prop::sample::select(if names.is_empty() { vec!["respondTo".to_owned()] } else { names }),
            1 => prop::sample::select(vec!["respondTo", "_sp", "action", "__proto__"]).prop_map(str::to_owned),
            1 => ".{0,5}",
        ];
        prop::collection::vec((name, json_value()), 0..3).prop_map(move |changes| {
            let mut info = right.clone();
            info.extend(changes);
            (action.name.clone(), info)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// C26: random info never panics, and what is accepted fits the schema.
    #[test]
    fn what_is_accepted_fits_the_schema((name, info) in random_call()) {
        static ALL: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
        thread_local! {
            static MADE: std::cell::RefCell<std::collections::HashMap<String, Validator>> = Default::default();
        }
        let schema = ALL.get_or_init(|| schema_of(Catalogue::proctoring()));
        if let Ok(built) = Catalogue::proctoring().build_info(&name, info, 0) {
            let object = wire(&built.action, built.executor(), built.fields.clone());
            let valid = MADE.with_borrow_mut(|made| {
                made.entry(name.clone()).or_insert_with(|| validator(schema, &name)).is_valid(&object)
            });
            prop_assert!(valid, "{}", object);
        }
    }

    /// What this crate takes for a URL or a timestamp is one by the standards' own checks.
    #[test]
    fn texts_with_a_form_agree_with_the_standards(url in url(), timestamp in timestamp()) {
        thread_local! {
            static FORMS: [Validator; 2] = ["uri", "date-time"].map(|format| {
                jsonschema::options().should_validate_formats(true).build(&json!({ "format": format })).unwrap()
            });
        }
        let catalogue = Catalogue::proctoring();
        let [is_url, is_timestamp] =
            FORMS.with(|[uri, moment]| [uri.is_valid(&json!(url)), moment.is_valid(&json!(timestamp))]);
        if catalogue.build_info("openExam", super::object(json!({ "examURL": url })), 0).is_ok() {
            prop_assert!(is_url, "{}", url);
        }
        let accepted = catalogue.check_response("ping", &super::object(json!({ "receivedAt": timestamp }))).is_ok();
        prop_assert!(accepted == is_timestamp, "{}: {}, the standard says {}", timestamp, accepted, is_timestamp);
    }

    /// C53: the same for responses.
    #[test]
    fn random_responses_never_panic((name, info) in random_call()) {
        if let Ok(built) = Catalogue::proctoring().build_response(&name, info) {
            prop_assert!(Catalogue::proctoring().check_response(&name, &built).is_ok());
            prop_assert!(built.values().all(|value| !value.is_null()));
        }
    }
}
