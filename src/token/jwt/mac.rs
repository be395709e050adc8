//! Signatures.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

/// How a token is signed. There are no others: `none` least of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256: what the official libraries use unless told otherwise.
    #[default]
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// As it stands in a token's header. Exactly so: JSON Web Algorithms are told apart by letter case.
    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Hs256, Self::Hs384, Self::Hs512].into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    pub(super) fn sign(self, secret: &str, text: &str) -> Vec<u8> {
        match self {
            Self::Hs256 => made::<Hmac<Sha256>>(secret, text),
            Self::Hs384 => made::<Hmac<Sha384>>(secret, text),
            Self::Hs512 => made::<Hmac<Sha512>>(secret, text),
        }
    }

    /// Whether this is the signature; in a time that does not depend on where they differ.
    pub(super) fn verify(self, secret: &str, text: &str, signature: &[u8]) -> bool {
        match self {
            Self::Hs256 => holds::<Hmac<Sha256>>(secret, text, signature),
            Self::Hs384 => holds::<Hmac<Sha384>>(secret, text, signature),
            Self::Hs512 => holds::<Hmac<Sha512>>(secret, text, signature),
        }
    }
}

/// A key of any length will do; where one would not, there is no signature, and none holds.
fn keyed<M: Mac + KeyInit>(secret: &str, text: &str) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

fn made<M: Mac + KeyInit>(secret: &str, text: &str) -> Vec<u8> {
    keyed::<M>(secret, text).map_or_else(Vec::new, |mac| mac.finalize().into_bytes().to_vec())
}

fn holds<M: Mac + KeyInit>(secret: &str, text: &str, signature: &[u8]) -> bool {
    keyed::<M>(secret, text).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}
