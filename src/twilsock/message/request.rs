//! A request in the form of HTTP, inside a `message` frame.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::frame::{Encoded, Payload};
use super::super::wire::{self, Pairs};
use super::DATA_SYNC;
use crate::percent;

/// What to do with the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Read.
    Get,
    /// Create, change.
    Post,
    /// Set an item.
    Put,
    /// Remove.
    Delete,
}

/// A request. Path and parameters are decoded, each value by itself.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The product whose grant authorises it.
    pub grant: String,
    /// Free: nothing depends on it.
    pub host: String,
    /// What to do.
    pub method: Method,
    /// The path's segments: `["v3", "Documents", "a/b"]`.
    pub path: Vec<String>,
    /// The query, a name as often as it has values.
    pub params: Vec<(String, String)>,
    /// Headers; names are compared without regard to case.
    pub headers: Vec<(String, String)>,
    /// The body. Twilsock: that of GET and DELETE is not read, because the JavaScript SDK sends junk with every DELETE.
    pub body: Payload,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default)]
    active_grant: String,
    http_request: Http,
}

#[derive(Serialize, Deserialize)]
struct Http {
    #[serde(default)]
    host: String,
    path: String,
    method: String,
    #[serde(default)]
    params: Pairs,
    #[serde(default)]
    headers: Pairs,
}

impl Request {
    /// A request to a Sync service, without parameters, headers and body.
    #[must_use]
    pub fn new(method: Method, path: &[&str]) -> Self {
        Self {
            grant: DATA_SYNC.to_owned(),
            host: String::new(),
            method,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            params: Vec::new(),
            headers: Vec::new(),
            body: Payload::none(),
        }
    }

    /// A header's first value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A parameter's first value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The path as it stands on the wire.
    #[must_use]
    pub fn path_text(&self) -> String {
        let mut text = String::with_capacity(self.path.iter().map(|segment| segment.len() + 1).sum());
        for segment in &self.path {
            text.push('/');
            percent::encode_into(&mut text, segment);
        }
        text
    }

    pub(super) fn read(header: &[u8], payload: Payload) -> Result<Self, String> {
        let wire: Wire = wire::read(header)?;
        let http = wire.http_request;
        let method = Method::read(&http.method).ok_or("the method is none of GET, POST, PUT and DELETE")?;
        let path = http.path.strip_prefix('/').ok_or("the path does not begin with a slash")?;
        let path = path.split('/').map(percent::decode).collect::<Option<_>>();
        let params =
            http.params.0.into_iter().map(|(name, value)| Some((name, percent::decode_parameter(&value)?)));
        let params = params.collect::<Option<_>>();
        let reads_body = matches!(method, Method::Post | Method::Put);
        Ok(Self {
            grant: wire.active_grant,
            host: http.host,
            method,
            path: path.ok_or("the path is not percent-encoded UTF-8")?,
            params: params.ok_or("a parameter is not percent-encoded UTF-8")?,
            headers: http.headers.0,
            body: if reads_body { payload } else { Payload::none() },
        })
    }

    /// The frame. Twilsock: parameters stay encoded.
    #[must_use]
    pub fn frame(&self, id: &str) -> Encoded {
        let params = self.params.iter().map(|(name, value)| (name.clone(), percent::encode(value)));
        let http_request = Http {
            host: self.host.clone(),
            path: self.path_text(),
            method: self.method.to_string(),
            params: Pairs(params.collect()),
            headers: Pairs(self.headers.clone()),
        };
        Encoded::of("message", id, &Wire { active_grant: self.grant.clone(), http_request }, &self.body)
    }
}

impl Method {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        })
    }
}

/// Where and what, without values that may be sensitive (C64).
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({:?})", self.method, self.path_text(), self.body)
    }
}
