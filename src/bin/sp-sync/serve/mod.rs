//! `sp-sync serve` and `sp-sync dev`: a Sync service of one's own.

mod address;
mod check;
pub(crate) mod config;
pub(crate) mod dev;
mod flags;
mod front;
mod log;
mod run;

use std::path::PathBuf;

use address::Address;
use flags::{Bounds, executor};
use log::Level;
use sp_sync::Executor;
use sp_sync::backend::BackendUrl;

use crate::place::{Address as Url, Login};

/// Serve documents to the official Sync SDKs, to this crate's clients, and to back ends over REST.
///
/// Every option may also stand in the file of --config, under its name without the dashes in front, and in the environment
/// as SP_SYNC_ and its name in capitals: --tls-cert is `tls-cert = "…"` and SP_SYNC_TLS_CERT. The command line comes
/// first, then the environment, then the file.
#[derive(Clone, clap::Args)]
pub(crate) struct Serve {
    /// A file with options, TOML.
    #[arg(long, env = "SP_SYNC_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Look at everything that is configured, say what is wrong, and serve nothing.
    #[arg(long)]
    check: bool,
    /// Where to listen. Port 0 takes any that is free.
    #[arg(long, env = "SP_SYNC_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9080", value_parser = Address::parse)]
    listen: Address,
    /// How much it says of itself on the standard error while it serves.
    #[arg(long, env = "SP_SYNC_LOG", value_name = "LEVEL", default_value = "info", value_enum)]
    log: Level,
    /// Where documents live: memory: forgets them at the end, file:PATH keeps them, nats://HOST:PORT/BUCKET keeps them in
    /// NATS JetStream, where any number of servers may share them.
    #[arg(long, env = "SP_SYNC_STORE", hide_env_values = true, value_name = "STORE", default_value = "memory:", value_parser = Url::URL)]
    store: BackendUrl,
    /// The same for NATS, where it counts in place of --store: nats://HOST:PORT[,HOST:PORT…]/BUCKET?replicas=3. A bucket that
    /// is missing is made.
    #[arg(long, env = "SP_SYNC_NATS", hide_env_values = true, value_name = "URL", value_parser = Url::URL)]
    nats: Option<BackendUrl>,
    #[command(flatten)]
    login: Login,
    /// The keys file: account, service, API keys. `sp-sync dev --keys-out FILE` makes one.
    #[arg(long, env = "SP_SYNC_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The users file: who may have tokens, and which documents they may open. Without it there is no token endpoint, and
    /// whoever has a good access token may do everything.
    #[arg(long, env = "SP_SYNC_USERS", value_name = "FILE")]
    users: Option<PathBuf>,
    /// Rows of permissions, set over REST, say what an identity may do with a document. Where there is none, the users file
    /// says it; without a users file, nobody may do anything then.
    #[arg(long, env = "SP_SYNC_ACL_ENABLED")]
    acl_enabled: bool,
    /// Scheme, host and port under which clients see the server. Without it: where it listens.
    #[arg(long, env = "SP_SYNC_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Certificate and chain, PEM; read again when the file changes.
    #[arg(long, env = "SP_SYNC_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM. One needs the other, wherever each is given.
    #[arg(long, env = "SP_SYNC_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// A proxy stands in front and says in X-Forwarded-For whom it serves. Without one: leave it out.
    #[arg(long, env = "SP_SYNC_BEHIND_PROXY")]
    behind_proxy: bool,
    /// Serve /healthz, /readyz and /metrics there instead of beside everything else.
    #[arg(long, env = "SP_SYNC_OPERATIONS_LISTEN", value_name = "ADDRESS:PORT", value_parser = Address::parse)]
    operations_listen: Option<Address>,
    /// Executors that /metrics shows by name, with commas between; all others are shown together. Without it: those of the
    /// built-in catalogue.
    #[arg(long, env = "SP_SYNC_EXECUTORS", value_name = "NAMES", value_delimiter = ',', value_parser = executor)]
    executors: Vec<Executor>,
    /// Path of the token endpoint.
    #[arg(long, env = "SP_SYNC_TOKEN_PATH", value_name = "PATH", default_value = "/sync/tokens")]
    token_path: String,
    /// How long access tokens of the token endpoint live, in seconds: 180 to 86400.
    #[arg(long, env = "SP_SYNC_TOKEN_LIFETIME_S", value_name = "SECONDS", default_value_t = 3_600)]
    token_lifetime_s: u64,
    /// How far clocks may differ when a token is checked, in seconds.
    #[arg(long, env = "SP_SYNC_LEEWAY_S", value_name = "SECONDS", default_value_t = 30)]
    leeway_s: u64,
    /// Failed attempts to log in that one address has at once.
    #[arg(long, env = "SP_SYNC_ATTEMPTS_AT_ONCE", value_name = "NUMBER", default_value_t = 30)]
    attempts_at_once: u32,
    /// After so many seconds it has one more.
    #[arg(long, env = "SP_SYNC_ATTEMPT_EVERY_S", value_name = "SECONDS", default_value_t = 2)]
    attempt_every_s: u64,
    #[command(flatten)]
    bounds: Bounds,
}

impl Serve {
    /// Where documents live.
    fn store(&self) -> &BackendUrl {
        self.nats.as_ref().unwrap_or(&self.store)
    }

    /// The option that says so.
    fn store_option(&self) -> &'static str {
        if self.nats.is_some() { "--nats" } else { "--store" }
    }

    /// Options that are times, by name.
    fn seconds(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let own = [("leeway-s", self.leeway_s), ("attempt-every-s", self.attempt_every_s)];
        own.into_iter().chain(self.bounds.seconds())
    }
}

pub(crate) use run::run;
