//! Rows of documents that have expired. Nobody says when a document without subscribers expires, so they are looked for now
//! and then, from the first question for rows to the end of the service.

use std::sync::Arc;

use tokio::time::sleep;

use super::names::Names;
use super::rights::{document_of, sweep};
use super::service::Core;
use super::trace;
use crate::backend::BackendError;
use crate::limits::SERVER_SIDS_PAGE;

/// In a task of its own, which does not keep the service.
pub(super) fn start(core: &Arc<Core>) {
    let (core, every) = (Arc::downgrade(core), core.limits.rows_swept_every);
    tokio::spawn(async move {
        loop {
            sleep(every).await;
            let Some(core) = core.upgrade().filter(|core| !core.running.is_closing()) else { return };
            if let Err(error) = pass(&core).await {
                trace::store_failed(&error);
            }
        }
    });
}

/// Goes through all rows once. Rows of another service on the same store, and those that do not say of which document they
/// are, are left alone.
async fn pass(core: &Core) -> Result<(), BackendError> {
    let Some(directory) = core.backend.directory() else { return Ok(()) };
    let mut after = None;
    loop {
        let page = directory.list(after.as_ref(), SERVER_SIDS_PAGE).await?;
        for rows in page.iter().filter(|name| Names::is_rows(name.as_str())) {
            let stored = core.backend.read(rows).await?;
            let document = stored.as_ref().and_then(document_of);
            if let Some(document) = document.filter(|document| core.names.rows(document) == *rows) {
                sweep(&*core.backend, &document, rows).await?;
            }
        }
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        tokio::task::yield_now().await;
    }
}
