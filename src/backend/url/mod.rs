//! Backends by their address, as command lines, configurations and environments name them.

mod nats;
mod service;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

pub use nats::NatsUrl;
pub use service::ServiceUrl;
#[cfg(feature = "remote")]
pub(crate) use service::endpoint_behind;

use super::{Backend, Memory};
use crate::error::{Error, Result};

/// Every form, as errors show them.
const FORMS: &str = "memory:, file:PATH, nats://HOST:PORT/BUCKET, wss://HOST or https://HOST";

/// The address of a backend, read and checked: nothing is opened yet.
///
/// | form | documents are | feature |
/// |---|---|---|
/// | `memory:` | in this [`Memory`] and nowhere else; opened twice, they are two stores | |
/// | `file:PATH` | in one file: `Embedded`. The path stands as it is, without `%` codes; `file:///PATH` is the same for one from the root | `embedded` |
/// | `nats://HOST[:PORT][,HOST[:PORT]…][/BUCKET][?replicas=NUMBER]` | in a key-value bucket of NATS JetStream. Port 4222 and bucket `sp-sync` where none are named; further servers of the same cluster stand behind commas; `replicas` is how many of them keep each document | `nats` |
/// | `tls://…` | the same, over TLS and not without it | `nats` |
/// | `wss://HOST[:PORT][/PATH]` | with a service that speaks the Sync protocol, `Remote`. Without a path `/v3/wsconnect`, where such services are; `ws://` without TLS | `remote` |
/// | `https://HOST[:PORT][/PATH]` | the same, by the address of its HTTP doors: `/v3/wsconnect` behind it; `http://` without TLS | `remote` |
///
/// # Secrets
///
/// A NATS server's login may stand before its host: `nats://user:password@…`, or `nats://token@…`; what has special meaning in an
/// address is written with `%` codes (`%40` is `@`). It counts for all hosts. Neither `Display`, nor `Debug`, nor an error shows
/// any of it. Access tokens have no place in the address of a service: give them to the client
/// ([`Builder::token`](crate::client::Builder::token)) or to the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendUrl {
    /// `memory:`
    Memory,
    /// `file:PATH`
    File(PathBuf),
    /// `nats://…` and `tls://…`
    Nats(NatsUrl),
    /// `wss://…`, `ws://…`, `https://…` and `http://…`
    Service(ServiceUrl),
}

impl BackendUrl {
    /// Reads an address of one of the [forms](Self).
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is of none. The message repeats nothing of the address but its scheme.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Err(invalid(format!("it begins with no scheme; the forms are {FORMS}")));
        };
        let read = match scheme {
            "memory" => match rest {
                "" => Ok(Self::Memory),
                _ => Err("nothing stands behind `memory:`".into()),
            },
            "file" => file(rest).map(Self::File),
            "nats" | "tls" => NatsUrl::read(scheme, rest).map(Self::Nats),
            "ws" | "wss" | "http" | "https" => ServiceUrl::read(scheme, rest).map(Self::Service),
            _ => Err(format!("no backend has this scheme; the forms are {FORMS}")),
        };
        read.map_err(|why| invalid(format!("`{scheme}:`: {why}")))
    }

    /// Opens the backend, each with its usual settings; a file or a bucket that is missing is made.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the crate was built without the feature that the backend needs; otherwise why it could not
    /// be opened. A service is connected at the first call only.
    pub async fn open(&self) -> Result<Arc<dyn Backend>> {
        match self {
            Self::Memory => Ok(Arc::new(Memory::new())),
            #[cfg(feature = "embedded")]
            Self::File(path) => {
                let file = super::Embedded::open(path).await;
                Ok(Arc::new(file.map_err(|error| error.into_error_of("embedded", &"opening the file"))?))
            }
            #[cfg(not(feature = "embedded"))]
            Self::File(_) => Err(not_built("file:", "embedded")),
            #[cfg(feature = "nats")]
            Self::Nats(url) => {
                let nats = url.options().open().await;
                Ok(Arc::new(nats.map_err(|error| error.into_error_of("nats", &"opening the bucket"))?))
            }
            #[cfg(not(feature = "nats"))]
            Self::Nats(_) => Err(not_built("nats:", "nats")),
            #[cfg(feature = "remote")]
            Self::Service(service) => Ok(Arc::new(service.builder().build()?)),
            #[cfg(not(feature = "remote"))]
            Self::Service(_) => Err(not_built("wss:", "remote")),
        }
    }
}

impl FromStr for BackendUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// Without logins: for messages.
impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Nats(url) => url.fmt(f),
            Self::Service(url) => url.fmt(f),
        }
    }
}

/// Opens the backend at an address of one of the [forms](BackendUrl), for [`Builder::backend`](crate::client::Builder::backend).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> sp_sync::Result<()> {
/// use sp_sync::{DocumentId, Identity, SyncClient, backend};
///
/// let place = std::env::var("MY_STORE").unwrap_or("memory:".into());
/// let store = backend::from_url(&place).await?;
/// let client = SyncClient::builder()
///     .backend(store.clone())
///     .document_id(DocumentId::new("Session_demo")?)
///     .identity(Identity::new("agent")?)
///     .connect()
///     .await?;
/// # client.close().await
/// # }
/// ```
///
/// Clients that are to share it, its connection or its memory take clones of the one that was opened.
///
/// # Errors
/// As [`BackendUrl::parse`] and [`BackendUrl::open`].
pub async fn from_url(url: &str) -> Result<Arc<dyn Backend>> {
    BackendUrl::parse(url)?.open().await
}

/// A path of two letters or more, as schemes are: a drive of Windows is none.
fn is_scheme(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.len() > 1 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(plain)
}

fn file(rest: &str) -> Result<PathBuf, String> {
    let path = match rest.strip_prefix("//") {
        Some(path) if !path.starts_with('/') => {
            return Err("files of other machines are out of reach: write file:PATH or file:///PATH".into());
        }
        Some(path) => path,
        None => rest,
    };
    if path.is_empty() { Err("the path is missing: write file:PATH".into()) } else { Ok(path.into()) }
}

fn invalid(why: String) -> Error {
    Error::Invalid { what: "address of a backend", why }
}

/// Whoever built the program can mend it.
#[cfg(not(all(feature = "embedded", feature = "nats", feature = "remote")))]
fn not_built(form: &str, feature: &str) -> Error {
    invalid(format!("`{form}` needs the feature `{feature}`, without which this program was built"))
}
