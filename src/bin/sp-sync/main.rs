//! The command line: what to do stands in the subcommands' own files.

mod catalogue;
mod codegen;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Action catalogues and the types generated from them.
#[derive(Parser)]
#[command(name = "sp-sync", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write types, schemas or documentation from a catalogue.
    Codegen(codegen::Codegen),
    /// Check a catalogue, or compare two.
    Catalogue(catalogue::Arguments),
    /// Write a completion script to the standard output.
    Completions {
        /// The shell that will read it.
        shell: clap_complete::Shell,
    },
}

/// What a command could not do, in words for the person at the desk.
type Outcome = Result<ExitCode, String>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Codegen(command) => codegen::run(&command),
        Command::Catalogue(command) => catalogue::run(&command),
        Command::Completions { shell } => completions(shell),
    };
    outcome.unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::from(2)
    })
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sp-sync", &mut script);
    print(&script)
}

/// Writes to the standard output. A reader that has gone away (`| head`) is no failure.
fn print(bytes: &[u8]) -> Outcome {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to the standard output: {error}"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
