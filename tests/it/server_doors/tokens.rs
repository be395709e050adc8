//! The token endpoint and the gatekeeper.

use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::Identity;
use sp_sync::server::{
    Attempts, Denied, Gatekeeper as _, JwtGatekeeper, Serve, TokenEndpoint, TokenPolicy, TokenRequest,
};
use sp_sync::token::Token;

use super::http::{Client, Reply};
use super::{ANA, OTHER, PETR, Site, keys};

async fn asked(client: &mut Client, who: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer token of {who}");
    client.ask("POST", "/sync/tokens", &[("authorization", &bearer)], &body.to_string()).await
}

/// C7: a token is given for the bearer's own identity and document, and opens the service.
#[tokio::test]
async fn a_student_gets_a_token_for_their_own_session() {
    let site = Site::new().await;
    let mut client = site.client().await;
    let document = format!("Session_{ANA}");
    let reply = asked(&mut client, "ana", &json!({ "identity": ANA, "documentId": document })).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let given = reply.json();
    assert_eq!((&given["identity"], &given["endpoint"]), (&json!(ANA), &json!("ws://here")));
    assert!(given["expiresAt"].as_str().unwrap().ends_with('Z'), "{given}");
    let token = Token::new(given["token"].as_str().unwrap());
    let admitted = JwtGatekeeper::new(keys().verifier()).admit(&token).await.unwrap();
    assert_eq!(admitted.identity.as_str(), ANA);
    let lasts = admitted.lasts.unwrap();
    assert!(lasts <= Duration::from_secs(600) && lasts > Duration::from_secs(590), "{lasts:?}");
    // What is not said is decided here.
    let reply = client.ask("POST", "/sync/tokens", &[("authorization", "bearer token of ana")], "").await;
    assert_eq!(reply.json()["identity"], ANA);
    site.stop().await;
}

#[tokio::test]
async fn nobody_gets_a_token_as_somebody_else_or_for_anothers_document() {
    let site = Site::new().await;
    let mut client = site.client().await;
    let (own, others) = (format!("Session_{ANA}"), format!("Session_{OTHER}"));
    let in_session = |session: &str| format!("{session}{PETR}");
    for (who, identity, document, status) in [
        ("ana", OTHER, &own, 403),
        ("ana", ANA, &others, 403),
        ("ana", PETR, &own, 403),
        ("ana", &in_session(ANA), &own, 403),
        ("petr", PETR, &own, 200),
        ("petr", &in_session(ANA), &own, 200),
        ("petr", &in_session(ANA), &others, 403),
        ("petr", &in_session(OTHER), &others, 403),
        ("petr", ANA, &own, 403),
        ("bert", ANA, &own, 200),
        ("bert", ANA, &others, 403),
        ("eve", "eve", &others, 200),
    ] {
        let reply = asked(&mut client, who, &json!({ "identity": identity, "documentId": document })).await;
        assert_eq!(reply.status, status, "{who} as {identity} for {document}: {}", reply.body);
        if status != 200 {
            assert_eq!(reply.refusal(), (403, 20403));
        }
    }
    site.stop().await;
}

#[tokio::test]
async fn what_is_no_login_is_refused_in_the_services_form() {
    let site = Site::with(sp_sync::backend::Memory::new(), Attempts::new(100, Duration::from_secs(1))).await;
    let mut client = site.client().await;
    assert_eq!(asked(&mut client, "nobody", &json!({})).await.refusal(), (401, 20003));
    for headers in [&[][..], &[("authorization", "Bearer ")], &[("authorization", "Basic dG9rZW4gb2YgYW5h")]]
    {
        assert_eq!(client.ask("POST", "/sync/tokens", headers, "{}").await.refusal(), (401, 20003));
    }
    let stranger = client.ask("POST", "/sync/tokens", &[], "{}").await;
    // `Basic` would make a browser ask for a name and a password.
    assert_eq!(stranger.header("www-authenticate"), Some("Bearer realm=\"Sync API\""));
    let bearer = [("authorization", "Bearer token of ana")];
    for body in ["{", "[]", "{\"identity\": 1}", "\u{0}"] {
        assert_eq!(client.ask("POST", "/sync/tokens", &bearer, body).await.refusal(), (400, 54008), "{body}");
    }
    assert_eq!(client.ask("GET", "/sync/tokens", &bearer, "").await.refusal(), (405, 20004));
    let preflight = client.ask("OPTIONS", "/sync/tokens", &[("origin", "https://x")], "").await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("Authorization"));
    let long = "x".repeat(20_000);
    assert_eq!(client.ask("POST", "/sync/tokens", &bearer, &long).await.status, 413);
    site.stop().await;
}

/// Whoever guesses is slowed down, at every door together; who comes from elsewhere is not.
#[tokio::test]
async fn ten_thousand_bad_logins_let_nobody_in_and_lock_out_nobody_else() {
    let attempts = Attempts::new(5, Duration::from_secs(3_600));
    let site = Site::with(sp_sync::backend::Memory::new(), attempts).await;
    let mut client = site.client().await;
    let mut by_status = std::collections::BTreeMap::<u16, u32>::new();
    for n in 0..10_000 {
        let reply = asked(&mut client, &format!("{n}"), &json!({})).await;
        *by_status.entry(reply.status).or_default() += 1;
    }
    assert_eq!(by_status.into_iter().collect::<Vec<_>>(), [(401, 5), (429, 9_995)]);
    let reply = asked(&mut client, "ana", &json!({})).await;
    assert_eq!(reply.refusal(), (429, 20429));
    assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() > 3_000);
    assert_eq!(site.rest("GET", "/v1/Services", "").await.refusal(), (429, 20429));
    let mut elsewhere = Client::from_to("127.0.0.2:0", site.address).await;
    assert_eq!(asked(&mut elsewhere, "ana", &json!({})).await.status, 200);
    site.stop().await;
}

#[tokio::test]
async fn good_logins_cost_no_attempts() {
    let attempts = Attempts::new(1, Duration::from_secs(3_600));
    let site = Site::with(sp_sync::backend::Memory::new(), attempts).await;
    let mut client = site.client().await;
    for _ in 0..50 {
        assert_eq!(asked(&mut client, "ana", &json!({})).await.status, 200);
        assert_eq!(site.rest("GET", "/v1/Services", "").await.status, 200);
        assert_eq!(asked(&mut client, "ana", &json!({ "identity": OTHER })).await.status, 403);
    }
    site.stop().await;
}

#[tokio::test]
async fn the_gatekeeper_says_exactly_why() {
    let gatekeeper = JwtGatekeeper::new(keys().verifier());
    let refused = gatekeeper.admit(&Token::new("not.a.token")).await.unwrap_err();
    assert_eq!((refused.status, refused.code), (401, 20101));
    // Made in 2023, for an hour.
    let old = keys().minter().unwrap().mint("ana", Duration::from_secs(3_600), 1_700_000_000).unwrap();
    let refused = gatekeeper.admit(&old).await.unwrap_err();
    assert_eq!((refused.status, refused.code), (401, 20104));
    assert!(!refused.to_string().contains(old.secret()));
}

/// A policy that decides by document.
struct ByDocument;

#[async_trait::async_trait]
impl TokenPolicy for ByDocument {
    async fn identify(&self, request: TokenRequest<'_>) -> Result<Identity, Denied> {
        match request.document {
            Some(document) => Identity::new(document).map_err(|_| Denied::NotAllowed),
            None => Err(Denied::Missing { field: "documentId" }),
        }
    }
}

/// Whoever forgot a field is told which, and it costs no attempt.
#[tokio::test]
async fn a_field_that_a_policy_needs_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let attempts = Attempts::new(1, Duration::from_secs(3_600));
    let endpoint = TokenEndpoint::new(keys().minter().unwrap(), ByDocument).attempts(attempts);
    let task = tokio::spawn(Serve::new().run(listener, endpoint.router(), std::future::pending()));
    let mut client = Client::to(at).await;
    for _ in 0..3 {
        let reply = asked(&mut client, "ana", &json!({ "identity": "x" })).await;
        assert_eq!(reply.refusal(), (400, 20001));
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("`documentId` is missing"), "{message}");
    }
    assert_eq!(asked(&mut client, "ana", &json!({ "documentId": "d" })).await.json()["identity"], "d");
    task.abort();
}
