//! One request to the token service.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::answer::Answer;
use super::builder::Place;
use crate::error::{Error, Result, Retry, Source};
use crate::limits::TOKEN_ANSWER_BYTES_MAX;
use crate::time::Timestamp;

impl Place {
    /// Asks for a new token.
    pub(super) async fn fetch(&self) -> Result<Answer> {
        let bearer = self.bearer.token().await?;
        let exchange = timeout(self.within, self.exchange(bearer.secret())).await;
        let failed = |why: String| self.failed(why, Retry::After(Duration::from_secs(1)), None);
        let (response, body) = match exchange {
            Ok(Ok(answer)) => answer,
            Ok(Err(source)) => {
                return Err(self.failed(
                    source.to_string(),
                    Retry::After(Duration::from_secs(1)),
                    Some(source.into()),
                ));
            }
            Err(_) => return Err(failed(format!("no answer within {:?}: look at the service", self.within))),
        };
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(&response, &body));
        }
        let date = header(&response, &DATE).and_then(Timestamp::parse_http).unwrap_or_else(local);
        Answer::read(&body, date, Instant::now()).ok_or_else(|| {
            failed(format!("it answers {status} without a `token`: look whether this is the right address"))
        })
    }

    async fn exchange(
        &self,
        bearer: &str,
    ) -> std::result::Result<(Response<()>, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let socket = self.dialer.dial(&self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {bearer}"))
            .map_err(|_| "the bearer token holds characters that no header may hold")?;
        authorization.set_sensitive(true);
        let body = json!({ "identity": self.identity.as_str(), "documentId": self.document.as_str() });
        let request = Request::post(&self.path)
            .header(HOST, &self.host)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let exchange = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, TOKEN_ANSWER_BYTES_MAX).collect().await?.to_bytes();
            Ok((Response::from_parts(head, ()), body))
        };
        tokio::pin!(exchange);
        tokio::select! {
            // The answer may be there when the connection ends.
            biased;
            done = &mut exchange => done,
            ended = connection => {
                ended?;
                exchange.await
            }
        }
    }

    /// 401 and 403: whoever has this bearer must log in again.
    fn refused(&self, response: &Response<()>, body: &[u8]) -> Error {
        let status = response.status();
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        let message = told.get("message").and_then(Value::as_str).unwrap_or_default();
        let says = if message.is_empty() { status.to_string() } else { format!("{status}: {message}") };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let code = told.get("code").and_then(Value::as_i64);
                let message = format!("{} does not give out a token: {says}; log in again", self.place());
                Error::Refused { code: code.unwrap_or_else(|| i64::from(status.as_u16())), message }
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = header(response, &RETRY_AFTER).and_then(|wait| wait.parse().ok()).unwrap_or(1);
                self.failed(says, Retry::After(Duration::from_secs(wait)), None)
            }
            _ if status.is_server_error() => self.failed(says, Retry::After(Duration::from_secs(1)), None),
            _ => {
                self.failed(format!("{says}; look at address, identity and document id"), Retry::Never, None)
            }
        }
    }

    fn place(&self) -> String {
        format!("{}{}", self.host, self.path)
    }

    fn failed(&self, why: String, retry: Retry, source: Option<Source>) -> Error {
        Error::Backend {
            backend: "tokens",
            doing: format!("getting a token from {}", self.place()),
            why,
            retry,
            source,
        }
    }
}

fn header<'a>(response: &'a Response<()>, name: &hyper::header::HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

#[expect(clippy::disallowed_methods, reason = "the end of a token is a time of the calendar")]
pub(super) fn local() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}
