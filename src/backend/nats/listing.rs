//! The list of documents.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::api::{Stream, Subjects, request};
use super::core::Core;
use super::names::{Key, document_id, key_in};
use crate::backend::BackendError;
use crate::id::DocumentId;
use crate::limits::NATS_READS_AT_ONCE;

/// Names after `after`, at most `limit`. The server lists subjects, also of removed and expired documents, so each name is
/// looked at before it is told.
pub(super) async fn list(
    core: &std::sync::Arc<Core>,
    after: Option<&DocumentId>,
    limit: usize,
) -> Result<Vec<DocumentId>, BackendError> {
    let mut candidates = names(core).await?;
    candidates.retain(|id| after.is_none_or(|after| id > after));
    let mut present = Vec::new();
    let mut candidates = candidates.into_iter();
    while present.len() < limit {
        let wanted = (limit - present.len()).min(NATS_READS_AT_ONCE);
        let batch: Vec<_> = candidates.by_ref().take(wanted).collect();
        if batch.is_empty() {
            break;
        }
        let mut looking = JoinSet::new();
        for (place, id) in batch.into_iter().enumerate() {
            let core = core.clone();
            looking.spawn(async move {
                let is_there = match core.read(&Key::of(&id)).await {
                    Ok(found) => found.alive(core.clock.now()).is_some(),
                    // Something is there, if nothing that was written from here.
                    Err(BackendError::Fatal { .. }) => true,
                    Err(error) => return Err(error),
                };
                Ok((place, is_there.then_some(id)))
            });
        }
        let mut found = looking.join_all().await.into_iter().collect::<Result<Vec<_>, BackendError>>()?;
        found.sort_by_key(|(place, _)| *place);
        present.extend(found.into_iter().filter_map(|(_, id)| id));
    }
    Ok(present)
}

/// Every name with a key in the bucket, in order.
async fn names(core: &Core) -> Result<BTreeSet<DocumentId>, BackendError> {
    let told = |failure: super::failure::Failure| failure.of_read("listing documents");
    let (mut names, mut offset) = (BTreeSet::new(), 0);
    loop {
        let payload =
            request(&Subjects { subjects_filter: &core.names.republish_source(), offset }).map_err(told)?;
        let path = format!("STREAM.INFO.{}", core.names.stream());
        let stream: Stream = core.ask_patiently(&path, payload, core.link.deadline()).await.map_err(told)?;
        let subjects = stream.state.subjects;
        offset += subjects.len();
        let is_last = subjects.is_empty() || offset >= stream.total;
        names.extend(subjects.keys().filter_map(|subject| document_id(key_in(subject))));
        if is_last {
            return Ok(names);
        }
    }
}
