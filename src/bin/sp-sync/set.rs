//! `sp-sync set` and `sp-sync unset`: changes of a document's own keys.

use serde_json::{Map, Value, json};
use sp_sync::DocumentId;
use sp_sync::backend::Revision;

use crate::output::{Outcome, Problem};
use crate::store::{
    Access, Common, Store, called, document_id, json as parse_json, json_or_text, key_value, leave, text,
};

#[derive(clap::Args)]
pub(crate) struct Set {
    /// Which document. It is made if it is missing.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Keys to set; others stay. A value is JSON where it is JSON, otherwise a string: n=1, on=true, name=Ada,
    /// digits='"1"'.
    #[arg(value_name = "KEY=VALUE")]
    entries: Vec<String>,
    /// Keys and values as a JSON object; `-` reads it from the standard input.
    #[arg(long, value_name = "JSON", conflicts_with = "entries")]
    data: Option<String>,
    /// Make the store, a file or a bucket, if it is missing.
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
pub(crate) struct Unset {
    /// Which document.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Keys to remove. Those that are not there are passed over.
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn set(arguments: &Set) -> Outcome<()> {
    let data = arguments.data()?;
    let access = if arguments.create { Access::Create } else { Access::Write };
    let store = arguments.common.open(access, Some(&arguments.document)).await?;
    let is_new = store.find(&arguments.document).await?.is_none();
    let client = store.connect(&arguments.document).await?;
    let revision = match data.as_object().is_some_and(Map::is_empty) {
        true => client.get_sync().await?.revision(),
        false => client.set_sync(data).await?,
    };
    leave(client).await?;
    told(&store, &arguments.document, revision, is_new)?;
    store.close().await;
    Ok(())
}

impl Set {
    fn data(&self) -> Outcome<Value> {
        match self.data.as_deref() {
            Some("-") => parse_json(called("-"), &text("-")?),
            Some(given) => parse_json("--data", given),
            None => {
                let entries = self.entries.iter().enumerate();
                let entries = entries.map(|(place, entry)| {
                    key_value(place, entry).map(|(key, value)| (key.to_owned(), json_or_text(value)))
                });
                Ok(Value::Object(entries.collect::<Outcome<_>>()?))
            }
        }
    }
}

pub(crate) async fn unset(arguments: &Unset) -> Outcome<()> {
    let store = arguments.common.open(Access::Write, Some(&arguments.document)).await?;
    let client = store.connect_existing(&arguments.document).await?;
    let revision = client.unset(arguments.keys.clone()).await?;
    leave(client).await?;
    told(&store, &arguments.document, revision, false)?;
    store.close().await;
    Ok(())
}

/// Says which revision a document has now.
pub(crate) fn told(store: &Store, id: &DocumentId, revision: Revision, is_new: bool) -> Outcome<()> {
    let Revision(revision) = revision;
    let made = if is_new { "made, " } else { "" };
    store.output.line(
        || format!("{id}: {made}revision {revision}"),
        || json!({ "document": id.as_str(), "revision": revision, "created": is_new }),
    )
}

/// A usage error of a command that needs at least one thing.
pub(crate) fn nothing_to_do(what: &str) -> Problem {
    Problem::Usage(format!("there is nothing to do: give {what}"))
}
