//! `POST /sync/tokens`: an SP token for an access token.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::super::answer::{self, Peer, Problem};
use super::super::{Service, clock, trace};
use super::{Attempts, Denied, TokenPolicy, TokenRequest};
use crate::id::{DocumentId, Identity};
use crate::limits::{SERVER_TOKEN_LIFETIME, SERVER_TOKEN_REQUEST_BYTES_MAX};
use crate::token::jwt::Minter;
use crate::twilsock::sync::Timestamp;

/// Path of the endpoint unless another is asked for. The original's is not known.
const PATH: &str = "/sync/tokens";

/// The token endpoint, to be mounted beside the service or in an application of one's own: the bearer's SP token and
/// `{"identity", "documentId"}` for `{"token", "identity", "endpoint", "expiresAt"}`.
///
/// An SP token is good for as long as its owner keeps it, an access token for an hour: only the latter is given to the
/// service and to SDKs.
#[derive(Clone)]
pub struct TokenEndpoint {
    path: String,
    inner: Inner,
}

#[derive(Clone)]
struct Inner {
    minter: Minter,
    policy: Arc<dyn TokenPolicy>,
    attempts: Attempts,
    lifetime: Duration,
    endpoint: Option<String>,
    service: Option<Service>,
}

impl std::fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEndpoint").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the body of a request says.
#[derive(Default)]
struct Body {
    identity: Option<String>,
    document: Option<String>,
}

impl Body {
    /// An object, or nothing at all. Other members are passed over.
    fn read(body: &[u8]) -> Option<Self> {
        if body.is_empty() {
            return Some(Self::default());
        }
        let mut object: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let mut text = |key: &str| match object.remove(key) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text)),
            Some(_) => None,
        };
        Some(Self { identity: text("identity")?, document: text("documentId")? })
    }
}

impl TokenEndpoint {
    /// Makes tokens with this minter, for whom this policy says.
    #[must_use]
    pub fn new(minter: Minter, policy: impl TokenPolicy) -> Self {
        let (policy, attempts) = (Arc::new(policy), Attempts::default());
        let inner = Inner {
            minter,
            policy,
            attempts,
            lifetime: SERVER_TOKEN_LIFETIME,
            endpoint: None,
            service: None,
        };
        Self { path: PATH.to_owned(), inner }
    }

    /// Another path than `/sync/tokens`. It begins with a slash.
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// How long tokens live: an hour by default, 3 minutes to a day. Shorter limits the harm of one that leaks; too short
    /// leaves no time for a renewal that fails at first.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.inner.lifetime = lifetime;
        self
    }

    /// Tells clients where the service is: a `ws` or `wss` address.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.inner.endpoint = Some(endpoint.into());
        self
    }

    /// Where rows of permissions count in this service, they say whether an identity may read the document that it is
    /// going to open, and the policy is not asked about documents.
    #[must_use]
    pub fn service(mut self, service: &Service) -> Self {
        self.inner.service = Some(service.clone()).filter(|service| service.core.access.rows_count());
        self
    }

    /// Counts failed attempts here, perhaps together with other doors.
    #[must_use]
    pub fn attempts(mut self, attempts: Attempts) -> Self {
        self.inner.attempts = attempts;
        self
    }

    /// The route.
    pub fn router(self) -> Router {
        let route = post(give).options(answer::preflight).fallback(answer::wrong_method);
        Router::new()
            .route(&self.path, route)
            .layer(DefaultBodyLimit::max(SERVER_TOKEN_REQUEST_BYTES_MAX))
            .layer(axum::middleware::from_fn(answer::in_time))
            .with_state(self.inner)
    }
}

/// Whatever it answers is for its caller alone: no cache may keep it.
async fn give(State(inner): State<Inner>, peer: Peer, headers: HeaderMap, body: Bytes) -> Response {
    let given = token(&inner, peer, &headers, &body).await;
    if let Err(problem) = &given
        && matches!(problem.status, 401 | 403 | 503)
    {
        trace::login_refused("token endpoint", peer.address, problem);
    }
    let mut response = answer::finished(given.unwrap_or_else(|problem| problem.response()));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn token(inner: &Inner, peer: Peer, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    inner.attempts.begin(peer.address, Instant::now()).map_err(Problem::too_many_attempts)?;
    let bearer = bearer(headers).ok_or_else(Problem::unknown_bearer)?;
    let body = Body::read(body).ok_or_else(Problem::not_json)?;
    let document = body.document.as_deref().filter(|_| inner.service.is_none());
    let request = TokenRequest { bearer, identity: body.identity.as_deref(), document };
    let identity = inner.policy.identify(request).await.map_err(|denied| {
        if denied != Denied::Unknown {
            inner.attempts.succeeded(peer.address, Instant::now());
        }
        match denied {
            Denied::Unknown => Problem::unknown_bearer(),
            Denied::NotAllowed => Problem::forbidden(),
            Denied::Missing { field } => Problem::missing(field),
            Denied::Unavailable => Problem::unavailable(),
        }
    })?;
    inner.attempts.succeeded(peer.address, Instant::now());
    may_open(inner, &identity, body.document).await?;
    let now_s = clock::unix_s();
    let token =
        inner.minter.mint(identity.as_str(), inner.lifetime, now_s).map_err(|_| Problem::internal())?;
    let expires =
        Timestamp::from_unix_ms(i64::try_from(now_s).unwrap_or_default() * 1000).after(inner.lifetime);
    let mut given = json!({
        "token": token.secret(),
        "identity": identity.as_str(),
        "expiresAt": expires.to_string(),
    });
    if let (Some(endpoint), Some(object)) = (&inner.endpoint, given.as_object_mut()) {
        object.insert("endpoint".to_owned(), endpoint.as_str().into());
    }
    Ok(answer::json(StatusCode::OK, &given))
}

/// Asks the service's rows. A name that no document can have is nobody's.
async fn may_open(inner: &Inner, identity: &Identity, document: Option<String>) -> Result<(), Problem> {
    let (Some(service), Some(document)) = (&inner.service, document) else { return Ok(()) };
    let document = DocumentId::new(document).map_err(|_| Problem::forbidden())?;
    let may = service.core.may(identity.as_str(), &document).await?;
    if may.read { Ok(()) } else { Err(Problem::forbidden()) }
}

/// `Authorization: Bearer …`; the word in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
