//! What is checked before an action is sent (C24–C27), and what is laid over what.

use serde_json::{Map, Value, json};
use sp_sync::{Catalogue, Error, extension};

use super::{build, object, refused};

#[test]
fn a_bare_stop_session_has_no_fields() {
    // Contract section 5: an optional field without default is absent from the wire.
    let built = build("stopSession", json!({})).unwrap();
    assert_eq!((built.executor(), built.fields.len(), &built.respond_to), ("extension", 0, &None));
}

#[test]
fn defaults_are_written_out_in_the_order_of_the_catalogue() {
    // 1.2
    let built = build("showMessage", json!({ "requireAck": true, "text": "hello" })).unwrap();
    let written = Value::Object(built.fields).to_string();
    assert_eq!(written, r#"{"text":"hello","severity":"info","requireAck":true}"#);
}

#[test]
fn a_missing_mandatory_field_is_named_with_its_action_and_place() {
    // C24, C25
    for info in [json!({}), json!({ "examURL": null })] {
        match build("openExam", info) {
            Err(Error::MissingField { action, field, index }) => {
                assert_eq!((action.as_str(), field.as_str(), index), ("openExam", "examURL", Some(3)));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn null_counts_as_absent_so_the_default_applies() {
    // C25
    let built = build("checkNetwork", json!({ "seconds": null, "respondTo": null })).unwrap();
    assert_eq!(Value::Object(built.fields), json!({ "seconds": 5 }));
}

#[test]
fn an_unknown_action_is_refused_with_the_nearest_name() {
    // C26
    let message = refused("openexam", json!({}));
    assert!(message.contains("did you mean `openExam`"), "{message}");
    assert!(!refused("somethingElseEntirely", json!({})).contains("did you mean"));
    assert!(refused(&"x".repeat(100_000), json!({})).len() < 300);
}

#[test]
fn an_unknown_field_is_refused_with_those_that_exist() {
    // C26
    let message = refused("openExam", json!({ "examURL": "https://a.example/", "newwindow": true }));
    assert!(message.contains("`examURL`, `newWindow` (did you mean `newWindow`?)"), "{message}");
    assert!(refused("releaseLockdown", json!({ "x": 1 })).contains("it has no fields"));
    // A name as long as a document is not repeated.
    assert!(refused("releaseLockdown", json!({ "x".repeat(100_000): 1 })).len() < 300);
}

#[test]
fn a_value_of_another_type_is_refused() {
    // C26
    for (action, info, field, expected, found) in [
        ("openExam", json!({ "examURL": 7 }), "examURL", "a string with an absolute URL", "a number"),
        ("checkNetwork", json!({ "seconds": 3.0 }), "seconds", "an integer", "a number with a decimal point"),
        ("checkNetwork", json!({ "seconds": "3" }), "seconds", "an integer", "a string"),
        ("clearBrowsingData", json!({ "cache": 1 }), "cache", "a boolean", "a number"),
        ("showNotice", json!({ "text": [] }), "text", "a string", "an array"),
        ("closeBlockedApps", json!({ "apps": ["a", {}] }), "apps[1]", "a string", "an object"),
        ("closeBlockedApps", json!({ "apps": {} }), "apps", "an array (a string each)", "an object"),
        (
            "goToStep",
            json!({ "step": false, "respondTo": 1 }),
            "respondTo",
            "the name of an executor",
            "a number",
        ),
    ] {
        match build(action, info) {
            Err(Error::WrongType { field: at, expected: wanted, found: met, index: Some(3), .. }) => {
                assert_eq!((at.as_str(), wanted.as_str(), met), (field, expected, found));
            }
            other => panic!("{action}: {other:?}"),
        }
    }
}

#[test]
fn a_value_outside_its_limits_is_refused() {
    // C26
    for (action, info, limit) in [
        ("checkNetwork", json!({ "seconds": 0 }), "at least 1"),
        ("checkNetwork", json!({ "seconds": 31 }), "at most 30"),
        ("checkNetwork", json!({ "seconds": u64::MAX }), "at most 30"),
        ("setQueuePosition", json!({ "position": (1_i64 << 53) + 1 }), "at most 9007199254740992"),
        ("showNotice", json!({ "text": "x".repeat(501) }), "at most 500 characters"),
        ("showNotice", json!({ "text": "a", "severity": "loud" }), "one of `info`, `warning`, `critical`"),
        ("applyLockdown", json!({ "allowedURLs": vec!["x"; 51] }), "at most 50 items"),
        ("openExam", json!({ "examURL": "exam.html" }), "an absolute URL"),
        ("openExam", json!({ "examURL": "JavaScript:alert(1)" }), "an absolute URL"),
    ] {
        match build(action, info) {
            Err(Error::OutOfRange { limit: met, .. }) => assert!(met.contains(limit), "{met}"),
            other => panic!("{action}: {other:?}"),
        }
    }
}

#[test]
fn length_is_counted_in_characters_not_bytes() {
    // C26: max_len counts Unicode scalar values.
    assert!(build("showNotice", json!({ "text": "é".repeat(500) })).is_ok());
    assert!(build("showNotice", json!({ "text": "é".repeat(501) })).is_err());
}

#[test]
fn respond_to_is_taken_from_info_and_must_be_an_executor() {
    // C26, C27
    let built = build("getDisplayCount", json!({ "respondTo": "onboarding" })).unwrap();
    assert_eq!((built.respond_to.as_deref(), built.fields.len()), (Some("onboarding"), 0));
    match build("getDisplayCount", json!({ "respondTo": "onbording" })) {
        Err(Error::UnknownExecutor { executor, known }) => {
            assert_eq!((executor.as_str(), known.as_str()), ("onbording", "`extension`, `onboarding`"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_of_the_protocol_are_refused_even_as_null() {
    // C27
    for key in ["action", "executor", "_sp", "__proto__", "constructor", "prototype"] {
        for value in [json!("x"), Value::Null] {
            match build("stopSession", json!({ key: value })) {
                Err(Error::Reserved { key: met, what, .. }) => {
                    assert_eq!((met.as_str(), what.as_str()), (key, "info of stopSession (index 3)"));
                }
                other => panic!("{key}: {other:?}"),
            }
        }
    }
}

#[test]
fn urls_are_absolute_and_without_script() {
    let accepts = |url: &str| build("openExam", json!({ "examURL": url })).is_ok();
    for good in [
        "https://app.example.com/#/automated/end-session",
        "http://user:pw@127.0.0.1:8080/a%20b?c=d&e=%C3%A4#f?g",
        "wss://[2001:db8::1]:443",
        "https://[::1]",
        "file:///tmp/a.pdf",
        "mailto:proctor@example.com",
        "custom-app+x.1:open/this",
        "data:image/png;base64,AAAA",
    ] {
        assert!(accepts(good), "{good}");
    }
    for bad in [
        "",
        ":",
        "//example.com",
        "/exam",
        "https:",
        "https:/exam",
        "https://",
        "https:///exam",
        "https://?x",
        "https://a b.example",
        "https://a.example/ä",
        "https://a.example/%2",
        "https://a.example/%zz",
        "https://a.example:99999",
        "https://a.example:8x",
        "https://[::1",
        "https://[zz]",
        "https://[::1]8",
        "https://a.example/#a#b",
        "https://a.example/[x]",
        "1https://a.example",
        "https://a.example\n",
        "javascript:alert(1)",
        "vbscript:x",
        "https://a.example/\u{0}",
        "https://:80/",
        "ht tp://a",
    ] {
        assert!(!accepts(bad), "{bad:?}");
    }
}

#[test]
fn an_error_and_a_debug_text_never_contain_a_sensitive_value() {
    // C64
    let secret = "s3cr3t-value";
    for info in [
        json!({ "roomURL": secret, "token": "t" }),
        json!({ "roomURL": "wss://a.example", "token": [secret] }),
        json!({ "roomURL": "wss://a.example", "token": secret, "allowChat": secret }),
        json!({ "roomURL": "wss://a.example", "token": secret.repeat(400) }),
    ] {
        let error = build("joinCall", info).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret));
    }
    let built = build("joinCall", json!({ "roomURL": "wss://a.example", "token": secret })).unwrap();
    assert!(!format!("{built:?}").contains(secret));
    let typed = extension::JoinCall::new("wss://a.example", secret);
    assert!(!format!("{typed:?}").contains(secret));
    assert!(format!("{typed:?}").contains("[redacted]"));
}

#[test]
fn redacting_hides_what_is_sensitive_and_nothing_else() {
    // C64
    let catalogue = Catalogue::proctoring();
    let action = catalogue.action("connectSecondCamera").unwrap();
    assert_eq!(action.sensitive_fields().collect::<Vec<_>>(), ["linkCode"]);
    let mut wire = object(json!({
        "action": "connectSecondCamera", "executor": "onboarding", "linkURL": "https://a.example", "linkCode": "42",
    }));
    catalogue.redact(&mut wire);
    assert_eq!(wire["linkCode"], "[redacted]");
    assert_eq!(wire["linkURL"], "https://a.example");
}

#[test]
fn a_catalogue_is_cheap_to_share() {
    fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    is_shared(Catalogue::proctoring());
    is_shared(&build("ping", json!({})).unwrap());
}

#[test]
fn executors_follow_the_naming_rule() {
    // C19
    let names: Vec<_> = Catalogue::proctoring().executors().flat_map(|e| [e.array(), e.event()]).collect();
    let [array, event] = ["extensionActions", "extensionActionsAdded"];
    assert_eq!(names, [array, event, "onboardingActions", "onboardingActionsAdded"]);
}

#[test]
fn a_misspelt_mandatory_field_is_told_as_such() {
    // C24, C26
    let error = build("openExam", json!({ "examUrl": "https://exam.example.com/" })).unwrap_err().to_string();
    assert!(
        error.contains("there is no field `examUrl`") && error.contains("did you mean `examURL`?"),
        "{error}"
    );
    let error =
        Catalogue::proctoring().build_info("extension.openExam", Map::new(), None).unwrap_err().to_string();
    assert_eq!(error, "the catalogue has no action `extension.openExam` (did you mean `openExam`?)");
    let error = Catalogue::proctoring().build_info("openTheDoor", Map::new(), None).unwrap_err().to_string();
    assert!(error.contains("it is the catalogue `"), "{error}");
}
