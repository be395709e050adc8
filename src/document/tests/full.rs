//! Documents at their limit: C55, the reserve, and how a full document is worked off.

use super::*;

fn filler(bytes: usize) -> Value {
    json!("x".repeat(bytes))
}

/// A document of exactly `bytes`, filled by somebody who knows nothing of a reserve.
fn filled(mut document: Value, bytes: usize) -> Value {
    document["data"] = json!("");
    let room = bytes - document.to_string().len();
    document["data"] = filler(room);
    assert_eq!(document.to_string().len(), bytes);
    document
}

fn merge(bytes: usize) -> Operation {
    Operation::Merge(Arc::new(json!({ "data": filler(bytes) }).as_object().unwrap().clone()))
}

#[test]
fn a_document_may_be_filled_to_the_last_byte_while_no_queue_is_in_use() {
    let rules = Rules::default();
    let overhead = json!({ "data": "", "_sp": { "v": 1, "w": [["1", 1]] } }).to_string().len();
    let (after, outcomes) =
        apply_with(&rules, &json!({}), "me#1", &[merge(rules.document_bytes_max - overhead)]);
    assert!(outcomes[0].is_ok());
    assert_eq!(after.to_string().len(), rules.document_bytes_max);
    let (after, outcomes) =
        apply_with(&rules, &json!({}), "me#1", &[merge(rules.document_bytes_max - overhead + 1)]);
    let Err(Error::TooLarge { size_bytes, limit_bytes }) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!((*size_bytes > *limit_bytes, *limit_bytes, after), (true, 16_384, json!({})));
}

#[test]
fn a_reserve_is_kept_while_actions_wait_or_run() {
    let rules = Rules::default();
    let limit = rules.document_bytes_max - rules.reserve_bytes;
    for before in [json!({ "xActions": [act("a")] }), claimed(json!([claim("you#2", 1, "a")]))] {
        let (after, outcomes) = apply_with(&rules, &before, "me#1", &[merge(limit)]);
        assert!(matches!(outcomes[0], Err(Error::TooLarge { limit_bytes, .. }) if limit_bytes == limit));
        assert_eq!(after, before);
        let (after, outcomes) = apply_with(&rules, &before, "me#1", &[merge(limit - 300)]);
        assert!(outcomes[0].is_ok() && after.to_string().len() <= limit);
    }
    let add = Operation::Enqueue(vec![("x".into(), item(act("a")))]);
    let (_, outcomes) = apply_with(&rules, &filled(json!({}), limit), "me#1", &[add]);
    assert!(matches!(outcomes[0], Err(Error::TooLarge { .. })));
}

#[test]
fn a_longer_document_may_still_be_made_shorter() {
    let before = filled(json!({ "unneeded": filler(30), "xActions": [act("a"), act("b")] }), 20_000);
    for operation in [Operation::Unset(vec!["unneeded".into()]), merge(19_000), Operation::Withdraw(id("a"))]
    {
        let (after, outcomes) = apply_with(&Rules::default(), &before, "me#1", &[operation]);
        assert!(outcomes[0].is_ok(), "{outcomes:?}");
        assert!(after.to_string().len() <= 20_000);
    }
}

/// Works a document off, one client alone; answers how many writes it took.
fn work_off(mut now: Value, rules: &Rules, by: &str) -> usize {
    for writes in 0..200 {
        let claims = document(now.clone()).claims("x").to_vec();
        let mut operations: Vec<_> =
            claims.iter().map(|claim| finish(claim.id().unwrap().as_str())).collect();
        operations.push(take("x"));
        if claims.is_empty() && now["xActions"] == json!([]) {
            return writes;
        }
        let length = now.to_string().len();
        let (after, outcomes) = apply_with(rules, &now, by, &operations);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert!(after.to_string().len() <= rules.document_bytes_max.max(length));
        now = after;
    }
    panic!("not worked off")
}

#[test]
fn a_document_that_is_almost_full_is_worked_off_in_shorter_runs() {
    let actions: Vec<_> = (0..40).map(|n| act(&n.to_string())).collect();
    let writers: Vec<_> = (0..16).map(|n| json!([format!("instance{n}"), 1000 + n])).collect();
    let rules = Rules::default();
    let by = format!("{}#1", "i".repeat(68));
    for room in [200, 400, 1_000] {
        let before = json!({ "xActions": actions, "_sp": { "v": 1, "w": writers } });
        let writes = work_off(filled(before, rules.document_bytes_max - room), &rules, &by);
        assert!((2..=42).contains(&writes), "{room}: {writes}");
    }
    // Every identity of usual length finds room in the reserve.
    let by = format!("{}#12345678", "i".repeat(256));
    work_off(
        filled(json!({ "xActions": actions }), rules.document_bytes_max - rules.reserve_bytes),
        &rules,
        &by,
    );
}

#[test]
fn a_document_without_room_for_a_single_claim_is_left_alone_and_says_so() {
    let before = filled(json!({ "xActions": [act("a"), act("b")] }), 16_384);
    let (after, outcomes) = apply_with(&Rules::default(), &before, "me#1", &[take("x")]);
    assert!(matches!(outcomes[0], Err(Error::TooLarge { limit_bytes: 16_384, .. })));
    assert_eq!(after, before);
}

#[test]
fn an_element_that_is_no_action_leaves_a_full_document_too() {
    let before = filled(
        json!({ "xActions": [{ "no": "action, and long enough to pay for the bookkeeping" }] }),
        16_384,
    );
    let (after, outcomes) = apply_with(&Rules::default(), &before, "me#1", &[take("x")]);
    assert_eq!((taken(&outcomes[0]).malformed.len(), &after["xActions"]), (1, &json!([])));
}

#[test]
fn a_longer_name_that_does_not_fit_returns_what_it_takes_over_to_the_array() {
    let before = json!({ "xActions": [act("c")], "_sp": { "v": 1, "claims": { "x": [claim("you#2", 1, "a"), claim("you#2", 1, "b")] } } });
    let before = filled(before, 16_384);
    let by = format!("{}#1", "i".repeat(68));
    let (after, outcomes) = apply_with(&Rules::default(), &before, &by, &[take_over(&before)]);
    assert_eq!(outcomes[0].as_ref().unwrap(), &Outcome::TakenOver { lost: vec![] });
    assert!(after.to_string().len() <= 16_384);
    let ids: Vec<_> = after["xActions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["_sp"]["id"].as_str().unwrap())
        .collect();
    let held = after["_sp"]["claims"]["x"].as_array().map_or(0, Vec::len);
    assert_eq!(ids, ["a", "b", "c"][held..].to_vec());
    assert_eq!(after["xActions"][0]["_sp"]["n"], json!(1), "an attempt may have begun");
}

#[test]
fn a_short_run_returns_only_what_was_just_taken() {
    // Two claims of its own run already; of the two new ones none fits.
    let before = json!({ "xActions": [{ "action": "no id" }, act("d")], "_sp": { "v": 1, "claims": { "x": [claim("me#1", 1, "a"), claim("me#1", 1, "b")] } } });
    let before = filled(before, 16_384);
    let (after, outcomes) = apply_with(&Rules::default(), &before, "me#1", &[take("x")]);
    assert!(matches!(outcomes[0], Err(Error::TooLarge { .. })));
    assert_eq!(after, before);
}

#[test]
fn a_response_leaves_room_to_take_it_out_again() {
    let rules = Rules::default();
    let before =
        filled(claimed(json!([claim("me#1", 1, "a")])), rules.document_bytes_max - rules.reserve_bytes);
    let long = json!({ "action": "r", "text": filler(400), "_sp": { "id": "p" } });
    let (after, outcomes) = apply_with(&rules, &before, "me#1", &[answer("a", "x", long)]);
    assert_eq!(outcomes[0].as_ref().unwrap(), &Outcome::ResponseDropped(Dropped::TooLarge));
    let (after, outcomes) =
        apply_with(&rules, &after, "me#1", &[Operation::Enqueue(vec![("x".into(), item(act("p")))])]);
    assert!(outcomes[0].is_ok());
    work_off(after, &rules, "me#1");
}

#[test]
fn an_empty_array_is_not_squeezed_into_a_full_document() {
    let before = filled(json!({}), 16_384 - 40);
    let clear = Operation::ClearActions("extension".into());
    let (after, outcomes) = apply_with(&Rules::default(), &before, "me#1", &[clear]);
    assert!(matches!(outcomes[0], Err(Error::TooLarge { .. })), "{outcomes:?}");
    assert_eq!(after, before);
}
