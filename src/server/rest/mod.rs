//! The REST doors, for back ends: `/v1/Services/…/Documents`, with the keys of the keys file. REST: no rule about who may
//! do what applies here; whoever has a key may do everything.
//!
//! Changes go through the same tasks as those of connections, so subscribers hear of them the same way.

mod documents;
mod form;
mod login;
mod page;
mod permissions;
mod services;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use axum::routing::any;
use tokio::time::Instant;

use super::answer::{self, Peer, Problem};
use super::service::Core;
use super::trace;
use super::{Attempts, Keys, Service};
use crate::limits::{SERVER_REST_BYTES_MAX, SERVER_REST_REQUESTS_MAX};
use crate::percent;
use form::Form;

/// The REST doors of a service, to be mounted beside it.
#[derive(Clone)]
pub struct Rest {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    keys: Keys,
    attempts: Attempts,
    open: AtomicUsize,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("keys", &self.inner.keys).finish_non_exhaustive()
    }
}

impl Rest {
    /// Of this service, for whoever has one of these keys. `attempts` limits failed ones, perhaps together with other
    /// doors.
    #[must_use]
    pub fn new(service: &Service, keys: Keys, attempts: Attempts) -> Self {
        let (core, open) = (service.core.clone(), AtomicUsize::new(0));
        Self { inner: Arc::new(Inner { core, keys, attempts, open }) }
    }

    /// The routes: everything under `/v1/`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1", any(door))
            .route("/v1/", any(door))
            .route("/v1/{*rest}", any(door))
            .layer(DefaultBodyLimit::max(SERVER_REST_BYTES_MAX))
            .layer(axum::middleware::from_fn(answer::in_time))
            .with_state(self.inner.clone())
    }
}

/// A request that may be carried out.
struct Call<'c> {
    core: &'c Arc<Core>,
    keys: &'c Keys,
    path: &'c str,
    method: Method,
    query: Form,
    headers: &'c HeaderMap,
    body: &'c [u8],
}

type Answer = Result<Response, Problem>;

async fn door(
    State(inner): State<Arc<Inner>>,
    peer: Peer,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let began = Instant::now();
    let open = Open::one_more(&inner.open);
    let answer = match body {
        // REST: what a browser asks first carries no credentials.
        _ if method == Method::OPTIONS => return answer::preflight().await,
        _ if open.count > SERVER_REST_REQUESTS_MAX => Err(Problem::too_many_requests()),
        Err(_) => Err(Problem::body_too_large()),
        Ok(body) => match login::check(&inner, peer, &headers) {
            Err(problem) => {
                if problem.status == 401 {
                    trace::login_refused("REST", peer.address, &problem);
                }
                Err(problem)
            }
            Ok(()) => {
                let query = Form::read(uri.query().unwrap_or_default());
                let (core, keys, path) = (&inner.core, &inner.keys, uri.path());
                Call { core, keys, path, method, query, headers: &headers, body: &body }.answer().await
            }
        },
    };
    let mut response = answer::finished(answer.unwrap_or_else(|problem| problem.response()));
    let taken = format!("{:.3}", began.elapsed().as_secs_f64());
    for (name, value) in
        [("twilio-request-duration", taken), ("twilio-concurrent-requests", open.count.to_string())]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

impl Call<'_> {
    /// REST: segments are decoded after the path is cut; letter case matters.
    async fn answer(self) -> Answer {
        let segments = self.path.trim_end_matches('/').split('/').skip(2);
        let Some(segments) = segments.map(percent::decode).collect::<Option<Vec<String>>>() else {
            return Err(Problem::not_found(self.path));
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["Services", rest @ ..] = segments.as_slice() else { return Err(Problem::not_found(self.path)) };
        let Some((service, rest)) = rest.split_first() else { return self.services() };
        if !self.is_ours(service) {
            return Err(Problem::not_found(self.path));
        }
        match (rest, &self.method) {
            ([], _) => self.service(),
            (["Documents"], &Method::GET) => self.list_documents().await,
            (["Documents"], &Method::POST) => self.create_document().await,
            (["Documents", document], &Method::GET) if !document.is_empty() => {
                self.fetch_document(document).await
            }
            (["Documents", document], &Method::POST) if !document.is_empty() => {
                self.update_document(document).await
            }
            (["Documents", document], &Method::DELETE) if !document.is_empty() => {
                self.remove_document(document).await
            }
            (["Documents", document, "Permissions"], _) if !document.is_empty() => {
                self.permissions(document, None).await
            }
            (["Documents", document, "Permissions", identity], _) if !document.is_empty() => {
                self.permissions(document, Some(*identity)).await
            }
            (["Documents"] | ["Documents", _], _) => Err(Problem::wrong_method()),
            _ => Err(Problem::not_found(self.path)),
        }
    }

    /// REST: the SID, the word `default`, or the service's own name.
    fn is_ours(&self, service: &str) -> bool {
        service == self.core.service_sid || service == "default" || self.keys.name() == Some(service)
    }

    /// REST: addresses always have SIDs.
    fn url(&self) -> String {
        format!("{}/v1/Services/{}", self.core.base_url, self.core.service_sid)
    }
}

/// A request that is being worked on.
struct Open<'c> {
    counter: &'c AtomicUsize,
    count: usize,
}

impl<'c> Open<'c> {
    fn one_more(counter: &'c AtomicUsize) -> Self {
        Self { counter, count: counter.fetch_add(1, Relaxed) + 1 }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Relaxed);
    }
}
