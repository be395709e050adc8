//! One rule book, written twice: the same operations on the same documents do the same in both languages.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sp_sync::document::{
    Claim, Document, Item, Mark, Operation, Outcome, Response, Rules, Verdict, Writer, apply, resolve,
};
use sp_sync::id::Executor;
use sp_sync::{Error, Result};

use super::compiled;
use crate::server::puppet::Puppet;
use crate::support::Dice;

const EXECUTORS: [&str; 3] = ["extension", "onboarding", "ü\""];
const HOLDERS: [&str; 3] = ["ES1#aaaa", "ES1#bbbb", "AU2#c"];

/// A number below this one.
fn upto(dice: &mut Dice, sides: usize) -> usize {
    usize::try_from(dice.roll(sides as u64)).unwrap()
}

fn one_of<'a, T>(dice: &mut Dice, of: &'a [T]) -> &'a T {
    &of[upto(dice, of.len())]
}

fn executor(dice: &mut Dice) -> Executor {
    (*one_of(dice, &EXECUTORS)).into()
}

/// Ids come again and again, as they do where old copies are stored.
fn id(dice: &mut Dice) -> String {
    format!("id{}", dice.roll(12))
}

/// What an element's `_sp` may be, most often what it should be.
fn tag(dice: &mut Dice) -> Value {
    let mut tag = Map::new();
    let mut maybe = |dice: &mut Dice, key: &str, value: Value| {
        if dice.roll(4) == 0 {
            tag.insert(key.into(), value);
        }
    };
    let (own, other) = (id(dice), id(dice));
    let to = json!(one_of(dice, &HOLDERS));
    maybe(dice, "from", json!(HOLDERS[0]));
    maybe(dice, "re", json!(other));
    maybe(dice, "to", to);
    maybe(dice, "n", json!(2));
    maybe(dice, "exp", json!(1_700_000_000_000_u64));
    maybe(dice, "error", json!({ "code": "busy", "message": "not now\n" }));
    maybe(dice, "newer", json!({ "x": [1, null] }));
    if dice.roll(8) > 0 {
        tag.insert("id".into(), json!(own));
    }
    if dice.roll(12) == 0 {
        let wrong =
            [json!({ "id": "x".repeat(40) }), json!({ "id": 7, "n": -1 }), json!("text"), json!(null)];
        return one_of(dice, &wrong).clone();
    }
    tag.into()
}

fn element(dice: &mut Dice) -> Value {
    match dice.roll(14) {
        0 => json!(7),
        1 => json!({ "action": 7 }),
        _ => {
            let mut element = json!({ "action": "lockScreen", "executor": "extension", "message": "é\u{1}\"".repeat(upto(dice, 4)) });
            if dice.roll(4) > 0 {
                element["_sp"] = tag(dice);
            }
            element
        }
    }
}

fn elements(dice: &mut Dice) -> Value {
    (0..dice.roll(5)).map(|_| element(dice)).collect()
}

/// Bookkeeping as this protocol, a newer one, or a stranger may have written it.
fn bookkeeping(dice: &mut Dice) -> Value {
    if dice.roll(8) == 0 {
        return one_of(
            dice,
            &[json!({ "v": 2, "claims": [] }), json!(null), json!({}), json!({ "v": 1, "claims": 3 })],
        )
        .clone();
    }
    let mut claims = Map::new();
    for name in &EXECUTORS[..2] {
        let by = *one_of(dice, &HOLDERS);
        let of: Vec<Value> = (0..dice.roll(4))
            .map(|_| match dice.roll(8) {
                0 => json!({ "by": by, "n": 1, "t": 9, "once": id(dice) }),
                1 => json!({ "by": 3 }),
                _ => json!({ "by": by, "n": dice.roll(3), "t": dice.roll(12), "a": element(dice) }),
            })
            .collect();
        claims.insert((*name).to_owned(), of.into());
    }
    let writers: Vec<Value> = (0..dice.roll(20))
        .map(|n| json!([format!("writer{n}"), n]))
        .chain([json!(["aaaa", 3]), json!("odd")])
        .collect();
    let mut takers = Map::new();
    for name in &EXECUTORS[..usize::try_from(dice.roll(3)).unwrap()] {
        let odd = dice.roll(8) == 0;
        takers.insert((*name).to_owned(), if odd { json!(3) } else { json!(one_of(dice, &HOLDERS)) });
    }
    json!({ "v": 1, "claims": claims, "next": takers, "w": writers, "later": true })
}

/// A whole document, as anybody may have written it.
fn written_by_anybody(dice: &mut Dice) -> Document {
    let mut object = Map::new();
    object.insert("step".into(), json!("welcome"));
    for name in EXECUTORS {
        let array = match dice.roll(9) {
            0 => json!({ "not": "an array" }),
            1 => Value::Null,
            2 => continue,
            _ => elements(dice),
        };
        object.insert(format!("{name}Actions"), array);
    }
    if dice.roll(5) > 0 {
        object.insert("_sp".into(), bookkeeping(dice));
    }
    Document::from_object(object)
}

fn read(dice: &mut Dice) -> Arc<Item> {
    loop {
        let item = Item::from_value(element(dice));
        if item.action().is_some() {
            return Arc::new(item);
        }
    }
}

/// An operation that has a chance to do something in this document.
fn operation(dice: &mut Dice, document: &Document, step: u64) -> Operation {
    let executor = executor(dice);
    let claims = document.claims(executor.as_str());
    let waiting = document.waiting(executor.as_str());
    let claimed = |dice: &mut Dice| -> Option<&Claim> { (!claims.is_empty()).then(|| one_of(dice, claims)) };
    let claim_id = |dice: &mut Dice| match claimed(dice).and_then(Claim::id) {
        Some(id) => id.clone(),
        None => id(dice).as_str().into(),
    };
    match dice.roll(14) {
        0 => {
            let data = json!({ "step": "x".repeat(upto(dice, 60)), "new": [step, { "deep": null }] });
            Operation::Merge(Arc::new(data.as_object().unwrap().clone()))
        }
        1 => Operation::Unset(vec!["new".into(), "absent".into()]),
        2 => Operation::Merge(Arc::new(Map::from_iter([("extensionActions".into(), json!([]))]))),
        3 | 4 => Operation::Enqueue((0..dice.roll(4)).map(|_| (self::executor(dice), read(dice))).collect()),
        5 => Operation::Withdraw(id(dice).as_str().into()),
        6 => {
            let item = if waiting.is_empty() { read(dice) } else { one_of(dice, waiting).clone() };
            Operation::TakeResponse { executor, item }
        }
        7 | 8 => {
            let released = waiting.iter().filter_map(|item| item.id().cloned()).take(2).collect();
            Operation::Claim { executor, fresh: format!("fresh{step}-").into(), released }
        }
        9 => {
            let mark = claims.first().map(Claim::mark);
            let gone = || Mark { by: HOLDERS[0].into(), id: None, n: 1, t: 0 };
            Operation::TakeOver { executor, mark: mark.unwrap_or_else(gone) }
        }
        10 if dice.roll(4) == 0 => Operation::StepBack(executor),
        10 if dice.roll(4) == 0 => Operation::HandOver { executor, to: HOLDERS[0].into() },
        10 => Operation::Renew(executor),
        11 => match dice.roll(2) {
            0 => Operation::Retry {
                executor,
                id: claim_id(dice),
                failed: u32::try_from(dice.roll(4)).unwrap(),
            },
            _ => Operation::StartOnce { executor, id: claim_id(dice) },
        },
        12 => {
            let response = Response { executor: self::executor(dice), item: read(dice) };
            let response = Some(response).filter(|_| dice.roll(3) > 0);
            Operation::Finish { executor, id: claim_id(dice), response }
        }
        _ if dice.roll(5) == 0 => Operation::PutBack { executor, items: vec![read(dice)] },
        _ => {
            let started = Some((claim_id(dice), 2)).filter(|_| dice.roll(2) == 0);
            let unseen = Some(read(dice)).filter(|_| dice.roll(3) == 0);
            Operation::GiveBack { executor, started, unseen }
        }
    }
}

/// Half of the time, whatever is added goes on to whoever takes what comes next.
fn handing_over(dice: &mut Dice, document: &Document) -> Vec<Operation> {
    let executors = EXECUTORS.iter().filter(|_| dice.roll(2) == 0);
    let hand_over = |executor: &&str| {
        let to = document.ledger()?.next(executor)?.clone();
        Some(Operation::HandOver { executor: (**executor).into(), to })
    };
    executors.filter_map(hand_over).collect()
}

/// The operation as the other side is told of it.
fn described(operation: &Operation) -> Value {
    let of = |response: &Response| json!({ "executor": response.executor.as_str(), "item": *response.item });
    match operation {
        Operation::Merge(data) => json!({ "op": "Merge", "data": **data }),
        Operation::Unset(keys) => json!({ "op": "Unset", "keys": keys }),
        Operation::Enqueue(actions) => {
            let of = |(executor, item): &(Executor, Arc<Item>)| json!({ "executor": executor.as_str(), "item": **item });
            json!({ "op": "Enqueue", "actions": actions.iter().map(of).collect::<Vec<_>>() })
        }
        Operation::Withdraw(id) => json!({ "op": "Withdraw", "id": id.as_str() }),
        Operation::TakeResponse { executor, item } => {
            json!({ "op": "TakeResponse", "executor": executor.as_str(), "item": **item })
        }
        Operation::Claim { executor, fresh, released } => {
            let released: Vec<_> = released.iter().map(|id| id.as_str()).collect();
            json!({ "op": "Claim", "executor": executor.as_str(), "fresh": **fresh, "released": released })
        }
        Operation::TakeOver { executor, mark } => {
            let id = mark.id.as_ref().map(|id| id.as_str());
            let mark = json!({ "by": *mark.by, "id": id, "n": mark.n, "t": mark.t });
            json!({ "op": "TakeOver", "executor": executor.as_str(), "mark": mark })
        }
        Operation::Renew(executor) => json!({ "op": "Renew", "executor": executor.as_str() }),
        Operation::Retry { executor, id, failed } => {
            json!({ "op": "Retry", "executor": executor.as_str(), "id": id.as_str(), "failed": failed })
        }
        Operation::HandOver { executor, to } => {
            json!({ "op": "HandOver", "executor": executor.as_str(), "to": &**to })
        }
        Operation::StepBack(executor) => json!({ "op": "StepBack", "executor": executor.as_str() }),
        Operation::StartOnce { executor, id } => {
            json!({ "op": "StartOnce", "executor": executor.as_str(), "id": id.as_str() })
        }
        Operation::Finish { executor, id, response } => {
            let response = response.as_ref().map(of);
            json!({ "op": "Finish", "executor": executor.as_str(), "id": id.as_str(), "response": response })
        }
        Operation::GiveBack { executor, started, unseen } => {
            let started = started.as_ref().map(|(id, begun)| json!({ "id": id.as_str(), "begun": begun }));
            let unseen = unseen.as_ref().map(|item| json!(**item));
            json!({ "op": "GiveBack", "executor": executor.as_str(), "started": started, "unseen": unseen })
        }
        Operation::PutBack { executor, items } => {
            let items: Vec<_> = items.iter().map(|item| json!(**item)).collect();
            json!({ "op": "PutBack", "executor": executor.as_str(), "items": items })
        }
        Operation::Replace(_) | Operation::ClearActions(_) => {
            unreachable!("the helper has no such operation")
        }
    }
}

/// What became of an operation, in the words of the other side.
fn shown(outcome: &Result<Outcome>) -> Value {
    let items = |items: &[Arc<Item>]| -> Vec<Value> { items.iter().map(|item| json!(**item)).collect() };
    match outcome {
        Ok(Outcome::Done) => json!("Done"),
        Ok(Outcome::Nothing) => json!("Nothing"),
        Ok(Outcome::HeldByAnother) => json!("HeldByAnother"),
        Ok(Outcome::Taken(taken)) => {
            json!({ "items": items(&taken.items), "malformed": items(&taken.malformed),
            "duplicates": items(&taken.duplicates) })
        }
        Ok(Outcome::ResponseDropped(why)) => json!({ "dropped": format!("{why:?}") }),
        Ok(Outcome::TakenOver { lost }) => {
            json!({ "lost": lost.iter().map(|id| id.as_str()).collect::<Vec<_>>() })
        }
        Err(Error::TooLarge { size_bytes, limit_bytes }) => {
            json!({ "refused": "TooLarge", "sizeBytes": size_bytes, "limitBytes": limit_bytes })
        }
        Err(Error::Full { .. }) => json!({ "refused": "Full" }),
        Err(Error::CorruptArray { .. }) => json!({ "refused": "CorruptArray" }),
        Err(Error::Reserved { .. }) => json!({ "refused": "Reserved" }),
        Err(other) => panic!("{other:?}"),
    }
}

/// What the other side is asked to apply.
fn asked(document: &Document, operations: &[Operation], writer: &Writer, rules: &Rules) -> Value {
    let before: Value = serde_json::from_str(&document.to_json()).unwrap();
    json!({
        "document": before, "operations": operations.iter().map(described).collect::<Vec<_>>(),
        "writer": { "by": *writer.by, "instance": *writer.instance, "number": writer.number },
        "rules": { "documentBytesMax": rules.document_bytes_max, "reserveBytes": rules.reserve_bytes,
            "waitingMax": rules.waiting_max, "runMax": rules.run_max },
    })
}

fn rules(dice: &mut Dice) -> Rules {
    Rules {
        document_bytes_max: 400 + 100 * upto(dice, 40),
        reserve_bytes: 8 * upto(dice, 32),
        waiting_max: 2 + upto(dice, 8),
        run_max: 1 + upto(dice, 6),
        ..Rules::default()
    }
}

/// C20, C22, C23, C30, C36–C41, C43–C47, C51, C52, C55, C56, C59–C61: whatever is done to whatever document, with
/// takeovers, returned runs and old copies among it, both write the same bytes and say the same of it.
#[tokio::test]
async fn the_same_operations_make_the_same_documents() {
    let Some(mut node) = compiled().and_then(|folder| Puppet::running("heart.cjs", Some(&folder))) else {
        return;
    };
    let mut did = std::collections::BTreeMap::<String, usize>::new();
    for seed in 1..=160 {
        let mut dice = Dice::new(seed);
        let rules = rules(&mut dice);
        let mut document = if seed % 2 == 0 { written_by_anybody(&mut dice) } else { Document::default() };
        let mut old = document.clone();
        for number in 1..=20 {
            let by = *one_of(&mut dice, &HOLDERS);
            let instance = by.split_once('#').unwrap().1;
            let writer = Writer { by: by.into(), instance: instance.into(), number, plain: false };
            let mut operations: Vec<_> =
                (0..=dice.roll(2)).map(|_| operation(&mut dice, &document, number)).collect();
            operations.extend(handing_over(&mut dice, &document));
            let applied = apply(&document, &writer, &rules, &operations);
            let after = applied.document.as_ref().unwrap_or(&document);
            let asked = asked(&document, &operations, &writer, &rules);
            let answer = node.tell("apply", asked.clone()).await;
            let outcomes: Vec<_> = applied.outcomes.iter().map(shown).collect();
            let expected = json!({ "changed": applied.document.is_some(), "document": *after.to_json(),
                "bytes": after.size_bytes(), "view": json!(*after.view()).to_string(), "outcomes": outcomes });
            assert_eq!(answer, expected, "seed {seed}, step {number}: {asked}");
            for (operation, outcome) in operations.iter().zip(&outcomes) {
                let kind = outcome.as_str().map_or_else(
                    || outcome.as_object().unwrap().keys().next().unwrap().clone(),
                    str::to_owned,
                );
                *did.entry(format!("{}: {kind}", described(operation)["op"].as_str().unwrap()))
                    .or_default() += 1;
            }
            check_verdict(&mut node, &document, after, &old, instance, number, &operations[0]).await;
            let next = after.clone();
            match dice.roll(12) {
                // An original client stores an old copy, or somebody writes what he likes.
                0 => document = std::mem::replace(&mut old, next),
                1 => document = written_by_anybody(&mut dice),
                _ => document = next,
            }
        }
    }
    // What was compared was worth it: each of these must have happened often.
    for kind in [
        "Claim: items",
        "Claim: HeldByAnother",
        "Enqueue: Done",
        "Enqueue: refused",
        "Finish: Done",
        "Finish: dropped",
        "GiveBack: Done",
        "GiveBack: lost",
        "HandOver: Done",
        "HandOver: Nothing",
        "Merge: Done",
        "Merge: refused",
        "PutBack: Done",
        "Renew: Done",
        "Retry: Done",
        "StartOnce: Done",
        "StepBack: Done",
        "TakeOver: lost",
        "TakeResponse: Done",
        "Unset: Done",
        "Withdraw: Done",
    ] {
        assert!(did.get(kind).is_some_and(|times| *times >= 3), "{kind}: {did:?}");
    }
}

/// C29: both judge a lost answer alike.
async fn check_verdict(
    node: &mut Puppet,
    base: &Document,
    later: &Document,
    old: &Document,
    instance: &str,
    number: u64,
    operation: &Operation,
) {
    let json = |document: &Document| serde_json::from_str::<Value>(&document.to_json()).unwrap();
    for (base, later) in [(base, later), (old, later), (later, old)] {
        let verdict = match resolve(base, later, instance, number, operation) {
            Verdict::Held => "Held",
            Verdict::NotHeld => "NotHeld",
            Verdict::Unknown => "Unknown",
        };
        let asked = json!({ "base": json(base), "later": json(later), "instance": instance, "number": number,
            "operation": described(operation) });
        assert_eq!(node.tell("resolve", asked.clone()).await, verdict, "{asked}");
    }
}
