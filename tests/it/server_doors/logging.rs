//! What a server says of itself on the standard error.

use std::process::Command;

use sp_sync::twilsock::message::InitReply;

use super::SECRET;
use super::command_line::{Desk, Running, SERVE};
use super::http::base64;
use crate::server::party::Party;

/// Knocks at every door with something that is not good; what must not be in any log.
async fn knock(running: &Running) -> Vec<String> {
    let at = running.url.split_once("://").unwrap().1.parse().unwrap();
    let secrets = ["guessed.access.token", "guessed-sp-token", "guessed-api-secret"].map(str::to_owned);
    let mut party = Party::connect(at).await;
    assert!(matches!(party.init(&secrets[0], None).await, InitReply::Refused(_)));
    let mut client = running.client().await;
    let bearer = format!("Bearer {}", secrets[1]);
    let basic = format!("Basic {}", base64(&format!("{}:{}", super::KEY, secrets[2])));
    for (method, path, login) in [("POST", "/sync/tokens", bearer), ("GET", "/v1/Services", basic)] {
        let reply = client.ask(method, path, &[("authorization", &login)], "{}").await;
        assert_eq!(reply.status, 401, "{}", reply.body);
    }
    let bearer = [("authorization", "Bearer token of ana")];
    let reply = client.ask("POST", "/sync/tokens", &bearer, "{\"identity\":\"eve\"}").await;
    assert_eq!(reply.status, 403);
    for _ in 0..3 {
        assert_eq!(client.ask("POST", "/sync/tokens", &[], "{}").await.status / 100, 4);
    }
    secrets.into_iter().chain([SECRET.to_owned(), "token of ana".to_owned()]).collect()
}

fn with(desk: &Desk, line: &str) -> Command {
    let mut command = desk.command(&format!("{SERVE} --attempts-at-once 4 --attempt-every-s 3600{line}"));
    command.env_remove("SP_SYNC_LOG");
    command
}

#[tokio::test]
async fn who_is_refused_is_named_with_the_reason_and_without_a_secret() {
    let desk = Desk::new();
    let running = Running::of(with(&desk, ""));
    let url = running.url.clone();
    let secrets = knock(&running).await;
    let (status, _, log) = running.end();
    assert_eq!(status, Some(0));
    // The time stands before each, and the number of the connection is of no interest.
    let said: Vec<&str> = log.lines().map(|line| line.split_once("Z ").expect(&log).1.trim()).collect();
    assert_eq!(
        said,
        [
            &*format!("INFO started url=\"{url}\""),
            "INFO token refused peer=127.0.0.1 connection=0 status=401 code=20101 \
             reason=\"the access token is not a token of three parts; an SP token is exchanged for one at the token \
             endpoint (base_uri)\"",
            "INFO login refused door=\"token endpoint\" peer=127.0.0.1 status=401 code=20003 \
             reason=\"no credentials, or none that are known\"",
            "INFO login refused door=\"REST\" peer=127.0.0.1 status=401 code=20003 \
             reason=\"no credentials, or none that are known\"",
            "INFO login refused door=\"token endpoint\" peer=127.0.0.1 status=403 code=20403 reason=\"Forbidden\"",
            "INFO login refused door=\"token endpoint\" peer=127.0.0.1 status=401 code=20003 \
             reason=\"no credentials, or none that are known\"",
            "INFO login refused door=\"token endpoint\" peer=127.0.0.1 status=401 code=20003 \
             reason=\"no credentials, or none that are known\"",
            "WARN too many failed logins peer=127.0.0.1 wait_s=3600",
            "INFO stopping",
            "INFO stopped",
        ],
        "{log}"
    );
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn as_much_is_said_as_is_wanted_and_never_a_secret() {
    for (level, wanted, unwanted) in [
        ("off", &[][..], &["WARN", "ERROR", "INFO", "DEBUG"][..]),
        ("error", &[], &["WARN", "INFO", "DEBUG"]),
        ("warn", &["WARN too many failed logins"], &["INFO", "DEBUG"]),
        ("trace", &["INFO token refused", "WARN too many failed logins"], &[]),
    ] {
        let desk = Desk::new();
        let running = Running::of(with(&desk, &format!(" --log {level}")));
        let secrets = knock(&running).await;
        let (_, _, log) = running.end();
        assert!(wanted.iter().all(|wanted| log.contains(wanted)), "{level}: {log}");
        assert!(!unwanted.iter().any(|unwanted| log.contains(unwanted)), "{level}: {log}");
        assert!(!secrets.iter().any(|secret| log.contains(secret)), "{level}: {log}");
        assert!(level != "off" || log.is_empty(), "{log}");
    }
}

/// A store that fails is told of: here its file is taken away under the server.
#[cfg(unix)]
#[tokio::test]
async fn a_store_that_fails_is_told_of() {
    let desk = Desk::new();
    let running = Running::of(with(&desk, " --store file:@documents.db"));
    let write = async |name: &str| {
        running.rest("POST", "/Documents", &format!("UniqueName={name}&Data=%7B%7D")).await.status
    };
    assert_eq!(write("one").await, 201);
    std::fs::remove_file(desk.path("documents.db")).unwrap();
    assert!(write("two").await >= 500);
    let (_, _, log) = running.end();
    let line = log.lines().find(|line| line.contains("ERROR the store failed")).expect(&log);
    assert!(line.contains("documents.db"), "{line}");
}
