//! The store of a command on documents, and how it gets at one of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sp_sync::backend::{Backend, BackendUrl, Embedded, Memory, ServiceUrl, Stored};
use sp_sync::token::{HttpTokens, Token, TokenProvider};
use sp_sync::{Catalogue, DocumentId, Identity, SyncClient};
use tokio::task::JoinHandle;

use crate::output::{Outcome, Output, Problem, caution};
use crate::place::{Address, Login, Open, secret};
use crate::words::told;

/// What every command on documents takes.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Where the documents are: the path of a file, which other processes may use at the same time, or an address:
    /// file:PATH, nats://HOST:PORT/BUCKET, and wss://HOST or https://HOST for a Sync service.
    #[arg(long, env = "SP_SYNC_STORE", hide_env_values = true, value_name = "STORE", value_parser = Address::URL_OR_PATH)]
    store: BackendUrl,
    #[command(flatten)]
    login: Login,
    /// A file with the token for a Sync service: for wss:// an access token, for https:// the one that the service exchanges
    /// for access tokens. Without it: the variable SP_SYNC_TOKEN.
    #[arg(long, env = "SP_SYNC_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Write one JSON value per line, for programs.
    #[arg(long)]
    json: bool,
    /// Who this is, for the other parties and for a Sync service: it stands in the claims of actions taken here.
    #[arg(long, value_name = "NAME", default_value = "sp-sync")]
    identity: String,
    /// A catalogue of your own, a TOML file. Without it: the one of this crate.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Show the values of sensitive fields too.
    #[arg(long)]
    show_sensitive: bool,
}

/// What a command is going to do with the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Look only: nothing is made or changed, and reading rights are enough.
    Read,
    /// Write into a store that exists.
    Write,
    /// Write, and make the file or the bucket if it is missing.
    Create,
}

/// A store that is open, and how to speak about it.
pub(crate) struct Store {
    open: Open,
    /// Where it is, for messages.
    place: String,
    pub(crate) catalogue: Catalogue,
    pub(crate) output: Output,
    identity: Identity,
    /// Keeps the access token fresh.
    renewing: Option<JoinHandle<()>>,
}

impl Common {
    /// Opens the store to work on one document, or, without one, on all of them.
    pub(crate) async fn open(&self, access: Access, document: Option<&DocumentId>) -> Outcome<Store> {
        let catalogue = match &self.catalogue {
            Some(path) => crate::catalogue::read(path)?,
            None => Catalogue::proctoring().clone(),
        };
        let identity = Identity::new(&self.identity).map_err(|error| Problem::Usage(error.to_string()))?;
        let mut renewing = None;
        let (open, place) = match &self.store {
            BackendUrl::File(path) => (file(path, access).await?, path.display().to_string()),
            BackendUrl::Memory => {
                caution("memory: is empty at the beginning, and what is written there is gone at the end");
                (Open::memory(Memory::new()), self.store.to_string())
            }
            BackendUrl::Nats(url) => {
                let options = self.login.bucket(url)?.create(access == Access::Create);
                (Open::nats(options).await?, self.store.to_string())
            }
            BackendUrl::Service(url) => {
                let open = Open::service(self.login.service(url)?);
                let tokens = self.tokens(url, &identity, document)?;
                renewing = Some(present(open.backend().clone(), tokens).await?);
                (open, self.store.to_string())
            }
            other => return Err(Problem::Usage(format!("--store: {other} is not supported here"))),
        };
        let output = Output::new(self.json, self.show_sensitive, &catalogue);
        Ok(Store { open, place, catalogue, output, identity, renewing })
    }

    /// Where access tokens for a service come from.
    fn tokens(
        &self,
        url: &ServiceUrl,
        identity: &Identity,
        document: Option<&DocumentId>,
    ) -> Outcome<Arc<dyn TokenProvider>> {
        let token = match (&self.token_file, std::env::var("SP_SYNC_TOKEN")) {
            (Some(path), _) => Token::new(secret("--token-file", path)?),
            (None, Ok(token)) if !token.is_empty() => Token::new(token),
            _ => {
                let why = "a Sync service asks for a token: give --token-file FILE, or SP_SYNC_TOKEN";
                return Err(Problem::Usage(why.into()));
            }
        };
        let (Some(base_uri), Some(document)) = (url.base_uri(), document) else { return Ok(Arc::new(token)) };
        let tokens = HttpTokens::builder(base_uri, token).identity(identity.clone());
        let tokens = tokens.document_id(document.clone());
        let tokens = match &self.login.ca {
            Some(path) => tokens.ca_file(path),
            None => tokens,
        };
        Ok(Arc::new(tokens.build()?))
    }
}

async fn file(path: &Path, access: Access) -> Outcome<Open> {
    if access != Access::Create && !path.exists() {
        let file = path.display();
        return Err(Problem::Failed(format!(
            "there is no file {file}: look at --store, or make it with `sp-sync set DOC --create --store {file}`"
        )));
    }
    // Nothing was ever stored there. Whoever only reads could not even open it, and writing would make a store of it.
    if access != Access::Create && path.metadata().is_ok_and(|found| found.is_file() && found.len() == 0) {
        let file = path.display();
        return Err(Problem::Failed(format!(
            "the file {file} is empty: `sp-sync set DOC --create --store {file}` makes a store of it"
        )));
    }
    let options = Embedded::options().create(access == Access::Create).read_only(access == Access::Read);
    Open::file(path, options).await
}

/// Between two attempts to have a new token.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// Presents the first access token, and from then on a new one whenever the service says that it is about to end.
async fn present(backend: Arc<dyn Backend>, tokens: Arc<dyn TokenProvider>) -> Outcome<JoinHandle<()>> {
    if let Some(authenticated) = backend.authenticated() {
        authenticated.install_token(&tokens.token().await?).await?;
    }
    Ok(tokio::spawn(async move {
        let Some(authenticated) = backend.authenticated() else { return };
        loop {
            authenticated.token_about_to_end().await;
            if let Ok(token) = tokens.token().await {
                // Whether it is good shows in the next call.
                let _ = authenticated.install_token(&token).await;
            }
            // Also where the provider has no other than the same again.
            tokio::time::sleep(RENEW_EVERY).await;
        }
    }))
}

impl Store {
    pub(crate) fn backend(&self) -> &dyn Backend {
        &**self.open.backend()
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// A document as it is stored now.
    pub(crate) async fn read(&self, id: &DocumentId) -> Outcome<Stored> {
        self.find(id).await?.ok_or_else(|| self.missing(id))
    }

    pub(crate) async fn find(&self, id: &DocumentId) -> Outcome<Option<Stored>> {
        Ok(self.backend().read(id).await?)
    }

    pub(crate) fn missing(&self, id: &DocumentId) -> Problem {
        let listed = match self.backend().directory() {
            Some(_) => "`sp-sync docs` lists those there are, ",
            None => "",
        };
        let place = &self.place;
        Problem::Failed(format!(
            "there is no document `{id}` in {place}: {listed}`sp-sync set {id}` makes it"
        ))
    }

    /// A client of a document, which is made if it is missing.
    pub(crate) async fn connect(&self, id: &DocumentId) -> Outcome<SyncClient> {
        let builder = SyncClient::builder().backend(self.open.backend().clone()).document_id(id.clone());
        let builder = builder.identity(self.identity.clone()).catalogue(self.catalogue.clone());
        Ok(builder.connect().await?)
    }

    /// A client of a document that exists.
    pub(crate) async fn connect_existing(&self, id: &DocumentId) -> Outcome<SyncClient> {
        self.read(id).await?;
        self.connect(id).await
    }

    /// Waits until the store is closed.
    pub(crate) async fn close(self) {
        if let Some(renewing) = self.renewing {
            renewing.abort();
            // It holds the store until it has ended.
            let _ = renewing.await;
        }
        self.open.close().await;
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
