//! Any document, any operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sp_sync::document::{
    Document, Failure, Held, Item, Mark, Operation, Outcome, Response, Rules, Tag, Unknown, Verdict, Writer,
    apply, is_reserved, resolve,
};
use sp_sync::{ActionId, Executor};

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zü\"\\\\\u{1}]{0,6}".prop_map(Value::from),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-c_]{1,3}|_sp|xActions", inner), 0..4).prop_map(object)
        ]
    })
}

fn object(entries: Vec<(String, Value)>) -> Value {
    Value::Object(entries.into_iter().collect())
}

fn short_id() -> impl Strategy<Value = String> {
    (0..12_u8).prop_map(|n| format!("id{n}"))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("me#1".to_owned()), Just("you#2".to_owned()), Just("she#3".to_owned())]
}

/// A tag that is mostly right.
fn tag() -> impl Strategy<Value = Value> {
    let entry = prop_oneof![
        6 => short_id().prop_map(|id| ("id".to_owned(), json!(id))),
        1 => name().prop_map(|to| ("to".to_owned(), json!(to))),
        1 => name().prop_map(|from| ("from".to_owned(), json!(from))),
        1 => short_id().prop_map(|re| ("re".to_owned(), json!(re))),
        1 => any::<u32>().prop_map(|n| ("n".to_owned(), json!(n))),
        1 => ("id|from|re|to|error|exp|n|new", any_json()),
    ];
    vec(entry, 0..4).prop_map(object)
}

fn element() -> impl Strategy<Value = Value> {
    let action = (vec(("[a-c]{1,2}|executor|respondTo", leaf()), 0..3), proptest::option::of(tag()))
        .prop_map(|(more, tag)| {
            let mut object = Map::from_iter([("action".to_owned(), json!("a"))]);
            object.extend(more);
            object.extend(tag.map(|tag| ("_sp".to_owned(), tag)));
            Value::Object(object)
        });
    prop_oneof![8 => action, 1 => any_json()]
}

fn claim() -> impl Strategy<Value = Value> {
    let good = (name(), 0..9_u32, any::<u64>(), element(), any::<bool>(), short_id()).prop_map(
        |(by, n, t, a, stub, id)| {
            if stub {
                json!({ "by": by, "n": n, "t": t, "once": id })
            } else {
                json!({ "by": by, "n": n, "t": t, "a": a })
            }
        },
    );
    prop_oneof![8 => good, 1 => any_json()]
}

fn bookkeeping() -> impl Strategy<Value = Value> {
    let claims = vec(("x|y|z", vec(claim(), 0..5).prop_map(Value::from)), 0..3).prop_map(object);
    let writers = vec((name(), any::<u64>()).prop_map(|(by, n)| json!([by, n])), 0..20).prop_map(Value::from);
    let entry = prop_oneof![
        3 => claims.prop_map(|claims| ("claims".to_owned(), claims)),
        2 => writers.prop_map(|writers| ("w".to_owned(), writers)),
        1 => ("claims|w|v|new", any_json()),
    ];
    let good = vec(entry, 0..4).prop_map(|mut entries| {
        entries.push(("v".into(), json!(1)));
        object(entries)
    });
    prop_oneof![8 => good, 1 => any_json()]
}

fn any_document() -> impl Strategy<Value = Map<String, Value>> {
    let entry = prop_oneof![
        3 => ("[a-d]{1,2}|Actions", any_json()),
        4 => ("(x|y|z)Actions", vec(element(), 0..6).prop_map(Value::from)),
        1 => ("(x|y|z)Actions", any_json()),
        3 => bookkeeping().prop_map(|sp| ("_sp".to_owned(), sp)),
    ];
    vec(entry, 0..8).prop_map(|entries| entries.into_iter().collect())
}

fn executor() -> impl Strategy<Value = Executor> {
    prop_oneof![6 => "x|y|z", 1 => Just(String::new())].prop_map(Executor::from)
}

fn an_item() -> impl Strategy<Value = Arc<Item>> {
    element().prop_map(|value| Arc::new(Item::from_value(value)))
}

fn an_id() -> impl Strategy<Value = ActionId> {
    short_id().prop_map(ActionId::from)
}

fn an_operation() -> impl Strategy<Value = Operation> {
    let fields = || {
        vec(("[a-d]{1,2}|xActions|_sp", any_json()), 0..3)
            .prop_map(|entries| Arc::new(entries.into_iter().collect::<Map<_, _>>()))
    };
    let mark = (name(), proptest::option::of(an_id()), 1..4_u32, 0..3_u64).prop_map(|(by, id, n, t)| Mark {
        by: by.into(),
        id,
        n,
        t,
    });
    let response = proptest::option::of(
        (executor(), an_item()).prop_map(|(executor, item)| Response { executor, item }),
    );
    prop_oneof![
        fields().prop_map(Operation::Merge),
        fields().prop_map(Operation::Replace),
        vec("[a-d]{1,2}|_sp", 0..3).prop_map(Operation::Unset),
        executor().prop_map(Operation::ClearActions),
        vec((executor(), an_item()), 0..4).prop_map(Operation::Enqueue),
        an_id().prop_map(Operation::Withdraw),
        (executor(), an_item()).prop_map(|(executor, item)| Operation::TakeResponse { executor, item }),
        (executor(), vec(an_id(), 0..3)).prop_map(|(executor, released)| Operation::Claim {
            executor,
            fresh: "fresh".into(),
            released
        }),
        (executor(), mark).prop_map(|(executor, mark)| Operation::TakeOver { executor, mark }),
        executor().prop_map(Operation::Renew),
        executor().prop_map(Operation::StepBack),
        (executor(), name()).prop_map(|(executor, to)| Operation::HandOver { executor, to: to.into() }),
        (executor(), an_id(), 1..9_u32).prop_map(|(executor, id, failed)| Operation::Retry {
            executor,
            id,
            failed
        }),
        (executor(), an_id()).prop_map(|(executor, id)| Operation::StartOnce { executor, id }),
        (executor(), an_id(), response).prop_map(|(executor, id, response)| Operation::Finish {
            executor,
            id,
            response
        }),
        (executor(), proptest::option::of((an_id(), 1_u32..6)))
            .prop_map(|(executor, started)| Operation::GiveBack { executor, started, unseen: None }),
    ]
}

fn some_rules() -> impl Strategy<Value = Rules> {
    (200..2_000_usize, 0..200_usize, 1..8_usize, 1..5_usize).prop_map(
        |(bytes, reserve, waiting_max, run_max)| Rules {
            document_bytes_max: bytes,
            reserve_bytes: reserve,
            waiting_max,
            run_max,
            attempts_max: 5,
        },
    )
}

/// Marks of claims that are really there are seldom drawn: half of all takings over name one.
fn aimed(document: &Document, operation: Operation, aim: bool) -> Operation {
    match operation {
        Operation::TakeOver { executor, .. } if aim && !document.claims(executor.as_str()).is_empty() => {
            let mark = document.claims(executor.as_str())[0].mark();
            Operation::TakeOver { executor, mark }
        }
        Operation::HandOver { executor, to } if aim => {
            let next = document.ledger().and_then(|ledger| ledger.next(executor.as_str()));
            Operation::HandOver { to: next.cloned().unwrap_or(to), executor }
        }
        other => other,
    }
}

/// How often each content stands in arrays and claims, without bookkeeping.
fn contents(document: &Document) -> BTreeMap<String, isize> {
    let mut counts = BTreeMap::new();
    let bare = |item: &Item| {
        item.action().map_or_else(|| "malformed".to_owned(), |action| action.to_value().to_string())
    };
    for (_, items) in document.queues() {
        for item in items {
            *counts.entry(bare(item)).or_default() += 1;
        }
    }
    for (_, claims) in document.ledger().iter().flat_map(|ledger| ledger.claimed()) {
        for item in claims.iter().filter_map(|claim| claim.item()) {
            *counts.entry(bare(item)).or_default() += 1;
        }
    }
    counts
}

/// By how much an operation may change the number of elements.
fn expected_change(before: &Document, by: &str, operation: &Operation, outcome: &Outcome) -> isize {
    let count = |n: usize| isize::try_from(n).unwrap();
    let held = |executor: &Executor, which: &dyn Fn(&sp_sync::document::Claim) -> bool| {
        count(
            before
                .claims(executor.as_str())
                .iter()
                .filter(|claim| claim.item().is_some() && which(claim))
                .count(),
        )
    };
    match (operation, outcome) {
        (Operation::Enqueue(actions), Outcome::Done) => count(actions.len()),
        (Operation::Withdraw(_) | Operation::TakeResponse { .. }, Outcome::Done) => -1,
        (Operation::ClearActions(executor), Outcome::Done) => -count(before.waiting(executor.as_str()).len()),
        (Operation::Claim { .. }, Outcome::Taken(taken)) => {
            let items = if before.is_foreign() { taken.items.len() } else { 0 };
            -count(taken.malformed.len() + taken.duplicates.len() + items)
        }
        (Operation::StartOnce { executor, id }, Outcome::Done) => {
            -held(executor, &|claim| claim.by.as_ref() == by && claim.id() == Some(id))
        }
        (Operation::Finish { executor, id, response }, Outcome::Done | Outcome::ResponseDropped(_)) => {
            let removed = held(executor, &|claim| claim.by.as_ref() == by && claim.id() == Some(id));
            isize::from(response.is_some() && *outcome == Outcome::Done) - removed
        }
        _ => 0,
    }
}

proptest! {
    /// Reading and writing keeps everything outside `_sp`, in its order.
    #[test]
    fn a_round_trip_keeps_everything_but_garbage_in_the_bookkeeping(object in any_document()) {
        let document = Document::from_object(object.clone());
        let text = document.to_json();
        prop_assert_eq!(document.size_bytes(), text.len());
        let again = Document::from_json(&text).unwrap();
        prop_assert_eq!(&again.to_json(), &text);
        prop_assert_eq!(&again, &document);
        let bare = |mut object: Map<String, Value>| {
            object.shift_remove("_sp");
            for (_, value) in object.iter_mut().filter(|(key, _)| is_reserved(key)) {
                for item in value.as_array_mut().into_iter().flatten().filter(|item| item["action"].is_string()) {
                    item.as_object_mut().unwrap().shift_remove("_sp");
                }
            }
            Value::Object(object).to_string()
        };
        prop_assert_eq!(Value::Object((*document.view()).clone()).to_string(), bare(object));
    }

    /// Nothing panics, every byte is counted, the limit is kept, nothing is lost or doubled, and nobody's keys change.
    #[test]
    fn any_operations_keep_the_invariants(
        object in any_document(),
        steps in vec((name(), an_operation(), any::<bool>()), 1..12),
        rules in some_rules(),
    ) {
        let mut document = Document::from_object(object);
        for (number, (by, operation, aim)) in steps.into_iter().enumerate() {
            let operation = aimed(&document, operation, aim);
            let instance = by.split('#').nth(1).unwrap().into();
            let writer = Writer { by: by.as_str().into(), instance, number: number as u64, plain: false };
            let applied = apply(&document, &writer, &rules, std::slice::from_ref(&operation));
            let Some(after) = applied.document else {
                let unchanged = matches!(applied.outcomes[0], Ok(Outcome::Nothing | Outcome::HeldByAnother) | Err(_))
                    || document.is_foreign();
                prop_assert!(unchanged, "{:?}", applied.outcomes);
                continue;
            };
            prop_assert!(applied.outcomes[0].is_ok());
            let outcome = applied.outcomes[0].as_ref().unwrap();
            let text = after.to_json();
            prop_assert_eq!(after.size_bytes(), text.len(), "{}", &text);
            let again = Document::from_json(&text).unwrap();
            prop_assert_eq!(&again, &after);
            // What apply says of its limit.
                        let allowed = rules.document_bytes_max.max(document.size_bytes()) + 128;
            prop_assert!(text.len() <= allowed, "{} > {} after {:?}", text.len(), allowed, operation);
            for (executor, items) in after.queues() {
                let key = format!("{executor}Actions");
                prop_assert_eq!(after.view()[&key].as_array().unwrap().len(), items.len());
            }
            let (was, is) = (contents(&document), contents(&after));
            let change = is.values().sum::<isize>() - was.values().sum::<isize>();
            prop_assert_eq!(change, expected_change(&document, &by, &operation, outcome), "{:?} {:?}", operation, outcome);
            // Where bookkeeping is foreign they lose their tags.
            if let (Operation::Enqueue(actions), Outcome::Done, false) = (&operation, outcome, after.is_foreign()) {
                for executor in ["x", "y", "z"] {
                    let own: Vec<_> = actions.iter().filter(|(to, _)| to.as_str() == executor).map(|(_, item)| item).collect();
                    let tail = after.waiting(executor).iter().rev().take(own.len()).rev();
                    prop_assert!(tail.eq(own.iter().copied()));
                }
            }
            if matches!(operation, Operation::Claim { .. } | Operation::TakeOver { .. } | Operation::GiveBack { .. } | Operation::Renew(_)) && change == 0 {
                prop_assert_eq!(&was, &is);
            }
            let own_keys = |document: &Document| -> Vec<(String, Value)> {
                document.view().iter().filter(|(key, _)| !is_reserved(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
            };
            if !matches!(operation, Operation::Merge(_) | Operation::Unset(_) | Operation::Replace(_)) {
                prop_assert_eq!(own_keys(&document), own_keys(&after));
            }
            document = after;
        }
    }

    /// A lost write is never called held when it was not, nor the other way round, however many write after it and
    /// however full the document is.
    #[test]
    fn a_verdict_on_a_lost_write_is_never_wrong(
        before in vec((0..24_u8, 0..40_usize), 0..30),
        held in any::<bool>(),
        after in vec((0..24_u8, 0..40_usize), 1..40),
        limit in 120..600_usize,
        earlier in any::<bool>(),
    ) {
        let rules = Rules { document_bytes_max: limit, reserve_bytes: 0, ..Rules::default() };
        let mut number = 0;
        let mut write = |document: &Document, instance: &str, data: usize| {
            number += 1;
            let writer = Writer { by: format!("i#{instance}").into(), instance: instance.into(), number, plain: false };
            let data = json!({ "data": format!("{number}{}", "x".repeat(data * 8)) });
            let operation = Operation::Merge(Arc::new(data.as_object().unwrap().clone()));
            (apply(document, &writer, &rules, &[operation]).document, number)
        };
        // The document has bookkeeping from its first write on; without it a full one gives no record at all.
        let mut document = write(&Document::default(), "first", 0).0.unwrap();
        for (instance, data) in before {
            document = write(&document, &format!("w{instance}"), data).0.unwrap_or(document);
        }
        if earlier {
            document = write(&document, "mine", 1).0.unwrap_or(document);
        }
        let base = document.clone();
        let (mine, my_number) = write(&document, "mine", 0);
        prop_assume!(mine.is_some());
        if held {
            document = mine.unwrap();
        }
        for (instance, data) in after {
            document = write(&document, &format!("w{instance}"), data).0.unwrap_or(document);
            let verdict = resolve(&base, &document, "mine", my_number, &Operation::Unset(vec![]));
            match verdict {
                Verdict::Held => prop_assert!(held),
                Verdict::NotHeld => prop_assert!(!held || document == base, "{} then {}", base.to_json(), document.to_json()),
                Verdict::Unknown => {}
            }
        }
    }

    /// One client alone works any document off, whatever stands in it, if it has room for a claim.
    #[test]
    fn any_document_is_worked_off(object in any_document()) {
        let rules = Rules { run_max: 2, ..Rules::default() };
        let mut document = Document::from_object(object);
        for number in 0..200 {
            let writer = Writer { by: "last#9".into(), instance: "9".into(), number, plain: false };
            let mut operations = Vec::new();
            for executor in ["x", "y", "z"] {
                let claims = document.claims(executor);
                if let Some(head) = claims.first().filter(|head| head.by != writer.by) {
                    operations.push(Operation::TakeOver { executor: executor.into(), mark: head.mark() });
                }
                for claim in claims.iter().filter(|claim| claim.by == writer.by) {
                    if matches!(claim.held, Held::Action(_)) && number % 3 == 0 {
                        operations.push(Operation::StartOnce { executor: executor.into(), id: claim.id().unwrap().clone() });
                    }
                    operations.push(Operation::Finish { executor: executor.into(), id: claim.id().unwrap().clone(), response: None });
                }
                let released = document.waiting(executor).iter().filter_map(|item| item.id().cloned()).collect();
                operations.push(Operation::Claim { executor: executor.into(), fresh: format!("f{number}-").into(), released });
            }
            match apply(&document, &writer, &rules, &operations).document {
                Some(next) => document = next,
                None => break,
            }
        }
        for executor in ["x", "y", "z"] {
            prop_assert!(document.claims(executor).is_empty(), "{}", document.to_json());
            prop_assert!(document.waiting(executor).is_empty(), "{}", document.to_json());
        }
    }
}

#[test]
fn an_items_tag_is_written_in_the_order_of_the_contract() {
    let item = Item::from_value(json!({ "action": "a" }));
    let tag = Tag {
        id: Some("i".into()),
        from: Some("f".into()),
        re: Some("r".into()),
        to: Some("t".into()),
        error: Some(Failure::new("code", "message")),
        exp: Some(1),
        n: Some(2),
        rest: Unknown::default(),
    };
    let text = r#"{"action":"a","_sp":{"id":"i","from":"f","re":"r","to":"t","error":{"code":"code","message":"message"},"exp":1,"n":2}}"#;
    assert_eq!(serde_json::to_string(&item.with_tag(tag)).unwrap(), text);
}
