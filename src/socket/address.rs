//! Where a service is.

use hyper::Uri;

/// A host and a port, and whether to speak TLS there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    /// Without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// The service of `ws`, `wss`, `http` and `https` addresses; in words what is wrong with any other.
    pub(crate) fn of(uri: &Uri) -> Result<Self, String> {
        let (tls, usual) = match uri.scheme_str() {
            Some("wss" | "https") => (true, 443),
            Some("ws" | "http") => (false, 80),
            _ => return Err("it must begin with wss://, ws://, https:// or http://".into()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self { tls, host: host.to_owned(), port: uri.port_u16().unwrap_or(usual) })
    }

    /// Whether this is the same machine, which no proxy is asked for.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// As it stands behind `CONNECT`.
    pub(super) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_from_the_scheme_and_brackets_go() {
        let of = |text: &str| Address::of(&text.parse().unwrap()).map(|a| (a.tls, a.host, a.port));
        assert_eq!(of("wss://a.example/v3/wsconnect"), Ok((true, "a.example".into(), 443)));
        assert_eq!(of("ws://127.0.0.1:9080/x"), Ok((false, "127.0.0.1".into(), 9080)));
        assert_eq!(of("https://[::1]:8443"), Ok((true, "::1".into(), 8443)));
        assert!(of("ftp://a.example/").is_err());
        assert!(of("/v3").is_err());
        assert!(Address::of(&"http://[::1]".parse().unwrap()).unwrap().is_loopback());
    }
}
