//! Services that speak the Sync protocol, by their address.

use std::fmt;

/// Where a service is. Nothing secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl {
    /// As it was given, without a slash at the end.
    base: String,
}

/// Where services have their WebSocket. Twilsock: `/v3/wsconnect`.
const DOOR: &str = "/v3/wsconnect";

impl ServiceUrl {
    pub(super) fn read(scheme: &str, rest: &str) -> Result<Self, String> {
        let Some(place) = rest.strip_prefix("//") else {
            return Err(format!("write {scheme}://HOST:PORT"));
        };
        if place.contains('@') {
            return Err("a login has no place in the address: the access token says who asks".into());
        }
        if place.contains(['?', '#']) {
            return Err("nothing may stand behind `?` or `#`: an access token is given to the client".into());
        }
        let (host, _) = place.split_once('/').unwrap_or((place, ""));
        super::nats::check_host(host)?;
        Ok(Self { base: format!("{scheme}://{}", place.trim_end_matches('/')) })
    }

    /// The base of the service's HTTP doors, where the address was given as `https://…` or `http://…`: what
    /// [`Builder::base_uri`](crate::client::Builder) takes, with the token that the service exchanges for access tokens.
    #[must_use]
    pub fn base_uri(&self) -> Option<&str> {
        self.base.starts_with("http").then_some(&*self.base)
    }

    /// The address of its WebSocket.
    #[must_use]
    pub fn endpoint(&self) -> String {
        if self.base.starts_with("http") {
            return endpoint_behind(&self.base);
        }
        let (_, place) = self.base.split_once("://").unwrap_or_default();
        let door = if place.contains('/') { "" } else { DOOR };
        format!("{}{door}", self.base)
    }

    /// A remote backend there.
    #[cfg(feature = "remote")]
    pub fn builder(&self) -> crate::backend::remote::Builder {
        crate::backend::Remote::builder().uri(self.endpoint())
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

/// The WebSocket of a service whose HTTP doors are behind `base_uri`, where it does not say otherwise itself.
pub(crate) fn endpoint_behind(base_uri: &str) -> String {
    let base = base_uri.trim_end_matches('/');
    let base = base.strip_prefix("http").map_or_else(|| base.to_owned(), |rest| format!("ws{rest}"));
    format!("{base}{DOOR}")
}
