//! A Node process with the official SDK, told what to do.

use std::collections::VecDeque;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Longer than the SDK takes for anything but its longest pauses.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Puppet {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
    answers: VecDeque<Value>,
    events: VecDeque<Value>,
}

impl Puppet {
    /// `None` where there is no Node; then a line was printed.
    pub(crate) fn new() -> Option<Self> {
        let sdk = crate::node::module("twilio-sync/package.json")?;
        let folder = sdk.ancestors().nth(3).unwrap().to_owned();
        let mut child = Command::new("node")
            .arg("party.cjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let output = BufReader::new(output).lines();
        let (answers, events) = (VecDeque::new(), VecDeque::new());
        Some(Self { _child: child, input, output, asked: 0, answers, events })
    }

    /// Asks for something without waiting for the answer.
    pub(crate) async fn ask(&mut self, verb: &str, mut what: Value) -> u64 {
        self.asked += 1;
        what["ask"] = self.asked.into();
        what["verb"] = verb.into();
        self.input.write_all(format!("{what}\n").as_bytes()).await.unwrap();
        self.asked
    }

    /// The answer: a value, or what was wrong.
    pub(crate) async fn answer(&mut self, ask: u64) -> Result<Value, Value> {
        loop {
            if let Some(at) = self.answers.iter().position(|answer| answer["ask"] == ask) {
                let mut answer = self.answers.remove(at).unwrap();
                return match answer.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(answer["value"].take()),
                };
            }
            self.hear().await;
        }
    }

    pub(crate) async fn try_tell(&mut self, verb: &str, what: Value) -> Result<Value, Value> {
        let ask = self.ask(verb, what).await;
        self.answer(ask).await
    }

    pub(crate) async fn tell(&mut self, verb: &str, what: Value) -> Value {
        let shown = format!("{verb} {what}");
        self.try_tell(verb, what).await.unwrap_or_else(|error| panic!("{shown}: {error}"))
    }

    pub(crate) async fn connect(&mut self, who: &str, token: &str, at: std::net::SocketAddr) -> Value {
        let uri = format!("ws://{at}/v3/wsconnect");
        self.tell("connect", json!({ "who": who, "token": token, "uri": uri })).await
    }

    pub(crate) async fn open(&mut self, who: &str, name: &str) -> Value {
        self.tell("open", json!({ "who": who, "as": name, "options": name })).await
    }

    /// The next event of somebody that is wanted; those before it are forgotten.
    pub(crate) async fn event(&mut self, who: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let is = |event: &Value| event["who"] == who && wanted(event);
            if let Some(at) = self.events.iter().position(is) {
                let event = self.events.remove(at).unwrap();
                let mut index = 0;
                self.events.retain(|other| {
                    index += 1;
                    index > at || other["who"] != who
                });
                return event;
            }
            self.hear().await;
        }
    }

    pub(crate) async fn named(&mut self, who: &str, name: &str) -> Value {
        self.event(who, |event| event["event"] == name).await
    }

    pub(crate) async fn state(&mut self, who: &str, state: &str) {
        self.event(who, |event| event["event"] == "state" && event["detail"] == state).await;
    }

    /// Events that came and nobody waited for.
    pub(crate) fn so_far(&self, who: &str, name: &str) -> Vec<Value> {
        self.events.iter().filter(|event| event["who"] == who && event["event"] == name).cloned().collect()
    }

    async fn hear(&mut self) {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await.unwrap_or_else(|_| {
            panic!("silence; so far {:?}", self.events);
        });
        let told: Value = serde_json::from_str(&line.unwrap().expect("the process lives")).unwrap();
        assert_ne!(told["event"], "unhandled", "{told}");
        match told.get("ask") {
            Some(_) => self.answers.push_back(told),
            None => self.events.push_back(told),
        }
    }
}
