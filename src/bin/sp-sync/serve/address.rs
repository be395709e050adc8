//! Where a server listens.

use std::fmt;

use tokio::net::TcpListener;

use crate::output::{Outcome, Problem};

/// An address or a name, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "write an address or a name, a colon and a port: `127.0.0.1:9080`, `[::1]:9080`, `localhost:9080`";
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // What has colons is an address of the sixth version, and stands in brackets.
        let good = match bare {
            Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        };
        match port.parse() {
            Ok(port) if good => Ok(Self { host: bare.unwrap_or(host).to_owned(), port }),
            _ => Err(wrong().to_owned()),
        }
    }

    /// A name may mean several addresses: the first that is free is taken. `option` is what gives another.
    pub(super) async fn bind(&self, option: &str) -> Outcome<TcpListener> {
        TcpListener::bind((self.host.as_str(), self.port)).await.map_err(|error| {
            use std::io::ErrorKind::{AddrInUse, PermissionDenied};
            let next = match error.kind() {
                AddrInUse => "another program listens there: end it, or give another port",
                PermissionDenied => "this user may not listen there: give a port above 1023, or the right to",
                _ => "give another address",
            };
            Problem::Failed(format!("cannot listen on {self}: {error}; {next} with {option}"))
        })
    }

    /// Whether this cannot be together with the other.
    pub(super) fn is_that_of(&self, other: &Self) -> bool {
        self.port != 0 && self == other
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
