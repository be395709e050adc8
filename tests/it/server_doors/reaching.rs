//! Tokens that are not good, and people who reach for what is not theirs, at every door.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use sp_sync::token::Token;
use sp_sync::token::jwt::{ApiKey, Minter};
use sp_sync::twilsock::message::{InitReply, Method};

use super::http::base64;
use super::{ACCOUNT, ANA, KEY, OTHER, SECRET, SERVICE, Site, keys};
use crate::server::party::Party;

const HOUR: Duration = Duration::from_secs(3_600);

#[expect(clippy::disallowed_methods, reason = "tokens are made for a time of the calendar")]
fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A good token.
pub(super) fn token_of(identity: &str) -> Token {
    keys().minter().unwrap().mint(identity, HOUR, now_s()).unwrap()
}

/// A good token with other claims, unsigned or with the signature that it had.
fn changed(algorithm: &str, change: impl FnOnce(&mut Map<String, Value>), signed: bool) -> String {
    let good = token_of(ANA);
    let [header, claims, signature] = good.secret().split('.').collect::<Vec<_>>().try_into().unwrap();
    let read = |part: &str| -> Map<String, Value> {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
    };
    let (mut header, mut claims) = (read(header), read(claims));
    header.insert("alg".into(), algorithm.into());
    change(&mut claims);
    let text =
        |object: Map<String, Value>| BASE64URL_NOPAD.encode(Value::Object(object).to_string().as_bytes());
    format!("{}.{}.{}", text(header), text(claims), if signed { signature } else { "" })
}

/// Tokens that let nobody in.
fn bad_tokens() -> Vec<(&'static str, String)> {
    let of = |account: &str, service: &str, key: &str, secret: &str| {
        let minter = Minter::new(account, service, ApiKey::new(key, secret));
        minter.mint(ANA, HOUR, now_s()).unwrap().secret().to_owned()
    };
    let (other_account, other_service) =
        ("AC99999999999999999999999999999999", "IS99999999999999999999999999999999");
    let day_old = keys().minter().unwrap().mint(ANA, HOUR, now_s() - 86_400).unwrap();
    let to_come = keys().minter().unwrap().mint(ANA, HOUR, now_s() + 86_400).unwrap();
    let as_other = |claims: &mut Map<String, Value>| claims["grants"]["identity"] = OTHER.into();
    vec![
        ("another account", of(other_account, SERVICE, KEY, SECRET)),
        ("another service", of(ACCOUNT, other_service, KEY, SECRET)),
        ("another key", of(ACCOUNT, SERVICE, "SK99999999999999999999999999999999", SECRET)),
        ("another secret", of(ACCOUNT, SERVICE, KEY, "another-api-key-secret-000000000")),
        ("expired", day_old.secret().to_owned()),
        ("not yet", to_come.secret().to_owned()),
        ("unsigned", changed("none", |_| {}, false)),
        ("unsigned, in capitals", changed("NONE", |_| {}, false)),
        ("unsigned, with a signature", changed("none", |_| {}, true)),
        ("a signature of another kind", changed("HS512", |_| {}, true)),
        ("no signature", changed("HS256", |_| {}, false)),
        ("another identity", changed("HS256", as_other, true)),
        ("another end", changed("HS256", |claims| claims["exp"] = u64::MAX.into(), true)),
        ("nothing", String::new()),
        ("dots", "..".into()),
        ("long", "x".repeat(60_000)),
        ("the secret itself", SECRET.into()),
        ("an sp token", "token of ana".into()),
    ]
}

#[tokio::test]
async fn a_token_that_is_not_good_opens_no_door() {
    let site = Site::with(sp_sync::backend::Memory::new(), sp_sync::server::Attempts::new(1_000, HOUR)).await;
    let mut inside = Party::join(site.address, token_of(ANA).secret()).await;
    let mut client = site.client().await;
    for (what, token) in bad_tokens() {
        // Twilsock: the first token, and a new one for a session.
        let mut party = Party::connect(site.address).await;
        match party.init(&token, None).await {
            InitReply::Refused(refusal) => assert!(matches!(refusal.status.code, 401 | 403), "{what}"),
            InitReply::Accepted(_) => panic!("{what} was let in"),
        }
        party.ended().await;
        let updated = inside.update_token(&token).await.status;
        assert!(matches!(updated.code, 401 | 403), "{what}: {updated:?}");
        // The token endpoint and REST ask for other proofs, and take no access token for one.
        if what != "an sp token" {
            let bearer = format!("Bearer {token}");
            let reply = client.ask("POST", "/sync/tokens", &[("authorization", &bearer)], "{}").await;
            assert!(matches!(reply.status, 401 | 431), "{what}: {}", reply.status);
        }
        if what != "long" {
            for login in [format!("{KEY}:{token}"), format!("{ACCOUNT}:{token}"), format!("{token}:{SECRET}")]
            {
                let headers = [("authorization", format!("Basic {}", base64(&login)))];
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let reply = client.ask("GET", "/v1/Services/default/Documents", &headers, "").await;
                let is_the_key = what == "the secret itself" && login.starts_with(KEY);
                assert_eq!(reply.status, if is_the_key { 200 } else { 401 }, "{what}");
            }
        }
    }
    // A good token is no proof of those kinds either, and the session with it goes on.
    let bearer = format!("Bearer {}", token_of(ANA).secret());
    for (method, path) in [("POST", "/sync/tokens"), ("GET", "/v1/Services/default/Documents")] {
        assert_eq!(client.ask(method, path, &[("authorization", &bearer)], "{}").await.status, 401);
    }
    inside.create(&format!("Session_{ANA}"), json!({})).await;
    site.stop().await;
}

/// By name, by SID, in both forms of the path, by subscription, by REST, and by asking for a token for it.
#[tokio::test]
async fn nobody_reaches_a_document_that_is_not_theirs_by_any_path() {
    let site = Site::new().await;
    let (own, others) = (format!("Session_{ANA}"), format!("Session_{OTHER}"));
    let made = site.rest("POST", "/v1/Services/default/Documents", &format!("UniqueName={others}")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let sid = made.json()["sid"].as_str().unwrap().to_owned();
    let mut ana = Party::join(site.address, token_of(ANA).secret()).await;
    ana.create(&own, json!({})).await;
    let addresses = [others.clone(), sid.clone(), format!("Unnamed_{sid}"), format!("Session%5F{OTHER}")];
    for address in &addresses {
        for path in [
            format!("/v3/Documents/{address}"),
            format!("/v3/Services/{SERVICE}/Documents/{address}"),
            format!("/v3/Services/default/Documents/{address}"),
        ] {
            for (method, body) in [
                (Method::Get, Value::Null),
                (Method::Post, json!({ "data": { "mine": 1 } })),
                (Method::Post, json!({ "ttl": 1 })),
                (Method::Delete, Value::Null),
            ] {
                let (code, said) = ana.call(method, &path, body).await;
                assert!(matches!(code, 400 | 403 | 404), "{method} {path}: {code} {said}");
                assert!(said.get("data").is_none(), "{said}");
            }
        }
    }
    let (code, _) =
        ana.call(Method::Post, "/v3/Documents", json!({ "unique_name": others, "data": {} })).await;
    assert_eq!(code, 403);
    for last in [json!(0), Value::Null, json!(-1)] {
        let told = ana.establish(&sid, last, 1).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["event_type"], "subscription_failed");
        assert_eq!(told[0]["events"][0]["error"]["code"], 54100, "as of a document that is not there");
    }
    // Her token is no key for REST, and her SP token gets no token of another's.
    let mut client = site.client().await;
    for login in [format!("{ANA}:{}", token_of(ANA).secret()), "ana:token of ana".into()] {
        let header = format!("Basic {}", base64(&login));
        for address in &addresses[..2] {
            let path = format!("/v1/Services/default/Documents/{address}");
            assert_eq!(client.ask("GET", &path, &[("authorization", &header)], "").await.status, 401);
        }
    }
    let bearer = [("authorization", "Bearer token of ana")];
    for body in [
        json!({ "identity": OTHER }),
        json!({ "identity": ANA, "documentId": others }),
        json!({ "identity": format!("{ANA}{OTHER}"), "documentId": own }),
        json!({ "identity": "back end" }),
    ] {
        assert_eq!(
            client.ask("POST", "/sync/tokens", &bearer, &body.to_string()).await.status,
            403,
            "{body}"
        );
    }
    // Nothing of it has touched the document, and nobody is told when it changes.
    let path = format!("/v1/Services/default/Documents/{others}");
    let found = site.rest("GET", &path, "").await.json();
    assert_eq!((&found["data"], &found["revision"]), (&json!({}), &made.json()["revision"]));
    assert_eq!(site.rest("POST", &path, "Data=%7B%22n%22%3A1%7D").await.status, 200);
    ana.nothing_more().await;
    site.stop().await;
}
