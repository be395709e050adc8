//! The command line: what to do stands in the subcommands' own files.

mod add;
mod catalogue;
mod codegen;
mod docs;
mod get;
mod output;
mod place;
mod queue;
#[cfg(feature = "server")]
mod serve;
mod set;
mod store;
mod take;
mod watch;
mod words;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use output::{Outcome, Problem, print};

/// Shared documents and their action queues, action catalogues, and the types generated from them.
#[derive(Parser)]
#[command(name = "sp-sync", version, about, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 when all went well (also when interrupted while following, or when the reader of the output has gone \
away), 1 when something failed or was refused, 2 when the call or a catalogue is wrong, 3 when nothing came in time.

Errors are lines on the standard error that begin with `error: `. Values of sensitive fields are shown as [redacted] \
unless --show-sensitive is given. Colours only on a terminal, and not with NO_COLOR.";

#[derive(Subcommand)]
enum Command {
    /// List the documents of a store.
    Docs(docs::Docs),
    /// Show a document, or one key of it.
    Get(get::Get),
    /// Set keys of a document; other keys stay.
    Set(set::Set),
    /// Remove keys of a document.
    Unset(set::Unset),
    /// Show a document, and each change of it until interrupted.
    Watch(watch::Watch),
    /// Add an action, or several in one write; prints their ids.
    Add(add::Add),
    /// Take actions of an executor: prints each, and finishes it.
    Take(take::Take),
    /// Show what waits for each executor, and who works on what.
    Queue(queue::Queue),
    /// Take back an action that nobody has taken.
    Withdraw(queue::Withdraw),
    /// Empty the array of an executor.
    Clear(queue::Clear),
    /// Serve documents to the official Sync SDKs, this crate's clients, and back ends over REST.
    #[cfg(feature = "server")]
    Serve(Box<serve::Serve>),
    /// Serve from memory with new keys, and print what to paste to connect.
    #[cfg(feature = "server")]
    Dev(serve::dev::Dev),
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

fn main() -> ExitCode {
    let outcome = match &Arguments::parse().command {
        #[cfg(feature = "server")]
        Command::Serve(command) => serve(command),
        #[cfg(feature = "server")]
        Command::Dev(command) => on_all_cores(serve::dev::run(command)),
        Command::Codegen(command) => codegen::run(command),
        Command::Catalogue(command) => catalogue::run(command),
        Command::Completions { shell } => completions(*shell),
        on_documents => run(on_documents),
    };
    outcome.unwrap_or_else(Problem::tell)
}

/// The commands on documents need a runtime; one thread is enough.
fn run(command: &Command) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::Failed(format!("the runtime cannot start: {error}")))?;
    let done = runtime.block_on(async {
        match command {
            Command::Docs(command) => docs::run(command).await,
            Command::Get(command) => get::run(command).await,
            Command::Set(command) => set::set(command).await,
            Command::Unset(command) => set::unset(command).await,
            Command::Watch(command) => watch::run(command).await,
            Command::Add(command) => add::run(command).await,
            Command::Take(command) => take::run(command).await,
            Command::Queue(command) => queue::run(command).await,
            Command::Withdraw(command) => queue::withdraw(command).await,
            Command::Clear(command) => queue::clear(command).await,
            Command::Codegen(_) | Command::Catalogue(_) | Command::Completions { .. } => Ok(()),
            #[cfg(feature = "server")]
            Command::Serve(_) | Command::Dev(_) => Ok(()),
        }
    });
    done.map(|()| ExitCode::SUCCESS)
}

/// A server uses every core there is.
#[cfg(feature = "server")]
fn on_all_cores(command: impl Future<Output = Outcome<()>>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::Failed(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(command).map(|()| ExitCode::SUCCESS)
}

/// With a file of options, the command line is read once more with what that file adds.
#[cfg(feature = "server")]
fn serve(command: &serve::Serve) -> Outcome {
    let Some(file) = &command.config else { return on_all_cores(serve::run(command)) };
    let description = Arguments::command();
    let matches = description.clone().get_matches();
    let (Some((_, matches)), Some(description)) =
        (matches.subcommand(), description.find_subcommand("serve"))
    else {
        return Err(Problem::Usage("no command".into()));
    };
    let arguments = serve::config::completed(std::env::args_os(), matches, description, file)?;
    match Arguments::parse_from(arguments).command {
        Command::Serve(command) => on_all_cores(serve::run(&command)),
        _ => Err(Problem::Usage("no command".into())),
    }
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sp-sync", &mut script);
    print(&script)
}

/// Waits for Ctrl-C, or for the request to end (SIGTERM): the ways to end a command that follows.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
