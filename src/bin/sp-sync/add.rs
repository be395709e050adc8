//! `sp-sync add`: actions for an executor.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sp_sync::catalogue::{ActionType, FieldType};
use sp_sync::client::{Receipt, Request};
use sp_sync::{Action, Batch, DocumentId, SyncClient};

use crate::output::{Outcome, Problem, caution};
use crate::set::nothing_to_do;
use crate::store::{
    Access, Common, Store, called, document_id, json_of_line, json_or_text, key_value, leave, text,
};
use crate::words::{place, told};

#[derive(clap::Args)]
pub(crate) struct Add {
    /// Which document. It is made if it is missing.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Which action of the catalogue.
    #[arg(value_name = "ACTION", required_unless_present = "batch")]
    action: Option<String>,
    /// Its fields. The value of a text field is taken as it is; any other is JSON.
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// The executor whose array takes the response.
    #[arg(long, value_name = "EXECUTOR", conflicts_with = "batch")]
    respond_to: Option<String>,
    /// Wait so long: with --respond-to for the response, which is printed; otherwise until the actions have left the
    /// document. Status 3 when the time is over; a request that nobody has taken is then withdrawn.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    wait: Option<Duration>,
    /// Several actions in one write: a file with one JSON object per line, such as
    /// {"action":"openExam","examURL":"https://exam.example.com/"}; `-` reads the standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "action")]
    batch: Option<String>,
    /// Make the store, a file or a bucket, if it is missing.
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    common: Common,
}

/// Seconds on the command line, fractions allowed.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "it is not a number of seconds".to_owned())
}

pub(crate) async fn run(arguments: &Add) -> Outcome<()> {
    let access = if arguments.create { Access::Create } else { Access::Write };
    let store = arguments.common.open(access, Some(&arguments.document)).await?;
    let asked = Asked::of(arguments, &store)?;
    if store.find(&arguments.document).await?.is_none() {
        caution(&format!("there was no document `{}`: it is made", arguments.document));
    }
    let client = store.connect(&arguments.document).await?;
    let done = match asked {
        Asked::Response { name, info, within } => {
            ask(&store, client.request_named(name, info).within(within)).await
        }
        Asked::Actions(batch) => add(arguments, &store, &client, batch).await,
    };
    // Also after a failure: a request that nobody took in time is withdrawn by then.
    let left = leave(client).await;
    store.close().await;
    done.and(left)
}

async fn ask(store: &Store, request: Request<Action>) -> Outcome<()> {
    let response = tokio::select! {
        response = request => response?,
        () = crate::interrupted() => return Ok(()),
    };
    let response = store.output.action(&response);
    store.output.line(|| format!("{:#}", json!(response)), || json!(response))
}

async fn add(arguments: &Add, store: &Store, client: &SyncClient, batch: Actions) -> Outcome<()> {
    let Actions { members, names, lines } = batch;
    let receipt: Receipt = client.add_actions(members).await.map_err(|error| {
        match place(&error).and_then(|index| lines.get(index)) {
            Some(line) => Problem::Failed(format!("{line}: {}", told(&error))),
            None => error.into(),
        }
    })?;
    let revision = receipt.revision().0;
    for (id, name) in receipt.ids().iter().zip(&names) {
        store
            .output
            .line(|| id.to_string(), || json!({ "id": id.as_str(), "action": name, "revision": revision }))?;
    }
    let Some(within) = arguments.wait else { return Ok(()) };
    tokio::select! {
        finished = receipt.finished(within) => finished?,
        () = crate::interrupted() => return Ok(()),
    }
    store.output.remark("has left the document: finished, given up, or withdrawn")
}

/// What the command line asks for.
enum Asked {
    /// One action, and its response.
    Response {
        name: String,
        info: Value,
        within: Duration,
    },
    Actions(Actions),
}

#[derive(Default)]
struct Actions {
    members: Batch,
    names: Vec<String>,
    /// Where each was read, when they come from a file.
    lines: Vec<String>,
}

impl Actions {
    fn then(self, name: String, info: Value) -> Self {
        let Self { members, mut names, lines } = self;
        names.push(name.clone());
        Self { members: members.then_named(name, info), names, lines }
    }
}

impl Asked {
    fn of(arguments: &Add, store: &Store) -> Outcome<Self> {
        if let Some(path) = &arguments.batch {
            return read_batch(path).map(Self::Actions);
        }
        let Some(name) = arguments.action.clone() else { return Err(nothing_to_do("an action")) };
        let mut info = Map::new();
        for (place, field) in arguments.fields.iter().enumerate() {
            let (key, value) = key_value(place, field)?;
            info.insert(key.to_owned(), value_of(store.catalogue.action(&name), key, value));
        }
        if let Some(executor) = &arguments.respond_to {
            info.insert("respondTo".into(), executor.as_str().into());
        }
        let info = Value::Object(info);
        Ok(match (arguments.wait, &arguments.respond_to) {
            (Some(within), Some(_)) => Self::Response { name, info, within },
            _ => Self::Actions(Actions::default().then(name, info)),
        })
    }
}

/// A field's value: what the catalogue knows to be text is not looked at as JSON.
fn value_of(action: Option<&ActionType>, key: &str, text: &str) -> Value {
    let field = action.and_then(|action| action.field(key));
    match field.map(|field| &field.kind) {
        Some(
            FieldType::String { .. } | FieldType::Url { .. } | FieldType::Timestamp | FieldType::Enum(_),
        ) => text.into(),
        _ => json_or_text(text),
    }
}

fn read_batch(path: &str) -> Outcome<Actions> {
    let mut actions = Actions::default();
    let from = called(path);
    for (number, line) in text(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = format!("{from}, line {}", number + 1);
        let no_action = || Problem::Usage(format!("{at}: needs a JSON object with a text \"action\""));
        let Value::Object(mut object) = json_of_line(&at, line)? else { return Err(no_action()) };
        let Some(Value::String(name)) = object.shift_remove("action") else { return Err(no_action()) };
        actions = actions.then(name, Value::Object(object));
        actions.lines.push(at);
    }
    if actions.names.is_empty() {
        return Err(nothing_to_do(&format!("at least one action in {from}")));
    }
    Ok(actions)
}
