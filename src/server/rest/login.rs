//! Basic authentication with an API key.

use axum::http::{HeaderMap, header};
use ctutils::CtEq as _;
use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::super::answer::{Peer, Problem};
use super::Inner;

/// Whether whoever asks has a key. REST: 401 with 20003 when not.
pub(super) fn check(inner: &Inner, peer: Peer, headers: &HeaderMap) -> Result<(), Problem> {
    let now = Instant::now();
    inner.attempts.begin(peer.address, now).map_err(Problem::too_many_attempts)?;
    let (sid, secret) = credentials(headers).ok_or_else(Problem::not_authenticated)?;
    let known = inner.keys.api_keys().get(&sid);
    // Digests have one length, and an unknown key costs the same comparison: the time tells nothing of a secret.
    let wanted = Sha256::digest(known.map_or("", |key| key.secret()).as_bytes());
    let equal = Sha256::digest(secret.as_bytes()).as_slice().ct_eq(wanted.as_slice()).to_bool();
    if known.is_none() || !equal {
        return Err(Problem::not_authenticated());
    }
    inner.attempts.succeeded(peer.address, now);
    Ok(())
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    let (sid, secret) = text.split_once(':')?;
    Some((sid.to_owned(), secret.to_owned()))
}
