//! Taking, renewing, taking over, finishing and giving back.

use super::*;

#[test]
fn a_run_moves_from_the_front_of_the_array_to_the_claims() {
    let ids: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let before = waiting(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let (after, outcome) = one(before, take("x"));
    assert_eq!(taken(&outcome).items.len(), 32);
    let claims: Vec<_> = ids[..32].iter().map(|id| claim("me#1", 1, id)).collect();
    assert_eq!(after["_sp"], json!({ "v": 1, "claims": { "x": claims }, "next": { "x": "me#1" } }));
    assert_eq!(after["xActions"].as_array().unwrap().len(), 8);
}

#[test]
fn nothing_is_taken_while_another_holds_a_claim() {
    let mut before = claimed(json!([claim("you#2", 1, "a")]));
    before["xActions"] = json!([act("b")]);
    nothing(before, take("x"), &Outcome::HeldByAnother);
}

#[test]
fn an_action_without_an_id_gets_one_when_it_is_taken() {
    let (after, _) = one(json!({ "xActions": [{ "action": "a" }, act("b"), { "action": "c" }] }), take("x"));
    let ids: Vec<_> = after["_sp"]["claims"]["x"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| &claim["a"]["_sp"]["id"])
        .collect();
    assert_eq!(ids, ["fresh0", "b", "fresh2"]);
}

#[test]
fn finishing_removes_the_claim_and_adds_the_response_in_the_same_write() {
    let before = claimed(json!([claim("me#1", 1, "a"), claim("me#1", 1, "b")]));
    let response = json!({ "action": "lockScreen", "executor": "y", "_sp": { "id": "p", "re": "a" } });
    let (after, outcome) = one(before, answer("a", "y", response.clone()));
    assert_eq!(outcome.unwrap(), Outcome::Done);
    assert_eq!(after["yActions"], json!([response]));
    assert_eq!(after["_sp"]["claims"]["x"], json!([claim("me#1", 1, "b")]));
}

#[test]
fn finishing_what_another_holds_or_nobody_does_nothing() {
    let before = claimed(json!([claim("you#2", 2, "a")]));
    nothing(before.clone(), answer("a", "y", act("p")), &Outcome::Nothing);
    nothing(before, finish("gone"), &Outcome::Nothing);
    let mine = claimed(json!([claim("me#1", 1, "a")]));
    let (_, outcomes) =
        apply_with(&Rules::default(), &mine, "me#1", &[finish("a"), answer("a", "y", act("p"))]);
    assert_eq!(
        outcomes.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
        [Outcome::Done, Outcome::Nothing]
    );
}

#[test]
fn finishing_one_run_and_taking_the_next_is_one_write() {
    let mut before = claimed(json!([claim("me#1", 1, "a")]));
    before["xActions"] = json!([act("b")]);
    let (after, _) = apply_with(&Rules::default(), &before, "me#1", &[finish("a"), take("x")]);
    assert_eq!(after["_sp"]["claims"]["x"], json!([claim("me#1", 1, "b")]));
}

#[test]
fn a_response_that_has_no_place_is_dropped_and_the_claim_removed_all_the_same() {
    let dropped = |before: Value, rules: &Rules, expected| {
        let operation = answer("a", "y", act("p"));
        let (after, outcomes) = apply_with(rules, &before, "me#1", &[operation]);
        assert_eq!(outcomes[0].as_ref().unwrap(), &Outcome::ResponseDropped(expected));
        assert_eq!(after["_sp"].get("claims"), None);
        assert_eq!(after.get("yActions"), before.get("yActions"));
    };
    let mut before = claimed(json!([claim("me#1", 1, "a")]));
    let short = Rules { document_bytes_max: 250, reserve_bytes: 150, ..Rules::default() };
    dropped(before.clone(), &short, Dropped::TooLarge);
    before["yActions"] = json!([act("1")]);
    dropped(before.clone(), &Rules { waiting_max: 1, ..Rules::default() }, Dropped::Full);
    before["yActions"] = json!(5);
    dropped(before, &Rules::default(), Dropped::CorruptArray);
}

#[test]
fn renewing_counts_on_every_claim_of_the_holder_only() {
    let before = claimed(json!([claim("me#1", 1, "a"), claim("you#2", 1, "b"), claim("me#1", 1, "c")]));
    let (after, _) = one(before, Operation::Renew("x".into()));
    let counts: Vec<_> = after["_sp"]["claims"]["x"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| claim["t"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1, 0, 1]);
    nothing(claimed(json!([claim("you#2", 1, "b")])), Operation::Renew("x".into()), &Outcome::Nothing);
}

#[test]
fn retrying_counts_a_failed_attempt_once() {
    let retry = || Operation::Retry { executor: "x".into(), id: id("a"), failed: 1 };
    let (after, _) = one(claimed(json!([claim("me#1", 1, "a"), claim("me#1", 1, "b")])), retry());
    assert_eq!(after["_sp"]["claims"]["x"], json!([claim("me#1", 2, "a"), claim("me#1", 1, "b")]));
    nothing(after, retry(), &Outcome::Nothing);
    nothing(claimed(json!([claim("you#2", 1, "a")])), retry(), &Outcome::Nothing);
}

#[test]
fn starting_at_most_once_leaves_only_the_place_and_is_done_once() {
    let start = || Operation::StartOnce { executor: "x".into(), id: id("a") };
    let (after, _) = one(claimed(json!([claim("me#1", 1, "a")])), start());
    let stub = json!([{ "by": "me#1", "n": 1, "t": 0, "once": "a" }]);
    assert_eq!(after["_sp"]["claims"]["x"], stub);
    nothing(after.clone(), start(), &Outcome::Nothing);
    let (after, outcome) = one(after, answer("a", "y", act("p")));
    assert_eq!((outcome.unwrap(), &after["yActions"]), (Outcome::Done, &json!([act("p")])));
}

#[test]
fn whoever_takes_over_loses_what_was_started_at_most_once() {
    let stub = |by: &str| json!({ "by": by, "n": 1, "t": 0, "once": "o" });
    let before = claimed(json!([stub("you#2"), claim("you#2", 1, "b")]));
    let (after, outcome) = one(before.clone(), take_over(&before));
    assert_eq!(outcome.unwrap(), Outcome::TakenOver { lost: vec![id("o")] });
    assert_eq!(after["_sp"]["claims"]["x"], json!([claim("me#1", 2, "b")]));
    let only = claimed(json!([stub("you#2")]));
    let (after, _) = one(only.clone(), take_over(&only));
    assert_eq!(after["_sp"].get("claims"), None);
    // Given back, it is gone too: it may have run.
    let (after, _) = one(
        claimed(json!([stub("me#1")])),
        Operation::GiveBack { executor: "x".into(), started: None, unseen: None },
    );
    assert_eq!((after["_sp"].get("claims"), &after["xActions"]), (None, &json!([])));
}

#[test]
fn a_claim_that_looks_otherwise_is_not_taken_over() {
    let seen = claimed(json!([claim("you#2", 1, "a")]));
    for now in [
        claimed(json!([{ "by": "you#2", "n": 1, "t": 1, "a": act("a") }])),
        claimed(json!([claim("you#2", 2, "a")])),
        claimed(json!([claim("she#3", 1, "a")])),
        claimed(json!([claim("you#2", 1, "b"), claim("you#2", 1, "a")])),
        waiting(&["a"]),
    ] {
        nothing(now, take_over(&seen), &Outcome::Nothing);
    }
}

/// Rule R: a holder starts the next action before the end of the one before is recorded only while both are first
/// attempts. So exactly these may have begun.
#[test]
fn taking_over_counts_the_attempts_that_may_have_begun() {
    for (before, after) in [
        (&[1_u32][..], &[2_u32][..]),
        (&[1, 1, 1], &[2, 2, 2]),
        (&[2, 1, 1], &[3, 1, 1]),
        (&[2, 2, 2], &[3, 2, 2]),
        (&[1, 2, 1], &[2, 2, 1]),
        (&[1, 1, 3, 1], &[2, 2, 3, 1]),
    ] {
        let claims =
            |by: &str, ns: &[u32]| -> Vec<_> { ns.iter().map(|n| claim(by, *n, &n.to_string())).collect() };
        let document = claimed(json!(claims("you#2", before)));
        let (taken, _) = one(document.clone(), take_over(&document));
        let ns: Vec<_> = taken["_sp"]["claims"]["x"]
            .as_array()
            .unwrap()
            .iter()
            .map(|claim| claim["n"].as_u64().unwrap())
            .collect();
        assert_eq!(ns, after.iter().map(|n| u64::from(*n)).collect::<Vec<_>>(), "{before:?}");
    }
}

#[test]
fn only_the_silent_holder_is_taken_over() {
    let before = claimed(json!([claim("you#2", 1, "a"), claim("she#3", 1, "b"), claim("you#2", 1, "c")]));
    let (after, _) = one(before.clone(), take_over(&before));
    assert_eq!(
        after["_sp"]["claims"]["x"],
        json!([claim("me#1", 2, "a"), claim("she#3", 1, "b"), claim("me#1", 2, "c")])
    );
}

#[test]
fn a_client_takes_over_its_own_claims_of_an_earlier_life() {
    let before = claimed(json!([{ "by": "me#1", "n": 1, "t": 9, "a": act("a") }]));
    let (after, _) = one(before.clone(), take_over(&before));
    assert_eq!(after["_sp"]["claims"]["x"], json!([claim("me#1", 2, "a")]));
}

#[test]
fn what_is_given_back_stands_first_in_its_order_and_remembers_attempts_begun() {
    let mut before = claimed(json!([claim("me#1", 3, "a"), claim("me#1", 2, "b"), claim("me#1", 1, "c")]));
    before["xActions"] = json!([act("d")]);
    let (after, _) =
        one(before, Operation::GiveBack { executor: "x".into(), started: Some((id("a"), 3)), unseen: None });
    let with_n =
        |id: &str, n: u32| json!({ "action": "lockScreen", "executor": "x", "_sp": { "id": id, "n": n } });
    assert_eq!(after["xActions"], json!([with_n("a", 3), with_n("b", 1), act("c"), act("d")]));
    assert_eq!(after["_sp"], json!({ "v": 1 }));
    let (after, _) = one(after, take("x"));
    let claims =
        json!([claim("me#1", 4, "a"), claim("me#1", 2, "b"), claim("me#1", 1, "c"), claim("me#1", 1, "d")]);
    assert_eq!(after["_sp"]["claims"]["x"], claims);
}

#[test]
fn giving_back_leaves_others_claims_and_corrupt_arrays_alone() {
    let back = || Operation::GiveBack { executor: "x".into(), started: None, unseen: None };
    nothing(claimed(json!([claim("you#2", 1, "a")])), back(), &Outcome::Nothing);
    let mut corrupt = claimed(json!([claim("me#1", 1, "a")]));
    corrupt["xActions"] = json!(5);
    nothing(corrupt, back(), &Outcome::Nothing);
}
