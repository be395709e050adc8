//! `sp-sync codegen`: writes a catalogue in another language.

use std::{path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use sp_sync::catalogue::{
    Catalogue,
    codegen::{Language, Options, generate},
};

use crate::catalogue;
use crate::output::{Outcome, Problem, print};

#[derive(clap::Args)]
pub(crate) struct Codegen {
    /// What to write.
    #[arg(long)]
    lang: Lang,
    /// The catalogue, a TOML file. Without it: the one of this crate.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Where to write. Without it: the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// In generated Rust, the path of this crate.
    #[arg(long, value_name = "PATH", default_value = "sp_sync")]
    crate_path: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lang {
    /// Rust structs, constants, and the catalogue as data.
    Rust,
    /// TypeScript for `tsc --strict`.
    Typescript,
    /// JSON Schema 2020-12.
    JsonSchema,
    /// The original's ActionTypes object.
    ActionTypesJson,
    /// A reference page.
    Markdown,
}

pub(crate) fn run(arguments: &Codegen) -> Outcome {
    let catalogue = match &arguments.catalogue {
        Some(path) => catalogue::read(path)?,
        None => Catalogue::proctoring().clone(),
    };
    let language = match arguments.lang {
        Lang::Rust => Language::Rust,
        Lang::Typescript => Language::TypeScript,
        Lang::JsonSchema => Language::JsonSchema,
        Lang::ActionTypesJson => Language::ActionTypesJson,
        Lang::Markdown => Language::Markdown,
    };
    // The file says how it was made, in the words of this very call.
    let call: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::default()
        .with_crate_path(&arguments.crate_path)
        .with_regenerate(format!("sp-sync {}", call.join(" ")));
    let text = generate(&catalogue, language, &options);
    match &arguments.out {
        None => print(text.as_bytes()),
        Some(path) => match std::fs::write(path, text) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) => Err(Problem::Failed(format!("{}: cannot be written: {error}", path.display()))),
        },
    }
}
