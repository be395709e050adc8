//! The commands on documents: what they print, their exit status, and that they share the file with others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::embedded::Scratch;

/// One store, and the command line on it.
struct Desk {
    scratch: Scratch,
}

/// What a command did: status, standard output, standard error.
type Said = (Option<i32>, String, String);

impl Desk {
    fn new() -> Self {
        Self { scratch: Scratch::new() }
    }

    /// With a document `exam` in it.
    fn with_exam() -> Self {
        let desk = Self::new();
        assert_eq!(desk.run("set exam step=welcome --create").0, Some(0));
        desk
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sp-sync"));
        command.args(arguments).env("SP_SYNC_STORE", self.scratch.file()).env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Arguments separated by spaces.
    fn run(&self, line: &str) -> Said {
        self.run_all(&line.split(' ').collect::<Vec<_>>(), "")
    }

    fn run_all(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Standard output of a command that must succeed without a word on the standard error.
    fn ok(&self, line: &str) -> String {
        let (status, out, err) = self.run(line);
        assert_eq!((status, err.as_str()), (Some(0), ""), "{line}");
        out
    }

    /// One JSON value per line.
    fn json(&self, line: &str) -> Vec<Value> {
        let out = self.ok(&format!("{line} --json"));
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A command that goes on; its output is read line by line.
    fn start(&self, line: &str) -> Running {
        let mut child = self.command(&line.split(' ').collect::<Vec<_>>()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines: Some(lines) }
    }
}

struct Running {
    child: Child,
    lines: Option<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Asks it to end as Ctrl-C does, and answers its status.
    fn interrupt(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_missing_file_is_made_only_on_demand() {
    let desk = Desk::new();
    for line in ["docs", "get exam", "queue exam", "set exam a=1", "add exam ping", "watch exam"] {
        let (status, out, err) = desk.run(line);
        assert_eq!((status, out.as_str()), (Some(1), ""), "{line}");
        assert!(err.starts_with("error: there is no file ") && err.contains("--create"), "{line}: {err}");
    }
    assert!(!desk.scratch.file().exists());
    assert_eq!(desk.ok("set exam a=1 --create"), "exam: made, revision 2\n");
    assert_eq!(desk.ok("set exam a=2 --create"), "exam: revision 3\n");
}

#[test]
fn values_are_json_where_they_are_json_and_text_otherwise() {
    let desk = Desk::with_exam();
    let words =
        ["set", "exam", "n=1", "on=true", "name=Ada Byron", "digits=\"1\"", "list=[1,2]", "empty=", "eq=a=b"];
    assert_eq!(desk.run_all(&words, "").0, Some(0));
    let expected = json!({ "step": "welcome", "n": 1, "on": true, "name": "Ada Byron", "digits": "1",
                           "list": [1, 2], "empty": "", "eq": "a=b" });
    let got = desk.json("get exam");
    assert_eq!(got, [json!({ "document": "exam", "revision": 3, "data": expected })]);
    assert_eq!(serde_json::from_str::<Value>(&desk.ok("get exam")).unwrap(), expected);
    assert_eq!(desk.ok("get exam list"), "[\n  1,\n  2\n]\n");
    assert_eq!(desk.json("get exam n")[0]["value"], 1);
    assert_eq!(desk.run_all(&["set", "exam", "--data", "-"], r#"{"n": 2}"#).0, Some(0));
    desk.ok("unset exam on name nowhere");
    assert_eq!(desk.ok("get exam n"), "2\n");
    let (status, _, err) = desk.run("get exam name");
    assert_eq!(status, Some(1));
    assert_eq!(err, "error: `exam` has no key `name`; it has step, n, digits, list, empty, eq\n");
}

#[test]
fn what_is_wrong_is_said_with_its_status_and_without_values() {
    let desk = Desk::with_exam();
    for (line, status, said) in [
        ("get nowhere", 1, "there is no document `nowhere`"),
        ("take nowhere extension", 1, "there is no document `nowhere`"),
        ("set exam s3cret", 2, "argument 1 after the name is not of the form KEY=VALUE"),
        ("set exam --data {\"k\":s3cret}", 2, "--data: not JSON, line 1, column 6"),
        ("set exam --data [1]", 1, "must be a JSON object, not an array"),
        ("set exam --data [1]", 1, "error: the data must be a JSON object"),
        ("set exam extensionActions=[]", 1, "the data may not contain the key `extensionActions`"),
        (
            "set exam extensionActions=[]",
            1,
            "are added with `sp-sync add`, and leave with `take`, `withdraw`",
        ),
        ("set exam _sp=1", 1, "it is the bookkeeping of sp-sync"),
        ("unset exam extensionActions", 1, "error: the keys to remove may not contain"),
        (
            "add exam openExamm",
            1,
            "error: the catalogue has no action `openExamm` (did you mean `openExam`?)",
        ),
        ("add exam openExam", 1, "error: `openExam`: the mandatory field `examURL` is missing"),
        (
            "add exam ping executor=s3cret",
            1,
            "error: the fields of `ping` may not contain the key `executor`",
        ),
        ("add exam lockScreen message=1 --respond-to onboarding --wait 1", 1, "leave --respond-to out"),
        ("take exam extension --respond [\"s3cret\"]", 2, "--respond: a response is a JSON object"),
        ("take exam extension --respond {", 2, "--respond: not JSON"),
        ("take exam extension --respond {\"s3cret\":1}", 2, "no action of `extension` has such a response"),
        ("add exam joinCall roomURL=https://x.example.com/ s3cret", 2, "argument 2 after the name"),
        ("add exam joinCall roomURL=s3cret token=s3cret", 1, "field `roomURL`"),
        ("add exam", 2, "required arguments were not provided"),
        ("take exam nobody", 1, "no executor `nobody`; it knows extension, onboarding"),
        ("queue exam nobody", 1, "no executor `nobody`; there are extension, onboarding"),
        ("clear exam nobody", 1, "no executor `nobody`"),
        ("withdraw exam nothing", 1, "no waiting action has this id"),
        ("take exam extension --wait 0.1", 3, "no action for `extension` within 100ms: nothing waits"),
        (
            "docs --store redis://server",
            2,
            "--store: invalid address of a backend: `redis:`: no backend has this",
        ),
        ("docs --store nats://u:s3cret@h:port", 2, "server 1: the port is no number"),
        ("docs --store wss://u:s3cret@h", 2, "the access token says who asks"),
        ("docs --store wss://127.0.0.1:1", 2, "give --token-file FILE, or SP_SYNC_TOKEN"),
        ("docs --store nats://127.0.0.1:1 --creds a --nkey b", 2, "give one of them"),
        ("docs --store nats://127.0.0.1:1 --nkey no-such", 1, "--nkey: no-such: cannot be read"),
        ("docs --store nats://127.0.0.1:1 --nats-cert a", 2, "--nats-key need each other"),
        ("docs --store ws://127.0.0.1:1 --token-file no-such", 1, "--token-file: no-such: cannot be read"),
        (
            "get ES0123456789abcdef0123456789abcdef",
            2,
            "bare SID: put `Session_` or `Proctor_Room_` before it",
        ),
        ("docs --catalogue no-such.toml", 2, "no-such.toml: cannot be read"),
    ] {
        let (found, out, err) = desk.run(line);
        assert_eq!((found, out.as_str()), (Some(status), ""), "{line}: {err}");
        assert!(err.starts_with("error: ") && err.contains(said) && !err.contains("s3cret"), "{line}: {err}");
    }
    let foreign = desk.scratch.path().join("text");
    std::fs::write(&foreign, "no database at all, but long enough to be looked at as one").unwrap();
    let (status, _, err) = desk.run_all(&["docs", "--store", foreign.to_str().unwrap()], "");
    assert!(status == Some(1) && err.contains("not a SQLite database"), "{err}");
}

#[test]
fn an_empty_file_is_no_store_until_one_is_made_of_it() {
    let desk = Desk::new();
    std::fs::write(desk.scratch.file(), "").unwrap();
    for line in ["get exam", "docs", "queue exam", "watch exam", "set exam a=1", "add exam ping"] {
        let (status, out, err) = desk.run(line);
        assert_eq!((status, out.as_str()), (Some(1), ""), "{line}");
        let said = err.starts_with("error: the file ")
            && err.contains("is empty: `sp-sync set DOC --create --store ");
        assert!(said, "{line}: {err}");
    }
    assert_eq!(std::fs::metadata(desk.scratch.file()).unwrap().len(), 0);
    assert_eq!(desk.ok("set exam a=1 --create"), "exam: made, revision 2\n");
}

#[test]
fn a_wrong_response_takes_nothing() {
    let desk = Desk::with_exam();
    desk.ok("add exam getDisplayCount --respond-to onboarding");
    for wrong in ["7", "[]", "{", "{\"displays\":2}", "{\"displayCount\":\"two\"}"] {
        let (status, out, err) = desk.run_all(&["take", "exam", "extension", "--respond", wrong], "");
        assert_eq!((status, out.as_str()), (Some(2), ""), "{wrong}: {err}");
        assert!(err.starts_with("error: --respond: "), "{wrong}: {err}");
    }
    let taken = desk.json("take exam extension --respond {\"displayCount\":2}");
    assert_eq!(taken[0]["attempt"], 1);
}

#[test]
fn what_stands_in_the_place_of_an_array_is_cleared_by_a_command() {
    let desk = Desk::new();
    desk.ok("set exam a=1 --create");
    let file = rusqlite::Connection::open(desk.scratch.file()).unwrap();
    file.execute("UPDATE documents SET data = '{\"extensionActions\":7}', revision = revision + 1", [])
        .unwrap();
    drop(file);
    let (status, _, err) = desk.run("add exam ping");
    let expected = "`extensionActions` holds a number, not an array: `sp-sync clear DOC extension` empties it on purpose";
    assert_eq!((status, err), (Some(1), format!("error: {expected}\n")));
    desk.ok("clear exam extension");
    desk.ok("add exam ping");
}

#[test]
fn an_action_is_added_shown_taken_and_gone() {
    let desk = Desk::with_exam();
    assert_eq!(desk.ok("queue exam"), "extension: nothing\nonboarding: nothing\n");
    let id = desk.ok("add exam lockScreen message=1").trim().to_owned();
    let unwanted = desk.json("add exam ping")[0]["id"].as_str().unwrap().to_owned();
    let queue = desk.json("queue exam extension");
    let action = json!({ "action": "lockScreen", "executor": "extension", "message": "1" });
    assert_eq!((&queue[0]["id"], &queue[0]["action"]), (&json!(id), &action));
    assert!(queue[1]["expires_ms"].is_number() && queue[1]["place"] == 1, "{queue:?}");
    assert_eq!(desk.ok(&format!("withdraw exam {unwanted}")), format!("withdrawn: {unwanted}\n"));
    assert_eq!(desk.json("docs")[0]["waiting"], 1);
    assert_eq!(desk.ok("take exam extension"), format!("lockScreen  {id}  {{\"message\":\"1\"}}\n"));
    assert_eq!(desk.ok("queue exam extension"), "extension: nothing\n");
    desk.ok("add exam unlockScreen");
    desk.ok("clear exam extension");
    assert_eq!(desk.json("docs")[0]["waiting"], 0);
}

#[test]
fn a_batch_is_added_whole_or_not_at_all() {
    let desk = Desk::with_exam();
    let lines = "{\"action\":\"startSession\",\"modality\":\"live\"}\n\n{\"action\":\"ping\"}\n";
    let (status, out, _) = desk.run_all(&["add", "exam", "--batch", "-"], lines);
    assert_eq!((status, out.lines().count()), (Some(0), 2));
    let file: PathBuf = desk.scratch.path().join("batch.jsonl");
    std::fs::write(&file, "{\"action\":\"ping\"}\n{\"action\":\"openExam\"}\n").unwrap();
    let (status, out, err) = desk.run_all(&["add", "exam", "--batch", file.to_str().unwrap()], "");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("batch.jsonl, line 2: `openExam`: the mandatory field `examURL` is missing"),
        "{err}"
    );
    let (status, _, err) = desk.run_all(&["add", "exam", "--batch", "-"], "{\"action\":\"ping\"}\n{,}\n");
    assert_eq!((status, err.as_str()), (Some(2), "error: standard input, line 2, column 2: not JSON\n"));
    let (_, _, err) = desk.run_all(&["add", "exam", "--batch", "-"], "{\"action\":\"ping\",\"executor\":1}");
    assert!(err.starts_with("error: standard input, line 1: the fields of `ping` may not contain"), "{err}");
    for wrong in ["7", "{\"action\":7}", "{", ""] {
        assert_eq!(desk.run_all(&["add", "exam", "--batch", "-"], wrong).0, Some(2), "{wrong}");
    }
    let taken = desk.json("take exam extension --count 2");
    assert_eq!(taken[0]["action"]["action"], "startSession");
    assert_eq!(taken[1]["action"]["action"], "ping");
}

#[test]
fn a_request_is_answered_by_another_process() {
    let desk = Desk::with_exam();
    let mut asking = desk.start("add exam getDisplayCount --respond-to onboarding --wait 20 --json");
    let taken =
        desk.run_all(&["take", "exam", "extension", "--respond", "{\"displayCount\":3}", "--wait", "20"], "");
    assert_eq!(taken.0, Some(0), "{}", taken.2);
    let response = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 3 });
    assert_eq!(serde_json::from_str::<Value>(&asking.line()).unwrap(), response);
    assert_eq!(asking.child.wait().unwrap().code(), Some(0));

    let mut asking = desk.start("add exam getDisplayCount --respond-to onboarding --wait 20");
    desk.ok("take exam extension --reject broken --wait 20");
    assert_eq!(asking.child.wait().unwrap().code(), Some(1));
    let mut err = String::new();
    asking.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(err.contains("failed to carry out `getDisplayCount`: broken"), "{err}");

    let (status, _, err) = desk.run("add exam getDisplayCount --respond-to onboarding --wait 0.2");
    assert_eq!(status, Some(3), "{err}");
    assert_eq!(desk.json("docs")[0]["waiting"], 0, "the request was not withdrawn");
    assert_eq!(desk.run("add exam ping --wait 0.2").0, Some(3));
    desk.ok("take exam extension");
}

#[test]
fn a_watcher_and_an_executor_go_on_while_others_write_and_end_when_interrupted() {
    let desk = Desk::with_exam();
    let mut watching = desk.start("watch exam --key step");
    assert!(watching.line().ends_with("step = \"welcome\""));
    let mut taking = desk.start("take exam extension --follow --identity worker");
    desk.ok("set exam other=1");
    desk.ok("set exam step=headshot");
    assert!(watching.line().ends_with("step = \"headshot\""));
    desk.ok("unset exam step");
    assert!(watching.line().ends_with("step removed"));
    for _ in 0..3 {
        desk.ok("add exam unlockScreen --wait 20");
        assert!(taking.line().starts_with("unlockScreen  "));
    }
    assert_eq!((watching.interrupt(), taking.interrupt()), (Some(0), Some(0)));
}

#[test]
fn what_a_silent_process_holds_is_shown_with_its_holder() {
    let desk = Desk::with_exam();
    desk.ok("add exam lockScreen message=x");
    desk.ok("add exam injectPassword");
    let holding = desk.start("take exam extension --fail later --follow --identity worker");
    let held = loop {
        let queue = desk.json("queue exam extension");
        if queue[0]["state"] == "taken" && queue.len() == 2 {
            break queue;
        }
    };
    drop(holding);
    assert!(held[0]["by"].as_str().unwrap().starts_with("worker#"), "{held:?}");
    let shown = desk.ok("queue exam");
    assert!(shown.contains("2 actions taken, 0 waiting") && shown.contains("not renewed yet"), "{shown}");
    let (status, _, err) = desk.run("take exam extension --wait 0.2");
    assert_eq!(status, Some(3));
    assert!(err.contains("worker#") && err.contains("holds the oldest"), "{err}");
}

#[test]
fn sensitive_values_are_shown_only_on_demand() {
    let desk = Desk::with_exam();
    let mut watching = desk.start("watch exam --json");
    let mut said = watching.line();
    said += &desk.ok("add exam joinCall roomURL=https://x.example.com/ token=s3cret --json");
    said += &watching.line();
    for line in
        ["queue exam", "queue exam --json", "get exam", "get exam extensionActions", "get exam --json"]
    {
        said += &desk.ok(line);
        let shown = desk.ok(&format!("{line} --show-sensitive"));
        assert!(shown.contains("s3cret"), "{line}: {shown}");
    }
    said += &desk.ok("take exam extension");
    assert!(said.contains("[redacted]") && !said.contains("s3cret"), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_loses_no_action() {
    let desk = Desk::with_exam();
    desk.ok("add exam unlockScreen");
    let mut watching = desk.start("watch exam");
    watching.line();
    drop(watching.lines.take());
    desk.ok("set exam step=headshot");
    assert_eq!(watching.child.wait().unwrap().code(), Some(0));

    let mut taking = desk.command(&["take", "exam", "extension"]).spawn().unwrap();
    drop(taking.stdout.take());
    assert_eq!(taking.wait().unwrap().code(), Some(0));
    assert_eq!(desk.json("take exam extension")[0]["action"]["action"], "unlockScreen");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let desk = Desk::with_exam();
    desk.ok("add exam unlockScreen");
    for line in ["docs", "queue exam", "get exam"] {
        assert!(!desk.ok(line).contains('\x1b'), "{line}");
    }
    // `script` gives a terminal, where there is one.
    let on_terminal = |no_colour: Option<&str>| {
        let shell = format!("{} docs", env!("CARGO_BIN_EXE_sp-sync"));
        let mut command = Command::new("script");
        command.args(["-qec", &shell, "/dev/null"]).env("SP_SYNC_STORE", desk.scratch.file());
        command.env_remove("NO_COLOR").envs(no_colour.map(|value| ("NO_COLOR", value)));
        command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())
    };
    let (Some(plain), Some(coloured)) = (on_terminal(Some("1")), on_terminal(None)) else {
        println!("skipped: `script` is missing");
        return;
    };
    assert!(!plain.stdout.contains(&0x1b) && coloured.stdout.contains(&0x1b));
}

#[test]
fn a_catalogue_of_ones_own_decides_what_may_be_sent() {
    let desk = Desk::with_exam();
    let path = desk.scratch.path().join("own.toml");
    let text = "format = 1\nname = \"own\"\nversion = \"1\"\n[executors.printer]\ndoc = \"Prints.\"\n\
                [actions.printer.print]\ndoc = \"Prints.\"\nfields.pages = { type = \"int\", required = true, doc = \"How many.\" }\n";
    std::fs::write(&path, text).unwrap();
    let own = format!("--catalogue {}", path.display());
    desk.ok(&format!("add exam print pages=3 {own}"));
    assert_eq!(desk.run(&format!("add exam print pages=x {own}")).0, Some(1));
    assert_eq!(desk.run(&format!("add exam ping {own}")).0, Some(1));
    assert!(desk.ok("queue exam").contains("printer: 1 action waiting"), "seen with any catalogue");
    assert!(desk.ok(&format!("take exam printer {own}")).contains("{\"pages\":3}"));
}

#[test]
fn help_names_every_exit_status() {
    let (status, help, _) = Desk::new().run("--help");
    assert_eq!(status, Some(0));
    for expected in ["Exit status: 0", "1 when", "2 when", "3 when", "watch", "queue", "NO_COLOR"] {
        assert!(help.contains(expected), "{expected}");
    }
}
