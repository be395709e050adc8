//! Proxies, as the environment names them: `HTTPS_PROXY` for TLS, `HTTP_PROXY` for the rest, `ALL_PROXY` for both,
//! `NO_PROXY` for exceptions; lower case first. The own machine is never reached through one.

use std::fmt;
use std::io;

use hyper::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Address, tcp, unusable};
use crate::limits::PROXY_ANSWER_BYTES_MAX;

/// Which proxy, for which address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    with_tls: Option<String>,
    without_tls: Option<String>,
    exceptions: Vec<String>,
}

impl Proxies {
    /// As the environment says.
    pub(crate) fn from_environment() -> Self {
        let read = |name: &str| std::env::var(name).ok();
        Self::read(|name| read(name).or_else(|| read(&name.to_uppercase())))
    }

    /// `read` is asked with lower-case names. An empty value is none.
    fn read(read: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| read(name).filter(|value| !value.trim().is_empty());
        let exceptions = read("no_proxy").unwrap_or_default();
        let exceptions = exceptions.split(',').map(|entry| entry.trim().to_ascii_lowercase());
        Self {
            with_tls: read("https_proxy").or_else(|| read("all_proxy")),
            without_tls: read("http_proxy").or_else(|| read("all_proxy")),
            exceptions: exceptions.filter(|entry| !entry.is_empty()).collect(),
        }
    }

    /// The proxy for this address, if any.
    pub(super) fn of(&self, address: &Address) -> io::Result<Option<Proxy>> {
        let named = if address.tls { &self.with_tls } else { &self.without_tls };
        match named {
            Some(named) if !address.is_loopback() && !self.excepts(address) => {
                Proxy::read(named).map(Some).map_err(unusable)
            }
            _ => Ok(None),
        }
    }

    /// An entry is `*`, a host, a domain with all its hosts, either with a port, or an IP address.
    fn excepts(&self, address: &Address) -> bool {
        let host = address.host.to_ascii_lowercase();
        let port = format!(":{}", address.port);
        self.exceptions.iter().any(|entry| {
            let entry = entry.strip_suffix(&port).unwrap_or(entry);
            let entry = entry.strip_prefix('*').unwrap_or(entry);
            let domain = entry.strip_prefix('.').unwrap_or(entry);
            let within = host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            domain.is_empty() || within
        })
    }
}

/// An HTTP proxy that makes tunnels.
#[derive(PartialEq, Eq)]
pub(super) struct Proxy {
    host: String,
    port: u16,
    /// Value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl Proxy {
    /// Messages never quote the value: it may hold a password.
    fn read(named: &str) -> Result<Self, String> {
        let named = named.trim();
        let full = if named.contains("://") { named.to_owned() } else { format!("http://{named}") };
        let uri: Uri = full.parse().map_err(|_| "the proxy that the environment names is no address")?;
        if uri.scheme_str() != Some("http") {
            let scheme = uri.scheme_str().unwrap_or_default();
            return Err(format!(
                "the environment names a proxy of kind {scheme}://; only http:// is supported"
            ));
        }
        let Address { host, port, .. } = Address::of(&uri).map_err(|why| format!("proxy: {why}"))?;
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let account = authority.rsplit_once('@').map(|(account, _)| account);
        Ok(Self {
            host,
            port,
            authorization: account.map(|account| format!("Basic {}", base64(&plain(account)))),
        })
    }

    /// A connection to the address through this proxy.
    pub(super) async fn tunnel(&self, to: &Address) -> io::Result<TcpStream> {
        let mut stream = tcp(&self.host, self.port).await?;
        let to = to.authority();
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // One by one: what follows the head belongs to whoever uses the tunnel.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= PROXY_ANSWER_BYTES_MAX {
                return Err(io::Error::other("the proxy answers without end"));
            }
            answer.push(stream.read_u8().await?);
        }
        let first = String::from_utf8_lossy(&answer);
        let first = first.lines().next().unwrap_or_default();
        let code = first.split(' ').nth(1).unwrap_or_default();
        let why = || format!("the proxy {}:{} does not connect to {to}: {first}", self.host, self.port);
        match code.chars().next() {
            Some('2') => Ok(stream),
            // It wants another password, or forbids this.
            Some('4') => Err(unusable(why())),
            _ => Err(io::Error::other(why())),
        }
    }
}

/// Without percent-encoding.
fn plain(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, hex) {
            (b'%', Some(decoded)) => {
                plain.push(decoded);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &'static [(&'static str, &'static str)]) -> Proxies {
        Proxies::read(|name| {
            variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn found(proxies: &Proxies, uri: &str) -> Option<String> {
        let address = Address::of(&uri.parse().unwrap()).unwrap();
        proxies.of(&address).unwrap().map(|proxy| format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn the_scheme_decides_which_variable_counts() {
        let two = proxies(&[("https_proxy", "http://one:1"), ("all_proxy", "two:2")]);
        assert_eq!(found(&two, "wss://a.example/").as_deref(), Some("one:1"));
        assert_eq!(found(&two, "ws://a.example/").as_deref(), Some("two:2"));
        assert_eq!(found(&two, "ws://127.0.0.1/"), None);
        assert_eq!(found(&two, "wss://localhost/"), None);
        assert_eq!(found(&proxies(&[]), "wss://a.example/"), None);
        assert_eq!(found(&proxies(&[("https_proxy", " ")]), "wss://a.example/"), None);
    }

    #[test]
    fn exceptions_are_hosts_domains_ports_and_everything() {
        let some =
            proxies(&[("all_proxy", "p:1"), ("no_proxy", "a.example, .b.example,*.c.example,d:99,10.0.0.7")]);
        for direct in ["a.example", "x.a.example", "x.b.example", "x.c.example", "d:99", "10.0.0.7"] {
            assert_eq!(found(&some, &format!("wss://{direct}/")), None, "{direct}");
        }
        for through in ["aa.example", "d", "e.example", "110.0.0.7"] {
            assert!(found(&some, &format!("wss://{through}/")).is_some(), "{through}");
        }
        assert_eq!(found(&proxies(&[("all_proxy", "p:1"), ("no_proxy", "*")]), "wss://a.example/"), None);
    }

    #[test]
    fn an_account_is_sent_and_never_shown() {
        let proxy = Proxy::read("http://user:p%40ss@proxy.example:8080").unwrap();
        assert_eq!(proxy.authorization.as_deref(), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(format!("{proxy:?}"), "Proxy(proxy.example:8080)");
        assert!(Proxy::read("socks5://secret@proxy:1").unwrap_err().contains("socks5"));
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
