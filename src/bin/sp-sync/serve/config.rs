//! Options of `sp-sync serve` from a file: those that neither the command line nor the environment gives are put behind
//! the command line, and all are read again.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::Resettable::Reset;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use toml::de::{DeTable, DeValue};

use crate::output::{Outcome, Problem};

/// Not to be set by a file.
const NOT_IN_FILES: [&str; 3] = ["config", "check", "help"];

/// The command line with what the file adds. `matches` are those of the subcommand, `command` is its description.
pub(crate) fn completed(
    arguments: impl Iterator<Item = OsString>,
    matches: &ArgMatches,
    command: &Command,
    file: &Path,
) -> Outcome<Vec<OsString>> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Problem::Usage(format!("{shown}: cannot be read: {error}")))?;
    let mut arguments: Vec<OsString> = arguments.collect();
    let (mut wrong, (table, errors)) = (Vec::new(), DeTable::parse_recoverable(&text));
    let mut say = |at: usize, what: String| {
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |before| before.chars().count()) + 1;
        wrong.push(format!("{shown}: line {line}, column {column}: {what}"));
    };
    for error in &errors {
        say(error.span().map_or(0, |span| span.start), format!("{}; mend the TOML", error.message()));
    }
    for (key, value) in table.get_ref() {
        let at = key.span().start;
        let name = key.get_ref().replace('_', "-");
        let known = command.get_arguments().find(|known| known.get_long() == Some(name.as_str()));
        let Some(known) = known.filter(|_| !NOT_IN_FILES.contains(&name.as_str())) else {
            say(at, format!("there is no option `{}`; `sp-sync serve --help` lists them", key.get_ref()));
            continue;
        };
        let switch = !known.get_action().takes_values();
        let added = match (value.get_ref(), switch) {
            (DeValue::Boolean(true), true) => Some(format!("--{name}")),
            (DeValue::Boolean(false), true) => None,
            (DeValue::String(text), false) => Some(format!("--{name}={text}")),
            (DeValue::Integer(number), false) => Some(format!("--{name}={}", number.as_str())),
            (_, true) => {
                say(at, format!("`{name}` is no boolean; write `true` or `false`"));
                continue;
            }
            (_, false) => {
                say(at, format!("`{name}` is neither a string nor a number; write one of them"));
                continue;
            }
        };
        let Some(added) = added else { continue };
        let mut one = Command::new("serve").no_binary_name(true).arg(alone(known));
        if let Err(error) = one.try_get_matches_from_mut([&added]) {
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default();
            say(at, text.trim_start_matches("error: ").to_owned());
            continue;
        }
        let elsewhere = matches.value_source(known.get_id().as_str());
        if matches!(elsewhere, None | Some(ValueSource::DefaultValue)) {
            arguments.push(added.into());
        }
    }
    match wrong.is_empty() {
        true => Ok(arguments),
        false => Err(Problem::Usage(wrong.join("\n"))),
    }
}

/// An option that can be read alone: where it must be given, it need not be given again.
fn alone(known: &clap::Arg) -> clap::Arg {
    known.clone().required(false).required_unless_present(Reset).env(Reset)
}
