//! Where documents are, and how a command gets at one.

use std::path::PathBuf;

use sp_sync::backend::{Backend as _, Embedded, Stored};
use sp_sync::{Catalogue, DocumentId, Identity, SyncClient};

use crate::output::{Outcome, Output, Problem};
use crate::words::told;

/// What every command on documents takes.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Where the documents are: the path of a file, which other processes may use at the same time.
    #[arg(long, env = "SP_SYNC_STORE", value_name = "FILE", value_parser = Place::parse)]
    store: Place,
    /// Write one JSON value per line, for programs.
    #[arg(long)]
    json: bool,
    /// Who this is, for the other parties: it stands in the claims of actions taken here.
    #[arg(long, value_name = "NAME", default_value = "sp-sync")]
    identity: String,
    /// A catalogue of your own, a TOML file. Without it: the one of this crate.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Show the values of sensitive fields too.
    #[arg(long)]
    show_sensitive: bool,
}

/// Where documents are.
#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
}

impl Place {
    /// The one place that knows the forms of `--store`.
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            _ if text.is_empty() => Err("it is empty: give the path of a file".into()),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.trim_start_matches("//").into())),
            Some((scheme, rest)) if rest.starts_with("//") || scheme == "memory" => {
                Err(format!("`{scheme}:` is not supported here: give the path of a file, or file:PATH"))
            }
            _ => Ok(Self::File(text.into())),
        }
    }
}

/// What a command is going to do with the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Look only: nothing is made or changed, and reading rights are enough.
    Read,
    /// Write into a store that exists.
    Write,
    /// Write, and make the file if it is missing.
    Create,
}

/// A store that is open, and how to speak about it.
pub(crate) struct Store {
    embedded: Embedded,
    pub(crate) catalogue: Catalogue,
    pub(crate) output: Output,
    identity: Identity,
}

impl Common {
    pub(crate) async fn open(&self, access: Access) -> Outcome<Store> {
        let catalogue = match &self.catalogue {
            Some(path) => crate::catalogue::read(path)?,
            None => Catalogue::proctoring().clone(),
        };
        let identity = Identity::new(&self.identity).map_err(|error| Problem::Usage(error.to_string()))?;
        let Place::File(path) = &self.store;
        if access != Access::Create && !path.exists() {
            let file = path.display();
            return Err(Problem::Failed(format!(
                "there is no file {file}: look at --store, or make it with `sp-sync set DOC --create --store {file}`"
            )));
        }
        // Nothing was ever stored there. Whoever only reads could not even open it, and writing would make a store of it.
        if access != Access::Create && path.metadata().is_ok_and(|found| found.is_file() && found.len() == 0)
        {
            let file = path.display();
            return Err(Problem::Failed(format!(
                "the file {file} is empty: `sp-sync set DOC --create --store {file}` makes a store of it"
            )));
        }
        let options = Embedded::options().create(access == Access::Create).read_only(access == Access::Read);
        let embedded = options.open(path).await?;
        let output = Output::new(self.json, self.show_sensitive, &catalogue);
        Ok(Store { embedded, catalogue, output, identity })
    }
}

impl Store {
    pub(crate) fn backend(&self) -> &Embedded {
        &self.embedded
    }

    /// A document as it is stored now.
    pub(crate) async fn read(&self, id: &DocumentId) -> Outcome<Stored> {
        self.find(id).await?.ok_or_else(|| self.missing(id))
    }

    pub(crate) async fn find(&self, id: &DocumentId) -> Outcome<Option<Stored>> {
        Ok(self.embedded.read(id).await?)
    }

    pub(crate) fn missing(&self, id: &DocumentId) -> Problem {
        let file = self.embedded.path().display();
        Problem::Failed(format!(
            "there is no document `{id}` in {file}: `sp-sync docs` lists those there are, `sp-sync set {id}` makes it"
        ))
    }

    /// A client of a document, which is made if it is missing.
    pub(crate) async fn connect(&self, id: &DocumentId) -> Outcome<SyncClient> {
        let builder = SyncClient::builder().backend(self.embedded.clone()).document_id(id.clone());
        let builder = builder.identity(self.identity.clone()).catalogue(self.catalogue.clone());
        Ok(builder.connect().await?)
    }

    /// A client of a document that exists.
    pub(crate) async fn connect_existing(&self, id: &DocumentId) -> Outcome<SyncClient> {
        self.read(id).await?;
        self.connect(id).await
    }

    /// Waits until the file is closed.
    pub(crate) async fn close(self) {
        self.embedded.close().await;
    }
}

/// Closes a client and lets go of it: a store waits for every handle before it is closed.
pub(crate) async fn leave(client: SyncClient) -> Outcome<()> {
    Ok(client.close().await?)
}

/// The name of a document on the command line.
pub(crate) fn document_id(text: &str) -> Result<DocumentId, String> {
    DocumentId::new(text).map_err(|error| told(&error))
}

/// `KEY=VALUE`, with the place of the argument for the message: never the argument, which may be a secret (C64).
pub(crate) fn key_value(place: usize, text: &str) -> Outcome<(&str, &str)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => {
            Err(Problem::Usage(format!("argument {} after the name is not of the form KEY=VALUE", place + 1)))
        }
    }
}

/// A value as JSON where it is, otherwise as a string.
pub(crate) fn json_or_text(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// JSON from an option. The decoder's message quotes nothing of it but the place.
pub(crate) fn json(option: &str, text: &str) -> Outcome<serde_json::Value> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::Usage(format!("{option}: not JSON, line {line}, column {column}"))
    })
}

/// JSON from one line of several; `at` names it.
pub(crate) fn json_of_line(at: &str, line: &str) -> Outcome<serde_json::Value> {
    let not_json = |error: serde_json::Error| format!("{at}, column {}: not JSON", error.column());
    serde_json::from_str(line).map_err(|error| Problem::Usage(not_json(error)))
}

/// What a path of a file to read is called in messages: `-` is the standard input.
pub(crate) fn called(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

/// The text of a file, or of the standard input for `-`.
pub(crate) fn text(path: &str) -> Outcome<String> {
    let read = match path {
        "-" => std::io::read_to_string(std::io::stdin()),
        path => std::fs::read_to_string(path),
    };
    read.map_err(|error| Problem::Failed(format!("{}: cannot be read: {error}", called(path))))
}
