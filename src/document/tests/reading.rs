//! Documents that anybody may have written.

use super::*;

/// Contract 1.4, literally.
const EXAMPLE: &str = r##"{
  "extensionActions": [
    { "action": "getDisplayCount", "executor": "extension", "respondTo": "onboarding",
      "_sp": { "id": "c4T1x0Qe", "from": "ES123…012#7k2m" } }
  ],
  "onboardingActions": [
    { "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1,
      "_sp": { "id": "p0Xw91aa", "re": "8Zk2mQ4s", "to": "ES123…012#7k2m" } }
  ],
  "_sp": {
    "v": 1,
    "claims": {
      "extension": [
        { "by": "ES123…012#q9zz", "n": 1, "t": 4,
          "a": { "action": "lockScreen", "executor": "extension", "message": "Please wait",
                 "_sp": { "id": "Yb77c0de" } } }
      ]
    },
    "w": [["7k2m", 12], ["q9zz", 3]]
  }
}"##;

#[test]
fn the_example_of_the_contract_is_written_as_it_was_read() {
    let document = Document::from_json(EXAMPLE).unwrap();
    let value: Value = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(&*document.to_json(), value.to_string());
    assert_eq!(document.size_bytes(), value.to_string().len());

    let request = &document.waiting("extension")[0];
    assert_eq!(request.id(), Some(&id("c4T1x0Qe")));
    assert_eq!(request.tag().from.as_deref(), Some("ES123…012#7k2m"));
    assert_eq!(request.action().unwrap().respond_to(), Some("onboarding"));
    let response = &document.waiting("onboarding")[0];
    assert_eq!(response.tag().re, Some(id("8Zk2mQ4s")));
    assert_eq!(
        response.action().unwrap().to_value(),
        json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1 })
    );
    let claim = &document.claims("extension")[0];
    assert_eq!((&*claim.by, claim.n, claim.t), ("ES123…012#q9zz", 1, 4));
    assert_eq!(document.ledger().unwrap().last_write("q9zz"), Some(3));
    assert!(!document.view().contains_key("_sp"));
    assert!(document.view()["extensionActions"][0].get("_sp").is_none());
}

#[test]
fn a_document_of_the_original_is_written_as_it_was_read() {
    let text = r#"{"reliableConnection":true,"extensionActions":[{"action":"injectPassword","executor":"extension"},{"action":"stopSession","executor":"extension","redirectURL":"https://app.example.com/#/automated/end-session"}],"onboardingActions":[]}"#;
    assert_eq!(&*Document::from_json(text).unwrap().to_json(), text);
}

#[test]
fn a_missing_array_null_and_an_empty_one_mean_the_same() {
    for value in [json!({}), json!({ "xActions": null }), json!({ "xActions": [] })] {
        let document = document(value.clone());
        assert!(document.waiting("x").is_empty());
        assert_eq!(document.corrupt_array("x"), None);
        assert_eq!(&*document.to_json(), value.to_string());
        let (after, _) = one(value, Operation::Enqueue(vec![("x".into(), item(act("a")))]));
        assert_eq!(after["xActions"], json!([act("a")]));
    }
}

#[test]
fn a_document_that_is_no_object_is_an_error() {
    assert!(matches!(Document::from_json("[]"), Err(Error::NotAnObject { found: "an array", .. })));
    assert!(matches!(Document::from_json("{"), Err(Error::Decode { .. })));
}

#[test]
fn bookkeeping_of_an_unknown_version_stays_as_it_is_and_means_plain_mode() {
    for sp in [json!({ "v": 2, "claims": { "x": [claim("you#2", 1, "a")] } }), json!({}), json!({ "v": "1" })]
    {
        let before = json!({ "xActions": [act("b")], "_sp": sp });
        assert!(document(before.clone()).is_foreign());
        let (after, outcome) = one(before.clone(), take("x"));
        assert_eq!(after["_sp"].get("v"), before["_sp"].get("v"));
        assert_eq!(after["xActions"], json!([]));
        assert_eq!(taken(&outcome).items.len(), 1);
        for operation in [take_over(&claimed(json!([claim("you#2", 1, "a")]))), Operation::Renew("x".into())]
        {
            nothing(before.clone(), operation, &Outcome::Nothing);
        }
    }
}

#[test]
fn bookkeeping_that_is_no_object_is_replaced_with_the_next_write() {
    for sp in [json!(null), json!([1]), json!("garbage"), json!(7), json!(true)] {
        let before = json!({ "xActions": [act("b")], "_sp": sp });
        let (after, _) = one(before, take("x"));
        let claims = json!({ "x": [claim("me#1", 1, "b")] });
        assert_eq!(after["_sp"], json!({ "v": 1, "claims": claims, "next": { "x": "me#1" } }));
    }
}

#[test]
fn garbage_in_the_bookkeeping_is_passed_over_and_keys_of_newer_peers_are_kept() {
    let sp = json!({
        "v": 1, "newer": { "kept": 1 },
        "claims": {
            "x": [1, null, {}, { "by": 1, "a": act("a") }, { "by": "you#2" }, { "by": "you#2", "a": 5 },
                  { "by": "you#2", "a": { "executor": "x" } },
                  { "by": "you#2", "n": -1, "t": "no", "a": act("good") }, { "by": "you#2", "once": 5 }],
            "y": 5, "z": []
        },
        "next": { "x": "you#2", "y": 5 },
        "w": [1, ["a"], ["a", "b"], ["a", 1, 2], [5, 5], ["good", 7]]
    });
    let document = document(json!({ "_sp": sp }));
    let expected = json!({ "_sp": {
        "v": 1, "claims": { "x": [claim("you#2", 1, "good")] }, "next": { "x": "you#2" }, "w": [["good", 7]], "newer": { "kept": 1 }
    }});
    assert_eq!(&*document.to_json(), expected.to_string());
}

#[test]
fn a_claim_that_could_never_be_finished_is_not_read() {
    let nameless = json!([{ "by": "you#2", "n": 1, "t": 0, "a": { "action": "a" } }]);
    assert!(document(claimed(nameless)).claims("x").is_empty());
}

#[test]
fn a_tag_of_the_wrong_form_does_not_hide_the_right_one() {
    let long = "x".repeat(37);
    let before =
        json!({ "xActions": [{ "action": "a", "_sp": { "id": long, "exp": -1, "re": 5, "newer": 1 } }] });
    let (after, _) = one(before, take("x"));
    let expected = json!([{ "by": "me#1", "n": 1, "t": 0, "a": { "action": "a", "_sp": { "id": "fresh0", "newer": 1 } } }]);
    assert_eq!(after["_sp"]["claims"]["x"], expected);
    let (after, outcome) = one(after, finish("fresh0"));
    assert_eq!((after["_sp"].get("claims"), outcome.unwrap()), (None, Outcome::Done));
}

#[test]
fn only_the_latest_sixteen_writers_are_read() {
    let writers: Vec<_> = (0..20).map(|n| json!([format!("i{n}"), n])).collect();
    let document = document(json!({ "_sp": { "v": 1, "w": writers } }));
    assert_eq!(document.ledger().unwrap().writers().len(), 16);
    assert_eq!(document.ledger().unwrap().last_write("i19"), Some(19));
    assert_eq!(document.ledger().unwrap().last_write("i3"), None);
}

#[test]
fn a_key_that_is_only_the_suffix_belongs_to_the_application() {
    let before = json!({ "Actions": [1, 2] });
    assert_eq!(&*document(before.clone()).to_json(), before.to_string());
    for operation in
        [Operation::Enqueue(vec![("".into(), item(act("a")))]), Operation::ClearActions("".into())]
    {
        let (after, outcome) = one(before.clone(), operation);
        assert!(matches!(outcome, Err(Error::Invalid { .. })));
        assert_eq!(after, before);
    }
}

#[test]
fn documents_show_the_same_when_only_the_bookkeeping_differs() {
    let a = document(json!({ "k": 1, "xActions": [act("a")] }));
    let b = document(json!({ "k": 1, "xActions": [act("b")], "_sp": { "v": 1 } }));
    assert!(a.shows_the_same_as(&b) && a != b);
    assert!(!a.shows_the_same_as(&document(json!({ "k": 1, "xActions": [] }))));
}

/// A value of so many levels.
fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(0), |inner, _| json!([inner]))
}

/// Found by fuzzing: an action that can still be read where it waits lay too deep to be read once it was claimed, and
/// the document was lost for everybody (C45).
#[test]
fn an_action_nested_too_deeply_is_malformed_and_never_claimed() {
    for (levels, taken) in [(99, true), (100, false), (120, false)] {
        let deep = json!({ "action": "a", "_sp": { "id": "deep" }, "more": nested(levels) });
        let before = json!({ "xActions": [deep, act("next")] });
        let claim = Operation::Claim { executor: "x".into(), fresh: "f".into(), released: Vec::new() };
        let applied = apply(&document(before), &writer("me#1", 1), &Rules::default(), &[claim]);
        let Ok(Outcome::Taken(found)) = &applied.outcomes[0] else { panic!("{:?}", applied.outcomes) };
        assert_eq!((found.items.len(), found.malformed.len()), if taken { (2, 0) } else { (1, 1) });
        let text = applied.document.unwrap().to_json();
        Document::from_json(&text).expect("what was written can be read");
    }
}

#[test]
fn nothing_is_written_that_could_not_be_read_back() {
    let data = |levels| Arc::new(json!({ "deep": nested(levels) }).as_object().unwrap().clone());
    let deep = |levels| {
        let action = json!({ "action": "a", "deep": nested(levels) });
        let action = crate::action::Action::from_object(action.as_object().unwrap().clone());
        Arc::new(Item::new(action.unwrap(), Tag::default()))
    };
    for (levels, fits) in [(98, true), (101, false), (1_000, false)] {
        for operation in [
            Operation::Merge(data(levels)),
            Operation::Replace(data(levels)),
            Operation::Enqueue(vec![("x".into(), deep(levels))]),
        ] {
            let applied = apply(&Document::default(), &writer("me#1", 1), &Rules::default(), &[operation]);
            match &applied.outcomes[0] {
                Ok(_) if fits => drop(Document::from_json(&applied.document.unwrap().to_json()).unwrap()),
                Err(Error::Invalid { why, .. }) if !fits => assert!(why.contains("100 levels"), "{why}"),
                other => panic!("{levels}: {other:?}"),
            }
        }
        let initial = Document::with_fields("initial data", (*data(levels)).clone());
        assert_eq!(initial.is_ok(), fits);
        let response = Response { executor: "y".into(), item: deep(levels) };
        let finish = Operation::Finish { executor: "x".into(), id: id("a"), response: Some(response) };
        let (_, outcome) = one(claimed(json!([claim("me#1", 1, "a")])), finish);
        assert_eq!(outcome.unwrap() == Outcome::Done, fits);
    }
}

/// Whatever two states differ in, what is read of the second does not depend on the first.
fn read_like(text: &str, other: &Value) -> Document {
    let other = Document::from_shared(&other.to_string().into(), None).unwrap();
    let (alone, text) = (Document::from_json(text).unwrap(), text.into());
    let like = Document::from_shared(&text, Some(&other)).unwrap();
    assert_eq!(like.to_json(), alone.to_json(), "{text}");
    assert_eq!(like.size_bytes(), like.to_json().len());
    assert_eq!(like.view(), alone.view());
    assert_eq!((&like.ledger, &like.foreign, &like.queues), (&alone.ledger, &alone.foreign, &alone.queues));
    assert!(like.fields == alone.fields && like.shows_the_same_as(&alone));
    like
}

#[test]
fn what_two_states_have_in_common_is_shared() {
    let bookkeeping = json!({ "v": 1, "w": [["a", 1]] });
    let before = json!({ "a": { "b": [1] }, "xActions": [], "yActions": [act("c")], "_sp": bookkeeping });
    let first = Document::from_shared(&before.to_string().into(), None).unwrap();
    let mut next = before.clone();
    next["xActions"] = json!([act("d")]);
    next["_sp"]["w"] = json!([["a", 2]]);
    let second = Document::from_shared(&next.to_string().into(), Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first.fields, &second.fields), "nothing of them has changed");
    assert!(Arc::ptr_eq(&first.queues[1].1, &second.queues[1].1), "nothing of it has changed");
    read_like(&next.to_string(), &before);

    for changed in [
        json!({ "a": 1 }),
        json!({ "xActions": null }),
        json!({ "xActions": "no array" }),
        json!({ "yActions": [{ "action": 5 }] }),
        json!({ "_sp": null }),
        json!({ "_sp": { "v": 2 } }),
        json!({ "_sp": { "v": 1, "w": [5, ["b", 1]], "newer": { "kept": 1 } } }),
        json!({ "_sp": bookkeeping, "more": 1 }),
        json!({ "Actions": [] }),
    ] {
        let mut next = before.clone();
        next.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        read_like(&next.to_string(), &before);
        read_like(&before.to_string(), &next);
    }
    for odd in [
        r#"{ "a": {"b":[1]}, "xActions": [], "yActions": [], "_sp": {"v":1} }"#,
        r#"{"a":{"b":[1]},"xActions":[],"xActions":[{"action":"e","executor":"x"}],"_sp":{"v":1}}"#,
        r#"{"a":{"b":[1]},"\u0078Actions":[],"yActions":[],"_sp":{"v":1}}"#,
        r#"{"_sp":{"v":1},"yActions":[],"xActions":[],"a":{"b":[1]}}"#,
        "{}",
    ] {
        read_like(odd, &before);
    }
}

/// Words that mean something to the JSON library are only keys.
#[test]
fn no_key_is_taken_for_anything_else() {
    let before = json!({ "xActions": [], "_sp": { "v": 1 } });
    for text in [
        r#"{"$serde_json::private::RawValue":"[1]","xActions":[],"_sp":{"v":1}}"#,
        r#"{"a":{"$serde_json::private::RawValue":"oops"},"xActions":[],"_sp":{"v":1}}"#,
        r#"{"xActions":[{"$serde_json::private::RawValue":5}],"_sp":{"v":1}}"#,
        r#"{"xActions":[{"action":"a","b":{"$serde_json::private::RawValue":"{}"}}],"_sp":{"v":1}}"#,
        r#"{"xActions":[],"_sp":{"v":1,"newer":{"$serde_json::private::RawValue":"1"}}}"#,
    ] {
        let document = read_like(text, &before);
        assert_eq!(&*document.to_json(), text);
        let itself = Document::from_shared(&text.into(), Some(&document)).unwrap();
        assert_eq!(&*itself.to_json(), text);
    }
}

/// Whoever sends more arrays than anybody needs does not keep others waiting.
#[test]
fn arrays_are_found_in_any_order_and_number() {
    let mut document = Document::default();
    for executor in ["c", "a", "b"] {
        document.queue_made(&executor.into());
    }
    Arc::make_mut(&mut document.fields).set("bActions".into(), Value::Null);
    document.queues.swap(0, 2);
    assert_eq!(&*document.to_json(), r#"{"cActions":[],"aActions":[],"bActions":[]}"#);
    let many: Map<String, Value> = (0..40_000).map(|n| (format!("{n}Actions"), json!([]))).collect();
    let text: Arc<str> = Value::Object(many).to_string().into();
    let read = Document::from_shared(&text, None).unwrap();
    assert_eq!((read.to_json(), read.view().len()), (text.clone(), 40_000));
    assert_eq!(
        Document::from_shared(&text.replace("[]}", "[1]}").into(), Some(&read)).unwrap().view().len(),
        40_000
    );
}

#[test]
fn what_cannot_be_read_alone_cannot_be_read_with_another_state() {
    let before = json!({ "xActions": [], "_sp": { "v": 1 } });
    let before = Document::from_shared(&before.to_string().into(), None).unwrap();
    let deep = format!("{}1{}", "[".repeat(126), "]".repeat(126));
    for text in [
        "[]".into(),
        "{".into(),
        r#"{"xActions":[,],"_sp":{"v":1}}"#.into(),
        r#"{"xActions":[],"_sp":{"v":1e999}}"#.into(),
        format!(r#"{{"xActions":[{deep}],"_sp":{{"v":1}}}}"#),
    ] {
        let (text, alone): (Arc<str>, _) = (text.as_str().into(), Document::from_json(&text));
        let like = Document::from_shared(&text, Some(&before));
        assert_eq!(
            like.map_err(|error| error.to_string()),
            alone.map_err(|error| error.to_string()),
            "{text}"
        );
    }
}

mod states {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!([])),
            Just(Value::Null),
            Just(json!([act("a")])),
            Just(json!([act("b"), { "action": "c", "_sp": { "id": "i" } }, 5])),
            Just(json!({ "v": 1, "w": [["a", 1]] })),
            Just(json!({ "v": 1, "claims": { "x": [claim("you#2", 1, "a")] } })),
            Just(json!({ "v": 9 })),
            Just(json!({ "z": 1.5, "é": "\u{1}" })),
        ]
    }

    fn state() -> impl Strategy<Value = Value> {
        let key = prop::sample::select(vec!["a", "b", "xActions", "yActions", "_sp", "quote\""]);
        prop::collection::vec((key, value()), 0..6).prop_map(|members| {
            Value::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
        })
    }

    proptest! {
        #[test]
        fn any_state_is_read_the_same_after_any_other(before in state(), after in state(), common in state()) {
            read_like(&after.to_string(), &before);
            // Most that is written differs in little.
            let with = |state: &Value| {
                let mut both = common.as_object().unwrap().clone();
                both.extend(state.as_object().unwrap().clone());
                Value::Object(both)
            };
            read_like(&with(&after).to_string(), &with(&before));
        }
    }
}
