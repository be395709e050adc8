//! Asking an executor and waiting for its response (C50–C52).

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::SyncClient;
use super::batch::Member;
use super::machine::{Addition, Wait};
use super::shared::Command;
use crate::action::Action;
use crate::catalogue::typed::decode;
use crate::document::{Item, Outcome};
use crate::error::{Error, Result, Retry};
use crate::id::Executor;

/// How long a request that has timed out waits to see itself withdrawn.
const WITHDRAWAL_AWAITED: Duration = Duration::from_secs(1);

/// A request about to be made; await it. Made by [`SyncClient::request`].
///
/// Awaiting it adds the action and waits for the response; that is handed to this caller only, out of turn. After the
/// action type's reply time it fails with [`Error::Timeout`], and the request is withdrawn if nobody has taken it.
/// An executor's failure is [`Error::Failed`].
///
/// # Cancel safety
/// Dropped before it is awaited nothing happens. Dropped later, the request stays; its response becomes an ordinary
/// action of the executor it is posted to.
#[must_use = "nothing happens until it is awaited"]
pub struct Request<R> {
    client: SyncClient,
    name: String,
    info: Value,
    respond_to: Option<Executor>,
    within: Option<Duration>,
    response: PhantomData<fn() -> R>,
}

impl<R> std::fmt::Debug for Request<R> {
    /// Shows what is asked and of whom, never a value: values may be sensitive (C64).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, respond_to, within, .. } = self;
        let mut debug = f.debug_struct("Request");
        debug.field("name", name).field("respond_to", respond_to).field("within", within);
        debug.finish_non_exhaustive()
    }
}

impl<R> Request<R> {
    pub(super) fn new(client: SyncClient, name: String, info: Value) -> Self {
        Self { client, name, info, respond_to: None, within: None, response: PhantomData }
    }

    /// The executor whose array takes the response: the requester's own. Mandatory, unless `info` names it.
    pub fn respond_to(mut self, executor: impl Into<Executor>) -> Self {
        self.respond_to = Some(executor.into());
        self
    }

    /// How long to wait. Default: the reply time of the action's type.
    pub fn within(mut self, within: Duration) -> Self {
        self.within = Some(within);
        self
    }

    /// Checks what is asked, before anything is sent.
    fn check(self) -> Result<Asking> {
        let Self { client, name, info, respond_to, within, .. } = self;
        let mut addition = client.check_one(None, Member { name, info, respond_to })?;
        let name = addition.action.name().to_owned();
        let Some(respond_to) = addition.action.respond_to().map(Executor::from) else {
            let why = format!("`{name}` needs to know where the response goes: call .respond_to(executor)");
            return Err(Error::Invalid { what: "request", why });
        };
        let asked = client.shared.catalogue.action(&name);
        if !asked.is_some_and(|action| action.answers()) {
            let why = format!("`{name}` does not answer: add it with add_action");
            return Err(Error::Invalid { what: "request", why });
        }
        let within = within.or_else(|| asked.map(|action| action.reply_within)).unwrap_or_default();
        addition.awaited = true;
        Ok(Asking { client, name, respond_to, within, addition: Some(Box::new(addition)), sent: false })
    }
}

/// A request that was checked.
struct Asking {
    client: SyncClient,
    name: String,
    respond_to: Executor,
    within: Duration,
    addition: Option<Box<Addition>>,
    sent: bool,
}

impl Asking {
    async fn ask(&mut self) -> Result<Action> {
        let Self { client, name, respond_to, within, addition, sent } = self;
        let (reply, response) = oneshot::channel();
        let key = client.shared.next_key();
        let asked = async {
            let _place = client.shared.requests.acquire().await.map_err(|_| client.over())?;
            let room = client.room().await?;
            if let Some(addition) = addition.take() {
                let wait = Wait { key, respond_to: respond_to.clone(), reply };
                client.order(Command::Ask(addition, wait, room)).await?;
            }
            *sent = true;
            response.await.map_err(|_| client.over())?
        };
        match timeout(*within, asked).await {
            Ok(item) => read(name, &*item?),
            Err(_) => {
                let (why, retry) = match sent {
                    false => ("it was not sent, as many requests wait as may wait: try again", Retry::Now),
                    true => client.give_up(key).await,
                };
                Err(Error::Timeout { what: format!("response to {name}"), after: *within, why, retry })
            }
        }
    }
}

impl SyncClient {
    /// Nobody waits any more: a request that nobody has taken must not be carried out later (C50). What cannot be
    /// withdrawn was taken, or the backend is away; the caller hears of the timeout either way.
    /// Answers what that means for the caller.
    async fn give_up(&self, key: u64) -> (&'static str, Retry) {
        match self.withdraw_request(key).await {
            Some(Outcome::Done) => {
                ("nobody took it, and it was withdrawn: is its executor there?", Retry::Now)
            }
            Some(_) => ("it was taken, and may still be carried out", Retry::MaybeApplied),
            None => ("whether it was taken is not known: the backend is slow or away", Retry::MaybeApplied),
        }
    }

    async fn withdraw_request(&self, key: u64) -> Option<Outcome> {
        let (reply, answer) = oneshot::channel();
        self.order(Command::GiveUp(key, reply)).await.ok()?;
        // The caller has waited long enough: the withdrawal goes on without it.
        let answer = timeout(WITHDRAWAL_AWAITED, answer).await.ok()?.ok()?;
        answer.ok().map(|answer| answer.outcome)
    }
}

fn read(name: &str, item: &Item) -> Result<Action> {
    match (&item.tag().error, item.action()) {
        (Some(failure), _) => {
            let (code, message) = (failure.code.clone(), failure.message.clone());
            Err(Error::Failed { action: name.to_owned(), code, message })
        }
        (None, Some(action)) => Ok(action.clone()),
        (None, None) => Err(Error::NotHeld { what: format!("the response to {name}") }),
    }
}

impl<R: serde::de::DeserializeOwned + Send + 'static> IntoFuture for Request<R> {
    type Output = Result<R>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let asking = self.check();
        Box::pin(async move {
            let response = asking?.ask().await?;
            decode(&format!("response to {}", response.name()), response.as_object().clone())
        })
    }
}

impl IntoFuture for Request<Action> {
    type Output = Result<Action>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let asking = self.check();
        Box::pin(async move { asking?.ask().await })
    }
}
