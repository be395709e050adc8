//! What became of a write whose answer was lost (C29).

use super::*;

fn with_writers(writers: Value) -> Document {
    document(json!({ "_sp": { "v": 1, "w": writers } }))
}

fn merge() -> Operation {
    Operation::Merge(Arc::new(Map::new()))
}

fn verdict(before: &Document, later: &Document) -> Verdict {
    super::super::resolve(before, later, "me", 5, &merge())
}

#[test]
fn the_number_of_the_writer_tells() {
    let before = with_writers(json!([["me", 4], ["you", 1]]));
    assert_eq!(verdict(&before, &with_writers(json!([["you", 1], ["me", 5]]))), Verdict::Held);
    assert_eq!(verdict(&before, &with_writers(json!([["you", 1], ["me", 9]]))), Verdict::Held);
    assert_eq!(verdict(&before, &with_writers(json!([["me", 4], ["you", 2]]))), Verdict::NotHeld);
}

#[test]
fn an_action_that_is_there_tells_whatever_the_numbers_say() {
    let before = with_writers(json!([["me", 4]]));
    let add = Operation::Enqueue(vec![("x".into(), item(act("a")))]);
    for later in [json!({ "xActions": [act("a")] }), claimed(json!([claim("you#2", 1, "a")]))] {
        let mut later = later;
        later["_sp"]["v"] = json!(1);
        later["_sp"]["w"] = json!([["me", 4]]);
        assert_eq!(super::super::resolve(&before, &document(later), "me", 5, &add), Verdict::Held);
    }
}

#[test]
fn an_entry_older_than_the_write_tells_that_it_never_was() {
    let others: Vec<_> = (0..16).map(|n| json!([format!("i{n}"), n])).collect();
    let mut later = others.clone();
    later.remove(0);
    later.push(json!(["new", 1]));
    assert_eq!(verdict(&with_writers(json!(others)), &with_writers(json!(later))), Verdict::NotHeld);
}

#[test]
fn a_first_write_that_was_lost_is_told_from_one_that_held() {
    // Found by the model: with two writers nothing was left of the list as it was, and no verdict was given.
    let begun = Document::default().begun_by(&"me".into());
    assert_eq!(verdict(&begun, &with_writers(json!([["me", 0], ["you", 1]]))), Verdict::NotHeld);
    assert_eq!(
        verdict(&with_writers(json!([["you", 1]])), &with_writers(json!([["you", 2]]))),
        Verdict::NotHeld
    );
}

#[test]
fn where_writers_were_forgotten_or_replaced_nothing_is_claimed() {
    let full: Vec<_> = (0..16).map(|n| json!([format!("i{n}"), n])).collect();
    let before = with_writers(json!([["you", 1]]));
    assert_eq!(verdict(&before, &with_writers(json!(full))), Verdict::Unknown);
    assert_eq!(verdict(&before, &with_writers(json!([["", 0], ["you", 2]]))), Verdict::Unknown);
    assert_eq!(verdict(&before, &with_writers(json!([["she", 2]]))), Verdict::Unknown);
    assert_eq!(verdict(&before, &document(json!({}))), Verdict::Unknown);
    assert_eq!(verdict(&before, &document(json!({ "_sp": { "v": 2 } }))), Verdict::Unknown);
}

#[test]
fn the_mark_of_forgotten_writers_is_no_proof_that_a_write_never_was() {
    // Found by random writers on a full document: the mark stood in both lists and was taken for an old entry.
    let before = with_writers(json!([["", 0], ["you", 3]]));
    assert_eq!(verdict(&before, &with_writers(json!([["", 0], ["you", 9]]))), Verdict::Unknown);
}

#[test]
fn forgetting_writers_for_room_leaves_a_mark() {
    let before = json!({ "data": "x".repeat(300), "small": 1, "_sp": { "v": 1, "w": [["a", 1], ["b", 2], ["c", 3]] } });
    let rules = Rules { document_bytes_max: before.to_string().len(), ..Rules::default() };
    let (after, _) = apply_with(&rules, &before, "me#instance", &[Operation::Unset(vec!["small".into()])]);
    assert_eq!(after["_sp"]["w"], json!([["", 0], ["c", 3], ["instance", 1]]));
    let before = document(json!({ "_sp": { "v": 1, "w": [] } }));
    assert_eq!(super::super::resolve(&before, &document(after), "me", 1, &merge()), Verdict::Unknown);
}

/// C29: where nobody had written before there is nothing to go on from: a list that was wiped meanwhile looks the same.
#[test]
fn where_nobody_had_written_before_a_missing_number_tells_nothing() {
    assert_eq!(verdict(&document(json!({})), &with_writers(json!([["you", 1]]))), Verdict::Unknown);
}
