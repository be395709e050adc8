//! `sp-sync queue`, `withdraw` and `clear`: what waits, who works on it, and taking it back.

use serde_json::{Value, json};
use sp_sync::DocumentId;
use sp_sync::document::{Claim, Document, Item, array_key};
use sp_sync::limits::{LEASE, RENEWALS_PER_LEASE};

use crate::output::{Outcome, Output, Problem, counted};
use crate::set::told;
use crate::store::{Access, Common, Store, document_id, leave};

#[derive(clap::Args)]
pub(crate) struct Queue {
    /// Which document.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Only this executor.
    executor: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
pub(crate) struct Withdraw {
    /// Which document.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// The action's id, as `add` printed it and `queue` shows it.
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
pub(crate) struct Clear {
    /// Which document.
    #[arg(value_name = "DOC", value_parser = document_id)]
    document: DocumentId,
    /// Whose array to empty. What was taken already goes on.
    executor: String,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(arguments: &Queue) -> Outcome<()> {
    let store = arguments.common.open(Access::Read, Some(&arguments.document)).await?;
    let stored = store.read(&arguments.document).await?;
    let document = &stored.document;
    let mut executors = executors(&store, document);
    if let Some(only) = &arguments.executor {
        if !executors.contains(only) {
            let known = executors.join(", ");
            return Err(Problem::Failed(format!("there is no executor `{only}`; there are {known}")));
        }
        executors.retain(|executor| executor == only);
    }
    executors.iter().try_for_each(|executor| show(&store.output, document, executor))?;
    store.close().await;
    Ok(())
}

/// The catalogue's executors, and whoever else has something in this document.
fn executors(store: &Store, document: &Document) -> Vec<String> {
    let mut names: Vec<String> = store.catalogue.executors().map(|executor| executor.name.clone()).collect();
    let queues = document.queues().map(|(executor, _)| executor);
    let claims = document.ledger().into_iter().flat_map(|ledger| ledger.claimed().map(|(name, _)| name));
    for executor in queues.chain(claims) {
        if !names.iter().any(|name| name == executor.as_str()) {
            names.push(executor.to_string());
        }
    }
    names
}

fn show(output: &Output, document: &Document, executor: &str) -> Outcome<()> {
    let (claims, waiting) = (document.claims(executor), document.waiting(executor));
    let summary = match (claims.len(), waiting.len()) {
        (0, 0) => "nothing".to_owned(),
        (0, waiting) => format!("{} waiting", counted(waiting, "action")),
        (held, waiting) => format!("{} taken, {waiting} waiting", counted(held, "action")),
    };
    output.remark(&format!("{}: {summary}", output.strong(executor)))?;
    if let Some(found) = document.corrupt_array(executor) {
        output.line(
            || format!("  {} holds {found}, not an array: `sp-sync clear` empties it", array_key(executor)),
            || json!({ "executor": executor, "state": "corrupt", "found": found }),
        )?;
    }
    for claim in claims {
        show_claim(output, executor, claim)?;
    }
    waiting.iter().enumerate().try_for_each(|(place, item)| show_waiting(output, executor, place, item))
}

fn show_claim(output: &Output, executor: &str, claim: &Claim) -> Outcome<()> {
    let action = claim.item().and_then(|item| item.action());
    let id = claim.id().map_or("", |id| id.as_str());
    let (by, attempt, renewals) = (&*claim.by, claim.n, claim.t);
    output.line(
        || {
            let (name, fields) = match action {
                Some(action) => (action.name().to_owned(), output.fields(action)),
                None => ("started, never repeated (at most once)".to_owned(), String::new()),
            };
            let words = format!(
                "  taken    {name}  {}  by {by}, attempt {attempt}, {}",
                output.faint(id),
                age(claim)
            );
            format!("{words}  {fields}").trim_end().to_owned()
        },
        || {
            json!({ "executor": executor, "state": "taken", "id": id, "by": by, "attempt": attempt,
                    "renewals": renewals, "action": action.map(|action| output.action(action)) })
        },
    )
}

/// How long a claim is held. There is no time in it, only how often its holder has renewed it, which it does three
/// times per lease: with another lease than the default the estimate is wrong, so the number stands beside it.
fn age(claim: &Claim) -> String {
    let about = (LEASE / RENEWALS_PER_LEASE).as_secs().saturating_mul(claim.t);
    match claim.t {
        0 => "not renewed yet".into(),
        1 => format!("renewed once (for about {about} s with the default lease)"),
        times => format!("renewed {times} times (for about {about} s with the default lease)"),
    }
}

fn show_waiting(output: &Output, executor: &str, place: usize, item: &Item) -> Outcome<()> {
    let Some(action) = item.action() else {
        let found = item.malformed_type().unwrap_or("something else");
        return output.line(
            || format!("  waiting  {found}, which is no action: whoever takes it removes it"),
            || json!({ "executor": executor, "state": "malformed", "place": place, "found": found }),
        );
    };
    let tag = item.tag();
    output.line(
        || {
            let id = item.id().map_or("no id", |id| id.as_str());
            let mut words = format!("  waiting  {}  {}", action.name(), output.faint(id));
            if let Some(from) = &tag.from {
                words += &format!("  {from} waits for the response");
            }
            if tag.re.is_some() {
                words += "  a response";
            }
            format!("{words}  {}", output.fields(action)).trim_end().to_owned()
        },
        || {
            let id: Value = item.id().map_or(Value::Null, |id| id.as_str().into());
            json!({ "executor": executor, "state": "waiting", "place": place, "id": id,
                    "requester": tag.from.as_deref(), "answers": tag.re.as_ref().map(|re| re.as_str()),
                    "expires_ms": tag.exp, "attempts": tag.n.unwrap_or(0), "action": output.action(action) })
        },
    )
}

pub(crate) async fn withdraw(arguments: &Withdraw) -> Outcome<()> {
    let store = arguments.common.open(Access::Write, Some(&arguments.document)).await?;
    let client = store.connect_existing(&arguments.document).await?;
    let withdrawn = client.withdraw(&arguments.id.as_str().into()).await?;
    leave(client).await?;
    if !withdrawn {
        let why = "no waiting action has this id: it was taken, has ended, or never was";
        return Err(Problem::Failed(format!("{why} (`sp-sync queue {}` shows)", arguments.document)));
    }
    let id = &arguments.id;
    store.output.line(|| format!("withdrawn: {id}"), || json!({ "id": id, "withdrawn": true }))?;
    store.close().await;
    Ok(())
}

pub(crate) async fn clear(arguments: &Clear) -> Outcome<()> {
    let store = arguments.common.open(Access::Write, Some(&arguments.document)).await?;
    let client = store.connect_existing(&arguments.document).await?;
    let revision = client.clear_actions(arguments.executor.as_str()).await?;
    leave(client).await?;
    told(&store, &arguments.document, revision, false)?;
    store.close().await;
    Ok(())
}
