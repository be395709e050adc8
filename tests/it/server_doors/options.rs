//! Options of `sp-sync serve`: every one in three places, and what is wrong with them told clearly.

use std::collections::BTreeMap;
use std::process::Command;

use super::command_line::{Desk, Running};
use super::http::Client;

/// What `--help` says of the options: name, and the variable of the environment if it has one.
fn options() -> BTreeMap<String, Option<String>> {
    let output = Command::new(env!("CARGO_BIN_EXE_sp-sync")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, options) = help.split_once("Options:\n").unwrap();
    let mut found = BTreeMap::new();
    let mut newest = String::new();
    for line in options.lines().map(str::trim_start) {
        let line = line.strip_prefix("-h, ").unwrap_or(line);
        if let Some(option) = line.strip_prefix("--") {
            newest = option.split([' ', '\n']).next().unwrap().to_owned();
            found.insert(newest.clone(), None);
        }
        if let Some((_, variable)) = line.split_once("[env: ") {
            let variable = variable.split(['=', ']']).next().unwrap().to_owned();
            found.insert(newest.clone(), Some(variable));
        }
    }
    found
}

const PAGE: &str = "docs/server.md";

/// The table of all options, made of what `--help` says.
fn table() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sp-sync")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, options) = help.split_once("Options:\n").unwrap();
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for line in options.lines().map(str::trim).take_while(|line| !line.starts_with("-h, --help")) {
        if line.starts_with("--") {
            rows.push((line.to_owned(), String::new(), String::new()));
            continue;
        }
        let Some((_, text, default)) = rows.last_mut() else { continue };
        match line.strip_prefix("[default: ").and_then(|line| line.strip_suffix(']')) {
            Some(value) => *default = format!("`{value}`"),
            None if line.is_empty() || line.starts_with("[env: ") => {}
            None if line.starts_with("Possible values:") => text.push(':'),
            None => match line.strip_prefix("- ").and_then(|line| line.split_once(':')) {
                Some((value, says)) => *text = format!("{text} `{value}` ({})", says.trim()),
                None => *text = format!("{text} {line}").trim().to_owned(),
            },
        }
    }
    let rows = rows.iter().map(|(option, text, default)| format!("| `{option}` | {text} | {default} |\n"));
    format!("\n| option | what it says | default |\n|---|---|---|\n{}\n", rows.collect::<String>())
}

#[test]
fn the_page_about_the_server_has_every_option_as_help_says_it() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("options` -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of options").unwrap();
    let fresh = format!("{before}options` -->\n{}<!-- end of options{after}", table());
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page == fresh, "{PAGE} is stale: a comment in it says how to write its table again");
}

/// Options that make no sense in a file, or in one and in the environment.
const APART: [&str; 3] = ["check", "config", "help"];

/// A value for each option that takes one; `None` for a switch.
fn value(option: &str, desk: &Desk) -> Option<String> {
    let file = |name: &str| desk.path(name).display().to_string();
    Some(match option {
        "listen" | "operations-listen" => "127.0.0.1:0".to_owned(),
        "store" => "memory:".to_owned(),
        // Nobody is there, which is only warned of.
        "nats" => "nats://127.0.0.1:1/exams".to_owned(),
        "creds" | "nkey" | "ca" | "nats-cert" | "nats-key" => file("keys.toml"),
        "keys" => file("keys.toml"),
        "users" => file("users.toml"),
        "tls-cert" => tls("first.pem"),
        "tls-key" => tls("first.key.pem"),
        "public-url" => "https://sync.example.com".to_owned(),
        "token-path" => "/tokens".to_owned(),
        "executors" => "extension,agent".to_owned(),
        "limits" => "twilio".to_owned(),
        "log" => "warn".to_owned(),
        "document-bytes-max" => "2000".to_owned(),
        "behind-proxy" | "acl-enabled" | "cut-at-expiry" => return None,
        // All others are numbers.
        _ => "200".to_owned(),
    })
}

fn tls(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/server_doors/tls");
    folder.join(name).display().to_string()
}

/// With the options that this one needs, in a file; the option itself is left to the caller.
fn beside(option: &str, desk: &Desk) -> String {
    let needed: &[&str] = match option {
        "keys" => &[],
        "tls-cert" => &["keys", "tls-key"],
        "tls-key" => &["keys", "tls-cert"],
        _ => &["keys"],
    };
    needed.iter().map(|name| format!("{name} = {:?}\n", value(name, desk).unwrap())).collect()
}

#[test]
fn every_option_is_a_variable_and_a_line_of_the_file() {
    let (desk, options) = (Desk::new(), options());
    assert!(options.len() > 25, "{options:?}");
    for (option, variable) in options.iter().filter(|(option, _)| !APART.contains(&option.as_str())) {
        let expected = format!("SP_SYNC_{}", option.to_uppercase().replace('-', "_"));
        assert_eq!(variable.as_deref(), Some(expected.as_str()), "--{option}");
        let (given, needed) = (value(option, &desk), beside(option, &desk));
        desk.write("needed.toml", &needed);
        let good = |how: &str, command: &mut Command| {
            let output = command.output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{how} of {option}: {errors}");
        };
        let mut command = desk.command("serve --check --config @needed.toml");
        command
            .arg(given.as_ref().map_or_else(|| format!("--{option}"), |value| format!("--{option}={value}")));
        good("argument", &mut command);
        let mut command = desk.command("serve --check --config @needed.toml");
        good("variable", command.env(&expected, given.as_deref().unwrap_or("true")));
        for key in [option.clone(), option.replace('-', "_")] {
            let line = given.as_ref().map_or_else(|| "true".to_owned(), |value| format!("{value:?}"));
            desk.write("whole.toml", &format!("{needed}{key} = {line}\n"));
            good("line", &mut desk.command("serve --check --config @whole.toml"));
        }
    }
}

/// A wrong value is refused wherever it stands, and whoever reads the error knows where to mend it.
#[test]
fn a_wrong_value_is_told_with_its_place() {
    let desk = Desk::new();
    for (option, wrong) in [
        ("listen", "here"),
        ("operations-listen", "9081"),
        ("store", "redis:"),
        ("nats", "redis:"),
        ("limits", "none"),
        ("log", "loud"),
        ("connections-max", "many"),
        ("leeway-s", "-1"),
    ] {
        let told = |how: &str, command: &mut Command, place: &str| {
            let output = command.output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{how} {option}: {errors}");
            assert!(errors.contains(place) && errors.contains(wrong), "{how} {option}: {errors}");
        };
        let flag = format!("--{option}");
        let mut command = desk.command("serve --check --keys @keys.toml");
        told("argument", command.arg(format!("{flag}={wrong}")), &flag);
        let variable = format!("SP_SYNC_{}", option.to_uppercase().replace('-', "_"));
        let mut command = desk.command("serve --check --keys @keys.toml");
        told("variable", command.env(variable, wrong), &flag);
        desk.write("wrong.toml", &format!("# a line\nkeys = \"keys.toml\"\n{option} = {wrong:?}\n"));
        let place = format!("{}: line 3, column 1", desk.path("wrong.toml").display());
        told("line", &mut desk.command("serve --check --config @wrong.toml"), &place);
    }
}

/// What is wrong only together, or only on this machine, is told by the name of its option or file, with what to do.
#[test]
fn what_does_not_go_together_is_told_with_the_next_step() {
    let desk = Desk::new();
    for (line, parts) in [
        ("serve --check", &["--keys FILE", "`sp-sync dev --keys-out"][..]),
        ("serve --check --config @none.toml", &["none.toml: cannot be read"]),
        ("serve --check --keys @none.toml", &["none.toml", "`sp-sync dev --keys-out"]),
        ("serve --check --keys @keys.toml --users @none.toml", &["none.toml"]),
        (
            "serve --check --keys @keys.toml --store file:/nowhere/at/all",
            &["--store", "there is no folder /nowhere/at"],
        ),
        (
            "serve --check --keys @keys.toml --public-url nowhere",
            &["--public-url", "`http://` or `https://`"],
        ),
        ("serve --check --keys @keys.toml --tls-cert @keys.toml", &["--tls-key <FILE>"]),
        ("serve --check --keys @keys.toml --token-lifetime-s 10", &["--token-lifetime-s", "180 to 86400"]),
        (
            "serve --check --keys @keys.toml --users @users.toml --token-path /a{",
            &["--token-path", "letters"],
        ),
        (
            "serve --check --keys @keys.toml --attempt-every-s 18446744073709551615",
            &["--attempt-every-s", "at most 86400"],
        ),
        (
            "serve --check --keys @keys.toml --write-within-s 18446744073709551615",
            &["--write-within-s", "at most 86400"],
        ),
        (
            "serve --check --keys @keys.toml --users @users.toml --token-path tokens",
            &["--token-path", "slash"],
        ),
        ("serve --check --keys @keys.toml --executors a,B-c", &["--executors", "B-c"]),
        ("serve --check --keys @keys.toml --connections-max 0", &["--connections-max", "1 at least"]),
        ("serve --check --keys @keys.toml --document-bytes-max 5", &["--document-bytes-max", "1024 bytes"]),
        ("serve --check --keys @keys.toml --nats-cert a --store nats://127.0.0.1:1", &["--nats-key"]),
    ] {
        let (status, said, errors) = desk.run(line);
        assert_eq!((status, said.as_str()), (Some(2), ""), "{line}: {errors}");
        for part in parts {
            assert!(errors.contains(part), "{line}: `{part}` in {errors}");
        }
        assert!(!errors.contains(super::SECRET), "{errors}");
    }
    desk.write("broken.toml", "listen = \"127.0.0.1:0\nkeys = 1\n");
    let (status, _, errors) = desk.run("serve --check --config @broken.toml");
    assert!(status == Some(2) && errors.contains("broken.toml: line 1, column"), "{errors}");
}

/// The doors of whoever runs the server are somewhere else, and nowhere else.
#[tokio::test]
async fn operations_may_have_an_address_of_their_own() {
    let desk = Desk::new();
    let beside = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let running = desk.start(&format!("{} --operations-listen {beside}", super::command_line::SERVE));
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(Client::to(beside).await.ask("GET", path, &[], "").await.status, 200, "{path}");
        assert_eq!(running.client().await.ask("GET", path, &[], "").await.status, 404, "{path}");
    }
    for path in ["/v1/Services", "/sync/tokens", "/v3/wsconnect"] {
        assert_eq!(Client::to(beside).await.ask("GET", path, &[], "").await.status, 404, "{path}");
    }
    assert_eq!(running.end().0, Some(0));
}

/// How many wrong logins in a row are answered with 401, each with this header.
async fn wrong_logins(running: &Running, forwarded: impl Fn(usize) -> String) -> usize {
    let mut client = running.client().await;
    for n in 0..20 {
        let headers = [("authorization", "Bearer nobody"), ("x-forwarded-for", &*forwarded(n))];
        let reply = client.ask("POST", "/sync/tokens", &headers, "{}").await;
        if reply.status == 429 {
            return n;
        }
        assert_eq!(reply.status, 401);
    }
    20
}

/// Only behind a proxy is the last address believed; before it anybody may have written what they please.
#[tokio::test]
async fn behind_a_proxy_attempts_count_for_whom_it_serves() {
    let desk = Desk::new();
    let line = format!("{} --attempts-at-once 3 --attempt-every-s 3600", super::command_line::SERVE);
    let alone = desk.start(&line);
    assert_eq!(wrong_logins(&alone, |n| format!("10.0.0.{n}")).await, 3, "the header is not believed");
    let behind = desk.start(&format!("{line} --behind-proxy"));
    assert_eq!(wrong_logins(&behind, |n| format!("10.0.0.{n}")).await, 20, "each is another");
    assert_eq!(
        wrong_logins(&behind, |n| format!("10.9.9.{n}, 10.0.1.1")).await,
        3,
        "the proxy's word is the last"
    );
    assert_eq!(wrong_logins(&behind, |_| "10.0.1.2".to_owned()).await, 3);
    // As proxies write it: with the port that it came from, and one of the sixth version with or without brackets.
    assert_eq!(wrong_logins(&behind, |n| format!("10.0.2.{n}:{}", 4_000 + n)).await, 20);
    assert_eq!(wrong_logins(&behind, |n| format!("10.0.3.1:{}", 4_000 + n)).await, 3);
    for (network, form) in ["{}", "[{}]", "[{}]:443", "\"[{}]:443\""].iter().enumerate() {
        let form = |address: String| form.replace("{}", &address);
        let each = |n| form(format!("2001:db8:{network}:{n}::1"));
        assert_eq!(wrong_logins(&behind, each).await, 20, "{}", each(0));
        let one = |n| form(format!("2001:db8:{network}:ffff::{n}"));
        assert_eq!(wrong_logins(&behind, one).await, 3, "{}", one(0));
    }
}
