//! Handing actions over to whoever takes what comes next, and stepping back from that.

use super::*;

const X: &str = "x";

fn add(ids: &[&str]) -> Operation {
    Operation::Enqueue(ids.iter().map(|id| (X.into(), item(act(id)))).collect())
}

fn hand_over(to: &str) -> Operation {
    Operation::HandOver { executor: X.into(), to: to.into() }
}

/// A document whose actions of `x` this client takes.
fn taken_by(by: &str, claims: Value) -> Value {
    json!({ "_sp": { "v": 1, "claims": { "x": claims }, "next": { "x": by } } })
}

fn adding(before: &Value, ids: &[&str], to: &str) -> (Value, Vec<Outcome>) {
    let (after, outcomes) = apply_with(&Rules::default(), before, "me#1", &[add(ids), hand_over(to)]);
    (after, outcomes.into_iter().map(Result::unwrap).collect())
}

#[test]
fn whoever_takes_says_that_it_takes_what_comes_next_and_what_is_added_is_claimed_for_it() {
    let (after, _) = apply_with(&Rules::default(), &waiting(&["a"]), "you#2", &[take(X)]);
    assert_eq!(after["_sp"]["next"], json!({ "x": "you#2" }));
    let (after, _) = apply_with(&Rules::default(), &after, "you#2", &[finish("a")]);
    let (after, outcomes) = adding(&after, &["b", "c"], "you#2");
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done]);
    assert_eq!(after["xActions"], json!([]));
    let claims = ["b", "c"].map(|id| claim("you#2", 1, id));
    assert_eq!(after["_sp"]["claims"]["x"], json!(claims));
}

#[test]
fn nothing_is_handed_over_to_somebody_who_has_not_said_so_or_is_busy() {
    for before in [
        json!({}),
        taken_by("he#3", json!([])),
        taken_by("you#2", json!([claim("he#3", 1, "a")])),
        taken_by("you#2", json!([claim("you#2", 1, "a")])),
    ] {
        let (after, outcomes) = adding(&before, &["b"], "you#2");
        assert_eq!(outcomes, [Outcome::Done, Outcome::Nothing]);
        assert_eq!(after["xActions"], json!([act("b")]));
        let held = |of: &Value| of["_sp"]["claims"]["x"].as_array().map_or(0, Vec::len);
        assert_eq!(held(&after), held(&before));
    }
}

#[test]
fn what_waits_for_another_reason_is_not_handed_over_nor_what_comes_behind_it() {
    let no_id = json!({ "action": "lockScreen", "executor": "x" });
    let addressed =
        json!({ "action": "lockScreen", "executor": "x", "_sp": { "id": "p", "re": "a", "to": "he#3" } });
    for waiting in [json!(7), no_id, addressed] {
        let mut before = taken_by("you#2", json!([]));
        before["xActions"] = json!([waiting]);
        let (after, outcomes) = adding(&before, &["b"], "you#2");
        assert_eq!(outcomes, [Outcome::Done, Outcome::Nothing], "{waiting}");
        assert_eq!(after["xActions"], json!([waiting, act("b")]));
    }
}

#[test]
fn what_exceeds_a_run_waits_as_a_whole() {
    let ids: Vec<_> = (0..33).map(|n| n.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(adding(&taken_by("you#2", json!([])), &ids[..32], "you#2").1[1], Outcome::Done);
    let (after, outcomes) = adding(&taken_by("you#2", json!([])), &ids, "you#2");
    assert_eq!(outcomes[1], Outcome::Nothing);
    assert_eq!(after["xActions"].as_array().unwrap().len(), 33);
}

#[test]
fn the_reserve_is_not_used_up_for_others() {
    let before = taken_by("you#2", json!([]));
    let (after, _) = adding(&before, &["b"], "you#2");
    let document_bytes_max = after.to_string().len() + Rules::default().reserve_bytes;
    for (limit, expected) in [(document_bytes_max, Outcome::Done), (document_bytes_max - 1, Outcome::Nothing)]
    {
        let rules = Rules { document_bytes_max: limit, ..Rules::default() };
        let (_, outcomes) = apply_with(&rules, &before, "me#1", &[add(&["b"]), hand_over("you#2")]);
        assert_eq!(outcomes[1].as_ref().unwrap(), &expected);
    }
}

#[test]
fn a_full_document_forgets_who_takes_what_comes_next_before_it_forgets_writers() {
    let mut before = waiting(&["a"]);
    before["_sp"] = json!({ "v": 1, "w": [["other", 7]] });
    let (after, _) = apply_with(&Rules::default(), &before, "me#1", &[take(X)]);
    let shorter = r#","next":{"x":"me#1"}"#.len();
    let rules = Rules { document_bytes_max: after.to_string().len() - shorter, ..Rules::default() };
    let (after, _) = apply_with(&rules, &before, "me#1", &[take(X)]);
    assert_eq!(after["_sp"]["next"], Value::Null);
    assert_eq!(after["_sp"]["w"], json!([["other", 7], ["1", 1]]));
    assert_eq!(after["_sp"]["claims"]["x"], json!([claim("me#1", 1, "a")]));
}

#[test]
fn only_who_takes_what_comes_next_steps_back_and_whoever_gives_back_does() {
    let stepped_back = |before: &Value, operation: Operation| {
        apply_with(&Rules::default(), before, "me#1", &[operation]).0["_sp"]["next"].clone()
    };
    let mine = taken_by("me#1", json!([claim("me#1", 1, "a")]));
    let give_back = || Operation::GiveBack { executor: X.into(), started: None, unseen: None };
    assert_eq!(stepped_back(&mine, Operation::StepBack(X.into())), Value::Null);
    assert_eq!(stepped_back(&mine, give_back()), Value::Null);
    nothing(taken_by("you#2", json!([])), Operation::StepBack(X.into()), &Outcome::Nothing);
    assert_eq!(
        stepped_back(&taken_by("you#2", json!([claim("me#1", 1, "a")])), give_back()),
        json!({ "x": "you#2" })
    );
}

#[test]
fn whoever_takes_over_takes_what_comes_next_too() {
    let before = taken_by("you#2", json!([claim("you#2", 1, "a")]));
    let (after, _) = one(before.clone(), take_over(&before));
    assert_eq!(after["_sp"]["next"], json!({ "x": "me#1" }));
}
