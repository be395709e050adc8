//! TLS with a certificate that may be replaced while the server runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// A certificate and its key. Clones share it.
#[derive(Clone)]
pub struct Tls {
    current: Arc<RwLock<TlsAcceptor>>,
    /// What the files were before they were read: whoever follows them misses no change since.
    read: [State; 2],
}

/// When a file was written, and how long it is.
type State = Option<(SystemTime, u64)>;

/// Why a certificate cannot be used. Never says what is in a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or has no PEM of the kind that is needed.
    #[error("{}: no {wanted} in PEM form can be read there", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What should be there.
        wanted: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Certificate and key do not fit each other, or are of a kind that is not supported.
    #[error("the certificate and the key cannot be used together")]
    Unusable {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Tls {
    /// Reads a certificate with its chain, and its key, both in PEM form.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = [state(certificate), state(key)];
        Ok(Self { current: Arc::new(RwLock::new(acceptor(certificate, key)?)), read })
    }

    /// Looks at both files so often, and reads them again when one has changed, until the last clone is gone; `tell` hears
    /// how that went. [`SERVER_CERTIFICATE_EVERY`](crate::limits::SERVER_CERTIFICATE_EVERY) is a good time between looks.
    /// What cannot be used does not replace what can. Connections that are open keep the certificate they began with.
    pub fn follow(
        &self,
        certificate: PathBuf,
        key: PathBuf,
        every: Duration,
        tell: impl Fn(Result<(), TlsError>) + Send + 'static,
    ) {
        let current = Arc::downgrade(&self.current);
        tokio::spawn(follow(current, [certificate, key], self.read, every, tell));
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

async fn follow(
    current: Weak<RwLock<TlsAcceptor>>,
    [certificate, key]: [PathBuf; 2],
    mut seen: [State; 2],
    every: Duration,
    tell: impl Fn(Result<(), TlsError>) + Send,
) {
    let mut every = interval(every);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let Some(current) = current.upgrade() else { return };
        let files = [certificate.clone(), key.clone()];
        let looked = tokio::task::spawn_blocking(move || files.map(|file| state(&file)));
        let now = looked.await.unwrap_or_default();
        if now == seen {
            continue;
        }
        seen = now;
        // The two are replaced one after the other: in between they do not fit, and the next look mends that.
        match acceptor(&certificate, &key) {
            Ok(acceptor) => {
                *current.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
                tell(Ok(()));
            }
            Err(error) => tell(Err(error)),
        }
    }
}

/// Links are followed, as tools that renew certificates change them.
fn state(path: &Path) -> State {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |path: &Path, wanted, source: pem::Error| {
        Err(TlsError::File { path: path.to_owned(), wanted, source: source.into() })
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        Ok(_) => return unreadable(certificate, "certificate", pem::Error::NoItemsFound),
        Err(error) => return unreadable(certificate, "certificate", error),
    };
    let key = match PrivateKeyDer::from_pem_file(key) {
        Ok(key) => key,
        Err(error) => return unreadable(key, "private key", error),
    };
    let unusable = |error: rustls::Error| TlsError::Unusable { source: error.into() };
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
