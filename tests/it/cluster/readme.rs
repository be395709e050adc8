//! The commands of the README's section "More than one machine", word for word.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::server_doors::command_line::Desk;

/// The commands under the heading, without the comments behind them.
fn commands() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (_, after) = readme.split_once("\n## More than one machine\n").expect("the section");
    let (_, block) = after.split_once("```sh\n").expect("its commands");
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

/// A command that goes on until it is let go of, and then ends as by Ctrl-C.
struct Going(Child);

impl Going {
    /// Started in the root of the repository, and waited for until it says something.
    fn start(line: &str) -> (Self, String) {
        let binaries = Path::new(env!("CARGO_BIN_EXE_sp-sync")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        // In place of the shell, so that the signal reaches it.
        command.args(["-c", &format!("exec {line}")]).env("PATH", path).env("SP_SYNC_LOG", "off");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut going = Self(command.spawn().unwrap());
        let mut said = String::new();
        BufReader::new(going.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
        (going, said)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// Somebody may try the commands on this machine at the same time as this test: one of them would fail, and say why.
#[test]
fn the_three_commands_of_the_readme_make_one_service() {
    // Two runs of this test on one machine wait for each other.
    let lock = File::create(std::env::temp_dir().join("sp-sync-example-cluster.lock")).unwrap();
    lock.lock().unwrap();
    let commands = commands();
    let [nats, first, second] = &commands[..] else { panic!("{commands:?}") };
    let (_nats, said) = Going::start(nats);
    assert!(said.contains("three NATS servers"), "{said}");
    let serve = |line: &str| {
        let (going, said) = Going::start(line);
        let url = said.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}: {said}"));
        (going, url.trim().to_owned())
    };
    let ((_first, first), (_second, second)) = (serve(first), serve(second));
    let desk = Desk::new();
    desk.write("token", "a token for trying things\n");
    let name = format!("Session_{}", uuid::Uuid::new_v4().simple());
    let run = |line: &str| {
        let (status, out, err) = desk.run(line);
        assert_eq!(status, Some(0), "{line}: {out}{err}");
        out
    };
    run(&format!("set {name} seat=17 --store {first} --token-file @token"));
    assert_eq!(run(&format!("get {name} seat --store {second} --token-file @token")), "17\n");
    // The same document, asked of NATS itself.
    let store = "nats://127.0.0.1:24223/exams?replicas=3";
    assert_eq!(run(&format!("get {name} seat --store {store}")), "17\n");
}
