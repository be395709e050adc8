//! Content survives the round trip (C32).

use serde_json::{Map, Value, json};

use super::bench::{Bench, Outcome, document, numbered};
use super::{Promise, ensure, promise};
use crate::backend::{Expect, Ttl};

pub(super) const PROMISES: &[Promise] = &[
    promise!("content", numbers_survive, "integers up to 2^53 and floating-point numbers keep their value"),
    promise!("content", text_survives, "text of any script, escapes and NUL included, keeps its characters"),
    promise!("content", the_order_of_keys_survives, "keys keep their order"),
    promise!("content", odd_keys_survive, "empty keys and keys that mean something elsewhere are only keys"),
    promise!("content", nesting_survives, "deep nesting, empty objects and empty arrays survive"),
    promise!("content", queues_and_bookkeeping_survive, "arrays of actions and `_sp` survive"),
    promise!("content", watchers_get_the_same, "a watcher gets the content that a reader gets"),
];

/// Writes it, reads it, and compares text with text, so that order and form of numbers count.
async fn survives(bench: &Bench, value: Value) -> Outcome {
    let (id, written) = (bench.name()?, document(value));
    let made = bench.write(&id, &written, Expect::Absent, Ttl::Keep).await?;
    let stored = bench.found(&id).await?;
    ensure!(stored.revision == made.revision, "another revision is read than was written");
    let (found, expected) = (stored.document.to_json(), written.to_json());
    ensure!(found == expected, "{found} is read where {expected} was written");
    ensure!(stored.document == written, "the document read does not equal the one written");
    Ok(())
}

async fn numbers_survive(bench: &Bench) -> Outcome {
    let integers =
        json!([0, 1, -1, 2_147_483_648_u64, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64]);
    let most = json!(9_007_199_254_740_992_u64);
    let floats = json!([0.1, 1e300, 1e-300, 2.5, -0.5, 0.1 + 0.2, 1.0, 5e-324, f64::MAX, 1e21]);
    survives(bench, json!({ "integers": integers, "most": most, "floats": floats })).await
}

async fn text_survives(bench: &Bench) -> Outcome {
    let text = json!({
        "umlaut": "Prüfung", "han": "考试", "emoji": "🧑‍🎓", "rtl": "امتحان", "combining": "e\u{301}", "quote": "\"\\/",
        "control": "\u{0}\u{1}\n\r\t\u{7f}\u{2028}", "edge": "\u{d7ff}\u{e000}\u{fffd}\u{10ffff}", "": "", " ": " ",
    });
    survives(bench, text).await
}

async fn the_order_of_keys_survives(bench: &Bench) -> Outcome {
    let keys = ["z", "a", "10", "9", "B", "b", "_", "ä", "m"];
    let inner: Map<String, Value> = keys.iter().rev().map(|key| ((*key).to_owned(), json!(1))).collect();
    let outer: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!(inner))).collect();
    survives(bench, Value::Object(outer)).await
}

async fn odd_keys_survive(bench: &Bench) -> Outcome {
    let keys = [
        "",
        "__proto__",
        "constructor",
        "a.b",
        "$set",
        "/",
        "~0",
        "id",
        "_id",
        "data",
        "revision",
        "\u{0}",
        "$serde_json::private::RawValue",
    ];
    let odd: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!({ *key: null }))).collect();
    survives(bench, Value::Object(odd)).await
}

async fn nesting_survives(bench: &Bench) -> Outcome {
    let deep = (0..100).fold(json!("bottom"), |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({ "in": inner }),
    });
    survives(bench, json!({ "deep": deep, "object": {}, "array": [], "null": null, "false": false })).await
}

async fn queues_and_bookkeeping_survive(bench: &Bench) -> Outcome {
    let actions =
        json!([{ "action": "stopSession", "n": 1.0 }, "not an object", null, { "id": "x", "unknown": [1] }]);
    survives(bench, json!({ "extensionActions": actions, "before": 1, "proctorActions": [], "after": 2 }))
        .await?;
    survives(bench, json!({ "_sp": { "v": 99, "later": { "z": 1, "a": 2 } }, "a": 1 })).await
}

async fn watchers_get_the_same(bench: &Bench) -> Outcome {
    let id = bench.name()?;
    let mut watcher = bench.watch(&id).await?;
    let value = json!({ "z": 0.1, "a": [9_007_199_254_740_992_u64, "考试"], "": {} });
    let first = bench.create(&id, numbered(1)).await?.revision;
    let written = bench.update(&id, first, value.clone()).await?;
    let told = watcher.until_revision(written.revision).await?;
    let (found, expected) = (told.document.to_json(), document(value).to_json());
    ensure!(found == expected, "{found} was told where {expected} was written");
    Ok(())
}
