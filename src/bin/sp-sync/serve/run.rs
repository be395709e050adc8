//! The server, from its options to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use sp_sync::backend::{Backend, Embedded, Memory};
use sp_sync::limits::SERVER_CERTIFICATE_EVERY;
use sp_sync::server::{
    Attempts, Durations, JwtGatekeeper, Keys, Operations, Rest, Serve as Serving, Service, Timed, Tls,
    TokenEndpoint, Users, router,
};
use tokio::net::TcpListener;

use super::Serve;
use super::flags::Place;
use crate::output::{Outcome, Problem, print};

type Store = Timed<Arc<dyn Backend>>;

/// Everything that is configured, and looked at.
struct Ready {
    keys: Keys,
    users: Option<Users>,
    tls: Option<Tls>,
}

pub(crate) async fn run(options: &Serve) -> Outcome<()> {
    let ready = look(options)?;
    if options.check {
        return checked(options, &ready).await;
    }
    let commits = Durations::default();
    let (store, file) = open(&options.store, &commits).await?;
    let listener = bind(options.listen).await?;
    let address = listener.local_addr().map_err(|error| failed("the listener", error))?;
    let service = service(options, &ready, store.clone(), address)?;
    let operations = Operations::new(&service).writes(store.writes());
    let operations = if file.is_some() { operations.commits(commits) } else { operations };
    let mut routes = doors(options, ready.users, &ready.keys, &service)?;
    let apart = match options.operations_listen {
        Some(address) => Some(bind(address).await?),
        None => {
            routes = routes.merge(operations.router());
            None
        }
    };
    if let (Some(tls), Some(certificate), Some(key)) = (&ready.tls, &options.tls_cert, &options.tls_key) {
        tls.follow(certificate.clone(), key.clone(), SERVER_CERTIFICATE_EVERY, |read| match read {
            Ok(()) => note("the certificate was replaced"),
            Err(error) => warn(&format!("the certificate was not replaced: {}", chain(&error))),
        });
    }
    if options.users.is_none() && !options.acl_enabled {
        warn("no users file: no token endpoint, and whoever has a good access token may do everything");
    }
    // The line that programs wait for: whoever reads it can connect.
    print(format!("listening on {}\n", service.base_url()).as_bytes())?;
    let drain = Duration::from_secs(options.bounds.drain_within_s);
    let mut serving = Serving::new().behind_proxy(options.behind_proxy).drain_within(drain);
    if let Some(tls) = ready.tls {
        serving = serving.tls(tls);
    }
    let stop = stop(service.clone(), operations.clone());
    match apart {
        None => serving.run(listener, routes, stop).await,
        Some(apart) => {
            let beside = Serving::new().run(apart, operations.router(), std::future::pending());
            tokio::select! {
                () = serving.run(listener, routes, stop) => {}
                () = beside => {}
            }
        }
    }
    // Whatever holds the store keeps it open.
    drop((service, operations, store));
    if let Some(file) = file {
        file.close().await;
    }
    print(b"stopped\n").map(drop)
}

/// Waits to be asked to stop, and then until the service has sent its clients away and written all it has accepted.
async fn stop(service: Service, operations: Operations) {
    crate::interrupted().await;
    operations.stop();
    note("stopping");
    if !service.shut_down().await {
        warn("some connections did not end in time");
    }
}

/// A day.
const SECONDS_MAX: u64 = 86_400;

fn look(options: &Serve) -> Outcome<Ready> {
    let Some(path) = &options.keys else {
        return Err(Problem::Usage(
            "there is no keys file: give --keys FILE, or `keys` in the file of --config".into(),
        ));
    };
    let keys = Keys::read(path).map_err(|error| Problem::Usage(chain(&error)))?;
    private(path);
    let users = match &options.users {
        Some(path) => {
            private(path);
            Some(Users::read(path).map_err(|error| Problem::Usage(chain(&error)))?)
        }
        None => None,
    };
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => {
            private(key);
            Some(Tls::read(certificate, key).map_err(|error| Problem::Usage(chain(&error)))?)
        }
        (Some(_), None) => {
            return Err(Problem::Usage("--tls-cert needs its private key: give --tls-key <FILE> too".into()));
        }
        (None, Some(_)) => {
            return Err(Problem::Usage("--tls-key needs its certificate: give --tls-cert <FILE> too".into()));
        }
        (None, None) => None,
    };
    if !(180..=86_400).contains(&options.token_lifetime_s) {
        return Err(Problem::Usage("--token-lifetime-s: tokens live 180 to 86400 seconds".into()));
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~/".contains(letter);
    if !options.token_path.starts_with('/') || !options.token_path.chars().all(is_plain) {
        let rule = "it begins with a slash, and has letters, digits and `-._~/` only";
        return Err(Problem::Usage(format!("--token-path: {rule}")));
    }
    for (option, seconds) in options.seconds() {
        if seconds > SECONDS_MAX {
            return Err(Problem::Usage(format!("--{option}: {seconds} seconds, at most {SECONDS_MAX}")));
        }
    }
    Ok(Ready { keys, users, tls })
}

/// What others can read is told, not refused: containers mount files as they please.
fn private(path: &Path) {
    if Keys::is_exposed(path) {
        let file = path.display();
        warn(&format!("{file} can be read by others than its owner: `chmod 600 {file}`"));
    }
}

async fn checked(options: &Serve, ready: &Ready) -> Outcome<()> {
    let store = match &options.store {
        Place::Memory => "in memory".to_owned(),
        Place::File(path) if path.exists() => {
            let file = Embedded::options().create(false).read_only(true).open(path).await?;
            file.close().await;
            format!("in {}", path.display())
        }
        Place::File(path) => match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) if !folder.is_dir() => {
                let folder = folder.display();
                return Err(Problem::Usage(format!("--store: there is no folder {folder}")));
            }
            _ => format!("in {}, which will be made", path.display()),
        },
    };
    service(options, ready, Timed::new(Arc::new(Memory::new())), options.listen)?;
    let keys = &ready.keys;
    let users = ready
        .users
        .as_ref()
        .map_or_else(|| "no users file".to_owned(), |users| format!("{} users", users.len()));
    let tls = if ready.tls.is_some() { "TLS" } else { "no TLS" };
    let line = format!(
        "good: service {} of account {}, {} API keys, {users}, {tls}, documents {store}\n",
        keys.service_sid(),
        keys.account_sid(),
        keys.api_keys().len(),
    );
    print(line.as_bytes()).map(drop)
}

async fn open(place: &Place, commits: &Durations) -> Outcome<(Store, Option<Embedded>)> {
    match place {
        Place::Memory => Ok((Timed::new(Arc::new(Memory::new())), None)),
        Place::File(path) => {
            let commits = commits.clone();
            let file = Embedded::options().on_commit(move |took| commits.add(took)).open(path).await?;
            Ok((Timed::new(Arc::new(file.clone())), Some(file)))
        }
    }
}

async fn bind(address: SocketAddr) -> Outcome<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| failed(&format!("cannot listen on {address}"), error))
}

fn service(options: &Serve, ready: &Ready, store: Store, address: SocketAddr) -> Outcome<Service> {
    let scheme = if ready.tls.is_some() { "https" } else { "http" };
    let url = options.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
    let verifier = ready.keys.verifier().leeway(Duration::from_secs(options.leeway_s));
    let (account, service) = (ready.keys.account_sid(), ready.keys.service_sid());
    let builder = Service::builder(account, service, store, JwtGatekeeper::new(verifier));
    let builder = builder.base_url(url).limits(options.bounds.limits()).acl_enabled(options.acl_enabled);
    let builder = match options.executors.is_empty() {
        true => builder,
        false => builder.executors(options.executors.clone()),
    };
    let builder = match &ready.users {
        Some(users) => builder.access(users.clone()),
        None => builder,
    };
    builder.build().map_err(|error| Problem::Usage(format!("--public-url: {error}")))
}

/// Every door of the service, but those of whoever runs it.
fn doors(options: &Serve, users: Option<Users>, keys: &Keys, service: &Service) -> Outcome<Router> {
    let attempts = Attempts::new(options.attempts_at_once, Duration::from_secs(options.attempt_every_s));
    let mut routes = router(service).merge(Rest::new(service, keys.clone(), attempts.clone()).router());
    if let (Some(users), Some(minter)) = (users, keys.minter()) {
        let endpoint = service.base_url().replacen("http", "ws", 1) + "/v3/wsconnect";
        let endpoint =
            TokenEndpoint::new(minter, users).attempts(attempts).endpoint(endpoint).service(service);
        let endpoint = endpoint.lifetime(Duration::from_secs(options.token_lifetime_s));
        routes = routes.merge(endpoint.path(&options.token_path).router());
    }
    Ok(routes)
}

fn failed(what: &str, error: std::io::Error) -> Problem {
    Problem::Failed(format!("{what}: {error}"))
}

/// An error and what it came from.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn warn(text: &str) {
    use std::io::Write as _;
    // Where the standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "warning: {text}");
}

fn note(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
