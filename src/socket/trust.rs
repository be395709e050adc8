//! Which certificates are believed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::unusable;

/// The system's certificates and perhaps a file of one's own, read at first use.
#[derive(Clone)]
pub(super) struct Trust {
    ca_file: Option<PathBuf>,
    config: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

impl Trust {
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, config: Arc::default() }
    }

    pub(super) async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        let read = || async {
            let ca_file = self.ca_file.clone();
            let read = tokio::task::spawn_blocking(move || read(ca_file.as_deref()));
            read.await.map_err(io::Error::other)?.map(Arc::new)
        };
        self.config.get_or_try_init(read).await.cloned()
    }
}

/// Reads files, so it runs where that may take time.
fn read(ca_file: Option<&Path>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be read are those that no connection needed so far.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let failed = |error: &dyn fmt::Display| unusable(format!("{}: {error}", path.display()));
        let mut own = 0;
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
            roots.add(certificate.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
            own += 1;
        }
        if own == 0 {
            return Err(failed(&"it holds no certificate in PEM form"));
        }
    }
    if roots.is_empty() {
        return Err(unusable(
            "the system has no certificates: install its ca-certificates, or name a ca_file",
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
