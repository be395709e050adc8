//! Buckets of NATS JetStream, by their address.

use std::fmt;

use crate::limits::{NATS_BUCKET, NATS_BUCKET_CHARS_MAX};
use crate::percent;

/// NATS: where servers listen unless told otherwise.
const PORT: u16 = 4222;

/// JetStream: a stream has at most so many.
const REPLICAS_MAX: usize = 5;

/// The servers of one cluster, a bucket of theirs, and who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsUrl {
    tls: bool,
    login: Option<Login>,
    servers: Vec<String>,
    bucket: String,
    replicas: Option<usize>,
}

/// Who asks. Never shown.
#[derive(Clone, PartialEq, Eq)]
enum Login {
    Token(String),
    User { name: String, password: String },
}

impl NatsUrl {
    /// What is wrong is told without repeating any of it: a password in the wrong place could be taken for anything else.
    pub(super) fn read(scheme: &str, rest: &str) -> Result<Self, String> {
        let place = rest.strip_prefix("//").ok_or_else(|| format!("write {scheme}://HOST:PORT/BUCKET"))?;
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let (authority, bucket) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(Login::read(login)?), hosts),
            None => (None, authority),
        };
        let servers = hosts.split(',').enumerate().map(|(place, host)| server(scheme, place, host));
        let servers = servers.collect::<Result<Vec<String>, String>>()?;
        Ok(Self { tls: scheme == "tls", login, servers, bucket: named(bucket)?, replicas: replicas(query)? })
    }

    /// Each server's address, without login.
    #[must_use]
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// How many servers keep each document, where the address says so.
    #[must_use]
    pub fn replicas(&self) -> Option<usize> {
        self.replicas
    }

    /// The settings that the address says; the others are the usual ones.
    #[cfg(feature = "nats")]
    pub fn options(&self) -> crate::backend::nats::NatsOptions {
        let mut options = crate::backend::Nats::options().bucket(&self.bucket).tls_required(self.tls);
        for server in &self.servers {
            options = options.server(server);
        }
        if let Some(replicas) = self.replicas {
            options = options.replicas(replicas);
        }
        match &self.login {
            None => options,
            Some(Login::Token(token)) => options.token(token),
            Some(Login::User { name, password }) => options.user_and_password(name, password),
        }
    }

    /// Whether it has a login.
    #[must_use]
    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }
}

impl Login {
    fn read(text: &str) -> Result<Self, String> {
        let decoded = |text: &str| percent::decode(text).filter(|text| !text.is_empty());
        let login = match text.split_once(':') {
            None => decoded(text).map(Self::Token),
            Some((name, password)) => {
                decoded(name).zip(decoded(password)).map(|(name, password)| Self::User { name, password })
            }
        };
        login.ok_or_else(|| "the login before the `@` is not of the form user:password with `%` codes".into())
    }
}

fn server(scheme: &str, place: usize, host: &str) -> Result<String, String> {
    let port = check_host(host).map_err(|why| format!("server {}: {why}", place + 1))?;
    Ok(if port.is_some() { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{PORT}") })
}

/// Checks a host and perhaps a port, and answers the port.
pub(super) fn check_host(text: &str) -> Result<Option<u16>, String> {
    let (host, port) = match text.rsplit_once(':') {
        // The colons in brackets are the host's.
        Some((_, after)) if after.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good = match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
    };
    if !good {
        return Err("there is no host: write HOST:PORT, `%` codes for special characters of a login".into());
    }
    let read = |port: &str| port.parse().ok().filter(|port| *port > 0);
    match port {
        None => Ok(None),
        Some(port) => read(port).map(Some).ok_or_else(|| "the port is no number from 1 to 65535".into()),
    }
}

fn named(bucket: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match bucket.trim_end_matches('/') {
        "" => Ok(NATS_BUCKET.to_owned()),
        bucket if bucket.len() <= NATS_BUCKET_CHARS_MAX && bucket.chars().all(good) => Ok(bucket.to_owned()),
        _ => Err(format!("a bucket's name has 1 to {NATS_BUCKET_CHARS_MAX} letters, digits, `-` and `_`")),
    }
}

fn replicas(query: &str) -> Result<Option<usize>, String> {
    let mut replicas = None;
    for setting in query.split('&').filter(|setting| !setting.is_empty()) {
        let number =
            setting.strip_prefix("replicas=").ok_or("behind the `?` there may be replicas=NUMBER only")?;
        let number = number.parse().ok().filter(|number| (1..=REPLICAS_MAX).contains(number));
        let number = number.ok_or_else(|| format!("replicas is a number from 1 to {REPLICAS_MAX}"))?;
        if replicas.replace(number).is_some() {
            return Err("replicas is there twice".into());
        }
    }
    Ok(replicas)
}

/// Without the login.
impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        let hosts: Vec<&str> =
            self.servers.iter().filter_map(|server| server.split_once("://")).map(|(_, host)| host).collect();
        write!(f, "{scheme}://{}/{}", hosts.join(","), self.bucket)
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.login.as_ref().map(|_| "[redacted]");
        f.debug_struct("NatsUrl")
            .field("servers", &self.servers)
            .field("bucket", &self.bucket)
            .field("replicas", &self.replicas)
            .field("login", &login)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C64: a login is for the server alone.
    #[test]
    fn a_login_is_read_with_its_codes_and_never_shown() {
        let read = |rest: &str| NatsUrl::read("nats", rest).unwrap();
        let url = read("//ana:p%40ss%2Fw%3Ard@h:1/b");
        let login = Login::User { name: "ana".into(), password: "p@ss/w:rd".into() };
        assert!(url.login.as_ref() == Some(&login));
        assert!(read("//s3cret@h").login == Some(Login::Token("s3cret".into())));
        for url in [url, read("//s3cret@h:1,i:2")] {
            let shown = format!("{url} {url:?}");
            assert!(url.has_login() && shown.contains("h:1") && shown.contains("[redacted]"), "{shown}");
            assert!(
                !shown.contains("ss/w") && !shown.contains("s3cret") && !shown.contains("ana"),
                "{shown}"
            );
        }
    }
}
