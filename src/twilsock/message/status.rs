//! How something went, in numbers of HTTP.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::wire::lenient;

/// How a frame was taken, or why a session ends. Twilsock: `code` and `status` are required by the Kotlin SDK,
/// `errorCode` and `description` may be absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// As in HTTP; 2xx is success.
    pub code: u16,
    /// The code in capitals.
    #[serde(default)]
    pub status: Cow<'static, str>,
    /// For people.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The exact reason, from the service's dictionary of errors.
    #[serde(
        default,
        rename = "errorCode",
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub error_code: Option<u32>,
}

impl Status {
    /// 200.
    #[must_use]
    pub fn ok() -> Self {
        Self::new(200)
    }

    /// This code with its usual words.
    #[must_use]
    pub fn new(code: u16) -> Self {
        Self { code, status: Cow::Borrowed(phrase(code)), description: None, error_code: None }
    }

    /// The same with a reason: `51207` and `Token expired`, for example.
    #[must_use]
    pub fn because(self, error_code: u32, description: impl Into<String>) -> Self {
        Self { error_code: Some(error_code), description: Some(description.into()), ..self }
    }

    /// Whether it says success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// The words of a code, as the service writes them.
fn phrase(code: u16) -> &'static str {
    match code {
        201 => "CREATED",
        204 => "NO_CONTENT",
        308 => "PERMANENT_REDIRECT",
        400 => "BAD_REQUEST",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        406 => "NOT_ACCEPTABLE_MESSAGE",
        409 => "CONFLICT",
        410 => "TOKEN_EXPIRED",
        412 => "PRECONDITION_FAILED",
        413 => "REQUEST_ENTITY_TOO_LARGE",
        417 => "EXPECTATION_FAILED",
        429 => "TOO_MANY_REQUESTS",
        500 => "INTERNAL_SERVER_ERROR",
        501 => "NOT_IMPLEMENTED",
        502 => "BAD_GATEWAY",
        503 => "SERVICE_UNAVAILABLE",
        504 => "GATEWAY_TIMEOUT",
        200..=299 => "OK",
        _ => "ERROR",
    }
}
