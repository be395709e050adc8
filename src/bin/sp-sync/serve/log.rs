//! What the server says of itself while it runs: a line each on the standard error, never with a secret.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

/// How much is said.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Level {
    /// Nothing.
    Off,
    /// The store fails.
    Error,
    /// The same, limits that are reached, and clients that are cut off.
    Warn,
    /// The same, start and end, and tokens and logins that are refused.
    Info,
    /// The same, and every request and action.
    Debug,
    /// Everything there is.
    Trace,
}

impl Level {
    /// From now on, in the whole process.
    pub(super) fn start(self) {
        let filter = match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        };
        // What becomes of a connection to NATS is told by who works with it.
        let said = match self {
            Self::Trace => Targets::new().with_default(filter),
            _ => Targets::new().with_default(filter).with_target("async_nats", LevelFilter::OFF),
        };
        // Where the standard error is closed there is nobody to tell: that is no reason to end.
        let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).log_internal_errors(false);
        let lines = lines.with_target(false).with_ansi(false).with_max_level(filter).finish();
        // Only the first call counts, and there is one.
        let _ = tracing::subscriber::set_global_default(lines.with(said));
    }
}
