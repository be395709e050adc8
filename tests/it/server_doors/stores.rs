//! Commands on documents that a service keeps, not a file.

use super::ANA;
use super::command_line::{Desk, SERVE};

/// C64: the token is in a file or in the environment, and nobody sees it.
#[tokio::test]
async fn commands_reach_a_service_by_either_of_its_addresses() {
    let desk = Desk::new();
    let server = desk.start(SERVE);
    let name = format!("Session_{ANA}");
    desk.write("sp-token", "token of ana\n");
    let run = |line: &str| {
        let (status, out, err) = desk.run(line);
        assert_eq!((status, err.as_str()), (Some(0), ""), "{line}: {out}");
        out
    };
    // By that of its HTTP doors, with the token that it exchanges for access tokens.
    let base = format!("--store {} --token-file @sp-token --identity {ANA}", server.url);
    let (status, _, err) = desk.run(&format!("get {name} {base}"));
    assert_eq!(status, Some(1));
    assert!(err.contains(&format!("in {}: `sp-sync set {name}` makes it", server.url)), "{err}");
    assert!(run(&format!("set {name} seat=17 {base}")).starts_with(&format!("{name}: made, revision ")));
    assert_eq!(run(&format!("get {name} seat {base}")), "17\n");
    let id = run(&format!("add {name} ping {base}"));
    assert!(run(&format!("queue {name} extension {base}")).contains("1 action waiting"), "{id}");
    assert!(run(&format!("take {name} extension {base}")).starts_with("ping"));
    assert!(run(&format!("queue {name} extension {base}")).contains("extension: nothing"));

    // By that of its WebSocket, with an access token.
    let bearer = [("authorization", "Bearer token of ana")];
    let given = server.client().await.ask("POST", "/sync/tokens", &bearer, "{}").await.json();
    let access = given["token"].as_str().unwrap();
    let socket = format!("--store {}", server.url.replace("http", "ws"));
    let mut command = desk.command(&format!("get {name} seat {socket}"));
    let output = command.env("SP_SYNC_TOKEN", access).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "17\n");

    desk.write("wrong", "s3cret\n");
    for (line, status, said) in [
        (format!("docs {base}"), 1, "has no list of its documents"),
        (format!("get {name} {socket} --token-file @wrong"), 1, "refused (20101)"),
        (format!("get {name} --store {} --token-file @wrong", server.url), 1, "refused"),
        (format!("get {name} {socket} --token-file @none"), 1, "none: cannot be read"),
        (format!("serve --keys @keys.toml {socket}"), 2, "is a service itself"),
        (format!("serve --keys @keys.toml --check {socket}"), 2, "is a service itself"),
    ] {
        let (found, out, err) = desk.run(&line);
        assert_eq!((found, out.as_str()), (Some(status), ""), "{line}: {err}");
        assert!(err.starts_with("error: ") && err.contains(said) && !err.contains("s3cret"), "{line}: {err}");
    }
}

#[test]
fn what_is_written_into_memory_is_gone_and_that_is_said() {
    let desk = Desk::new();
    for (line, said) in [
        ("set Session_1 a=1 --store memory:", "Session_1: made, revision 2\n"),
        ("docs --store memory:", "no documents\n"),
    ] {
        let (status, out, err) = desk.run(line);
        assert_eq!((status, out.as_str()), (Some(0), said), "{line}");
        assert!(err.starts_with("warning: memory: is empty at the beginning"), "{err}");
    }
}
