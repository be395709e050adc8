//! Where the examples keep their documents: in memory, or at the address in the variable `SP_SYNC_BACKEND`, such as
//! `file:demo.db` or `nats://127.0.0.1:4222/demo`. To a Sync service they show the access token in `SP_SYNC_TOKEN`.

use std::sync::Arc;

use sp_sync::backend::{self, Backend};
use sp_sync::token::Token;

pub(crate) async fn open() -> sp_sync::Result<Arc<dyn Backend>> {
    let address = std::env::var("SP_SYNC_BACKEND").unwrap_or("memory:".into());
    let store = backend::from_url(&address).await?;
    if let (Some(authenticated), Ok(token)) = (store.authenticated(), std::env::var("SP_SYNC_TOKEN")) {
        // Whether it is good shows in the first call.
        let _ = authenticated.install_token(&Token::new(token)).await;
    }
    Ok(store)
}
