//! Documents kept by a service that speaks the Sync protocol: the original's, or a server of one's own.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sp_sync::backend::Remote;
//! use sp_sync::token::Token;
//! use sp_sync::{DocumentId, Identity, SyncClient};
//!
//! let remote = Remote::builder().region("us1").token(Token::new("eyJ…")).build()?;
//! let client = SyncClient::builder()
//!     .backend(remote.clone())
//!     .document_id(DocumentId::new("Session_demo")?)
//!     .identity(Identity::new("agent")?)
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! One connection carries any number of documents; clones share it. It is made at the first call, and made anew for as long
//! as a clone or a watch lives, after 1 s, then 2, 4 … up to 2 minutes, each ± 20 %, or as the service asks; after 4 s at
//! most where the connection before had a request answered. What was missed meanwhile is told when it is back, and who
//! waits in vain hears why there is no connection: at once where waiting cures nothing, as with a certificate that is
//! not believed or an address where no such service is ([`BackendError::Fatal`]).
//!
//! # How it keeps the contract
//!
//! * **Conditional writes** are the service's own (`If-Match`). A write whose answer was lost is
//!   [`BackendError::Unknown`], never repeated here; so is one that the service answered with 500, 502 or 504. 429 and
//!   503 mean that nothing was stored.
//! * **Revisions** are event ids + 1. The original's service counts from 0 again for a document that was removed and made
//!   anew under the same name; this client then goes on above the greatest revision that it has seen of that name, among
//!   the last 4 096 names it dealt with. So revisions of one name grow as long as one `Remote` lives, and the numbers of two
//!   may differ.
//! * **Removing** a document with an expected revision reads first, and sends `If-Match`, which the original's protocol does
//!   not have on DELETE. A server of one's own honours it. At the original's service a write that comes between the two is
//!   removed with the document.
//! * **Watching a document that is not there** has no place in the protocol: it is looked for every second.
//! * **Time** (`at`) is the latest that the service must have reached, by the dates of its answers; it may lag.
//! * **Pace**: 20 writes per second and document on average, 200 at once after a rest; evenly fewer above 1 KiB, 2 per second
//!   from 10 KiB on, as the original's service wants it (C57). See [`Builder::unpaced`].

mod builder;
mod driver;
mod link;
mod machine;
mod watching;

use std::sync::Arc;

use async_trait::async_trait;

pub use builder::Builder;
use link::Link;
use machine::Settled;

use super::{
    Authenticated, Backend, BackendError, Directory, Facts, Revision, Stored, Watch, Write, Written,
};
use crate::id::DocumentId;
use crate::token::Token;

/// Documents of a service that speaks the Sync protocol. See [the module](self). Clones share one connection, which is
/// closed when the last of them and their last watch are gone.
#[derive(Clone, Debug)]
pub struct Remote {
    link: Arc<Link>,
}

impl Remote {
    /// Says where the service is, and how to reach it.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// What the service knows this client by, once it has been connected: presented at every later connection, and to be
    /// kept by a program that wants to be the same client after a restart. See [`Builder::continuation_token`].
    #[must_use]
    pub fn continuation_token(&self) -> Option<String> {
        self.link.continuation_token()
    }

    /// Ends the connection, every call and every watch, for all clones. Returns when the service has been told, after a
    /// second at the latest.
    pub async fn close(&self) {
        self.link.close().await;
    }
}

#[async_trait]
impl Backend for Remote {
    fn facts(&self) -> Facts {
        self.link.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        match self.link.call(|machine, call, moment| machine.read(id.clone(), call, moment)).await? {
            Settled::Read(found) => Ok(found),
            other => Err(link::mistaken(&other)),
        }
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        self.link.take_turn(id, &write).await;
        match self.link.call(|machine, call, moment| machine.write(id.clone(), write, call, moment)).await? {
            Settled::Written(written) => Ok(written),
            other => Err(link::mistaken(&other)),
        }
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        match self.link.call(|machine, call, moment| machine.remove(id.clone(), expect, call, moment)).await?
        {
            Settled::Removed(was_there) => Ok(was_there),
            other => Err(link::mistaken(&other)),
        }
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let watching = self.link.join(id);
        match self.link.call(|machine, call, moment| machine.watch(id.clone(), call, moment)).await? {
            Settled::Watching => Ok(Box::pin(watching)),
            other => Err(link::mistaken(&other)),
        }
    }

    fn directory(&self) -> Option<&dyn Directory> {
        None
    }

    fn authenticated(&self) -> Option<&dyn Authenticated> {
        Some(self)
    }
}

#[async_trait]
impl Authenticated for Remote {
    /// The newest token is used from now on: for the running session, which goes on with it, and for every later one. This
    /// does not wait for the service; a token that it refuses shows in the next call.
    async fn install_token(&self, token: &Token) -> Result<(), BackendError> {
        self.link.install_token(token.clone());
        Ok(())
    }

    /// Services warn some minutes before the end (Twilsock: `client_update`).
    async fn token_about_to_end(&self) {
        self.link.token_about_to_end().await;
    }
}
