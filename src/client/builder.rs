//! Opening a document (C1–C6).

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::SyncClient;
use super::driver::Driver;
use super::machine::{Config, Machine};
use super::settings::Settings;
use super::shared::{Shared, object};
use super::token::{self, Fresh};
use crate::backend::{Backend, BackendError, Expect, Stored, Ttl, Watch, Write, Written};
use crate::catalogue::Catalogue;
use crate::document::{Document, Rules};
use crate::error::{Error, Result, Retry};
use crate::id::{DocumentId, Identity};
use crate::limits::{OPERATIONS_WAITING_MAX, REQUESTS_WAITING_MAX, SETTING_MAX, TTL_MAX};
use crate::token::TokenProvider;

/// Collects what a client needs; made by [`SyncClient::builder`].
#[must_use]
pub struct Builder {
    backend: Option<Arc<dyn Backend>>,
    #[cfg(feature = "remote")]
    base_uri: Option<String>,
    id: Option<DocumentId>,
    identity: Option<Identity>,
    initial_data: Value,
    ttl: Ttl,
    catalogue: Catalogue,
    settings: Settings,
    instance: Option<String>,
    plain: bool,
    tokens: Option<Arc<dyn TokenProvider>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, identity, settings, plain, .. } = self;
        let mut debug = f.debug_struct("Builder");
        debug.field("id", id).field("identity", identity).field("settings", settings).field("plain", plain);
        debug.finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            backend: None,
            #[cfg(feature = "remote")]
            base_uri: None,
            id: None,
            identity: None,
            initial_data: Value::Object(serde_json::Map::new()),
            ttl: Ttl::Keep,
            catalogue: Catalogue::proctoring().clone(),
            settings: Settings::default(),
            instance: None,
            plain: false,
            tokens: None,
        }
    }

    /// A service that gives out tokens and keeps documents, in place of a backend (C1). [`token`](Self::token) is then what
    /// proves to it who asks: tokens for the document are had from `POST {base_uri}/sync/tokens`, and the document from
    /// where the answer says, else from `/v3/wsconnect` behind the same address. For more, make an
    /// [`HttpTokens`](crate::token::HttpTokens) and a [`Remote`](crate::backend::Remote) of your own.
    #[cfg(feature = "remote")]
    pub fn base_uri(mut self, base_uri: impl Into<String>) -> Self {
        self.base_uri = Some(base_uri.into());
        self
    }

    /// Where the document lives. Mandatory. Clients that are to share documents in memory need clones of one
    /// [`Memory`](crate::backend::Memory).
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Which document. Mandatory.
    pub fn document_id(mut self, id: DocumentId) -> Self {
        self.id = Some(id);
        self
    }

    /// Who this client is. Mandatory. It becomes part of claims in the document.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The document's content if, and only if, this call creates it (C4). Default: an empty object.
    pub fn initial_data(mut self, data: impl Into<Value>) -> Self {
        self.initial_data = data.into();
        self
    }

    /// How long the document lives, if this call creates it: whole seconds, rounded up, at most a year. Default: for
    /// ever. [`SyncClient::set_ttl`] changes it later.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Ttl::After(ttl);
        self
    }

    /// The action types. Default: the proctoring catalogue of this crate.
    pub fn catalogue(mut self, catalogue: impl Into<Catalogue>) -> Self {
        self.catalogue = catalogue.into();
        self
    }

    /// Waits and bounds.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// A string that tells this client from all others, 1 to 64 characters of `A–Z a–z 0–9 - _`. Default: a random
    /// one. A program that keeps it over a restart may resume its own claims at once, instead of after a lease
    /// (C40); two clients that live at once must never share one.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Plain mode: no `_sp` is ever written and taking means removing (C46). A crash between removal and handler
    /// loses the action; an answer lost on removal leaves it unknown who has it, and it is not run; and with several
    /// readers order holds only within each. Meant for documents that only original clients share otherwise.
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// The access token, fixed or from a provider that is asked again (C7). Only for backends that need one.
    pub fn token(mut self, tokens: impl TokenProvider) -> Self {
        self.tokens = Some(Arc::new(tokens));
        self
    }

    /// Opens the document, creating it if it is missing. When this returns, the document is readable without any
    /// further waiting (C1).
    ///
    /// # Errors
    /// Before any request: [`Error::Invalid`] (something mandatory is missing or has a bad form),
    /// [`Error::NotAnObject`], [`Error::Reserved`] (C6). Then [`Error::Refused`], [`Error::TokenExpired`],
    /// [`Error::TooLarge`] (initial data), [`Error::Backend`], or [`Error::Timeout`], after
    /// [`connect_within`](Settings::connect_within) at the latest.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    /// A dropped call may have created the document, and has no other effect.
    pub async fn connect(mut self) -> Result<SyncClient> {
        let id = self.id.take().ok_or_else(|| missing("document id", ".document_id(…)"))?;
        let identity = self.identity.take().ok_or_else(|| missing("identity", ".identity(…)"))?;
        let kept = self.instance.is_some();
        let instance: Arc<str> = match self.instance.take() {
            Some(instance) => check_instance(instance)?.into(),
            None => random(8).into(),
        };
        check_ttl(self.ttl)?;
        self.settings.check()?;
        let initial =
            Document::with_fields("initial data", object("initial data", take(&mut self.initial_data))?)?;
        let backend = self.find_backend(&id, &identity).await?;
        // With a list of writers from the start, a lost answer to the first write can be told from one that held.
        let begun = initial.clone().begun_by(&instance);
        let fits = begun.size_bytes() <= backend.facts().document_bytes_max;
        let initial = if self.plain || !fits { initial } else { begun };
        let write = Write { document: Arc::new(initial), expect: Expect::Absent, ttl: self.ttl };
        let opening = Opening { backend: &*backend, id: &id, write, settings: &self.settings };
        let within = self.settings.connect_within;
        let mut failure = None;
        let opened = timeout(within, opening.run(self.tokens.as_deref(), &mut failure)).await;
        let in_time = opened.map_err(|_| match failure {
            Some(failure) => failure.into_error(&backend.facts(), &id),
            None => Error::Timeout {
                what: format!("answer of the backend about `{id}`"),
                after: within,
                why: "it hangs or is out of reach: look at it, then connect again",
                retry: Retry::Now,
            },
        });
        let (token, opened, watch) = in_time??;

        let facts = backend.facts();
        self.settings.check_rate(facts.writes_per_second)?;
        let rules = Rules {
            document_bytes_max: facts.document_bytes_max,
            waiting_max: self.settings.waiting_max,
            attempts_max: self.settings.attempts_max,
            ..Rules::default()
        };
        let settings = Arc::new(self.settings);
        let config = Config {
            id: id.clone(),
            by: format!("{identity}#{instance}").into(),
            instance: instance.clone(),
            plain: self.plain,
            rules,
            settings: settings.clone(),
            facts,
            catalogue: self.catalogue.clone(),
            kept,
            fresh: random(12).into(),
            renewable: self.tokens.is_some(),
        };
        let machine = Machine::new(config, opened, Instant::now());
        let Some(state) = machine.state().cloned() else { return Err(Error::Closed) };
        let catalogue = self.catalogue;
        let shared = Arc::new(Shared::new(backend, id, identity, instance, catalogue, settings, state));
        let (commands, receiver) = mpsc::channel(OPERATIONS_WAITING_MAX + REQUESTS_WAITING_MAX);
        tokio::spawn(Driver::new(machine, shared.clone(), receiver, watch).run());
        if let Some(tokens) = self.tokens {
            shared.token.send_replace(token);
            tokio::spawn(token::keep_fresh(tokens, shared.clone(), commands.downgrade()));
        }
        Ok(SyncClient { shared, commands })
    }

    #[cfg(not(feature = "remote"))]
    async fn find_backend(&mut self, _: &DocumentId, _: &Identity) -> Result<Arc<dyn Backend>> {
        self.backend.take().ok_or_else(|| missing("backend", ".backend(…)"))
    }

    #[cfg(feature = "remote")]
    async fn find_backend(&mut self, id: &DocumentId, identity: &Identity) -> Result<Arc<dyn Backend>> {
        let base_uri = match (self.backend.take(), self.base_uri.take()) {
            (Some(backend), None) => return Ok(backend),
            (None, Some(base_uri)) => base_uri,
            (None, None) => return Err(missing("backend", ".backend(…) or .base_uri(…)")),
            (Some(_), Some(_)) => {
                let why = "call either .backend(…) or .base_uri(…), not both".into();
                return Err(Error::Invalid { what: "backend", why });
            }
        };
        let bearer = self.tokens.take().ok_or_else(|| missing("token", ".token(…)"))?;
        let (backend, tokens) =
            super::service::found(&base_uri, bearer, id, identity, &self.settings).await?;
        self.tokens = Some(tokens);
        Ok(backend)
    }
}

fn missing(what: &'static str, call: &str) -> Error {
    Error::Invalid { what, why: format!("it is missing: call {call}") }
}

/// Opens a document: reads it, or creates it; whoever comes second opens what the first created (C5).
struct Opening<'a> {
    backend: &'a dyn Backend,
    id: &'a DocumentId,
    write: Write,
    settings: &'a Settings,
}

impl Opening<'_> {
    /// Leaves the latest failure behind for whoever does not wait for the end.
    async fn run(
        self,
        tokens: Option<&dyn TokenProvider>,
        failure: &mut Option<BackendError>,
    ) -> Result<(Option<Fresh>, Stored, Watch)> {
        let mut is_second = false;
        let mut token = match tokens {
            Some(tokens) => {
                let renew_before = self.settings.token_renew_before;
                Some(token::first(self.backend, tokens, self.id, renew_before).await?)
            }
            None => None,
        };
        let until = Instant::now() + self.settings.connect_within;
        let mut failures = 0;
        loop {
            let error = match self.attempt().await {
                Ok(Some((stored, watch))) => return Ok((token, stored, watch)),
                // Somebody was quicker: look again at once.
                Ok(None) => continue,
                Err(error) => error,
            };
            // A token that was kept may be refused though its time has not come; once, a new one is asked for.
            if let (Some(present), Some(tokens), true) = (&token, tokens, !is_second && is_of_token(&error)) {
                is_second = true;
                let renew_before = self.settings.token_renew_before;
                let another = token::first(self.backend, tokens, self.id, renew_before).await?;
                if another.differs_from(present) {
                    token = Some(another);
                    continue;
                }
            }
            failures += 1;
            let wait = match &error {
                BackendError::RateLimited { retry_after: Some(wait) } => (*wait).min(SETTING_MAX),
                _ => self.settings.backoff(failures),
            };
            if !error.is_transient() || Instant::now() + wait >= until {
                return Err(error.into_error(&self.backend.facts(), self.id));
            }
            *failure = Some(error);
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self) -> Result<Option<(Stored, Watch)>, BackendError> {
        let stored = match self.backend.read(self.id).await? {
            Some(stored) => stored,
            None => match self.backend.write(self.id, self.write.clone()).await {
                Ok(Written { revision, expires, at }) => {
                    let document = self.write.document.clone();
                    Stored { revision, document, expires, created: at, updated: at, at }
                }
                Err(BackendError::Conflict) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(Some((stored, self.backend.watch(self.id).await?)))
    }
}

/// Whether the access token is the reason. Sync: 201xx are about tokens.
fn is_of_token(error: &BackendError) -> bool {
    match error {
        BackendError::TokenExpired => true,
        BackendError::Refused { code, .. } => (20_100..20_200).contains(code),
        _ => false,
    }
}

pub(super) fn check_ttl(ttl: Ttl) -> Result<()> {
    match ttl {
        Ttl::After(ttl) if ttl.is_zero() || ttl > TTL_MAX => Err(Error::Invalid {
            what: "time to live",
            why: format!("it must be more than zero and at most {} s (a year)", TTL_MAX.as_secs()),
        }),
        _ => Ok(()),
    }
}

fn check_instance(instance: String) -> Result<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&instance.len()) && instance.bytes().all(good) {
        return Ok(instance);
    }
    Err(Error::Invalid { what: "instance", why: "it must be 1 to 64 of A–Z a–z 0–9 - _".into() })
}

/// Random characters, about five bits each.
fn random(characters: usize) -> String {
    let mut rest = Uuid::new_v4().as_u128();
    // The version and variant bits are fixed; what is left is enough for 20 characters.
    rest = (rest >> 80) ^ rest.rotate_left(40);
    (0..characters.min(20))
        .map(|_| {
            let digit = b"0123456789abcdefghijklmnopqrstuv"[(rest & 31) as usize];
            rest >>= 5;
            char::from(digit)
        })
        .collect()
}
