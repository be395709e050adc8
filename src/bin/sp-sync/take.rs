//! `sp-sync take`: carrying actions out by hand or by script.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sp_sync::client::Deliveries;
use sp_sync::{Delivery, DocumentId, Failure};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

use crate::add::seconds;
use crate::output::{Outcome, Problem};
use crate::store::{Access, Common, Store, document_id, json as parse_json, leave};

#[derive(clap::Args)]
pub(crate) struct Take {
    /// Which document.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Whose actions, for example extension.
    executor: String,
    /// How many to take.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "follow")]
    count: usize,
    /// Take actions until interrupted.
    #[arg(long)]
    follow: bool,
    /// Wait so long for each action; status 3 when none came. With --follow there is no end.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    wait: Duration,
    #[command(flatten)]
    end: End,
    #[command(flatten)]
    common: Common,
}

/// How each action ends. Without any: it is finished, and nothing is answered.
#[derive(clap::Args)]
#[group(multiple = false)]
struct End {
    /// Answer with this JSON object.
    #[arg(long, value_name = "JSON")]
    respond: Option<String>,
    /// Report a failure: it is tried again, here or elsewhere, five attempts in all.
    #[arg(long, value_name = "MESSAGE")]
    fail: Option<String>,
    /// Report that it can never succeed: it is given up.
    #[arg(long, value_name = "MESSAGE")]
    reject: Option<String>,
}

pub(crate) async fn run(arguments: &Take) -> Outcome<()> {
    let respond = match &arguments.end.respond {
        Some(text) => Some(response(text)?),
        None => None,
    };
    let store = arguments.common.open(Access::Write, Some(&arguments.document)).await?;
    if store.catalogue.executor(&arguments.executor).is_none() {
        let known: Vec<&str> = store.catalogue.executors().map(|executor| executor.name.as_str()).collect();
        let (given, known) = (&arguments.executor, known.join(", "));
        return Err(Problem::Failed(format!("the catalogue has no executor `{given}`; it knows {known}")));
    }
    if let Some(Value::Object(fields)) = &respond {
        fits_some(&store, &arguments.executor, fields)?;
    }
    let client = store.connect_existing(&arguments.document).await?;
    let mut deliveries = client.executor(arguments.executor.as_str()).subscribe();
    let taken = take(arguments, respond.as_ref(), &store, &mut deliveries).await;
    drop(deliveries);
    // What was taken and not started goes back to the array before anything is said.
    let left = leave(client).await;
    store.close().await;
    taken.and(left)
}

/// What is no response of any kind is refused before an action is taken, and one of its attempts used up.
fn response(text: &str) -> Outcome<Value> {
    match parse_json("--respond", text)? {
        object @ Value::Object(_) => Ok(object),
        _ => Err(Problem::Usage("--respond: a response is a JSON object".into())),
    }
}

fn fits_some(store: &Store, executor: &str, fields: &Map<String, Value>) -> Outcome<()> {
    let mut actions = store.catalogue.actions_of(executor);
    match actions.any(|action| store.catalogue.build_response(&action.name, fields.clone()).is_ok()) {
        true => Ok(()),
        false => Err(Problem::Usage(format!("--respond: no action of `{executor}` has such a response"))),
    }
}

async fn take(
    arguments: &Take,
    respond: Option<&Value>,
    store: &Store,
    deliveries: &mut Deliveries,
) -> Outcome<()> {
    let mut left = if arguments.follow { usize::MAX } else { arguments.count };
    while left > 0 {
        let next = async {
            match arguments.follow {
                true => Ok(deliveries.next().await),
                false => timeout(arguments.wait, deliveries.next()).await,
            }
        };
        let delivery = tokio::select! {
            delivery = next => delivery,
            () = crate::interrupted() => return Ok(()),
        };
        match delivery {
            Err(_) => return Err(nothing_came(arguments, store).await),
            Ok(None) => return Err(Problem::Failed(format!("`{}` was removed", arguments.document))),
            // Shown first: when nobody reads it, the action is given back.
            Ok(Some(delivery)) => {
                show(store, &delivery)?;
                end(&arguments.end, respond, delivery).await?;
            }
        }
        left -= 1;
    }
    Ok(())
}

async fn nothing_came(arguments: &Take, store: &Store) -> Problem {
    let (executor, within) = (&arguments.executor, arguments.wait);
    let holder = match store.find(&arguments.document).await {
        Ok(Some(stored)) => stored.document.claims(executor).first().map(|claim| claim.by.clone()),
        _ => None,
    };
    let why = match holder {
        Some(by) => format!("{by} holds the oldest; it can be taken over when {by} has been silent for 30 s"),
        None => "nothing waits".into(),
    };
    Problem::Timeout(format!("no action for `{executor}` within {within:?}: {why}"))
}

fn show(store: &Store, delivery: &Delivery) -> Outcome<()> {
    let (action, attempt) = (delivery.action(), delivery.attempt());
    store.output.line(
        || {
            let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            let (name, id) = (store.output.strong(action.name()), store.output.faint(delivery.id().as_str()));
            format!("{name}{again}  {id}  {}", store.output.fields(action)).trim_end().to_owned()
        },
        || json!({ "id": delivery.id().as_str(), "attempt": attempt, "action": store.output.action(action) }),
    )
}

async fn end(end: &End, respond: Option<&Value>, delivery: Delivery) -> Outcome<()> {
    let ended = match (respond, &end.fail, &end.reject) {
        (Some(response), _, _) => delivery.respond(response).await,
        (_, Some(message), _) => delivery.fail(Failure::new("failed", message)).await,
        (_, _, Some(message)) => delivery.reject(Failure::new("rejected", message)).await,
        (None, None, None) => delivery.finish().await,
    };
    Ok(ended?)
}
