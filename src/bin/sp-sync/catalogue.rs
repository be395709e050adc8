//! `sp-sync catalogue`: is a catalogue right, and what does a change of it mean?

use std::{fs::File, io::Read, path::Path, path::PathBuf, process::ExitCode};

use serde_json::json;
use sp_sync::catalogue::{Catalogue, CatalogueError, MAX_CATALOGUE_BYTES, Violation};

use crate::output::{Outcome, Output, Problem, counted};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check every rule and show all violations.
    ///
    /// Exit status: 0 when the catalogue is right, 2 when it is not or cannot be read.
    Check {
        /// The catalogue, a TOML file.
        file: PathBuf,
        /// Write one JSON value per line, for programs: a summary, or each violation.
        #[arg(long)]
        json: bool,
    },
    /// Show what changed from one catalogue to another, and whether programs with either still understand each other.
    ///
    /// Exit status: 0 when every change is compatible, 1 when one is not, 2 when a file is wrong or cannot be read.
    Diff {
        /// The catalogue in use.
        old: PathBuf,
        /// The catalogue to come.
        new: PathBuf,
        /// Write one JSON value per line, for programs: each change.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Check { file, json } => check(file, &Output::plain(*json)),
        Command::Diff { old, new, json } => diff(&read(old)?, &read(new)?, &Output::plain(*json)),
    }
}

fn check(file: &Path, output: &Output) -> Outcome {
    let shown = file.display();
    let catalogue = match Catalogue::from_toml_str(&text(file)?) {
        Ok(catalogue) => catalogue,
        Err(error) => return Err(mistakes(file, &error, output)?),
    };
    let (actions, executors) = (catalogue.actions().len(), catalogue.executors().len());
    output.line(
        || format!("{shown}: {actions} actions for {executors} executors"),
        || json!({ "file": shown.to_string(), "actions": actions, "executors": executors }),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// For people all violations are the error; programs read them from the standard output.
fn mistakes(file: &Path, error: &CatalogueError, output: &Output) -> Outcome<Problem> {
    let shown = file.display();
    let violations = error.violations();
    if !output.is_json() {
        return Ok(wrong(file, error));
    }
    for violation in violations {
        let Violation { line, column, path, problem, instead, .. } = violation;
        let value = json!({ "file": shown.to_string(), "line": line, "column": column, "path": path,
                            "problem": problem, "instead": instead });
        output.line(String::new, || value)?;
    }
    Ok(Problem::Usage(format!("{shown}: {}", counted(violations.len(), "mistake"))))
}

fn diff(old: &Catalogue, new: &Catalogue, output: &Output) -> Outcome {
    let changes = Catalogue::diff(old, new);
    if changes.is_empty() {
        output.remark("no differences")?;
    }
    for change in &changes {
        output.line(
            || change.to_string(),
            || json!({ "compatible": change.compatible, "path": change.path, "what": change.what }),
        )?;
    }
    let compatible = changes.iter().all(|change| change.compatible);
    Ok(if compatible { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Reads a catalogue; the message names the file in each line.
pub(crate) fn read(path: &Path) -> Outcome<Catalogue> {
    Catalogue::from_toml_str(&text(path)?).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &CatalogueError) -> Problem {
    let shown = path.display();
    let lines: Vec<String> =
        error.violations().iter().map(|violation| format!("{shown}: {violation}")).collect();
    Problem::Usage(lines.join("\n"))
}

fn text(path: &Path) -> Outcome<String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Problem::Usage(format!("{shown}: cannot be read: {error}"));
    // One byte more than allowed is enough to know.
    let limit = u64::try_from(MAX_CATALOGUE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() > MAX_CATALOGUE_BYTES {
        return Err(Problem::Usage(format!("{shown}: has more than {MAX_CATALOGUE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| Problem::Usage(format!("{shown}: is not UTF-8: {error}")))
}
