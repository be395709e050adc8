//! Sockets to services: TCP, through a proxy where the environment names one, with TLS where the address asks for it.
//! Knows nothing of what travels on them.

mod address;
mod proxy;
mod trust;

use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

pub(crate) use address::Address;
use proxy::Proxies;
use trust::Trust;

/// A connected socket.
pub(crate) type Socket = Box<dyn Io>;

/// Bytes in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How a service is reached; by default as the system's certificates and the environment's proxies say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Certificates that are trusted beside those of the system, in PEM form.
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether proxies that the environment names are passed over.
    pub(crate) no_proxy: bool,
}

impl Reach {
    /// What opens sockets that way.
    pub(crate) fn dialer(self) -> Dialer {
        let proxies = if self.no_proxy { Proxies::default() } else { Proxies::from_environment() };
        Dialer { proxies, trust: Trust::new(self.ca_file) }
    }
}

/// Opens sockets, made by [`Reach::dialer`]. Clones share what was read of certificates.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    proxies: Proxies,
    trust: Trust,
}

impl Dialer {
    /// Connects. The caller bounds the time.
    pub(crate) async fn dial(&self, address: &Address) -> io::Result<Socket> {
        let stream = match self.proxies.of(address)? {
            Some(proxy) => proxy.tunnel(address).await?,
            None => tcp(&address.host, address.port).await?,
        };
        if !address.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(address.host.clone())
            .map_err(|_| unusable(format!("`{}` is no name of a host", address.host)))?;
        let connector = TlsConnector::from(self.trust.config().await?);
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| told("TLS with", &address.host, address.port, &error))?))
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|error| told("connecting to", host, port, &error))?;
    // Small frames that wait for their answer are all there is.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether the next attempt fails in the same way until somebody mends a certificate, a setting or an address.
pub(crate) fn is_lasting(error: &io::Error) -> bool {
    // What TLS refuses is invalid data: a certificate, or bytes that are not TLS.
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

/// A failure of what was set, not of the network.
pub(crate) fn unusable(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// The same failure with what was attempted, and on what, and the next step where there is one.
fn told(doing: &str, host: &str, port: u16, error: &io::Error) -> io::Error {
    let step = match error.kind() {
        io::ErrorKind::ConnectionRefused => ": start the service there, or correct the address",
        // rustls: the first byte of the answer begins no record of TLS.
        io::ErrorKind::InvalidData if error.to_string().contains("InvalidContentType") => {
            ": what listens there does not speak TLS: correct the port, or leave out the `s` of wss:// or https://"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("{doing} {host}:{port}: {error}{step}"))
}
