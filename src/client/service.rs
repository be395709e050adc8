//! A service given by its base address alone: it gives out tokens, and says where documents are (C1).

use std::sync::Arc;

use super::settings::Settings;
use crate::backend::{Backend, Remote, endpoint_behind};
use crate::error::{Error, Result, Retry};
use crate::id::{DocumentId, Identity};
use crate::token::{HttpTokens, TokenProvider};

/// Documents and tokens of the service at `base_uri`, for whoever has `bearer`.
pub(super) async fn found(
    base_uri: &str,
    bearer: Arc<dyn TokenProvider>,
    id: &DocumentId,
    identity: &Identity,
    settings: &Settings,
) -> Result<(Arc<dyn Backend>, Arc<dyn TokenProvider>)> {
    let tokens =
        HttpTokens::builder(base_uri, bearer).identity(identity.clone()).document_id(id.clone()).build()?;
    let within = settings.connect_within;
    let endpoint = tokio::time::timeout(within, tokens.endpoint()).await.map_err(|_| Error::Timeout {
        what: format!("token for `{id}`"),
        after: within,
        why: "the token service hangs or is out of reach: look at it, then connect again",
        retry: Retry::Now,
    })??;
    let endpoint = endpoint.unwrap_or_else(|| endpoint_behind(base_uri));
    if base_uri.starts_with("https://") && !endpoint.starts_with("wss://") {
        let why = format!(
            "the service names `{endpoint}`, which is not encrypted, though it is itself: it must begin with wss://"
        );
        return Err(Error::Invalid { what: "endpoint", why });
    }
    let remote = Remote::builder().uri(endpoint).build()?;
    Ok((Arc::new(remote), Arc::new(tokens)))
}
