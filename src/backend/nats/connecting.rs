//! Making the connection, and saying why it could not be made.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::rustls::crypto::ring;
use async_nats::rustls::pki_types::pem::PemObject as _;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::{ClientConfig, RootCertStore};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::options::{Login, NatsOptions};
use crate::backend::BackendError;
use crate::limits::{NATS_CONNECTION_MESSAGES, NATS_DIAL_WITHIN, NATS_PING_EVERY, NATS_RECONNECT_MAX};

/// Where the servers are, without what is secret in their addresses.
#[derive(Debug)]
pub(super) struct Places {
    addresses: Vec<ServerAddr>,
    /// For people.
    named: String,
    is_tls: bool,
    password: Option<(String, String)>,
}

impl Places {
    /// # Errors
    /// When an address cannot be read. The error does not repeat it: there may be a password in it.
    pub(super) fn of(options: &NatsOptions) -> Result<Self, BackendError> {
        let default = ["nats://127.0.0.1:4222".to_owned()];
        let given = if options.servers.is_empty() { &default[..] } else { &options.servers };
        let mut places = Self { addresses: Vec::new(), named: String::new(), is_tls: false, password: None };
        for (place, text) in given.iter().enumerate() {
            let unread = |why: &str| {
                let why = format!("address {} {why}: write nats://host:4222 or tls://host:4222", place + 1);
                fatal("connecting to NATS", why)
            };
            let address: ServerAddr = text.parse().map_err(|_| unread("cannot be read"))?;
            if !matches!(address.scheme(), "nats" | "tls") {
                return Err(unread("is of another kind"));
            }
            if let (Some(user), Some(password)) = (address.username(), address.password()) {
                places.password = Some((unescaped(user), unescaped(password)));
            }
            places.is_tls |= address.scheme() == "tls";
            let comma = if place == 0 { "" } else { ", " };
            places.named += &format!("{comma}{}:{}", address.host(), address.port());
            // The client crate does not look at the user in an address, but may print it.
            let bare = format!("{}://{}:{}", address.scheme(), bracketed(&address), address.port());
            places.addresses.push(bare.parse().map_err(|_| unread("cannot be read"))?);
        }
        Ok(places)
    }
}

/// IPv6 addresses stand in brackets.
fn bracketed(address: &ServerAddr) -> String {
    let host = address.host().trim_matches(['[', ']']);
    if host.contains(':') { format!("[{host}]") } else { host.into() }
}

/// Bytes written as `%` and two digits, which passwords in addresses may need. What is no such byte stays.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Connects to one of the servers, trying again until `deadline` what may work a moment later.
pub(super) async fn connect(
    options: &NatsOptions,
    places: &Places,
    events: mpsc::Sender<Event>,
    deadline: Instant,
) -> Result<Client, BackendError> {
    let mut pause = Duration::from_millis(50);
    loop {
        let settings = settings(options, places, events.clone())?;
        let failure = match settings.connect(&places.addresses).await {
            Ok(client) => return Ok(client),
            Err(failure) => failure,
        };
        let told = cause(&failure, options, places);
        if !told.is_transient() || Instant::now() + pause >= deadline {
            return Err(told);
        }
        sleep(pause).await;
        pause = (2 * pause).min(Duration::from_secs(1));
    }
}

fn settings(
    options: &NatsOptions,
    places: &Places,
    events: mpsc::Sender<Event>,
) -> Result<ConnectOptions, BackendError> {
    let settings = ConnectOptions::new()
        .name(&options.client_name)
        .connection_timeout(NATS_DIAL_WITHIN)
        // A paused server answers nothing, and its connections stay open: it is given up after three of these.
        .ping_interval(NATS_PING_EVERY)
        .subscription_capacity(NATS_CONNECTION_MESSAGES)
        .reconnect_delay_callback(pause_before)
        .require_tls(options.tls_required || places.is_tls)
        .tls_client_config(trust(options)?)
        .event_callback(move |event| {
            // A full channel means that its reader is about to look at the state anyway.
            let _ = events.try_send(event);
            std::future::ready(())
        });
    Ok(match &options.login {
        Login::Addresses => match &places.password {
            Some((user, password)) => settings.user_and_password(user.clone(), password.clone()),
            None => settings,
        },
        Login::CredentialsFile(path) => {
            let failed =
                |why: String| fatal(&format!("reading the credentials file {}", path.display()), why);
            let text =
                fs::read_to_string(path).map_err(|error| failed(format!("{error}: check the path")))?;
            let unread =
                |_| failed("it has no JWT with a seed: `nsc generate creds` writes such files".into());
            settings.credentials(&text).map_err(unread)?
        }
        Login::Nkey(seed) => settings.nkey(seed.clone()),
        Login::Password(user, password) => settings.user_and_password(user.clone(), password.clone()),
        Login::Token(token) => settings.token(token.clone()),
    })
}

/// The wait before an attempt to connect: none for the first, so that another server of the cluster is tried at once;
/// then doubled. A third is left to chance, so that many clients do not come back together.
fn pause_before(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(2)).unwrap_or(u32::MAX).min(16);
    if attempt < 2 {
        return Duration::ZERO;
    }
    let longest = (Duration::from_millis(20) * 2_u32.pow(doublings)).min(NATS_RECONNECT_MAX);
    let chance = uuid::Uuid::new_v4().as_bytes()[0];
    longest.mul_f64(1.0 - f64::from(chance) / (3.0 * 255.0))
}

/// The certificates that are trusted, and the one to show. ring is named, so another crate's choice does not matter.
fn trust(options: &NatsOptions) -> Result<ClientConfig, BackendError> {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be read are those that no connection needed so far.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &options.ca_file {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| unusable(path, &error.to_string()))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| fatal("preparing TLS", error.to_string()))?
        .with_root_certificates(roots);
    match &options.client_certificate {
        None => Ok(config.with_no_client_auth()),
        Some((certificate, key)) => {
            let shown = certificates(certificate)?;
            let private =
                PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error.to_string()))?;
            config
                .with_client_auth_cert(shown, private)
                .map_err(|error| unusable(certificate, &error.to_string()))
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BackendError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(unusable(path, "it holds no certificate in PEM form")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

fn unusable(path: &Path, why: &str) -> BackendError {
    fatal(&format!("reading {}", path.display()), format!("{why}: check the file"))
}

fn fatal(doing: &str, why: String) -> BackendError {
    BackendError::Fatal { doing: doing.into(), why, source: None }
}

/// Why there is no connection, and the next step.
fn cause(failure: &ConnectError, options: &NatsOptions, places: &Places) -> BackendError {
    use std::error::Error as _;
    let doing = || format!("connecting to NATS at {}", places.named);
    let source = failure.source().map(ToString::to_string).unwrap_or_default();
    let io = failure.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let unavailable = |why: String| BackendError::Unavailable { doing: doing(), why, source: None };
    let is_certificate = io.is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData);
    match failure.kind() {
        ConnectErrorKind::AuthorizationViolation => BackendError::Refused {
            code: 401,
            message: format!("{}: the server does not accept {}", doing(), options.login.named()),
        },
        ConnectErrorKind::Authentication => {
            fatal(&doing(), format!("{} cannot be used: a user's seed begins with SU", options.login.named()))
        }
        ConnectErrorKind::Dns => unavailable(format!("{source}: is the name right?")),
        ConnectErrorKind::TimedOut => {
            unavailable("no server answered in time: is it up, and is the port NATS's?".into())
        }
        ConnectErrorKind::Tls | ConnectErrorKind::ServerParse => fatal(&doing(), source),
        ConnectErrorKind::Io if is_certificate && source.contains("InvalidContentType") => fatal(
            &doing(),
            "what listens there does not speak TLS: correct the port, or write nats:// for tls://".into(),
        ),
        ConnectErrorKind::Io if is_certificate => fatal(
            &doing(),
            format!("{source}: name the authority that signed the server's certificate with ca_file"),
        ),
        ConnectErrorKind::Io if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) => {
            unavailable("connection refused: start the servers, or correct the addresses".into())
        }
        _ => unavailable(source),
    }
}

impl Login {
    const fn named(&self) -> &'static str {
        match self {
            Self::Addresses => "this client: give a user, a token, a key or a credentials file",
            Self::CredentialsFile(_) => "the credentials file",
            Self::Nkey(_) => "the nkey",
            Self::Password(..) => "the user and password",
            Self::Token(_) => "the token",
        }
    }
}
