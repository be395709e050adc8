//! `sp-sync get`: what a document holds.

use serde_json::{Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::Stored;

use crate::output::{Outcome, Problem};
use crate::store::{Access, Common, Store, document_id};

#[derive(clap::Args)]
pub(crate) struct Get {
    /// Which document.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Only this key. Without it: the whole document.
    key: Option<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(arguments: &Get) -> Outcome<()> {
    let store = arguments.common.open(Access::Read, Some(&arguments.document)).await?;
    let shown = match store.read(&arguments.document).await {
        Ok(stored) => show(&store, arguments, &stored),
        Err(problem) => Err(problem),
    };
    store.close().await;
    shown
}

fn show(store: &Store, arguments: &Get, stored: &Stored) -> Outcome<()> {
    let mut data = store.output.document(&stored.document);
    let (document, revision) = (arguments.document.as_str(), stored.revision.0);
    let Some(key) = &arguments.key else {
        let data = Value::Object(data);
        return store.output.line(
            || format!("{data:#}"),
            || json!({ "document": document, "revision": revision, "data": data }),
        );
    };
    let Some(value) = data.shift_remove(key) else {
        let keys: Vec<&str> = data.keys().map(String::as_str).collect();
        let known = if keys.is_empty() { "no keys at all".into() } else { keys.join(", ") };
        return Err(Problem::Failed(format!("`{document}` has no key `{key}`; it has {known}")));
    };
    store.output.line(
        || format!("{value:#}"),
        || json!({ "document": document, "revision": revision, "key": key, "value": value }),
    )
}
