//! The REST doors: the official library first, then what no library sends.

use std::process::Command;

use sp_sync::server::Attempts;

use super::{ACCOUNT, ANA, KEY, SECRET, SERVICE, Site};

const DOCUMENTS: &str = "/v1/Services/default/Documents";

/// Runs a script of `tests/node` with arguments; what it printed.
async fn node(script: &str, arguments: &[&str]) -> String {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node").join(script);
    let mut command = Command::new("node");
    command.arg(script).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[cfg(feature = "codegen")]
#[tokio::test]
async fn the_official_library_makes_reads_writes_lists_and_removes() {
    let Some(_) = crate::node::module("twilio/package.json") else { return };
    let site = Site::new().await;
    let base = format!("http://{}", site.address);
    let said = node("rest.cjs", &[&base, ACCOUNT, KEY, SECRET]).await;
    assert_eq!(said.trim(), "all as the library expects");
    site.stop().await;
}

/// What comes in through REST is heard by the official SDK's subscribers.
#[cfg(feature = "codegen")]
#[tokio::test]
async fn a_page_hears_of_what_a_back_end_writes() {
    let Some(_) = crate::node::module("twilio-sync/package.json") else { return };
    let site = Site::new().await;
    let bearer = [("authorization", "Bearer token of ana")];
    let given = site.client().await.ask("POST", "/sync/tokens", &bearer, "{}").await.json();
    let token = given["token"].as_str().unwrap();
    let (base, name) = (format!("http://{}", site.address), format!("Session_{ANA}"));
    let said = node("rest_heard.cjs", &[&base, ACCOUNT, KEY, SECRET, token, &name]).await;
    assert_eq!(said.trim(), "updated, updated, removed");
    assert!(site.service.shut_down().await);
    site.stop().await;
}

/// Who may do what is set with the official library and felt by the official SDK.
#[cfg(feature = "codegen")]
#[tokio::test]
async fn the_official_libraries_give_and_lose_permissions() {
    use sp_sync::backend::Memory;
    let Some(_) = crate::node::module("twilio-sync/package.json") else { return };
    let site = Site::of(Memory::new(), Attempts::default(), true).await;
    let (bearer, name) = ([("authorization", "Bearer token of ana")], "Room_1");
    let asked = format!("{{\"documentId\":\"{name}\"}}");
    assert_eq!(site.client().await.ask("POST", "/sync/tokens", &bearer, &asked).await.status, 403);
    let given = site.client().await.ask("POST", "/sync/tokens", &bearer, "{}").await.json();
    let (base, token) = (format!("http://{}", site.address), given["token"].as_str().unwrap());
    let said = node("rest_permissions.cjs", &[&base, ACCOUNT, KEY, SECRET, token, ANA, name]).await;
    assert_eq!(said.trim(), "all as the libraries expect");
    // The token endpoint asks the rows too.
    let row = format!("{DOCUMENTS}/{name}/Permissions/{ANA}");
    assert_eq!(site.rest("POST", &row, "Read=true&Write=false&Manage=false").await.status, 200);
    assert_eq!(site.client().await.ask("POST", "/sync/tokens", &bearer, &asked).await.status, 200);
    site.stop().await;
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_told_apart() {
    let site = Site::new().await;
    for (method, path, refusal) in [
        ("GET", "/v1/", (404, 20404)),
        ("GET", "/v1/services", (404, 20404)),
        ("GET", "/v1/Services/default/documents", (404, 20404)),
        ("GET", "/v1/Services/other", (404, 20404)),
        ("GET", "/v1/Services/default/Documents/x/Permissions", (501, 20500)),
        ("GET", "/v1/Services/default/Documents/x/Permissions/y/z", (404, 20404)),
        ("GET", "/v1/Services/default/Documents/%FF", (404, 20404)),
        ("GET", "/v1/Services/default/Documents/%2", (404, 20404)),
        ("PUT", "/v1/Services/default/Documents/x", (405, 20004)),
        ("PATCH", DOCUMENTS, (405, 20004)),
        ("DELETE", DOCUMENTS, (405, 20004)),
        ("DELETE", "/v1/Services/default", (405, 20004)),
        ("POST", "/v1/Services", (405, 20004)),
    ] {
        assert_eq!(site.rest(method, path, "").await.refusal(), refusal, "{method} {path}");
    }
    let missing = site.rest("GET", &format!("{DOCUMENTS}/x"), "").await;
    let message = "The requested resource /Services/default/Documents/x was not found";
    assert_eq!(missing.json()["message"], message);
    for name in ["default", SERVICE, "exams"] {
        assert_eq!(site.rest("GET", &format!("/v1/Services/{name}"), "").await.json()["sid"], SERVICE);
    }
    site.stop().await;
}

#[tokio::test]
async fn revisions_may_be_quoted_bare_weak_or_any() {
    let site = Site::new().await;
    let made = site.rest("POST", DOCUMENTS, "UniqueName=etag&Data=%7B%7D").await;
    assert_eq!(made.status, 201);
    let tag = made.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", made.json()["revision"].as_str().unwrap()));
    let bare = tag.trim_matches('"').to_owned();
    let login = format!("Basic {}", super::http::base64(&format!("{KEY}:{SECRET}")));
    let mut client = site.client().await;
    let path = format!("{DOCUMENTS}/etag");
    let mut known = bare.clone();
    for form in ["{}", "\"{}\"", "W/\"{}\"", "*"] {
        let header = form.replace("{}", &known);
        let headers = [("authorization", login.as_str()), ("if-match", header.as_str())];
        let reply = client.ask("POST", &path, &headers, "Data=%7B%7D").await;
        assert_eq!(reply.status, 200, "{header}: {}", reply.body);
        known = reply.json()["revision"].as_str().unwrap().to_owned();
        assert_eq!(reply.header("etag"), Some(format!("\"{known}\"").as_str()));
    }
    let stale = [("authorization", login.as_str()), ("if-match", tag.as_str())];
    assert_eq!(client.ask("POST", &path, &stale, "Data=%7B%7D").await.refusal(), (412, 54103));
    for wrong in ["", "\"\"", "xyz", "1G", "11111111111111111"] {
        let headers = [("authorization", login.as_str()), ("if-match", wrong)];
        assert_eq!(
            client.ask("POST", &path, &headers, "Data=%7B%7D").await.refusal(),
            (400, 54003),
            "{wrong}"
        );
    }
    site.stop().await;
}

#[tokio::test]
async fn answers_have_the_headers_of_the_service() {
    let site = Site::new().await;
    let reply = site.rest("GET", DOCUMENTS, "").await;
    assert_eq!(reply.header("content-type"), Some("application/json;charset=utf-8"));
    assert!(reply.header("twilio-request-id").unwrap().starts_with("RQ"));
    assert!(reply.header("twilio-request-duration").unwrap().parse::<f64>().unwrap() >= 0.0);
    assert_eq!(reply.header("twilio-concurrent-requests"), Some("1"));
    assert_eq!(reply.header("access-control-expose-headers"), Some("ETag"));
    let mut client = site.client().await;
    assert_eq!(client.ask("OPTIONS", DOCUMENTS, &[], "").await.status, 204);
    let stranger = client.ask("GET", DOCUMENTS, &[], "").await;
    assert_eq!(stranger.refusal(), (401, 20003));
    assert_eq!(stranger.header("www-authenticate"), Some("Basic realm=\"Sync API\""));
    site.stop().await;
}

#[tokio::test]
async fn logins_of_every_wrong_form_are_refused() {
    let site = Site::new().await;
    let mut client = site.client().await;
    let coded = |text: &str| format!("Basic {}", super::http::base64(text));
    for login in [
        String::new(),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        coded(KEY),
        coded(&format!("{KEY}:")),
        coded(&format!("{KEY}:{SECRET} ")),
        coded(&format!("{ACCOUNT}:{SECRET}")),
        coded(":"),
        coded(&format!("SK00000000000000000000000000000000:{SECRET}")),
        format!("Bearer {SECRET}"),
    ] {
        let reply = client.ask("GET", DOCUMENTS, &[("authorization", &login)], "").await;
        assert_eq!(reply.refusal(), (401, 20003), "{login}");
        assert!(!reply.body.contains(SECRET));
    }
    site.stop().await;
}

#[tokio::test]
async fn what_is_too_large_or_no_form_is_refused() {
    let site = Site::new().await;
    let large = format!("UniqueName=large&Data=%7B%22a%22%3A%22{}%22%7D", "x".repeat(20_000));
    assert_eq!(site.rest("POST", DOCUMENTS, &large).await.refusal(), (413, 54006));
    let huge = "x".repeat(3_000_000);
    let mut client = site.client().await;
    let login = format!("Basic {}", super::http::base64(&format!("{KEY}:{SECRET}")));
    let head = format!(
        "POST {DOCUMENTS} HTTP/1.1\r\nhost: x\r\nauthorization: {login}\r\ncontent-length: {}\r\n\r\n",
        huge.len()
    );
    client.send(head.as_bytes()).await;
    assert_eq!(client.reply().await.unwrap().refusal(), (413, 20413));
    for (form, refusal) in [
        ("Data=nonsense", (400, 54008)),
        ("Data=null", (400, 54101)),
        ("UniqueName=", (400, 54302)),
        ("UniqueName=ET00000000000000000000000000000000", (400, 54302)),
        ("Ttl=-1", (400, 54011)),
    ] {
        assert_eq!(site.rest("POST", DOCUMENTS, form).await.refusal(), refusal, "{form}");
    }
    assert_eq!(site.rest("GET", &format!("{DOCUMENTS}?PageSize=0"), "").await.refusal(), (400, 54454));
    assert_eq!(site.rest("GET", &format!("{DOCUMENTS}?PageToken=x"), "").await.refusal(), (400, 54453));
    site.stop().await;
}
