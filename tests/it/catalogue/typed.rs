//! Actions that the compiler checks.

use serde_json::{Value, json};
use sp_sync::{
    ActionTypes, Catalogue, Error, TypedAction, TypedRequest, catalogue::typed, extension, onboarding,
};

use super::{build, object};

/// What a client does with a typed action.
fn sent<A: TypedAction>(action: A) -> (String, Value) {
    let built = Catalogue::proctoring().build_info(A::ACTION, action.into_info(), 0).unwrap();
    assert_eq!(built.executor(), A::EXECUTOR);
    (built.action.name.clone(), Value::Object(built.fields))
}

#[test]
fn struct_literals_work_as_in_the_guide() {
    let (name, fields) = sent(extension::StopSession { redirect_url: None });
    assert_eq!((name.as_str(), fields), (ActionTypes::extension::STOP_SESSION, json!({})));
    sent(extension::InjectPassword {});
    let text = onboarding::ShowNotice {
        severity: Some(onboarding::Severity::Warning),
        ..onboarding::ShowNotice::new("Wait")
    };
    let (_, fields) = sent(text);
    assert_eq!(fields, json!({ "text": "Wait", "severity": "warning", "dismissible": true }));
}

#[test]
fn a_typed_action_and_a_named_one_are_the_same_on_the_wire() {
    let (_, typed) =
        sent(extension::OpenExam { exam_url: "https://a.example".to_owned(), new_window: Some(true) });
    let named = build("openExam", json!({ "examURL": "https://a.example", "newWindow": true })).unwrap();
    assert_eq!(typed, Value::Object(named.fields));
}

#[test]
fn a_request_names_the_type_of_its_response() {
    fn response_of<R: TypedRequest>(_: R, wire: Value) -> R::Response {
        typed::decode(R::ACTION, object(wire)).unwrap()
    }
    let answer = response_of(extension::GetDisplayCount {}, json!({ "displayCount": 2, "later": "field" }));
    assert_eq!(answer.display_count, 2);
    // A peer in JavaScript has only one type of number; null counts as absent.
    let wire = json!({ "cpuCores": 8.0, "memoryMB": 16384, "batteryPercent": null });
    let answer = response_of(extension::GetSystemInfo {}, wire);
    assert_eq!((answer.cpu_cores, answer.battery_percent), (8, None));
}

#[test]
fn what_does_not_decode_is_told_without_its_value() {
    // C64
    for fields in [json!({ "displayCount": "s3cr3t, expected s3cr3t" }), json!({ "displayCount": 1.5 })] {
        let error =
            typed::decode::<extension::GetDisplayCountResponse>("response", object(fields)).unwrap_err();
        let Error::Decode { what, why } = &error else { panic!("{error:?}") };
        assert_eq!((what.as_str(), why.as_str()), ("field `displayCount` of response", "it should be i64"));
        assert!(!format!("{error:?}").contains("s3cr3t"));
    }
    let error =
        typed::decode::<extension::GetDisplayCountResponse>("response", object(json!({}))).unwrap_err();
    assert_eq!(error.to_string(), "response does not fit the type asked for: missing field `displayCount`");
    let unknown = json!({ "step": "s3cr3t" });
    let error = typed::decode::<onboarding::GoToStep>("action", object(unknown)).unwrap_err();
    assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
}

#[test]
fn a_handler_can_match_on_types() {
    let received = |name, fields| extension::Action::from_fields(name, object(fields));
    match received("openExam", json!({ "examURL": "https://a.example", "newWindow": false })).unwrap() {
        extension::Action::OpenExam(action) => assert_eq!(action.new_window, Some(false)),
        other => panic!("{other:?}"),
    }
    assert_eq!(received("beginExam", json!({})).unwrap(), extension::Action::Unknown);
    assert!(matches!(received("openExam", json!({})), Err(Error::Decode { .. })));
}

#[test]
fn every_action_of_the_catalogue_can_be_read_back() {
    for executor in Catalogue::proctoring().executors() {
        assert!(["extension", "onboarding"].contains(&executor.name.as_str()));
    }
    assert_eq!((extension::EXECUTOR, onboarding::EXECUTOR), ("extension", "onboarding"));
    assert_eq!(ActionTypes::onboarding::REQUEST_ROOM_SCAN, "requestRoomScan");
}
