//! What is checked before a response is posted (C53).

use serde_json::{Value, json};
use sp_sync::{Catalogue, Error};

use super::object;

fn check(action: &str, fields: Value) -> Result<(), Error> {
    Catalogue::proctoring().check_response(action, &object(fields))
}

#[test]
fn a_response_has_its_mandatory_fields_and_no_others() {
    // C53
    assert!(check("getDisplayCount", json!({ "displayCount": 0 })).is_ok());
    for fields in [json!({}), json!({ "displayCount": null })] {
        match check("getDisplayCount", fields) {
            Err(Error::MissingField { action, field, .. }) => {
                assert_eq!((action.as_str(), field.as_str()), ("getDisplayCount", "response.displayCount"));
            }
            other => panic!("{other:?}"),
        }
    }
    let message = check("getDisplayCount", json!({ "displayCount": 0, "count": 1 })).unwrap_err().to_string();
    assert!(message.contains("there is no field `response.count`; it has `displayCount`"), "{message}");
}

#[test]
fn a_response_keeps_types_limits_and_reserved_keys() {
    // C53, C27
    assert!(matches!(check("getDisplayCount", json!({ "displayCount": -1 })), Err(Error::OutOfRange { .. })));
    assert!(matches!(check("getDisplayCount", json!({ "displayCount": "1" })), Err(Error::WrongType { .. })));
    let reserved = check("getDisplayCount", json!({ "displayCount": 1, "_sp": {} }));
    assert!(matches!(reserved, Err(Error::Reserved { .. })));
    assert!(matches!(check("getDisplays", json!({})), Err(Error::UnknownAction { .. })));
}

#[test]
fn an_action_that_does_not_answer_has_an_empty_response() {
    assert!(check("stopSession", json!({})).is_ok());
    assert!(matches!(check("stopSession", json!({ "done": true })), Err(Error::UnknownField { .. })));
}

#[test]
fn a_built_response_is_ordered_and_without_null() {
    let fields = object(json!({ "operatingSystem": "x", "browser": null, "version": "1" }));
    let built = Catalogue::proctoring().build_response("getExtensionInfo", fields).unwrap();
    assert_eq!(Value::Object(built).to_string(), r#"{"version":"1","operatingSystem":"x"}"#);
}

#[test]
fn timestamps_are_days_that_exist() {
    let accepts = |text: &str| check("ping", json!({ "receivedAt": text })).is_ok();
    for good in [
        "2026-11-22T12:50:07Z",
        "2024-02-29T00:00:00.123456789+05:30",
        "2000-02-29T23:59:59-00:00",
        "2016-12-31T23:59:60Z",
        "2017-01-01T00:59:60+01:00",
    ] {
        assert!(accepts(good), "{good}");
    }
    for bad in [
        "",
        "2026-11-22",
        "2026-11-22T12:50:07",
        "2026-11-22 12:50:07Z",
        "2026-11-22T12:50Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00Zx",
        "２026-01-01T00:00:00Z",
        "+026-01-01T00:00:00Z",
        "2026-01-01T00:00:0éZ",
    ] {
        assert!(!accepts(bad), "{bad:?}");
    }
}
