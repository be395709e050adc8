//! Why a token is refused.

/// Why a token is refused. The order of the variants is the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// Not three parts of unpadded base64url that hold JSON objects, or too long.
    #[error(
        "the access token is not a token of three parts; an SP token is exchanged for one at the token endpoint (base_uri)"
    )]
    Malformed,
    /// Another algorithm than HS256, HS384 and HS512, another type, or another content type.
    #[error("the access token's header is not accepted")]
    Header,
    /// The issuer is not one of our API keys, or the subject not our account.
    #[error("the access token's issuer or subject is unknown")]
    IssuerOrSubject,
    /// The signature is not that key's.
    #[error("the access token's signature does not match")]
    Signature,
    /// Its time is over, or it says none.
    #[error("the access token has expired, or does not say when it expires")]
    Expired,
    /// It would live longer than tokens may.
    #[error("the access token expires too far in the future")]
    TooLong,
    /// Its time has not come.
    #[error("the access token is not valid yet")]
    NotYetValid,
    /// It has no grants, or none for Sync.
    #[error("the access token has no grant for Sync")]
    Grants,
    /// Its grant names no service.
    #[error("the access token's grant names no service")]
    NoService,
    /// Its grant is for another service.
    #[error("the access token is for another service")]
    OtherService,
    /// It names nobody.
    #[error("the access token has no identity")]
    NoIdentity,
    /// The identity has more than 256 characters.
    #[error("the access token's identity is too long")]
    IdentityTooLong,
    /// The endpoint id has more than 256 characters.
    #[error("the access token's endpoint id is too long")]
    EndpointTooLong,
}

impl JwtError {
    /// Its number in the service's dictionary. Twilsock: the SDKs know an expired token by 20104.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Malformed => 20101,
            Self::Header => 20102,
            Self::IssuerOrSubject => 20103,
            Self::Signature => 20107,
            Self::Expired => 20104,
            Self::TooLong => 20157,
            Self::NotYetValid => 20105,
            Self::Grants => 20106,
            Self::NoService => 51104,
            Self::OtherService => 54056,
            Self::NoIdentity => 51105,
            Self::IdentityTooLong => 51003,
            Self::EndpointTooLong => 51004,
        }
    }

    /// The HTTP status that goes with it: the token is good but not here, or it is not good.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::OtherService => 403,
            _ => 401,
        }
    }
}
