//! A catalogue of a user's own: what is generated for it compiles outside of this crate, whatever its names.

use serde_json::{Value, json};
use sp_sync::{
    TypedAction, TypedRequest,
    catalogue::{
        Catalogue,
        codegen::{Language, Options, generate},
        typed,
    },
};

use super::{generated::is_fresh, object};

// As a build script's output would be included. Nothing but `sp_sync` is in scope here.
mod types {
    include!("own_types.rs");
}

use types::{Option_ as Choice, self_ as me, r#type as door};

fn catalogue() -> Catalogue {
    Catalogue::from_toml_str(include_str!("own.toml")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_generated_file_is_fresh() {
    let command = "UPDATE_GENERATED=1 cargo test --all-features --test it own";
    let options = Options::default().with_regenerate(command);
    is_fresh("tests/it/catalogue/own_types.rs", &generate(&catalogue(), Language::Rust, &options));
}

#[test]
fn the_generated_file_carries_the_catalogue() {
    let (file, carried) = (catalogue(), types::catalogue());
    assert!(file.actions().eq(carried.actions()) && file.executors().eq(carried.executors()));
    assert_eq!((carried.name(), carried.version()), (file.name(), file.version()));
}

#[test]
fn extra_fields_travel_but_never_replace_those_of_the_catalogue() {
    // C26: unless that action allows extra fields.
    let extra = object(json!({ "mine": 1, "type": "none", "also": null }));
    let action = door::Option_ {
        extra_fields_: extra,
        pin: Some("1234".to_owned()),
        ..door::Option_::new(Choice::Some)
    };
    let built = catalogue().build_info(door::Option_::ACTION, action.into_info(), 0).unwrap();
    let expected = json!({
        "type": "some", "self": ["some", "3d"], "extraFields": { "a": 1, "b": [true, 1.5, "x"], "c": {} }, "pin": "1234",
        "ratio": 1, "times": [], "mine": 1,
    });
    assert_eq!(Value::Object(built.fields).to_string(), expected.to_string());
    let reserved = catalogue().build_info("option", object(json!({ "type": "some", "__proto__": 1 })), 0);
    assert!(matches!(reserved, Err(sp_sync::Error::Reserved { .. })));
}

#[test]
fn extra_fields_are_read_back() {
    let wire = object(json!({ "type": "\"quoted\" */", "mine": { "deep": 1.0 }, "examUrl": "x:y" }));
    let door::Action::Option_(action) = door::Action::from_fields("option", wire).unwrap() else { panic!() };
    assert_eq!(action.r#type.as_str(), "\"quoted\" */");
    assert_eq!((action.exam_url, action.exam_url_.as_deref()), (None, Some("x:y")));
    assert_eq!(Value::Object(action.extra_fields_), json!({ "mine": { "deep": 1.0 } }));
}

#[test]
fn sensitive_fields_are_hidden_by_debug() {
    // C64
    let action = door::Option_ { pin: Some("1234".to_owned()), ..door::Option_::new(Choice::V3d) };
    assert!(!format!("{action:?}").contains("1234"));
    let seen = Some(object(json!({ "a": "1234" })));
    let response =
        door::OptionResponse_ { seen, ..door::OptionResponse_::new(vec![door::OptionResponseKind::X_]) };
    assert!(!format!("{response:?}").contains("1234"));
    assert_eq!(response.kind[0].as_str(), "X");
}

#[test]
fn names_that_clash_are_told_apart() {
    fn responds<R: TypedRequest>(_: R) -> R::Response {
        typed::decode("response", object(json!({}))).unwrap()
    }
    let _: door::OptionResponseResponse = responds(door::OptionResponse {});
    let _ = door::OptionKind::new(true);
    let action = me::Action_ { objects: Some(vec![object(json!({ "a": 1 }))]), ..me::Action_::new("", -5) };
    assert_eq!(Value::Object(action.into_info()), json!({ "info": "", "f": -5, "objects": [{ "a": 1 }] }));
    assert!(matches!(me::Action::from_fields("unknown", object(json!({}))), Ok(me::Action::Unknown_(_))));
    assert!(matches!(me::Action::from_fields("other", object(json!({}))), Ok(me::Action::Unknown)));
    assert_eq!((types::ActionTypes::self_::ACTION, me::EXECUTOR), ("action", "self"));
}
