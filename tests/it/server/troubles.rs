//! A store that fails.

use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::{BackendError, Memory};
use sp_sync::server::Limits;
use sp_sync::twilsock::message::Method;

use super::{Running, service};
use crate::support::{Call, Fate, Link, unavailable};

const PATH: &str = "/v3/Documents/seat";

#[tokio::test]
async fn every_failure_of_the_store_has_its_answer() {
    let link = Link::new(&Memory::new());
    let mut limits = Limits::default();
    limits.write_within = Duration::from_millis(200);
    let server = Running::new(service(link.clone()).limits(limits)).await;
    let mut alice = server.join("alice").await;
    alice.create("seat", json!({})).await;
    let limited = || BackendError::RateLimited { retry_after: None };
    let large = || BackendError::TooLarge { size_bytes: 2, limit_bytes: 1 };
    let refused = || BackendError::Refused { code: 1, message: "secret".into() };
    // What may have held is never answered with 503: that says that it has not.
    let cases = [
        (Fate::Fail(limited), 429, 54009, 429),
        (Fate::Fail(large), 413, 54006, 413),
        (Fate::Fail(refused), 503, 20503, 503),
        (Fate::Fail(|| BackendError::TokenExpired), 503, 20503, 503),
        (Fate::Fail(unavailable), 503, 20503, 503),
        (Fate::LoseRequest, 504, 20500, 500),
        (Fate::Hang, 504, 20500, 500),
    ];
    for (fate, status, number, conditional) in cases {
        let planned = fate;
        link.plan(move |call| if call == Call::Write { planned } else { Fate::Pass });
        let (code, said) = alice.call(Method::Post, PATH, json!({ "data": {} })).await;
        assert_eq!((code, &said["code"]), (status, &json!(number)), "{fate:?}");
        assert!(!said.to_string().contains("secret"));
        let (code, _) = alice.call_if(Method::Post, PATH, json!({ "data": {} }), Some("1")).await;
        assert_eq!(code, conditional, "{fate:?}");
    }
    link.plan(|_| Fate::Fail(unavailable));
    for (method, body) in [(Method::Get, Value::Null), (Method::Delete, Value::Null)] {
        assert_eq!(alice.call(method, PATH, body).await.0, 503);
    }
    link.heal();
    assert_eq!(alice.get("seat").await["revision"], "1");
    // A write whose answer is lost holds all the same; the next reader sees it.
    link.plan(|call| if call == Call::Write { Fate::LoseAnswer } else { Fate::Pass });
    assert_eq!(alice.call(Method::Post, PATH, json!({ "data": { "n": 1 } })).await.0, 504);
    link.heal();
    assert_eq!(alice.get("seat").await["data"], json!({ "n": 1 }));
    assert_eq!(alice.set("seat", json!({ "n": 2 })).await["revision"], "3");
}

#[tokio::test]
async fn a_watch_that_breaks_is_begun_anew_and_nothing_is_missed() {
    let store = Memory::new();
    let link = Link::new(&store);
    let server = Running::new(service(link.clone())).await;
    let elsewhere = Running::new(service(store)).await;
    let (mut alice, mut bob) = (elsewhere.join("alice").await, server.join("bob").await);
    let sid = alice.create("seat", json!({})).await["sid"].as_str().unwrap().to_owned();
    assert_eq!(bob.get("seat").await["sid"], json!(sid));
    // The first attempts fail; the subscription waits.
    let mut failures = 3;
    link.plan(move |call| match call {
        Call::Watch if failures > 0 => {
            failures -= 1;
            Fate::Fail(unavailable)
        }
        _ => Fate::Pass,
    });
    assert_eq!(bob.establish(&sid, json!(0), 1).await.len(), 2);
    for n in 0..20 {
        link.cut_watches(unavailable());
        alice.set("seat", json!({ "n": n })).await;
        loop {
            if bob.told().await["event"]["document_data"]["n"] == n {
                break;
            }
        }
    }
    link.cut_watches(unavailable());
    alice.call(Method::Delete, PATH, Value::Null).await;
    assert_eq!(bob.told().await["event_type"], "document_removed");
}
