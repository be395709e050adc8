use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::{Backend as _, Memory};
use sp_sync::twilsock::frame::Payload;
use sp_sync::twilsock::message::Method;

use super::party::plain;
use super::{ACCOUNT, Running, SERVICE, service};

const NAME: &str = "/v3/Documents/seat";

#[tokio::test]
async fn a_document_is_made_opened_written_and_removed_with_the_exact_codes_and_bodies() {
    let (server, store) = Running::over_memory().await;
    let mut alice = server.join("alice").await;

    let made = alice.create("seat map/1", json!({ "rows": 12 })).await;
    let sid = made["sid"].as_str().unwrap().to_owned();
    let url = format!("https://sync.example.com/v3/Services/{SERVICE}/Documents/{sid}");
    assert_eq!(made["unique_name"], "seat map/1");
    assert_eq!((&made["account_sid"], &made["service_sid"]), (&json!(ACCOUNT), &json!(SERVICE)));
    assert_eq!(
        (&made["url"], &made["revision"], &made["last_event_id"]),
        (&json!(url), &json!("1"), &json!(1))
    );
    assert_eq!(made["links"]["permissions"], format!("{url}/Permissions"));
    assert_eq!(made["date_created"], made["date_updated"]);
    assert_eq!(made["date_expires"], Value::Null);
    assert!(made.as_object().unwrap().contains_key("date_expires") && made.get("data").is_none());

    // By SID, and with the service in the path; names travel percent-encoded and may contain anything.
    for path in [format!("/v3/Documents/{sid}"), format!("/v3/Services/{SERVICE}/Documents/{sid}")] {
        let (code, opened) = alice.call(Method::Get, &path, Value::Null).await;
        assert_eq!((code, &opened["data"], &opened["sid"]), (200, &json!({ "rows": 12 }), &made["sid"]));
    }
    let name = sp_sync::twilsock::sync::Address::of("seat map/1");
    let opened = alice.request(&sp_sync::twilsock::message::Request::get_document(None, &name)).await;
    assert_eq!(opened.code, 200);

    let (code, written) =
        alice.call(Method::Post, &format!("/v3/Documents/{sid}"), json!({ "data": { "rows": 13 } })).await;
    assert_eq!((code, &written["revision"], &written["last_event_id"]), (200, &json!("2"), &json!(2)));
    assert!(written.get("data").is_none() && written["date_created"] == made["date_created"]);
    // The store has it under its name, for clients that speak to the store.
    let stored = store.read(&DocumentId::new("seat map/1").unwrap()).await.unwrap().unwrap();
    assert_eq!(&*stored.document.to_json(), r#"{"rows":13}"#);

    // The JavaScript SDK sends junk with every DELETE.
    let (code, nothing) =
        alice.call(Method::Delete, &format!("/v3/Documents/{sid}"), json!("data_sync")).await;
    assert_eq!((code, nothing), (204, Value::Null));
    let (code, gone) = alice.call(Method::Get, &format!("/v3/Documents/{sid}"), Value::Null).await;
    assert_eq!((code, &gone["status"], &gone["code"]), (404, &json!(404), &json!(54100)));
    // Made anew it has the same SID, and events go on where they were.
    let again = alice.create("seat map/1", json!({})).await;
    assert_eq!(again["sid"], made["sid"]);
    assert!(again["last_event_id"].as_u64() > Some(2));
}

#[tokio::test]
async fn a_document_without_a_name_has_a_sid_only() {
    let (server, _) = Running::over_memory().await;
    let mut alice = server.join("alice").await;
    let (code, made) = alice.call(Method::Post, "/v3/Documents", json!({})).await;
    assert_eq!((code, &made["unique_name"]), (201, &Value::Null));
    let path = format!("/v3/Documents/{}", made["sid"].as_str().unwrap());
    let (code, opened) = alice.call(Method::Get, &path, Value::Null).await;
    assert_eq!((code, &opened["data"], &opened["unique_name"]), (200, &json!({}), &Value::Null));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_words_of_the_service() {
    let (server, _) = Running::over_memory().await;
    let mut alice = server.join("alice").await;
    alice.create("seat", json!({})).await;
    let absent = "/v3/Documents/ET00000000000000000000000000000000";
    let large = json!({ "data": { "x": "x".repeat(16_384) } });
    let elsewhere = "/v3/Services/IS99999999999999999999999999999999/Documents/seat";
    let cases = [
        (Method::Get, "/v3/Documents/none", json!({}), (404, 54300)),
        (Method::Get, absent, json!({}), (404, 54100)),
        (Method::Post, "/v3/Documents/none", json!({ "data": {} }), (404, 54300)),
        (Method::Post, absent, json!({ "data": {} }), (404, 54100)),
        (Method::Delete, "/v3/Documents/none", json!({}), (404, 54300)),
        (Method::Delete, absent, json!({}), (404, 54100)),
        (Method::Post, "/v3/Documents", json!({ "unique_name": "seat" }), (409, 54301)),
        (Method::Post, "/v3/Documents", json!({ "unique_name": &absent[14..] }), (400, 54302)),
        (Method::Post, "/v3/Documents", json!({ "unique_name": "x".repeat(257) }), (400, 54302)),
        (
            Method::Post,
            "/v3/Documents",
            json!({ "unique_name": format!("Unnamed_{}", &absent[14..]) }),
            (400, 54302),
        ),
        (Method::Post, "/v3/Documents", json!({ "data": 1 }), (400, 54101)),
        (Method::Post, "/v3/Documents", json!({ "ttl": -1 }), (400, 54011)),
        (Method::Post, NAME, json!({ "ttl": 31_536_001 }), (400, 54011)),
        (Method::Post, NAME, json!({}), (400, 54010)),
        (Method::Post, NAME, json!("no json"), (400, 54008)),
        (Method::Post, NAME, large, (413, 54006)),
        (Method::Put, NAME, json!({}), (405, 20004)),
        (Method::Get, elsewhere, json!({}), (403, 54056)),
        (Method::Get, "/v9/Documents", json!({}), (404, 20404)),
        (Method::Post, "/v3/Lists", json!({}), (404, 20404)),
        (Method::Get, "/v3/Maps/m/Items", json!({}), (404, 20404)),
    ];
    for (method, path, body, (status, number)) in cases {
        let (code, said) = alice.call(method, path, body).await;
        let expected = (status, &json!(status), &json!(number));
        assert_eq!((code, &said["status"], &said["code"]), expected, "{method} {path}: {said}");
        assert!(said["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(server.service.counters().requests_refused.get(), 21);
    // Nothing of all this was written.
    assert_eq!(alice.get("seat").await["revision"], "1");
}

#[tokio::test]
async fn if_match_writes_over_one_revision_only() {
    let (server, _) = Running::over_memory().await;
    let mut alice = server.join("alice").await;
    alice.create("seat", json!({})).await;
    let data = |n: u64| json!({ "data": { "n": n } });
    for (revision, status) in [("1", 200), ("1", 412), ("02", 412), ("x", 412), ("2", 200), ("-1", 412)] {
        let (code, said) = alice.call_if(Method::Post, NAME, data(1), Some(revision)).await;
        assert_eq!(code, status, "{revision}: {said}");
        assert!(code == 200 || said["code"] == 54103);
    }
    let (code, said) = alice.call_if(Method::Post, NAME, data(1), Some("")).await;
    assert_eq!((code, &said["code"]), (400, &json!(54003)));
    let (code, said) = alice.call_if(Method::Post, "/v3/Documents/none", data(1), Some("1")).await;
    assert_eq!((code, &said["code"]), (404, &json!(54300)));
    assert_eq!(alice.get("seat").await["revision"], "3");
}

#[tokio::test]
async fn a_ttl_alone_is_a_write_and_ends_the_document() {
    let (server, _) = Running::over_memory().await;
    let (mut alice, mut bob) = (server.join("alice").await, server.join("bob").await);
    let made = alice.create("seat", json!({ "a": 1 })).await;
    let sid = made["sid"].as_str().unwrap();
    bob.establish(sid, json!(1), 7).await;

    let (code, written) = alice.call(Method::Post, NAME, json!({ "ttl": 1 })).await;
    assert_eq!((code, &written["revision"]), (200, &json!("2")));
    assert!(written["date_expires"].as_str().unwrap() > written["date_updated"].as_str().unwrap());
    let told = bob.told().await;
    assert_eq!(told["event"]["date_expires"], written["date_expires"]);
    assert_eq!((&told["event"]["id"], &told["event"]["document_data"]), (&json!(2), &json!({ "a": 1 })));

    // Nobody removes it: its time comes.
    let told = bob.told().await;
    assert_eq!(
        (&told["event_type"], &told["event"]["document_sid"]),
        (&json!("document_removed"), &json!(sid))
    );
    let (code, _) = alice.call(Method::Get, NAME, Value::Null).await;
    assert_eq!(code, 404);

    // Zero is for ever, and data alone leaves it.
    let (_, made) =
        alice.call(Method::Post, "/v3/Documents", json!({ "unique_name": "seat", "ttl": 100 })).await;
    assert!(made["date_expires"].is_string());
    assert_eq!(alice.set("seat", json!({})).await["date_expires"], made["date_expires"]);
    let (_, written) = alice.call(Method::Post, NAME, json!({ "data": {}, "ttl": 0 })).await;
    assert_eq!(written["date_expires"], Value::Null);
}

#[tokio::test]
async fn the_configuration_has_the_addresses_of_everything() {
    let (server, _) = Running::over_memory().await;
    let mut alice = server.join("alice").await;
    let (code, body) = alice.call(Method::Get, "/v3/Configuration", Value::Null).await;
    assert_eq!((code, &body["links"]["documents"]), (200, &json!("https://sync.example.com/v3/Documents")));
    assert_eq!(
        body["links"]["list_items"],
        format!("https://sync.example.com/v3/Services/{SERVICE}/Lists/{{listId}}/Items")
    );
}

/// C55: what counts is the document, not how it was written.
#[tokio::test]
async fn the_length_of_a_document_is_that_of_its_compact_text() {
    let server = Running::new(service(Memory::with_document_bytes_max(2_000))).await;
    let mut alice = server.join("alice").await;
    alice.create("seat", json!({})).await;
    let mut write = async |data: &str| {
        let mut request = plain(Method::Post, NAME, &json!({}), None);
        request.body = Payload::from_json_text(format!(r#"{{"data":{data}}}"#));
        let response = alice.request(&request).await;
        let said: Value = response.body.parse().unwrap_or_default();
        (response.code, said["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(write(&format!(r#"{{"padded":1{}}}"#, " ".repeat(3_000))).await.0, 200);
    assert_eq!(write(&format!(r#"{{"escaped":"{}"}}"#, r"\u00e9".repeat(900))).await.0, 200);
    let short_numbers = write(&format!(r#"{{"a":[1e15{}]}}"#, ",1e15".repeat(200))).await;
    assert!(short_numbers.0 == 413 && short_numbers.1.contains("the limit is 2000"), "{short_numbers:?}");
    // So much white space is not even read.
    assert_eq!(write(&format!(r#"{{"padded":1{}}}"#, " ".repeat(20_000))).await.0, 413);
    assert_eq!(write(r#"{"key":{"$serde_json::private::RawValue":"oops"}}"#).await.0, 200);
    let read = alice.request(&plain(Method::Get, NAME, &Value::Null, None)).await;
    let read = String::from_utf8_lossy(read.body.bytes());
    assert!(read.contains(r#""data":{"key":{"$serde_json::private::RawValue":"oops"}}"#), "{read}");
}

/// C55, C57: the limits of the original's service where they are asked for, the store's own otherwise.
#[tokio::test]
async fn sizes_and_rates_are_limited_where_that_is_asked_for() {
    use sp_sync::server::Limits;
    let roomy = || Memory::with_document_bytes_max(100_000);
    let (plain, twilio) = (service(roomy()), service(roomy()).limits(Limits::twilio()));
    let large = json!({ "x": "x".repeat(20_000) });
    let plain = Running::new(plain).await;
    let mut alice = plain.join("alice").await;
    alice.create("seat", large.clone()).await;
    for n in 0..300 {
        alice.set("seat", json!({ "n": n })).await;
    }

    let twilio = Running::new(twilio).await;
    let mut alice = twilio.join("alice").await;
    alice.create("seat", json!({})).await;
    let (code, said) = alice.call(Method::Post, NAME, json!({ "data": large })).await;
    assert_eq!((code, &said["code"]), (413, &json!(54006)));
    let mut held = 0;
    let refused = loop {
        let (code, said) = alice.call(Method::Post, NAME, json!({ "data": { "n": held } })).await;
        if code != 200 {
            break (code, said["code"].clone());
        }
        held += 1;
    };
    assert_eq!(refused, (429, json!(54009)));
    // What was refused for its length was read, and counts for ten.
    assert!((189..=220).contains(&held), "{held}");
    alice.create("another", json!({})).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    alice.set("seat", json!({})).await;
}
