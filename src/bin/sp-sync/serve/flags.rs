//! Options of the server that need more than a line.

use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use sp_sync::Executor;
use sp_sync::server::Limits;

/// The name of an executor.
pub(super) fn executor(text: &str) -> Result<Executor, String> {
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    match begins && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric()) {
        true => Ok(text.into()),
        false => Err("executors have names of a small letter and up to 63 letters and digits".into()),
    }
}

/// A limit that lets something through.
fn positive<N: FromStr<Err = ParseIntError> + From<u8> + PartialEq>(text: &str) -> Result<N, String> {
    match text.parse() {
        Ok(number) if number != N::from(0) => Ok(number),
        Ok(_) => Err("it has to be 1 at least: leave it out for the usual limit".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Bookkeeping alone may take 512 bytes.
fn document_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 1_024..) => Ok(bytes),
        Ok(_) => Err("a document needs 1024 bytes at least".into()),
        Err(error) => Err(format!("{error}")),
    }
}

/// Which limits hold where no option says otherwise.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Profile {
    /// Sane for a server of one's own.
    Default,
    /// Those of the original's service.
    Twilio,
}

/// What the server takes from its clients.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Bounds {
    /// Which limits hold where no option below says otherwise.
    #[arg(long, env = "SP_SYNC_LIMITS", value_name = "PROFILE", default_value = "default", value_enum)]
    limits: Profile,
    /// Connections at a time.
    #[arg(long, env = "SP_SYNC_CONNECTIONS_MAX", value_name = "NUMBER", value_parser = positive::<usize>)]
    connections_max: Option<usize>,
    /// Subscriptions of one connection.
    #[arg(long, env = "SP_SYNC_SUBSCRIPTIONS_MAX", value_name = "NUMBER", value_parser = positive::<usize>)]
    subscriptions_max: Option<usize>,
    /// Bytes of compact JSON of one document; 16384 where nothing says otherwise. The store takes as many.
    #[arg(long, env = "SP_SYNC_DOCUMENT_BYTES_MAX", value_name = "BYTES", value_parser = document_bytes)]
    document_bytes_max: Option<usize>,
    /// Longest frame that is read from a client.
    #[arg(long, env = "SP_SYNC_FRAME_BYTES_MAX", value_name = "BYTES", value_parser = positive::<usize>)]
    frame_bytes_max: Option<usize>,
    /// Requests per second of one connection.
    #[arg(long, env = "SP_SYNC_REQUESTS_PER_S", value_name = "NUMBER", value_parser = positive::<u32>)]
    requests_per_s: Option<u32>,
    /// Requests of one connection that are worked on at a time.
    #[arg(long, env = "SP_SYNC_REQUESTS_OPEN_MAX", value_name = "NUMBER", value_parser = positive::<usize>)]
    requests_open_max: Option<usize>,
    /// Writes per second and document.
    #[arg(long, env = "SP_SYNC_WRITES_PER_S", value_name = "NUMBER", value_parser = positive::<u32>)]
    writes_per_s: Option<u32>,
    /// Reads per second and document.
    #[arg(long, env = "SP_SYNC_READS_PER_S", value_name = "NUMBER", value_parser = positive::<u32>)]
    reads_per_s: Option<u32>,
    /// From connection to first frame.
    #[arg(long, env = "SP_SYNC_INIT_WITHIN_S", value_name = "SECONDS")]
    init_within_s: Option<u64>,
    /// For a client to acknowledge what it is sent.
    #[arg(long, env = "SP_SYNC_ACKNOWLEDGE_WITHIN_S", value_name = "SECONDS")]
    acknowledge_within_s: Option<u64>,
    /// How long one write may be tried.
    #[arg(long, env = "SP_SYNC_WRITE_WITHIN_S", value_name = "SECONDS")]
    write_within_s: Option<u64>,
    /// For open requests when the server stops.
    #[arg(long, env = "SP_SYNC_DRAIN_WITHIN_S", value_name = "SECONDS", default_value_t = 5)]
    pub(super) drain_within_s: u64,
    /// Cut a connection whose token has ended without a word: the JavaScript SDK then never loses its new token.
    #[arg(long, env = "SP_SYNC_CUT_AT_EXPIRY")]
    cut_at_expiry: bool,
}

impl Bounds {
    /// Options that are times, by name.
    pub(super) fn seconds(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("init-within-s", self.init_within_s),
            ("acknowledge-within-s", self.acknowledge_within_s),
            ("write-within-s", self.write_within_s),
            ("drain-within-s", Some(self.drain_within_s)),
        ]
        .into_iter()
        .filter_map(|(name, seconds)| Some((name, seconds?)))
    }

    pub(super) fn limits(&self) -> Limits {
        let mut limits = match self.limits {
            Profile::Default => Limits::default(),
            Profile::Twilio => Limits::twilio(),
        };
        limits.connections_max = self.connections_max.unwrap_or(limits.connections_max);
        limits.subscriptions_max = self.subscriptions_max.unwrap_or(limits.subscriptions_max);
        limits.document_bytes_max = self.document_bytes_max.or(limits.document_bytes_max);
        limits.writes_per_s = self.writes_per_s.or(limits.writes_per_s);
        limits.reads_per_s = self.reads_per_s.or(limits.reads_per_s);
        limits.write_within = self.write_within_s.map_or(limits.write_within, Duration::from_secs);
        limits = given(limits, self.frame_bytes_max, Limits::frame_bytes_max);
        limits = given(limits, self.requests_per_s, Limits::requests_per_s);
        limits = given(limits, self.requests_open_max, Limits::requests_open_max);
        limits = given(limits, self.init_within_s.map(Duration::from_secs), Limits::init_within);
        limits =
            given(limits, self.acknowledge_within_s.map(Duration::from_secs), Limits::acknowledge_within);
        limits.drain_within(Duration::from_secs(self.drain_within_s)).cut_at_expiry(self.cut_at_expiry)
    }
}

fn given<T>(limits: Limits, value: Option<T>, set: impl FnOnce(Limits, T) -> Limits) -> Limits {
    match value {
        Some(value) => set(limits, value),
        None => limits,
    }
}
