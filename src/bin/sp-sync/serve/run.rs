//! The server, from its options to its end.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use sp_sync::backend::{Backend, BackendUrl, Embedded, Memory};
use sp_sync::limits::{DOCUMENT_BYTES_MAX, SERVER_CERTIFICATE_EVERY};
use sp_sync::server::{
    Attempts, Durations, JwtGatekeeper, Keys, Operations, Rest, Serve as Serving, Service, Timed,
    TokenEndpoint, Users, router,
};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Serve;
use super::check::{Ready, check, look};
use super::front::Doors;
use crate::output::{Outcome, Problem, caution, print};
use crate::place::Open;
use crate::words::told_of_store;

pub(super) type Store = Timed<Arc<dyn Backend>>;

pub(crate) async fn run(options: &Serve) -> Outcome<()> {
    if options.check {
        return check(options).await;
    }
    let ready = look(options)?;
    options.log.start();
    let commits = Durations::default();
    let open = open(options, &commits).await?;
    let store = Timed::new(open.backend().clone());
    let listener = options.listen.bind("--listen").await?;
    let address = listener.local_addr().map_err(|error| failed("the listener", error))?;
    let service = service(options, &ready, store.clone(), &address)?;
    let operations = Operations::new(&service).writes(store.writes());
    let operations = match options.store() {
        BackendUrl::File(_) => operations.commits(commits),
        _ => operations,
    };
    let mut routes = doors(options, ready.users, &ready.keys, &service)?;
    let apart = match &options.operations_listen {
        Some(address) => Some(address.bind("--operations-listen").await?),
        None => {
            routes = routes.merge(operations.router());
            None
        }
    };
    if let (Some(tls), Some(certificate), Some(key)) = (&ready.tls, &options.tls_cert, &options.tls_key) {
        tls.follow(certificate.clone(), key.clone(), SERVER_CERTIFICATE_EVERY, |read| match read {
            Ok(()) => info!("the certificate was replaced"),
            Err(error) => warn!(reason = chain(&error), "the certificate was not replaced"),
        });
    }
    if options.users.is_none() && !options.acl_enabled {
        caution("no users file: no token endpoint, and whoever has a good access token may do everything");
    }
    info!(url = service.base_url(), "started");
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
            // A task of its own: whatever becomes of it, the service is served until it is asked to stop.
            let beside = Serving::new().run(apart, operations.router(), std::future::pending());
            let beside = tokio::spawn(beside);
            serving.run(listener, routes, stop).await;
            beside.abort();
            // It holds the store until it has ended.
            let _ = beside.await;
        }
    }
    // Whatever holds the store keeps it open.
    drop((service, operations, store));
    open.close().await;
    info!("stopped");
    print(b"stopped\n").map(drop)
}

/// Waits to be asked to stop, and then until the service has sent its clients away and written all it has accepted.
async fn stop(service: Service, operations: Operations) {
    crate::interrupted().await;
    operations.stop();
    info!("stopping");
    if !service.shut_down().await {
        warn!("some connections did not end in time");
    }
}

/// How long NATS may take to be there. Its servers may be starting too, and have to elect a leader first: five to twenty
/// seconds when a whole cluster is started.
const NATS_WITHIN: Duration = Duration::from_secs(60);

/// How often somebody who waits for it is told so, and why.
const NATS_TOLD_EVERY: Duration = Duration::from_secs(5);

/// Between two attempts: some fail at once.
const PAUSE: Duration = Duration::from_millis(500);

/// The store, which takes documents as long as this server does.
async fn open(options: &Serve, commits: &Durations) -> Outcome<Open> {
    let bytes_max = options.bounds.limits().document_bytes_max.unwrap_or(DOCUMENT_BYTES_MAX);
    match options.store() {
        BackendUrl::Memory => Ok(Open::memory(Memory::with_document_bytes_max(bytes_max))),
        BackendUrl::File(path) => {
            let commits = commits.clone();
            let file = Embedded::options().document_bytes_max(bytes_max);
            Open::file(path, file.on_commit(move |took| commits.add(took))).await
        }
        BackendUrl::Nats(url) => {
            let bucket = options.login.bucket(url)?.connect_within(NATS_TOLD_EVERY);
            let bucket = match options.bounds.limits().document_bytes_max {
                Some(bytes_max) => bucket.document_bytes_max(bytes_max),
                None => bucket,
            };
            info!(%url, "reaching NATS");
            let until = Instant::now() + NATS_WITHIN;
            loop {
                match Open::nats(bucket.clone()).await {
                    Err(error) if error.is_transient() && Instant::now() < until => {
                        let reason = told_of_store(&error);
                        warn!(%url, reason, "no store yet: trying for a minute in all");
                        sleep(PAUSE).await;
                    }
                    opened => return Ok(opened?),
                }
            }
        }
        other => Err(Problem::Usage(unserved(options.store_option(), other))),
    }
}

/// A store that no server can stand before: a service says who may do what itself, and to one client only.
pub(super) fn unserved(option: &str, store: &BackendUrl) -> String {
    format!("{option}: {store} is a service itself; write memory:, file:PATH or nats://HOST:PORT/BUCKET")
}

pub(super) fn service(
    options: &Serve,
    ready: &Ready,
    store: Store,
    address: &dyn Display,
) -> Outcome<Service> {
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
    let token_path = users.as_ref().map(|_| options.token_path.as_str());
    let front = Doors { token_path, operations: options.operations_listen.is_none() }.front();
    let mut routes =
        router(service).merge(front).merge(Rest::new(service, keys.clone(), attempts.clone()).router());
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
