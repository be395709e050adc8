//! How the doors speak HTTP: errors in the service's form, who is asking, and the headers that every answer has.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Refusal;
use crate::limits::{SERVER_REQUEST_WITHIN, SERVER_REST_BYTES_MAX};
use crate::twilsock::sync::{Code, SyncError};

/// Where a number is explained. REST: part of every error body.
const MORE_INFO: &str = "https://www.twilio.com/docs/errors/";

/// REST: who is asking is not known.
const NOT_AUTHENTICATED: u32 = 20003;

/// REST: what the original's service lets pages of other origins do.
const CORS: [(HeaderName, &str); 5] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Unmodified-Since, Idempotency-Key",
    ),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "ETag"),
    (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
];

/// Who is asking, as far as is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    pub(super) address: Option<IpAddr>,
}

/// Put into a request's extensions when a proxy stands in front, which adds the address of whom it serves as the last
/// one of `X-Forwarded-For`. Without it that header is not believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct BehindProxy;

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let socket = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let forwarded = || {
            parts.extensions.get::<BehindProxy>()?;
            let last = parts.headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            address(last.rsplit(',').next()?)
        };
        Ok(Self { address: forwarded().or(socket) })
    }
}

/// An address as proxies write it: alone, with a port, and of the sixth version perhaps in brackets and quotes.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(bare).or_else(with_port)
}

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: String,
    /// How whoever is not known is asked to say who they are.
    asks: &'static str,
    pub(super) retry_after: Option<Duration>,
}

impl Problem {
    fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), asks: "Basic", retry_after: None }
    }

    pub(super) fn not_authenticated() -> Self {
        Self::new(401, NOT_AUTHENTICATED, "Authenticate")
    }

    /// The same where the proof is a bearer's: browsers ask for a name and a password when they are told `Basic`.
    pub(super) fn unknown_bearer() -> Self {
        let message = "Authenticate: the SP token in `Authorization: Bearer …` is missing or not known here";
        Self { asks: "Bearer", ..Self::new(401, NOT_AUTHENTICATED, message) }
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, 20403, "Forbidden")
    }

    /// REST: the number of a mandatory parameter that is not there.
    pub(super) fn missing(field: &str) -> Self {
        Self::new(400, 20001, format!("`{field}` is missing: give it in the body's JSON object"))
    }

    pub(super) fn not_json() -> Self {
        Code::NotJson.into()
    }

    pub(super) fn internal() -> Self {
        Code::Internal.into()
    }

    pub(super) fn unavailable() -> Self {
        Code::Unavailable.into()
    }

    pub(super) fn too_many_attempts(wait: Duration) -> Self {
        let problem = Self::new(429, 20429, "Too many failed attempts to authenticate");
        Self { retry_after: Some(wait), ..problem }
    }

    pub(super) fn too_many_requests() -> Self {
        let problem = Self::new(429, 20429, "Too many concurrent requests");
        Self { retry_after: Some(Duration::from_secs(1)), ..problem }
    }

    pub(super) fn body_too_large() -> Self {
        Self::new(413, 20413, "The request is too large")
    }

    pub(super) fn cannot_list() -> Self {
        Self::new(501, 20500, "The store of this service cannot list its documents")
    }

    pub(super) fn no_rows() -> Self {
        Self::new(501, 20500, "Rows of permissions do not count on this server: its ACL is not enabled")
    }

    /// The service names the path without its version.
    pub(super) fn not_found(path: &str) -> Self {
        let path = path.strip_prefix("/v1").unwrap_or(path);
        Self::new(404, 20404, format!("The requested resource {path} was not found"))
    }

    pub(super) fn wrong_method() -> Self {
        Code::MethodNotAllowed.into()
    }

    /// Why, for whoever runs the server: somewhat more than callers are told.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "only the log tells it"))]
    pub(super) fn reason(&self) -> &str {
        if self.code == NOT_AUTHENTICATED { "no credentials, or none that are known" } else { &self.message }
    }

    pub(super) fn response(&self) -> Response {
        let Self { status, code, message, asks, .. } = self;
        let body = json!({
            "code": code, "message": message, "more_info": format!("{MORE_INFO}{code}"), "status": status,
        });
        let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &body);
        if *code == NOT_AUTHENTICATED {
            let ask = HeaderValue::try_from(format!("{asks} realm=\"Sync API\""));
            response.headers_mut().extend(ask.ok().map(|ask| (header::WWW_AUTHENTICATE, ask)));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        Self::new(error.status, error.code, error.message)
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        SyncError::from(code).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message, retry_after } = refusal;
        Self { retry_after, ..Self::new(status, code, message) }
    }
}

/// An answer of JSON.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    json_text(status, body.to_string())
}

/// The same of text that is JSON already.
pub(super) fn json_text(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json;charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// With the headers that every answer has.
pub(super) fn finished(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in CORS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let request = format!("RQ{}", uuid::Uuid::new_v4().simple());
    if let Ok(request) = HeaderValue::from_str(&request) {
        headers.insert("twilio-request-id", request);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Around handlers: one that takes too long, perhaps because its body never ends, is given up.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: usize| length > SERVER_REST_BYTES_MAX)
    {
        // Not worth waiting for: no door takes more.
        return finished(Problem::body_too_large().response());
    }
    match timeout(SERVER_REQUEST_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => finished(Problem::new(408, 20500, "The request took too long").response()),
    }
}

/// What a browser asks before it sends a request of another origin's page.
pub(super) async fn preflight() -> Response {
    finished(empty(StatusCode::NO_CONTENT))
}

/// The path is right and the method is not.
pub(super) async fn wrong_method() -> Response {
    finished(Problem::wrong_method().response())
}
