//! Arrays: adding, withdrawing, responses to one client.

use super::*;

fn add(ids: &[&str]) -> Operation {
    Operation::Enqueue(ids.iter().map(|id| ("x".into(), item(act(id)))).collect())
}

#[test]
fn a_batch_stands_together_at_the_end_of_each_array() {
    let batch =
        vec![("y".into(), item(act("1"))), ("x".into(), item(act("2"))), ("y".into(), item(act("3")))];
    let (after, outcome) = one(json!({ "xActions": [act("0")] }), Operation::Enqueue(batch));
    assert_eq!(outcome.unwrap(), Outcome::Done);
    assert_eq!(after["xActions"], json!([act("0"), act("2")]));
    assert_eq!(after["yActions"], json!([act("1"), act("3")]));
}

#[test]
fn a_full_array_takes_nothing_of_a_batch() {
    let rules = Rules { waiting_max: 3, ..Rules::default() };
    let before = json!({ "xActions": [act("0"), act("1")] });
    let (after, outcomes) = apply_with(&rules, &before, "me#1", &[add(&["2", "3"]), add(&["4"])]);
    assert!(matches!(&outcomes[0], Err(Error::Full { executor, waiting: 2, limit: 3 }) if executor == "x"));
    assert_eq!(after["xActions"], json!([act("0"), act("1"), act("4")]));
}

#[test]
fn a_corrupt_array_is_reported_and_kept_and_stops_nobody_else() {
    let before = json!({ "xActions": { "not": "an array" } });
    assert_eq!(document(before.clone()).corrupt_array("x"), Some("an object"));
    let (after, outcomes) = apply_with(
        &Rules::default(),
        &before,
        "me#1",
        &[add(&["1"]), take("x"), Operation::Enqueue(vec![("y".into(), item(act("2")))])],
    );
    assert!(
        matches!(&outcomes[0], Err(Error::CorruptArray { executor, found: "an object" }) if executor == "x")
    );
    assert_eq!(outcomes[1].as_ref().unwrap(), &Outcome::Nothing);
    assert_eq!((&after["xActions"], &after["yActions"]), (&before["xActions"], &json!([act("2")])));
    let (after, _) = one(before, Operation::ClearActions("x".into()));
    assert_eq!(after["xActions"], json!([]));
}

#[test]
fn withdrawing_removes_only_what_waits() {
    let before = json!({ "xActions": [act("0"), act("1")], "_sp": { "v": 1, "claims": { "x": [claim("you#2", 1, "c")] } } });
    let (after, outcome) = one(before.clone(), Operation::Withdraw(id("0")));
    assert_eq!((outcome.unwrap(), &after["xActions"]), (Outcome::Done, &json!([act("1")])));
    nothing(before.clone(), Operation::Withdraw(id("c")), &Outcome::Nothing);
    nothing(before, Operation::Withdraw(id("gone")), &Outcome::Nothing);
}

#[test]
fn a_response_is_taken_wherever_it_stands() {
    let response = json!({ "action": "r", "_sp": { "id": "p", "re": "q", "to": "me#1" } });
    let before = json!({ "xActions": [act("0"), response, act("1")] });
    let operation = |item| Operation::TakeResponse { executor: "x".into(), item };
    let (after, outcome) = one(before.clone(), operation(item(response.clone())));
    assert_eq!((outcome.unwrap(), &after["xActions"]), (Outcome::Done, &json!([act("0"), act("1")])));
    nothing(after, operation(item(response)), &Outcome::Nothing);
    // Of the original, without an id: the same content.
    let (after, _) = one(
        json!({ "xActions": [{ "action": "r", "n": 1 }] }),
        operation(item(json!({ "action": "r", "n": 1 }))),
    );
    assert_eq!(after["xActions"], json!([]));
}

#[test]
fn a_response_to_another_client_is_skipped_until_it_is_released() {
    let response = json!({ "action": "r", "_sp": { "id": "p", "to": "you#2" } });
    let before = json!({ "xActions": [response, act("1"), act("2")] });
    let (after, outcome) = one(before.clone(), take("x"));
    assert_eq!(taken(&outcome).items.len(), 2);
    assert_eq!(after["xActions"], json!([response]));
    nothing(json!({ "xActions": [response] }), take("x"), &Outcome::Nothing);

    let released = Operation::Claim { executor: "x".into(), fresh: "f".into(), released: vec![id("p")] };
    let (after, outcome) = one(before, released);
    assert_eq!(taken(&outcome).items.len(), 3);
    assert_eq!(after["_sp"]["claims"]["x"][0]["a"], response);
    // Without an id it could never be released, and would lie there for good.
    let nameless = json!({ "xActions": [{ "action": "r", "_sp": { "to": "you#2" } }] });
    assert_eq!(taken(&one(nameless, take("x")).1).items.len(), 1);
    // The one it is meant for takes it like any other.
    let mine = json!({ "xActions": [{ "action": "r", "_sp": { "id": "p", "to": "me#1" } }] });
    assert_eq!(taken(&one(mine, take("x")).1).items.len(), 1);
}

#[test]
fn malformed_elements_and_copies_are_removed_and_told() {
    let before = json!({
        "xActions": [5, act("a"), null, act("a"), { "executor": "x" }, act("held"), act("b"), { "action": 7 }],
    });
    let mut before = before;
    before["_sp"] = json!({ "v": 1, "claims": { "x": [claim("me#1", 1, "held")] } });
    let (after, outcome) = one(before, take("x"));
    let taken = taken(&outcome);
    assert_eq!(
        taken.malformed.iter().filter_map(|item| item.malformed_type()).collect::<Vec<_>>(),
        ["a number", "null", "an object", "an object"]
    );
    assert_eq!(taken.duplicates.len(), 2);
    assert_eq!(after["xActions"], json!([]));
    assert_eq!(
        after["_sp"]["claims"]["x"],
        json!([claim("me#1", 1, "held"), claim("me#1", 1, "a"), claim("me#1", 1, "b")])
    );
}

#[test]
fn malformed_elements_go_although_every_action_is_for_somebody_else() {
    let response = json!({ "action": "r", "_sp": { "id": "p", "to": "you#2" } });
    let (after, outcome) = one(json!({ "xActions": [response, 5] }), take("x"));
    assert_eq!((taken(&outcome).malformed.len(), &after["xActions"]), (1, &json!([response])));
}
