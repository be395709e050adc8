//! What whoever runs a server asks it: `/healthz`, `/readyz`, `/metrics`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use tokio::time::{Instant, timeout};

use super::{Count, Counters, Durations, Service};
use crate::backend::{
    Authenticated, Backend, BackendError, Directory, Facts, Revision, Stored, Watch, Write, Written,
};
use crate::id::DocumentId;
use crate::limits::SERVER_READY_WITHIN;

/// A backend whose writes are timed.
#[derive(Clone, Debug)]
pub struct Timed<B> {
    inner: B,
    writes: Durations,
}

impl<B: Backend> Timed<B> {
    /// Times the writes of this backend.
    pub fn new(inner: B) -> Self {
        Self { inner, writes: Durations::default() }
    }

    /// How long they took, of those that held or met another revision.
    pub fn writes(&self) -> Durations {
        self.writes.clone()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: Backend> Backend for Timed<B> {
    fn facts(&self) -> Facts {
        self.inner.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.inner.read(id).await
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let began = now();
        let written = self.inner.write(id, write).await;
        if matches!(written, Ok(_) | Err(BackendError::Conflict)) {
            self.writes.add(began.elapsed());
        }
        written
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.inner.remove(id, expect).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.inner.watch(id).await
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.inner.directory()
    }

    fn authenticated(&self) -> Option<&dyn Authenticated> {
        self.inner.authenticated()
    }
}

fn now() -> Instant {
    Instant::now()
}

/// The doors for whoever runs the server. They ask nobody who they are: mount them where only operators reach them, or
/// accept that anybody may read the counts.
#[derive(Clone, Debug)]
pub struct Operations {
    service: Service,
    writes: Option<Durations>,
    commits: Option<Durations>,
    stopping: Arc<AtomicBool>,
}

impl Operations {
    /// Of this service.
    #[must_use]
    pub fn new(service: &Service) -> Self {
        Self { service: service.clone(), writes: None, commits: None, stopping: Arc::default() }
    }

    /// Shows how long its writes take, as [`Timed`] has measured.
    #[must_use]
    pub fn writes(self, writes: Durations) -> Self {
        Self { writes: Some(writes), ..self }
    }

    /// Shows how long its commits take, as an embedded store tells whoever opens it with `Options::on_commit`.
    #[must_use]
    pub fn commits(self, commits: Durations) -> Self {
        Self { commits: Some(commits), ..self }
    }

    /// From now on `/readyz` says no, so that nobody new is sent here.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// The routes: `/healthz` (the process answers), `/readyz` (and its store does too), `/metrics` (for Prometheus).
    pub fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(async || text(StatusCode::OK, "ok\n".to_owned())))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.clone())
    }

    fn page(&self) -> String {
        let mut page = String::with_capacity(4_096);
        for (name, kind, help, count) in rows(self.service.counters()) {
            let (name, value) = (format!("sp_sync_{name}"), count.get());
            let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        write_outcomes(&mut page, self.service.counters());
        if let Some(writes) = &self.writes {
            writes.write(&mut page, "sp_sync_store_write_seconds", "How long the store took for a write.");
        }
        if let Some(commits) = &self.commits {
            let help = "How long the disk took for a commit, fsync included; one commit holds many writes.";
            commits.write(&mut page, "sp_sync_store_commit_seconds", help);
        }
        let help = "From the moment a change was known here until it was handed to a connection.";
        self.service.counters().notification_lag.write(&mut page, "sp_sync_notification_lag_seconds", help);
        self.service.core.queues.write(&mut page, now());
        page
    }
}

type Row<'c> = (&'static str, &'static str, &'static str, &'c Count);

fn rows(counters: &Counters) -> [Row<'_>; 10] {
    let c = counters;
    [
        ("connections", "gauge", "Connections now.", &c.connections),
        ("connections_accepted_total", "counter", "Connections since the start.", &c.connections_accepted),
        ("connections_refused_total", "counter", "Turned away: too many.", &c.connections_refused),
        ("tokens_refused_total", "counter", "Tokens that were not good.", &c.tokens_refused),
        ("clients_cut_total", "counter", "Clients cut off as too slow.", &c.clients_cut),
        ("documents", "gauge", "Documents at hand now.", &c.documents),
        ("subscriptions", "gauge", "Subscriptions now.", &c.subscriptions),
        ("requests_total", "counter", "Requests since the start.", &c.requests),
        ("requests_refused_total", "counter", "Requests answered without success.", &c.requests_refused),
        ("notifications_total", "counter", "Notifications handed to connections.", &c.notifications),
    ]
}

fn write_outcomes(page: &mut String, counters: &Counters) {
    let name = "sp_sync_writes_total";
    let _ = writeln!(page, "# HELP {name} Writes by outcome.\n# TYPE {name} counter");
    for (outcome, count) in [
        ("held", &counters.writes_held),
        ("stale", &counters.writes_stale),
        ("repeated", &counters.writes_repeated),
        ("refused", &counters.writes_refused),
        ("unknown", &counters.writes_unknown),
    ] {
        let _ = writeln!(page, "{name}{{outcome=\"{outcome}\"}} {}", count.get());
    }
}

async fn ready(State(operations): State<Operations>) -> Response {
    let no = |why: &str| text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    if operations.stopping.load(Relaxed) {
        return no("stopping");
    }
    // A name that nobody gives to a document: reading it asks the store and shows nothing.
    let Ok(probe) = DocumentId::new("sp-sync readiness probe") else { return no("no probe") };
    match timeout(SERVER_READY_WITHIN, operations.service.backend().read(&probe)).await {
        Ok(Ok(_)) => text(StatusCode::OK, "ready\n".to_owned()),
        Ok(Err(_)) => no("the store fails"),
        Err(_) => no("the store does not answer"),
    }
}

async fn metrics(State(operations): State<Operations>) -> Response {
    let mut response = text(StatusCode::OK, operations.page());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn text(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
