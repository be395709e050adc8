//! `sp-sync docs`: which documents there are.

use serde_json::{Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::Stored;
use sp_sync::document::Document;

use crate::output::{Outcome, Problem, counted};
use crate::store::{Access, Common, Store};

/// Names read at once.
const PAGE: usize = 256;

#[derive(clap::Args)]
pub(crate) struct Docs {
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(arguments: &Docs) -> Outcome<()> {
    let store = arguments.common.open(Access::Read, None).await?;
    let listed = list(&store).await;
    store.close().await;
    listed
}

async fn list(store: &Store) -> Outcome<()> {
    let Some(directory) = store.backend().directory() else {
        let why = "has no list of its documents: ask for one by its name (`sp-sync get DOC`)";
        return Err(Problem::Failed(format!("{} {why}", store.place())));
    };
    let (mut after, mut shown): (Option<DocumentId>, usize) = (None, 0);
    loop {
        let names = directory.list(after.as_ref(), PAGE).await?;
        for id in names.iter().filter(|id| !is_rows(id.as_str())) {
            // It may have gone since it was listed.
            if let Some(stored) = store.find(id).await? {
                show(store, id, &stored)?;
                shown += 1;
            }
        }
        match names.last() {
            Some(last) if names.len() == PAGE => after = Some(last.clone()),
            _ if shown == 0 => return store.output.remark("no documents"),
            _ => return Ok(()),
        }
    }
}

/// Whether this is where a server keeps who may do what with another document: its own affair, and no document of anybody's.
fn is_rows(name: &str) -> bool {
    let sid = name.strip_prefix("Permissions_ET");
    sid.is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn show(store: &Store, id: &DocumentId, stored: &Stored) -> Outcome<()> {
    let document = &stored.document;
    let (waiting, held) = (waiting(document), held(document));
    let (revision, bytes) = (stored.revision.0, document.size_bytes());
    store.output.line(
        || {
            let mut line =
                format!("{}  revision {revision}, {bytes} bytes", store.output.strong(id.as_str()));
            if waiting > 0 {
                line += &format!(", {} waiting", counted(waiting, "action"));
            }
            if held > 0 {
                line += &format!(", {held} being carried out");
            }
            line
        },
        || {
            let expires: Value = stored.expires.map_or(Value::Null, |at| at.0.into());
            json!({ "document": id.as_str(), "revision": revision, "bytes": bytes,
                    "waiting": waiting, "held": held, "expires_ms": expires })
        },
    )
}

fn waiting(document: &Document) -> usize {
    document.queues().map(|(_, items)| items.len()).sum()
}

fn held(document: &Document) -> usize {
    document.ledger().map_or(0, |ledger| ledger.claimed().map(|(_, claims)| claims.len()).sum())
}
