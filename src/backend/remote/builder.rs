//! Where the service is, and how to reach it.

use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use serde_json::{Map, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::Remote;
use super::driver::Place;
use super::link::Link;
use super::machine::Machine;
use crate::backend::Facts;
use crate::error::{Error, Result};
use crate::limits::{DOCUMENT_BYTES_MAX, REMOTE_WRITES_PER_S};
use crate::socket::{Address, Reach};
use crate::token::Token;
use crate::twilsock::client_session::Settings;

/// Collects what a connection needs; made by [`Remote::builder`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    uri: Option<String>,
    token: Option<Token>,
    reach: Reach,
    writes_per_second: Option<f64>,
    document_bytes_max: usize,
    continuation: Option<String>,
    settings: Settings,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            uri: None,
            token: None,
            reach: Reach::default(),
            writes_per_second: Some(REMOTE_WRITES_PER_S),
            document_bytes_max: DOCUMENT_BYTES_MAX,
            continuation: None,
            settings: Settings::default(),
        }
    }

    /// Address of the WebSocket: `wss://sync.example.com/v3/wsconnect`. This or [`region`](Self::region) is mandatory.
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// A region of the original's service, `us1` for example.
    pub fn region(self, region: &str) -> Self {
        self.uri(format!("wss://tsock.{region}.twilio.com/v3/wsconnect"))
    }

    /// The first access token. Not needed where a client is given one, or a provider, which installs it here.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// A file with certificates in PEM form that are trusted beside those of the system: of a company's own authority, or
    /// of a server's self-signed certificate.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.reach.ca_file = Some(path.into());
        self
    }

    /// Does not look at `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`. By default an `http://` proxy named there
    /// is asked for a tunnel, except to this machine itself.
    pub fn no_proxy(mut self) -> Self {
        self.reach.no_proxy = true;
        self
    }

    /// Writes as fast as the client above does: for a server without limits of rate. By default writes wait for their turn
    /// (C57).
    pub fn unpaced(mut self) -> Self {
        self.writes_per_second = None;
        self
    }

    /// Bytes of compact JSON that the service stores per document. Default 16 384, as the original's.
    pub fn document_bytes_max(mut self, bytes: usize) -> Self {
        self.document_bytes_max = bytes;
        self
    }

    /// What [`Remote::continuation_token`] gave in an earlier life of this program: the service then knows the same client
    /// again. It opens nothing by itself.
    pub fn continuation_token(mut self, token: impl Into<String>) -> Self {
        self.continuation = Some(token.into());
        self
    }

    /// One more word about this client for the service's logs, `app` or `appv` for example.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let metadata: &mut Map<String, Value> = &mut self.settings.metadata;
        metadata.insert(key.into(), Value::String(value.into()));
        self
    }

    /// For a socket to open, TLS and proxy included. Default 60 s.
    pub fn connect_within(mut self, within: Duration) -> Self {
        self.settings.connect_within = within;
        self
    }

    /// For the answer to a request. Default 30 s. Too little leaves more writes in doubt.
    pub fn reply_within(mut self, within: Duration) -> Self {
        self.settings.reply_within = within;
        self
    }

    /// For a request that waits for a connection. Default 20 s; then it fails with `Unavailable`, nothing stored.
    pub fn queue_within(mut self, within: Duration) -> Self {
        self.settings.queue_within = within;
        self
    }

    /// Silence of the service after which the connection is made anew. Default 45 s; servers speak at least every 20 s.
    pub fn silence_max(mut self, silence: Duration) -> Self {
        self.settings.silence_max = silence;
        self
    }

    /// Makes the backend. Nothing is connected before the first call.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the address is missing or of another form.
    pub fn build(self) -> Result<Remote> {
        let invalid = |why: String| Error::Invalid { what: "address of the service", why };
        let uri = self.uri.ok_or_else(|| invalid("it is missing: call .uri(…) or .region(…)".into()))?;
        let parsed: Uri = uri.parse().map_err(|error| invalid(format!("`{uri}`: {error}")))?;
        if !matches!(parsed.scheme_str(), Some("ws" | "wss")) {
            return Err(invalid(format!("`{uri}` must begin with wss:// or ws://")));
        }
        let address = Address::of(&parsed).map_err(|why| invalid(format!("`{uri}`: {why}")))?;
        let dialer = self.reach.dialer();
        let place = Place { uri, address, dialer, frame_bytes_max: self.settings.frame_bytes_max };
        let facts = Facts {
            document_bytes_max: self.document_bytes_max,
            writes_per_second: self.writes_per_second,
            ..Facts::new("remote")
        };
        let seed = Uuid::new_v4().as_u64_pair().0;
        let machine = Machine::new(
            self.settings,
            self.document_bytes_max,
            self.continuation,
            seed,
            Instant::now(),
            unix_ms(),
        );
        let link = Link::new(machine, place, facts, seed);
        if let Some(token) = self.token {
            link.install_token(token);
        }
        Ok(Remote { link: std::sync::Arc::new(link) })
    }
}

#[expect(clippy::disallowed_methods, reason = "this backend states its own time")]
fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
