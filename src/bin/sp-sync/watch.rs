//! `sp-sync watch`: a document as it changes.

use serde_json::{Map, Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::{Change, Stored};
use tokio_stream::StreamExt as _;

use crate::output::{Outcome, Problem};
use crate::store::{Access, Common, Store, document_id};

#[derive(clap::Args)]
pub(crate) struct Watch {
    /// Which document.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Only changes of this key.
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Shows the present state, then every change until the document is removed or the command is interrupted.
pub(crate) async fn run(arguments: &Watch) -> Outcome<()> {
    let store = arguments.common.open(Access::Read, Some(&arguments.document)).await?;
    store.read(&arguments.document).await?;
    let mut changes = store.backend().watch(&arguments.document).await?;
    let mut shown = Shown::default();
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            () = crate::interrupted() => return Ok(()),
        };
        match change {
            Some(Ok(Change::Updated(stored))) => shown.show(&store, arguments, &stored)?,
            Some(Ok(Change::Removed)) => {
                return Err(Problem::Failed(format!("`{}` was removed", arguments.document)));
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Ok(()),
        }
    }
}

/// What was shown last.
#[derive(Default)]
struct Shown {
    data: Option<Map<String, Value>>,
}

impl Shown {
    fn show(&mut self, store: &Store, arguments: &Watch, stored: &Stored) -> Outcome<()> {
        let data = store.output.document(&stored.document);
        let is_first = self.data.is_none();
        let before = self.data.replace(data.clone()).unwrap_or_default();
        let mut lines: Vec<String> = Vec::new();
        let wanted = |key: &String| arguments.key.as_ref().is_none_or(|only| only == key);
        for (key, value) in data.iter().filter(|(key, value)| wanted(key) && before.get(*key) != Some(value))
        {
            lines.push(format!("{} = {value}", store.output.strong(key)));
        }
        for key in before.keys().filter(|key| wanted(key) && !data.contains_key(*key)) {
            lines.push(format!("{} removed", store.output.strong(key)));
        }
        // A change of bookkeeping alone is none for the reader.
        if lines.is_empty() && !is_first {
            return Ok(());
        }
        let revision = stored.revision.0;
        store.output.line(
            || format!("{} {}", store.output.faint(&format!("#{revision}")), lines.join("  ")),
            || match &arguments.key {
                Some(key) => json!({ "revision": revision, "key": key, "value": data.get(key) }),
                None => json!({ "revision": revision, "data": data }),
            },
        )
    }
}
