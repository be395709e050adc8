//! `sp-sync serve` and `sp-sync dev`, as processes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::http::{Client, base64};
use super::{KEY, SECRET, SERVICE, keys_file, users_file};
use crate::embedded::Scratch;

/// A folder with the files of a server.
pub(crate) struct Desk {
    scratch: Scratch,
}

/// A server that runs; killed when it is let go of.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: BufReader<ChildStdout>,
    /// `http://127.0.0.1:…`.
    pub(crate) url: String,
    /// Everything it said before.
    said: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self { scratch: Scratch::new() };
        desk.write("keys.toml", &keys_file());
        desk.write("users.toml", &users_file());
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.file().with_file_name(name)
    }

    /// For its owner's eyes only.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    /// Arguments separated by blanks, with `@name` for a file of this desk.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sp-sync"));
        for argument in line.split(' ') {
            match argument.split_once('@') {
                Some((before, name)) => command.arg(format!("{before}{}", self.path(name).display())),
                None => command.arg(argument),
            };
        }
        // Nobody reads the log while the server runs.
        command.env_remove("SP_SYNC_STORE").env("SP_SYNC_LOG", "off").current_dir(self.path("."));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Status, standard output, standard error.
    pub(crate) fn run(&self, line: &str) -> (Option<i32>, String, String) {
        let output = self.command(line).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    pub(crate) fn start(&self, line: &str) -> Running {
        Running::of(self.command(line))
    }
}

impl Running {
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, out, url: String::new(), said: String::new() };
        while running.url.is_empty() {
            let mut line = String::new();
            let read = running.out.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended: {}{}", running.said, errors(&mut running.child));
            match line.strip_prefix("listening on ") {
                Some(url) => running.url = url.trim().to_owned(),
                None => running.said += &line,
            }
        }
        running
    }

    pub(crate) async fn client(&self) -> Client {
        let (_, address) = self.url.split_once("://").unwrap();
        Client::to(address.parse().unwrap()).await
    }

    pub(crate) async fn rest(&self, method: &str, path: &str, form: &str) -> super::Reply {
        let login = format!("Basic {}", base64(&format!("{KEY}:{SECRET}")));
        let path = format!("/v1/Services/{SERVICE}{path}");
        self.client().await.ask(method, &path, &[("authorization", &login)], form).await
    }

    /// Asks it to end; its status, and what it still said.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let errors = errors(&mut self.child);
        (self.child.wait().unwrap().code(), rest, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn errors(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut text).unwrap();
    }
    text
}

pub(crate) const SERVE: &str = "serve --listen 127.0.0.1:0 --keys @keys.toml --users @users.toml";

#[tokio::test]
async fn a_server_serves_every_door_and_ends_when_asked() {
    let desk = Desk::new();
    let running = desk.start(SERVE);
    let reply = running.rest("POST", "/Documents", "UniqueName=one&Data=%7B%7D").await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert!(reply.json()["url"].as_str().unwrap().starts_with(&running.url));
    let mut client = running.client().await;
    let bearer = [("authorization", "Bearer token of ana")];
    let given = client.ask("POST", "/sync/tokens", &bearer, "{}").await.json();
    assert_eq!(given["endpoint"], running.url.replace("http", "ws") + "/v3/wsconnect");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(client.ask("GET", path, &[], "").await.status, 200, "{path}");
    }
    assert_eq!(running.end(), (Some(0), "stopped\n".to_owned(), String::new()));
}

#[tokio::test]
async fn a_server_that_ends_closes_its_store() {
    let desk = Desk::new();
    let running = desk.start(&format!("{SERVE} --store file:@documents.db"));
    let reply = running.rest("POST", "/Documents", "UniqueName=one&Data=%7B%7D").await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let ended = tokio::task::spawn_blocking(move || running.end());
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends").unwrap();
    assert_eq!(ended, (Some(0), "stopped\n".to_owned(), String::new()));
    assert!(!desk.path("documents.db-wal").exists(), "everything is in the one file");
}

#[tokio::test]
async fn documents_may_be_as_long_as_the_option_says() {
    let desk = Desk::new();
    for store in ["memory:", "file:@documents.db"] {
        let running = desk.start(&format!("{SERVE} --store {store} --document-bytes-max 50000"));
        let form =
            |bytes: usize| format!("UniqueName=d{bytes}&Data=%7B%22a%22%3A%22{}%22%7D", "a".repeat(bytes));
        let held = running.rest("POST", "/Documents", &form(40_000)).await;
        assert_eq!(held.status, 201, "{store}: {}", held.body);
        let refused = running.rest("POST", "/Documents", &form(60_000)).await;
        assert_eq!(refused.refusal(), (413, 54006), "{store}: {}", refused.body);
        assert!(refused.body.contains("the limit is 50000"), "{store}: {}", refused.body);
    }
}

/// What was acknowledged is there after `kill -9`.
#[tokio::test]
async fn a_server_that_is_killed_has_lost_nothing() {
    let desk = Desk::new();
    let line = format!("{SERVE} --store file:@documents.db");
    for round in 0..3 {
        let running = desk.start(&line);
        for old in 0..round {
            let reply = running.rest("GET", &format!("/Documents/d{old}"), "").await;
            assert_eq!(reply.json()["data"]["n"], old, "{}", reply.body);
        }
        let form = format!("UniqueName=d{round}&Data=%7B%22n%22%3A{round}%7D");
        assert_eq!(running.rest("POST", "/Documents", &form).await.status, 201);
        // Dropped: killed.
    }
}

#[tokio::test]
async fn options_come_from_the_command_line_then_the_environment_then_a_file() {
    let desk = Desk::new();
    let keys = desk.path("keys.toml");
    let config = format!(
        "listen = \"127.0.0.1:0\"\nkeys = {keys:?}\npublic-url = \"http://file.example\"\n\
         document-bytes-max = 2000\nlimits = \"twilio\"\nbehind_proxy = true\n"
    );
    desk.write("server.toml", &config);
    let url = |command: Command| Running::of(command).url.clone();
    assert_eq!(url(desk.command("serve --config @server.toml")), "http://file.example");
    let mut command = desk.command("serve --config @server.toml");
    command.env("SP_SYNC_PUBLIC_URL", "http://environment.example");
    assert_eq!(url(command), "http://environment.example");
    let mut command = desk.command("serve --config @server.toml --public-url http://argument.example");
    command.env("SP_SYNC_PUBLIC_URL", "http://environment.example");
    assert_eq!(url(command), "http://argument.example");
    let mut command = desk.command("serve --public-url=http://127.0.0.1:1");
    command.env("SP_SYNC_CONFIG", desk.path("server.toml"));
    assert_eq!(url(command), "http://127.0.0.1:1");
}

#[test]
fn a_look_at_the_options_says_what_is_wrong_and_where() {
    let desk = Desk::new();
    let (status, said, errors) = desk.run(&format!("{SERVE} --check"));
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(said.starts_with(&format!("good: service {SERVICE} of account AC")), "{said}");
    assert!(said.contains("1 API key, 4 users, no TLS, documents in memory"), "{said}");

    desk.write("wrong.toml", "[users.x]\nidentity = 1\n");
    let (status, _, errors) = desk.run("serve --keys @keys.toml --users @wrong.toml --check");
    assert_eq!(status, Some(2));
    let line = format!("error: {}: line 2, column 12: users.x.identity", desk.path("wrong.toml").display());
    assert!(errors.lines().any(|found| found.starts_with(&line)), "{errors}");
    assert!(errors.lines().count() >= 3, "{errors}");

    desk.write(
        "server.toml",
        "listen = \"nowhere\"\n\nlisten-on = 1\ncheck = true\nbehind-proxy = 1\nkeys = [1]\n",
    );
    let (status, _, errors) = desk.run("serve --config @server.toml --check");
    assert_eq!(status, Some(2));
    for (place, what) in [
        ("line 1, column 1: ", "invalid value 'nowhere' for '--listen"),
        ("line 3, column 1: ", "there is no option `listen-on`"),
        ("line 4, column 1: ", "there is no option `check`"),
        ("line 5, column 1: ", "`behind-proxy` is no boolean"),
        ("line 6, column 1: ", "`keys` is neither a string nor a number"),
    ] {
        let found = errors.lines().any(|line| line.contains(place) && line.contains(what));
        assert!(found, "{place}{what} in\n{errors}");
    }
    for wrong in [
        "serve --check",
        "serve --keys @none.toml --check",
        "serve --keys @keys.toml --store somewhere --check",
        "serve --keys @keys.toml --store file:/nowhere/at/all --check",
        "serve --keys @keys.toml --public-url nowhere --check",
        "serve --keys @keys.toml --tls-cert @keys.toml --check",
        "serve --keys @keys.toml --tls-cert @keys.toml --tls-key @keys.toml --check",
        "serve --keys @keys.toml --token-lifetime-s 10 --check",
    ] {
        let (status, said, errors) = desk.run(wrong);
        assert_eq!((status, said.as_str()), (Some(2), ""), "{wrong}: {errors}");
        assert!(errors.starts_with("error: ") && !errors.contains(SECRET), "{errors}");
    }
}

/// Whoever mends a configuration wants to know all of it at once.
#[test]
fn a_look_at_the_options_tells_all_faults_of_all_files() {
    let desk = Desk::new();
    desk.write("keys.toml", &keys_file().replace(SECRET, "short"));
    desk.write(
        "users.toml",
        "format = 1\n\n[users.a]\ntoken_sha256 = \"1\"\nidentity = \"a\"\nrole = \"b\"\n",
    );
    let (status, said, errors) = desk.run(
        "serve --check --keys @keys.toml --users @users.toml --tls-cert @none.pem --tls-key @none.pem \
         --token-lifetime-s 1 --token-path x --leeway-s 99999 --store file:/nowhere/at/all --public-url x \
         --listen localhost:1 --operations-listen localhost:1",
    );
    assert_eq!((status, said.as_str()), (Some(2), ""), "{errors}");
    for fault in [
        "keys.toml: line 6, column 10: ",
        "users.toml: line 4, column 16: users.a.token_sha256",
        "users.toml: line 6, column 8: users.a.role",
        "none.pem",
        "--token-lifetime-s",
        "--token-path",
        "--leeway-s",
        "--store: there is no folder /nowhere/at",
        "--public-url",
        "--operations-listen: this is where --listen is",
    ] {
        let found = errors.lines().filter(|line| line.starts_with("error: ") && line.contains(fault));
        assert_eq!(found.count(), 1, "{fault} in\n{errors}");
    }
    // The same is told by a server that is to be started.
    let (status, _, errors) = desk.run("serve --keys @keys.toml --token-lifetime-s 1");
    assert_eq!((status, errors.lines().count()), (Some(2), 2), "{errors}");
}

/// Whoever looks at the options of a server that is running hears it too: so it is no fault.
#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let desk = Desk::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let told = format!("cannot listen on {at}: Address already in use");
    let (status, said, errors) = desk.run(&format!("serve --keys @keys.toml --check --listen {at}"));
    assert_eq!((status, said.starts_with("good: ")), (Some(0), true), "{errors}");
    assert!(errors.starts_with(&format!("warning: {told}")), "{errors}");
    for command in ["serve --keys @keys.toml", "dev"] {
        let (status, _, errors) = desk.run(&format!("{command} --listen {at}"));
        assert_eq!(status, Some(1), "{errors}");
        let line = errors.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(line.contains(&told) && line.ends_with("or give another port with --listen"), "{line}");
    }
}

#[tokio::test]
async fn a_server_listens_where_a_name_says() {
    let desk = Desk::new();
    let running = desk.start("serve --keys @keys.toml --users @users.toml --listen localhost:0");
    let page = running.client().await.ask("GET", "/", &[], "").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    // Whoever opens the address in a browser reads what this is and where to go on.
    for part in
        ["Sync service", "/v3/wsconnect", "/v1/Services", "/sync/tokens", "/metrics", "docs/server.md"]
    {
        assert!(page.body.contains(part), "{part} in\n{}", page.body);
    }
    let (status, _, errors) = desk.run("serve --keys @keys.toml --check --listen localhost");
    assert_eq!(status, Some(2));
    assert!(errors.contains("`localhost:9080`"), "{errors}");
}

/// Rows of permissions are the server's own affair.
#[tokio::test]
async fn rows_are_set_where_they_count_and_are_no_documents_in_the_list() {
    let desk = Desk::new();
    let running = desk.start(&format!("{SERVE} --acl-enabled --store file:@documents.db"));
    let made = running.rest("POST", "/Documents", "UniqueName=one&Data=%7B%7D").await;
    let sid = made.json()["sid"].as_str().unwrap().to_owned();
    let row = "Read=true&Write=false&Manage=false";
    assert_eq!(running.rest("POST", "/Documents/one/Permissions/ana", row).await.status, 200);
    for (name, said) in [
        (format!("Permissions_{sid}"), "this server's own: choose another"),
        (format!("Unnamed_{sid}"), "this server's own: choose another"),
        (sid.clone(), "must not look like a SID"),
    ] {
        let refused = running.rest("POST", "/Documents", &format!("UniqueName={name}")).await;
        assert_eq!(refused.refusal(), (400, 54302));
        assert!(refused.json()["message"].as_str().unwrap().contains(said), "{}", refused.body);
    }
    let store = format!("--store {}", desk.path("documents.db").display());
    let (status, listed, errors) = desk.run(&format!("docs --json {store}"));
    assert_eq!((status, listed.lines().count()), (Some(0), 1), "{listed}{errors}");
    assert!(listed.contains("\"one\""), "{listed}");
    assert_eq!(running.rest("DELETE", "/Documents/one", "").await.status, 204);
    assert_eq!(desk.run(&format!("docs {store}")).1, "no documents\n");
}

#[tokio::test]
async fn dev_takes_rows_when_told_to() {
    let desk = Desk::new();
    for (option, status) in [("", 501), (" --acl-enabled", 200)] {
        let running = desk.start(&format!("dev --listen 127.0.0.1:0{option}"));
        let (_, rest) = running.said.split_once("curl -u ").unwrap();
        let (login, rest) = rest.split_once(' ').unwrap();
        let path = rest.split_once("/v1/").unwrap().1.lines().next().unwrap();
        let login = format!("Basic {}", base64(login));
        let mut client = running.client().await;
        let mut ask = async |path: String, form: &str| {
            client.ask("POST", &path, &[("authorization", &login)], form).await.status
        };
        assert_eq!(ask(format!("/v1/{path}"), "UniqueName=one&Data=%7B%7D").await, 201);
        let row = "Read=true&Write=false&Manage=false";
        assert_eq!(ask(format!("/v1/{path}/one/Permissions/ana"), row).await, status);
    }
}

#[cfg(unix)]
#[test]
fn files_of_secrets_that_others_can_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    std::fs::set_permissions(desk.path("keys.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, _, errors) = desk.run(&format!("{SERVE} --check"));
    assert_eq!(status, Some(0));
    assert!(errors.contains("keys.toml can be read by others than its owner: `chmod 600"), "{errors}");
}

#[test]
fn new_keys_are_written_for_their_owner_alone_and_never_over_others() {
    let desk = Desk::new();
    let (status, ..) = desk.run("dev --keys-out @new.toml");
    assert_eq!(status, Some(0));
    assert!(!sp_sync::server::Keys::is_exposed(&desk.path("new.toml")));
    assert_eq!(desk.run("serve --keys @new.toml --check").0, Some(0));
    assert_eq!(desk.run("dev --keys-out @new.toml").0, Some(1));
}

/// The snippet that `dev` prints is run as it stands; REST then shows what it has written.
#[tokio::test]
async fn what_dev_prints_works_when_pasted() {
    let desk = Desk::new();
    let running = desk.start("dev --listen 127.0.0.1:0");
    let said = running.said.clone();
    let between =
        |from: &str, to: &str| said.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let login = between("curl -u ", " ");
    let headers = [("authorization", format!("Basic {}", base64(&login)))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = "/v1/Services/default/Documents";
    let mut client = running.client().await;
    assert_eq!(client.ask("GET", path, &headers, "").await.status, 200);
    let bearer = format!("Bearer {}", between("Token::new(\"", "\""));
    let body = "{\"identity\":\"anybody\",\"documentId\":\"Session_demo\"}";
    let given = client.ask("POST", "/sync/tokens", &[("authorization", &bearer)], body).await;
    assert_eq!(given.json()["identity"], "anybody", "{}", given.body);
    let Some(module) = crate::node::module("twilio-sync/package.json") else { return };
    let snippet = between("JavaScript (npm install twilio-sync):", "Rust (");
    let snippet =
        snippet.replace("console.log(event.data)", "{ console.log(event.data.hello); process.exit(0); }");
    let mut node = Command::new("node");
    node.args(["-e", &snippet]).current_dir(module.parent().unwrap());
    let output = tokio::task::spawn_blocking(move || node.output().unwrap()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "from JavaScript", "{errors}");
    let mut client = running.client().await;
    let found = client.ask("GET", &format!("{path}/Session_demo"), &headers, "").await;
    assert_eq!(found.json()["data"]["hello"], "from JavaScript");
    let (status, ..) = running.end();
    assert_eq!(status, Some(0));
}

/// The Rust snippet is compiled here word for word, but for its literals; they are taken from what is printed.
#[cfg(feature = "remote")]
#[tokio::test]
async fn the_rust_that_dev_prints_works_when_pasted() {
    let desk = Desk::new();
    let running = desk.start("dev --listen 127.0.0.1:0 --document Session_\u{10d}%#1 --identity ad\"a");
    let said = running.said.clone();
    let (_, snippet) = said.split_once("Rust (sp-sync with the feature `remote`):").unwrap();
    let (snippet, _) = snippet.split_once("In a browser").unwrap();
    let mut printed = snippet.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut literals = Vec::new();
    for (before, name) in [
        (".base_uri(", "base_uri"),
        ("Token::new(", "sp_token"),
        ("DocumentId::new(", "document"),
        ("Identity::new(", "identity"),
    ] {
        let (head, tail) = printed.split_once(before).unwrap();
        let mut values = serde_json::Deserializer::from_str(tail).into_iter::<String>();
        literals.push(values.next().unwrap().unwrap());
        printed = format!("{head}{before}{name}{}", &tail[values.byte_offset()..]);
    }
    assert_eq!(printed, super::pasted::body());
    let [base_uri, sp_token, document, identity] = &literals[..] else { unreachable!("four literals") };
    assert_eq!((document.as_str(), identity.as_str()), ("Session_\u{10d}%#1", "ad\"a"));
    super::pasted::run(base_uri, sp_token, document, identity).await.unwrap();

    let (_, link) = said.split_once("http://127.0.0.1:5173/#").unwrap();
    let parts: Vec<&str> = link.lines().next().unwrap().split('&').collect();
    let token = format!("token={sp_token}");
    assert_eq!(parts, [&format!("server={base_uri}"), token.as_str(), "document=Session_%C4%8D%25%231"]);
}
