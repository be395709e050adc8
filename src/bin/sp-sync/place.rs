//! Where documents are, as the command line names it, and how to get in there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use sp_sync::backend::{
    Backend, BackendError, BackendUrl, Embedded, Memory, Nats, NatsUrl, Remote, ServiceUrl,
};
use sp_sync::backend::{embedded, nats};

use crate::output::{Outcome, Problem, caution};

/// Reads `--store` and `--nats`. What is wrong with an address is told without the address, which may have a password in it.
#[derive(Clone)]
pub(crate) struct Address {
    /// Whether a path alone will do.
    paths: bool,
}

impl Address {
    /// An address of one of the forms of [`BackendUrl`].
    #[cfg(feature = "server")]
    pub(crate) const URL: Self = Self { paths: false };
    /// The same, or the path of a file.
    pub(crate) const URL_OR_PATH: Self = Self { paths: true };
}

impl TypedValueParser for Address {
    type Value = BackendUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        option: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<BackendUrl, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, option, value)?;
        if self.paths && !text.is_empty() && !text.contains(':') {
            return Ok(BackendUrl::File(text.into()));
        }
        BackendUrl::parse(&text).map_err(|error| {
            let option = option.and_then(clap::Arg::get_long).unwrap_or("store");
            clap::Error::raw(ErrorKind::ValueValidation, format!("--{option}: {error}\n")).with_cmd(command)
        })
    }
}

/// How to get in. A user and a password stand in the address itself, which is then better given in the environment or in a
/// file of options: what stands on a command line is for everybody to see.
#[derive(Clone, clap::Args)]
pub(crate) struct Login {
    /// The credentials file for a NATS server.
    #[arg(long, env = "SP_SYNC_CREDS", value_name = "FILE")]
    creds: Option<PathBuf>,
    /// A file with the seed of an nkey, for a NATS server.
    #[arg(long, env = "SP_SYNC_NKEY", value_name = "FILE")]
    nkey: Option<PathBuf>,
    /// The certificate and chain that a NATS server over TLS asks for, PEM.
    #[arg(long, env = "SP_SYNC_NATS_CERT", value_name = "FILE")]
    nats_cert: Option<PathBuf>,
    /// Its private key, PEM. One needs the other.
    #[arg(long, env = "SP_SYNC_NATS_KEY", value_name = "FILE")]
    nats_key: Option<PathBuf>,
    /// Certificates that are trusted beside the system's where the store is reached over TLS, PEM.
    #[arg(long, env = "SP_SYNC_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

impl Login {
    /// What is needed to open a bucket.
    pub(crate) fn bucket(&self, url: &NatsUrl) -> Outcome<nats::NatsOptions> {
        if self.creds.is_some() && self.nkey.is_some() {
            return Err(Problem::Usage("--creds and --nkey both say who this is: give one of them".into()));
        }
        let mut options = url.options().client_name("sp-sync");
        if let Some(path) = &self.creds {
            options = options.credentials_file(path);
        }
        if let Some(path) = &self.nkey {
            options = options.nkey(secret("--nkey", path)?);
        }
        match (&self.nats_cert, &self.nats_key) {
            (Some(certificate), Some(key)) => options = options.client_certificate(certificate, key),
            (None, None) => {}
            _ => return Err(Problem::Usage("--nats-cert and --nats-key need each other: give both".into())),
        }
        if let Some(path) = &self.ca {
            options = options.ca_file(path);
        }
        Ok(options)
    }

    /// What is needed to reach a service.
    pub(crate) fn service(&self, url: &ServiceUrl) -> Outcome<Remote> {
        let builder = match &self.ca {
            Some(path) => url.builder().ca_file(path),
            None => url.builder(),
        };
        builder.build().map_err(|error| Problem::Usage(format!("--store: {error}")))
    }
}

/// What a file for its owner's eyes, named by this option, holds, without the line's end.
pub(crate) fn secret(option: &str, path: &Path) -> Outcome<String> {
    let shown = path.display();
    let read = std::fs::read_to_string(path);
    let text =
        read.map_err(|error| Problem::Failed(format!("{option}: {shown}: cannot be read: {error}")))?;
    match text.trim() {
        "" => Err(Problem::Failed(format!("{option}: {shown}: it is empty"))),
        text => Ok(text.to_owned()),
    }
}

/// A backend that is open.
pub(crate) struct Open {
    backend: Arc<dyn Backend>,
    end: End,
}

/// What is to be closed in the end: a store that is closed has everything written, and leaves no task behind.
enum End {
    Nothing,
    File(Embedded),
    Nats(Nats),
    Service(Remote),
}

impl Open {
    pub(crate) fn memory(memory: Memory) -> Self {
        Self { backend: Arc::new(memory), end: End::Nothing }
    }

    pub(crate) async fn file(path: &Path, options: embedded::Options) -> Outcome<Self> {
        let file = options.open(path).await?;
        Ok(Self { backend: Arc::new(file.clone()), end: End::File(file) })
    }

    /// Opens a bucket, and tells what may come as a surprise: that it was made, and that it is no better than one server.
    pub(crate) async fn nats(options: nats::NatsOptions) -> Result<Self, BackendError> {
        let nats = options.open().await?;
        let (bucket, replicas) = (nats.bucket(), nats.replicas());
        if nats.has_made_bucket() {
            caution(&format!("there was no bucket {bucket}: it was made, with replicas={replicas}"));
        }
        if replicas == 1 && nats.is_in_cluster() {
            caution(&format!(
                "all documents of the bucket {bucket} are on one of the cluster's servers only, and are lost with it: \
                 ?replicas=3 in the address of a new bucket keeps three copies"
            ));
        }
        Ok(Self { backend: Arc::new(nats.clone()), end: End::Nats(nats) })
    }

    pub(crate) fn service(remote: Remote) -> Self {
        Self { backend: Arc::new(remote.clone()), end: End::Service(remote) }
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Waits until it is closed. Whoever holds the backend keeps it open.
    pub(crate) async fn close(self) {
        drop(self.backend);
        match self.end {
            End::Nothing => {}
            End::File(file) => file.close().await,
            End::Nats(nats) => nats.close().await,
            End::Service(remote) => remote.close().await,
        }
    }
}
