//! Where tokens are had, by whom, and for what.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use tokio::sync::Mutex;

use super::super::TokenProvider;
use super::{HttpTokens, Inner, State};
use crate::error::{Error, Result};
use crate::id::{DocumentId, Identity};
use crate::limits::TOKEN_FETCH_WITHIN;
use crate::socket::{Address, Dialer, Reach};

/// Collects what is needed to ask for tokens; made by [`HttpTokens::builder`].
#[must_use]
pub struct HttpTokensBuilder {
    base_uri: String,
    bearer: Arc<dyn TokenProvider>,
    identity: Option<Identity>,
    document: Option<DocumentId>,
    path: String,
    cache_file: Option<PathBuf>,
    reach: Reach,
    within: Duration,
}

impl fmt::Debug for HttpTokensBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base_uri, identity, document, path, cache_file, .. } = self;
        let mut debug = f.debug_struct("HttpTokensBuilder");
        debug.field("base_uri", base_uri).field("path", path).field("cache_file", cache_file);
        debug.field("identity", identity).field("document", document).finish_non_exhaustive()
    }
}

/// Everything about the service that does not change.
pub(super) struct Place {
    pub(super) address: Address,
    /// Path of the request.
    pub(super) path: String,
    /// `host:port` as the base address has it.
    pub(super) host: String,
    pub(super) dialer: Dialer,
    pub(super) bearer: Arc<dyn TokenProvider>,
    pub(super) identity: Identity,
    pub(super) document: DocumentId,
    pub(super) cache_file: Option<PathBuf>,
    pub(super) within: Duration,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, path, identity, document, cache_file, .. } = self;
        let mut debug = f.debug_struct("Place");
        debug.field("address", address).field("path", path).field("identity", identity);
        debug.field("document", document).field("cache_file", cache_file).finish_non_exhaustive()
    }
}

impl HttpTokensBuilder {
    pub(super) fn new(base_uri: String, bearer: Arc<dyn TokenProvider>) -> Self {
        Self {
            base_uri,
            bearer,
            identity: None,
            document: None,
            path: "/sync/tokens".into(),
            cache_file: None,
            reach: Reach::default(),
            within: TOKEN_FETCH_WITHIN,
        }
    }

    /// Whose tokens. Mandatory.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// For which document. Mandatory.
    pub fn document_id(mut self, id: DocumentId) -> Self {
        self.document = Some(id);
        self
    }

    /// Path behind the base address. Default `/sync/tokens`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// A file in which the newest token is kept for the next start of the program. Only its owner may read it; one that
    /// others may read is not used. It is used for less than the token's life. Two programs must not share it.
    pub fn cache_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache_file = Some(path.into());
        self
    }

    /// A file with certificates in PEM form that are trusted beside those of the system.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.reach.ca_file = Some(path.into());
        self
    }

    /// Does not look at `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub fn no_proxy(mut self) -> Self {
        self.reach.no_proxy = true;
        self
    }

    /// How long the service may take to answer. Default 20 s.
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Makes the provider. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] when something mandatory is missing or the address has another form.
    pub fn build(self) -> Result<HttpTokens> {
        let missing = |what, call: &str| Error::Invalid { what, why: format!("it is missing: call {call}") };
        let invalid = |why: String| Error::Invalid { what: "base URI", why };
        let uri: Uri =
            self.base_uri.parse().map_err(|error| invalid(format!("`{}`: {error}", self.base_uri)))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(invalid(format!("`{}` must begin with https:// or http://", self.base_uri)));
        }
        let address = Address::of(&uri).map_err(|why| invalid(format!("`{}`: {why}", self.base_uri)))?;
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        if authority.contains('@') {
            return Err(invalid("it must not contain a password: the bearer token proves who asks".into()));
        }
        let place = Place {
            address,
            path: format!("{}/{}", uri.path().trim_end_matches('/'), self.path.trim_start_matches('/')),
            host: authority.to_owned(),
            dialer: self.reach.dialer(),
            bearer: self.bearer,
            identity: self.identity.ok_or_else(|| missing("identity", ".identity(…)"))?,
            document: self.document.ok_or_else(|| missing("document id", ".document_id(…)"))?,
            cache_file: self.cache_file,
            within: self.within,
        };
        Ok(HttpTokens { inner: Arc::new(Inner { place, state: Mutex::new(State::default()) }) })
    }
}
