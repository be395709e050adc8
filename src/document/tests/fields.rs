//! Application data: C12, C13, C32.

use super::*;

fn object(value: Value) -> Arc<Map<String, Value>> {
    Arc::new(value.as_object().unwrap().clone())
}

fn text_after(before: &str, operation: Operation) -> String {
    let before = Document::from_json(before).unwrap();
    let mut plain = writer("me#1", 1);
    plain.plain = true;
    let applied = apply(&before, &plain, &Rules::default(), &[operation]);
    assert!(applied.outcomes[0].is_ok());
    applied.document.unwrap().to_json().to_string()
}

#[test]
fn set_replaces_the_keys_given_and_keeps_the_others_in_place() {
    let before = r#"{"b":1,"xActions":[{"action":"a"}],"a":{"z":1,"y":[1.5,null]},"n":9007199254740992}"#;
    assert_eq!(
        text_after(before, Operation::Merge(object(json!({ "a": null, "c": "ü" })))),
        r#"{"b":1,"xActions":[{"action":"a"}],"a":null,"n":9007199254740992,"c":"ü"}"#
    );
}

#[test]
fn unset_removes_keys_and_keeps_the_order_of_the_others() {
    let keys = vec!["a".to_owned(), "missing".to_owned()];
    assert_eq!(text_after(r#"{"a":1,"b":2,"c":3}"#, Operation::Unset(keys)), r#"{"b":2,"c":3}"#);
}

#[test]
fn replace_keeps_arrays_and_bookkeeping() {
    let before =
        json!({ "a": 1, "xActions": [act("a")], "yActions": 5, "b": 2, "_sp": { "v": 1, "kept": 1 } });
    let (after, _) = one(before, Operation::Replace(object(json!({ "c": 3 }))));
    assert_eq!(after, json!({ "c": 3, "xActions": [act("a")], "yActions": 5, "_sp": { "v": 1, "kept": 1 } }));
}

/// The document seen may be old: what is already so there may have been changed since, and the last word counts.
#[test]
fn what_is_already_so_is_written_all_the_same() {
    let operations = [
        Operation::Merge(object(json!({ "a": 1 }))),
        Operation::Merge(object(json!({}))),
        Operation::Unset(vec!["b".into()]),
        Operation::Replace(object(json!({ "a": 1 }))),
    ];
    for operation in operations {
        let (after, outcome) = one(json!({ "a": 1 }), operation);
        assert_eq!((after, outcome.unwrap()), (json!({ "a": 1, "_sp": { "v": 1 } }), Outcome::Done));
    }
    nothing(json!({ "a": 1 }), Operation::Enqueue(vec![]), &Outcome::Nothing);
}

#[test]
fn reserved_keys_are_refused_and_the_rest_of_the_write_goes_on() {
    let data = || object(json!({ "good": 1, "newActions": [] }));
    let refused = [
        Operation::Merge(data()),
        Operation::Replace(data()),
        Operation::Merge(object(json!({ "_sp": 1 }))),
        Operation::Unset(vec!["_sp".into()]),
    ];
    for operation in refused {
        let next = Operation::Merge(object(json!({ "b": 2 })));
        let (after, outcomes) = apply_with(&Rules::default(), &json!({ "a": 1 }), "me#1", &[operation, next]);
        assert!(matches!(outcomes[0], Err(Error::Reserved { .. })));
        assert_eq!(after, json!({ "a": 1, "b": 2, "_sp": { "v": 1, "w": [["1", 1]] } }));
    }
    assert!(matches!(Document::with_fields("initial data", (*data()).clone()), Err(Error::Reserved { .. })));
}

#[test]
fn plain_mode_writes_no_bookkeeping() {
    assert_eq!(
        text_after("{}", Operation::Enqueue(vec![("x".into(), item(json!({ "action": "a" })))])),
        r#"{"xActions":[{"action":"a"}]}"#
    );
    assert_eq!(text_after(r#"{"xActions":[{"action":"a"}]}"#, take("x")), r#"{"xActions":[]}"#);
    let done = answer("a", "y", json!({ "action": "a" }));
    assert_eq!(text_after("{}", done), r#"{"yActions":[{"action":"a"}]}"#);
}
