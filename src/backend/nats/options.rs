//! How a bucket is reached and opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Nats;
use crate::backend::BackendError;
use crate::limits::{NATS_BUCKET, NATS_CONNECT_WITHIN, NATS_REPLY_WITHIN, NATS_SWEEP_INTERVAL};

/// Where the servers keep the documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// In files: what was acknowledged survives the end of every server.
    #[default]
    File,
    /// In memory: it survives while a majority of the replicas lives.
    Memory,
}

/// Settings of a [`Nats`] backend, from [`Nats::options`]. Secrets are never printed.
#[derive(Clone)]
#[must_use = "options do nothing until open is called"]
pub struct NatsOptions {
    pub(super) servers: Vec<String>,
    pub(super) bucket: String,
    /// `None`: as many as the bucket has.
    pub(super) replicas: Option<usize>,
    pub(super) storage: Storage,
    pub(super) create: bool,
    pub(super) login: Login,
    pub(super) tls_required: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(super) client_name: String,
    pub(super) connect_within: Duration,
    pub(super) reply_within: Duration,
    pub(super) sweep_interval: Duration,
    pub(super) document_bytes_max: Option<usize>,
}

/// How a client says who it is. The last setting counts.
#[derive(Clone)]
pub(super) enum Login {
    /// What the addresses say, if anything.
    Addresses,
    CredentialsFile(PathBuf),
    Nkey(String),
    Password(String, String),
    Token(String),
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            bucket: NATS_BUCKET.into(),
            replicas: None,
            storage: Storage::default(),
            create: true,
            login: Login::Addresses,
            tls_required: false,
            ca_file: None,
            client_certificate: None,
            client_name: "sp-sync".into(),
            connect_within: NATS_CONNECT_WITHIN,
            reply_within: NATS_REPLY_WITHIN,
            sweep_interval: NATS_SWEEP_INTERVAL,
            document_bytes_max: None,
        }
    }
}

impl NatsOptions {
    /// One more server: `nats://host:4222`, `tls://host:4222`, with `user:password@` before the host if need be.
    /// `nats://127.0.0.1:4222` where none is named. Any server of a cluster is enough to find the others; name
    /// several so that one of them may be down at the start.
    pub fn server(mut self, address: impl Into<String>) -> Self {
        self.servers.push(address.into());
        self
    }

    /// The bucket with the documents: 1 to 64 letters, digits, `-` and `_`; `sp-sync` unless told.
    pub fn bucket(mut self, name: impl Into<String>) -> Self {
        self.bucket = name.into();
        self
    }

    /// On how many servers each document is: 3 to outlive one of them, 5 to outlive two. More than 1 has a price, see
    /// [the module](super). A bucket that is there and has fewer or more is refused. Unless told, a new bucket has 1, and
    /// one that is there may have any number.
    pub const fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// Where the servers keep the documents: in files unless told. A bucket that is there must have the same.
    pub const fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// The same as [`storage`](Self::storage) with [`Storage::Memory`].
    pub const fn memory_storage(self) -> Self {
        self.storage(Storage::Memory)
    }

    /// Whether a missing bucket is made; `true` unless told. Without it a missing bucket is an error that says how to
    /// make it.
    pub const fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// A file with a JWT and the seed of its key, as `nsc` writes it. It is read when the backend is opened.
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.login = Login::CredentialsFile(path.into());
        self
    }

    /// The seed of a user's key: `SU…`.
    pub fn nkey(mut self, seed: impl Into<String>) -> Self {
        self.login = Login::Nkey(seed.into());
        self
    }

    /// A user and a password.
    pub fn user_and_password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Login::Password(user.into(), password.into());
        self
    }

    /// A token that all clients share.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.login = Login::Token(token.into());
        self
    }

    /// Refuses a server that does not offer TLS. `false` unless told; TLS is used in any case where the server wants it
    /// or the address begins with `tls://`.
    pub const fn tls_required(mut self, required: bool) -> Self {
        self.tls_required = required;
        self
    }

    /// A file with certificates in PEM form that are trusted beside those of the system.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Files in PEM form with the certificate, and its key, that this client shows to the server.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// What the server's lists of connections call this client; `sp-sync` unless told.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }

    /// How long [`open`](Self::open) tries to reach a server and a bucket that works: 10 s unless told. Too little
    /// fails a start beside servers that are starting too.
    pub const fn connect_within(mut self, within: Duration) -> Self {
        self.connect_within = within;
        self
    }

    /// For the answer to a request: 5 s unless told. Too little leaves more writes in doubt while the cluster elects a
    /// new leader; too much keeps their callers waiting for one that does not come. Where the bucket has several replicas, or
    /// the server is one before 2.10, it has to be shorter than a minute, and than
    /// [`sweep_interval`](Self::sweep_interval).
    pub const fn reply_within(mut self, within: Duration) -> Self {
        self.reply_within = within;
        self
    }

    /// How often somebody removes expired documents that nobody watches, and traces of removed ones: every 10 minutes
    /// unless told. The processes of one bucket take turns: it is done once however many they are.
    pub const fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Bytes of compact JSON a document may have: 16 384 unless told, or what the servers take where that is less.
    pub const fn document_bytes_max(mut self, bytes: usize) -> Self {
        self.document_bytes_max = Some(bytes);
        self
    }

    /// Connects, and makes the bucket or checks its settings.
    ///
    /// # Errors
    /// [`BackendError::Fatal`] when a setting is wrong, a certificate is not believed, JetStream is not enabled, or the
    /// bucket has other settings than these; [`BackendError::Refused`] when the server does not accept this client;
    /// [`BackendError::Unavailable`] when no server was reached in time. All name the cause and the next step.
    ///
    /// # Cancel safety
    /// Dropped, it disconnects again; a new bucket may remain.
    pub async fn open(self) -> Result<Nats, BackendError> {
        Nats::open_with(self).await
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = match &self.login {
            Login::Addresses => "as the addresses say",
            Login::CredentialsFile(_) => "credentials file",
            Login::Nkey(_) => "nkey",
            Login::Password(..) => "user and password",
            Login::Token(_) => "token",
        };
        f.debug_struct("NatsOptions")
            .field("servers", &self.servers.len())
            .field("bucket", &self.bucket)
            .field("replicas", &self.replicas)
            .field("storage", &self.storage)
            .field("create", &self.create)
            .field("login", &login)
            .field("tls_required", &self.tls_required)
            .field("client_name", &self.client_name)
            .finish_non_exhaustive()
    }
}
