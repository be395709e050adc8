//! `sp-sync catalogue`: is a catalogue right, and what does a change of it mean?

use std::{fs::File, io::Read, path::Path, path::PathBuf, process::ExitCode};

use sp_sync::catalogue::{Catalogue, MAX_CATALOGUE_BYTES};

use crate::output::{Outcome, Problem, print};

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
    },
    /// Show what changed from one catalogue to another, and whether programs with either still understand each other.
    ///
    /// Exit status: 0 when every change is compatible, 1 when one is not, 2 when a file is wrong or cannot be read.
    Diff {
        /// The catalogue in use.
        old: PathBuf,
        /// The catalogue to come.
        new: PathBuf,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Check { file } => {
            let catalogue = read(file)?;
            let (actions, executors) = (catalogue.actions().len(), catalogue.executors().len());
            print(format!("{}: {actions} actions for {executors} executors\n", file.display()).as_bytes())
        }
        Command::Diff { old, new } => {
            let changes = Catalogue::diff(&read(old)?, &read(new)?);
            let lines: String = changes.iter().map(|change| format!("{change}\n")).collect();
            print(lines.as_bytes())?;
            let compatible = changes.iter().all(|change| change.compatible);
            Ok(if compatible { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
    }
}

/// Reads a catalogue; the message names the file in each line.
pub(crate) fn read(path: &Path) -> Outcome<Catalogue> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Problem::Usage(format!("{shown}: cannot be read: {error}"));
    // One byte more than allowed is enough to know.
    let limit = u64::try_from(MAX_CATALOGUE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() > MAX_CATALOGUE_BYTES {
        return Err(Problem::Usage(format!("{shown}: has more than {MAX_CATALOGUE_BYTES} bytes")));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Problem::Usage(format!("{shown}: is not UTF-8: {error}")))?;
    Catalogue::from_toml_str(&text).map_err(|error| {
        let lines: Vec<String> =
            error.violations().iter().map(|violation| format!("{shown}: {violation}")).collect();
        Problem::Usage(lines.join("\n"))
    })
}
