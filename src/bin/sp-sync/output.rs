//! What is written to the terminal, and how a command ends.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::{Map, Value};
use sp_sync::Catalogue;
use sp_sync::action::Action;
use sp_sync::backend::BackendError;
use sp_sync::catalogue::REDACTED;
use sp_sync::document::{Document, is_reserved};

use crate::words::{told, told_of_store};

/// How a command ended, or why it could not do what was asked.
pub(crate) type Outcome<T = ExitCode> = Result<T, Problem>;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It was called wrongly: status 2.
    Usage(String),
    /// It was refused or failed: status 1.
    Failed(String),
    /// Nothing came in time: status 3.
    Timeout(String),
    /// Whoever read the output has gone away (`| head`): no failure, status 0.
    ReaderGone,
}

impl Problem {
    /// Says it on the standard error, and answers the exit status.
    pub(crate) fn tell(self) -> ExitCode {
        let (message, status) = match self {
            Self::Usage(message) => (message, 2),
            Self::Failed(message) => (message, 1),
            Self::Timeout(message) => (message, 3),
            Self::ReaderGone => return ExitCode::SUCCESS,
        };
        let mut err = std::io::stderr().lock();
        for line in message.lines() {
            // Where the standard error is closed there is nobody to tell.
            let _ = writeln!(err, "error: {line}");
        }
        ExitCode::from(status)
    }
}

impl From<sp_sync::Error> for Problem {
    fn from(error: sp_sync::Error) -> Self {
        match error {
            sp_sync::Error::Timeout { .. } => Self::Timeout(error.to_string()),
            _ => Self::Failed(told(&error)),
        }
    }
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        Self::Failed(told_of_store(&error))
    }
}

/// Writes to the standard output.
pub(crate) fn print(bytes: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Problem::ReaderGone),
        Err(error) => Err(Problem::Failed(format!("cannot write to the standard output: {error}"))),
    }
}

/// Writes results: for people, or one JSON value per line.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
    /// `None`: sensitive values are shown.
    redacting: Option<Catalogue>,
}

impl Output {
    pub(crate) fn new(json: bool, show_sensitive: bool, catalogue: &Catalogue) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = !json && !unwanted && std::io::stdout().is_terminal();
        Self { json, colour, redacting: (!show_sensitive).then(|| catalogue.clone()) }
    }

    /// For results without anything sensitive.
    pub(crate) fn plain(json: bool) -> Self {
        Self { json, colour: false, redacting: None }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One result: `text` for people, `value` for programs.
    pub(crate) fn line(&self, text: impl FnOnce() -> String, value: impl FnOnce() -> Value) -> Outcome<()> {
        let line = if self.json { value().to_string() } else { text() };
        print(format!("{line}\n").as_bytes()).map(drop)
    }

    /// A result only people need.
    pub(crate) fn remark(&self, text: &str) -> Outcome<()> {
        match self.json {
            true => Ok(()),
            false => print(format!("{text}\n").as_bytes()).map(drop),
        }
    }

    /// Something that matters most in its line.
    pub(crate) fn strong(&self, text: &str) -> String {
        self.coloured("1", text)
    }

    /// Something that matters less than the rest of its line.
    pub(crate) fn faint(&self, text: &str) -> String {
        self.coloured("2", text)
    }

    fn coloured(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// An action or a response without its sensitive values (C64).
    pub(crate) fn action(&self, action: &Action) -> Map<String, Value> {
        let mut object = action.as_object().clone();
        if let Some(catalogue) = &self.redacting {
            catalogue.redact(&mut object);
        }
        object
    }

    /// The fields of an action, without what every action has.
    pub(crate) fn fields(&self, action: &Action) -> String {
        let mut object = self.action(action);
        object.retain(|key, _| key != "action" && key != "executor");
        if object.is_empty() { String::new() } else { Value::Object(object).to_string() }
    }

    /// A document without bookkeeping and without the sensitive values of its actions (C64).
    pub(crate) fn document(&self, document: &Document) -> Map<String, Value> {
        let mut data = (*document.view()).clone();
        let Some(catalogue) = &self.redacting else { return data };
        for (_, value) in data.iter_mut().filter(|(key, _)| is_reserved(key)) {
            match value {
                Value::Array(actions) => actions.iter_mut().for_each(|action| redact(catalogue, action)),
                Value::Null => {}
                // What stands in the place of an array may hold what the actions in it held.
                _ => *value = REDACTED.into(),
            }
        }
        data
    }
}

/// What is no action may hold anything.
fn redact(catalogue: &Catalogue, element: &mut Value) {
    match element {
        Value::Object(action) if action.get("action").is_some_and(Value::is_string) => {
            catalogue.redact(action)
        }
        other => *other = REDACTED.into(),
    }
}

/// `1 action`, `2 actions`.
pub(crate) fn counted(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// What whoever gave the command should know, though it goes on.
pub(crate) fn caution(text: &str) {
    // Where the standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "warning: {text}");
}
