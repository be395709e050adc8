//! What applications hold: a client of one document, its events, its executors and its requests.
//!
//! Every handle is a cheap clone, `Send + Sync`, and works on current-thread and multi-thread runtimes. One task owns
//! the document; handles send it operations and are answered. **Cancel safety**, everywhere: an operation is accepted
//! when the future that submits it is first able to hand it over, and is then carried out even if that future is
//! dropped; what a dropped future was waiting for is simply not told.
//!
//! The client ends when it is [closed](SyncClient::close), when its document is removed, or when its last handle,
//! stream and delivery are dropped.

mod batch;
mod builder;
mod delivery;
mod driver;
mod events;
mod executor;
mod hand;
mod handlers;
mod machine;
mod notice;
mod place;
mod receipt;
mod request;
#[cfg(feature = "remote")]
mod service;
mod settings;
mod shared;
mod snapshot;
mod token;
mod trace;
mod typed;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

pub use batch::Batch;
pub use builder::Builder;
pub use delivery::{Delivery, Responder};
pub use events::{ActionEvent, ActionsAdded, Events, Notices, Subscription};
pub use executor::{Deliveries, ExecutorHandle};
pub use handlers::Handlers;
pub use notice::Notice;
pub use receipt::Receipt;
pub use request::Request;
pub use settings::Settings;
pub use snapshot::Snapshot;
pub use typed::TypedDocument;
pub use updates::{KeyUpdates, Update, Updates};

use crate::action::Action;
use crate::backend::{Revision, Ttl};
use crate::catalogue::typed::{TypedAction, TypedRequest};
use crate::document::{Operation, Outcome, refuse_reserved};
use crate::error::{Error, Result};
use crate::id::{ActionId, DocumentId, Executor, Identity};
use crate::limits::OPERATIONS_WAITING_MAX;
use crate::token::Token;
use machine::{Addition, Answer, Reply, Room};
use shared::{Command, Shared, object};

/// A client of one shared document. See the [module](self) for how long it lives and what dropping a future means.
#[derive(Clone)]
pub struct SyncClient {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Box<Command>>,
}

impl std::fmt::Debug for SyncClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { id, identity, instance, .. } = &*self.shared;
        let mut debug = f.debug_struct("SyncClient");
        debug.field("document", id).field("identity", identity).field("instance", instance).finish()
    }
}

impl SyncClient {
    /// Collects what is needed to open a document.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The document's name.
    #[must_use]
    pub fn document_id(&self) -> &DocumentId {
        &self.shared.id
    }

    /// Who this client is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// The string that tells this client from all others (see [`Builder::instance`]).
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.shared.instance
    }

    /// The whole content (C9): at least as new as everything this client has written or been shown (C10).
    ///
    /// # Errors
    /// [`Error::NotFound`] when the document was removed, [`Error::Closed`] when the client was.
    ///
    /// # Cancel safety
    /// Only looks, and never waits.
    #[expect(clippy::unused_async, reason = "part of the contract: a client may have to wait some day")]
    pub async fn get_sync(&self) -> Result<Snapshot> {
        self.shared.state().map(Snapshot::new)
    }

    /// Stores the fields of an object: each key given replaces that key, others stay, `null` is stored as `null`
    /// (C11, C12). Answers the revision that holds them, once the backend has accepted it durably (C15).
    ///
    /// # Errors
    /// [`Error::NotAnObject`] or [`Error::Reserved`] before any request (C13); [`Error::TooLarge`],
    /// [`Error::MaybeApplied`], [`Error::TokenExpired`], [`Error::Refused`], [`Error::NotFound`],
    /// [`Error::Closed`], [`Error::Backend`].
    ///
    /// # Cancel safety
    /// See the [module](self): a dropped call is carried out or not.
    pub async fn set_sync(&self, data: impl Into<Value>) -> Result<Revision> {
        let data = checked("set_sync data", data.into())?;
        self.submit(Operation::Merge(Arc::new(data)), Ttl::Keep).await.map(|answer| answer.revision)
    }

    /// Removes application keys (C12). Keys that are not there are passed over.
    ///
    /// # Errors
    /// [`Error::Reserved`] before any request; otherwise as [`set_sync`](Self::set_sync).
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn unset<K: Into<String>>(&self, keys: impl IntoIterator<Item = K> + Send) -> Result<Revision> {
        let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        refuse_reserved("unset", &keys)?;
        self.submit(Operation::Unset(keys), Ttl::Keep).await.map(|answer| answer.revision)
    }

    /// Replaces all application keys; arrays of actions stay (C13).
    ///
    /// # Errors
    /// As [`set_sync`](Self::set_sync).
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn replace_sync(&self, data: impl Into<Value>) -> Result<Revision> {
        let data = checked("replace_sync data", data.into())?;
        self.submit(Operation::Replace(Arc::new(data)), Ttl::Keep).await.map(|answer| answer.revision)
    }

    /// Empties an executor's array on purpose, even when it holds something that is no array (C13, C14). What was
    /// taken already is not touched.
    ///
    /// # Errors
    /// [`Error::UnknownExecutor`] before any request; otherwise as [`set_sync`](Self::set_sync).
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn clear_actions(&self, executor: impl Into<Executor>) -> Result<Revision> {
        let executor = executor.into();
        self.shared.check_executor(&executor)?;
        self.submit(Operation::ClearActions(executor), Ttl::Keep).await.map(|answer| answer.revision)
    }

    /// Adds one action at the end of its executor's array (C21).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] before any request; [`Error::Full`], [`Error::CorruptArray`]; otherwise as
    /// [`set_sync`](Self::set_sync). A [`Error::MaybeApplied`] is returned only when the document cannot tell (C29).
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn add_action<A: TypedAction>(&self, action: A) -> Result<Receipt> {
        self.add_actions(Batch::new().then(action)).await
    }

    /// Adds one action by its name, with the same checks at run time (C24–C27). `info` is an object, or `null` for
    /// none.
    ///
    /// # Errors
    /// [`Error::UnknownAction`], [`Error::MissingField`], [`Error::UnknownField`], [`Error::WrongType`],
    /// [`Error::OutOfRange`], [`Error::Reserved`], [`Error::UnknownExecutor`], [`Error::NotAnObject`] before any
    /// request; otherwise as [`add_action`](Self::add_action).
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn add_action_named(&self, name: impl Into<String>, info: impl Into<Value>) -> Result<Receipt> {
        self.add_actions(Batch::new().then_named(name, info)).await
    }

    /// Adds several actions in one write, whole or not at all (C22, C23).
    ///
    /// # Errors
    /// As [`add_action_named`](Self::add_action_named), for the first action that is wrong; its place is in the error.
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn add_actions(&self, batch: Batch) -> Result<Receipt> {
        let additions = self.check(batch)?;
        let actions = additions.len();
        let answer = match additions.is_empty() {
            true => {
                return Ok(Receipt::new(Vec::new(), 0, self.shared.state()?.revision, self.shared.clone()));
            }
            false => self.send(|reply, room| Command::Add(additions, reply, room)).await?,
        };
        Ok(Receipt::new(answer.ids, actions, answer.revision, self.shared.clone()))
    }

    /// Asks for an action's response (C50). Await the returned [`Request`]; set where the response goes with
    /// [`respond_to`](Request::respond_to).
    pub fn request<A: TypedRequest>(&self, action: A) -> Request<A::Response> {
        let info = Value::Object(action.into_info());
        Request::new(self.clone(), A::ACTION.to_owned(), info)
    }

    /// As [`request`](Self::request), by name. The response is the action object (C20).
    pub fn request_named(&self, name: impl Into<String>, info: impl Into<Value>) -> Request<Action> {
        Request::new(self.clone(), name.into(), info.into())
    }

    /// Removes an action that has not been taken, and says whether it did (C30).
    ///
    /// # Errors
    /// As [`set_sync`](Self::set_sync).
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn withdraw(&self, id: &ActionId) -> Result<bool> {
        let answer = self.submit(Operation::Withdraw(id.clone()), Ttl::Keep).await?;
        Ok(answer.outcome == Outcome::Done)
    }

    /// Takes actions of an executor as deliveries, with an end that is said on purpose.
    pub fn executor(&self, executor: impl Into<Executor>) -> ExecutorHandle {
        ExecutorHandle::new(self.clone(), executor.into())
    }

    /// The event emitter, under the original's names.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.clone())
    }

    /// The document's own fields as a type of the application.
    #[must_use]
    pub fn typed<T>(&self) -> TypedDocument<T> {
        TypedDocument::new(self.clone())
    }

    /// Sets how long the document lives from now: whole seconds, rounded up, at most a year; `None` for ever.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is zero or more than a year; otherwise as [`set_sync`](Self::set_sync).
    ///
    /// # Cancel safety
    /// As [`set_sync`](Self::set_sync).
    pub async fn set_ttl(&self, ttl: Option<Duration>) -> Result<Revision> {
        let ttl = ttl.map_or(Ttl::Never, Ttl::After);
        builder::check_ttl(ttl)?;
        self.submit(Operation::Merge(Arc::default()), ttl).await.map(|answer| answer.revision)
    }

    /// Removes the whole document, for everybody. This client ends; streams say [`Error::NotFound`].
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::TokenExpired`], [`Error::MaybeApplied`], [`Error::Backend`].
    ///
    /// # Cancel safety
    /// A dropped call may have removed the document.
    pub async fn remove_document(&self) -> Result<bool> {
        let Shared { backend, id, .. } = &*self.shared;
        backend.remove(id, None).await.map_err(|error| error.into_error(&backend.facts(), id))
    }

    /// Gives the backend a new token, and lets writes go on that were refused (C8).
    ///
    /// # Errors
    /// [`Error::Invalid`] when the backend takes none, [`Error::Refused`] or [`Error::TokenExpired`] when it does
    /// not take this one.
    ///
    /// # Cancel safety
    /// A dropped call may have installed the token.
    pub async fn install_token(&self, token: &Token) -> Result<()> {
        token::install(&self.shared, token).await?;
        self.order(Command::Resume).await
    }

    /// How many operations of this client wait to be written, at most
    /// [`OPERATIONS_WAITING_MAX`]: what a dashboard shows of a slow backend.
    #[must_use]
    pub fn operations_waiting(&self) -> usize {
        OPERATIONS_WAITING_MAX - self.shared.rooms.available_permits()
    }

    /// Closes the client: what waits is written; what was taken and not finished is given back to the front of its
    /// array, in order, in one write (C44). A delivery still held is cancelled, and its attempt counts.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the backend does not answer within
    /// [`close_within`](Settings::close_within); what was not written then is left to the lease.
    ///
    /// # Cancel safety
    /// A dropped call closes the client all the same.
    pub async fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        if self.order(Command::Close(reply)).await.is_err() {
            return Ok(());
        }
        // A driver that has ended without an answer was closed by somebody else.
        answer.await.unwrap_or(Ok(()))
    }

    /// Checks actions against the catalogue, before any request is made (C25).
    fn check(&self, batch: Batch) -> Result<Vec<Addition>> {
        let several = batch.members.len() > 1;
        let members = batch.members.into_iter().enumerate();
        members.map(|(index, member)| self.check_one(several.then_some(index), member)).collect()
    }

    fn check_one(&self, index: Option<usize>, member: batch::Member) -> Result<Addition> {
        let (name, info) = member.into_info()?;
        let built = self.shared.catalogue.build_info(&name, info, index)?;
        let executor: Executor = built.executor().into();
        let mut action = Map::with_capacity(built.fields.len() + 3);
        action.insert("action".into(), name.into());
        action.insert("executor".into(), executor.as_str().into());
        if let Some(respond_to) = built.respond_to {
            action.insert("respondTo".into(), respond_to.into());
        }
        action.extend(built.fields);
        Ok(Addition {
            executor,
            action: Action::from_named(action),
            expires: built.action.expires,
            awaited: false,
            answers: None,
        })
    }

    async fn submit(&self, operation: Operation, ttl: Ttl) -> Result<Answer> {
        self.send(|reply, room| Command::Submit(operation, ttl, reply, room)).await
    }

    async fn send(&self, command: impl FnOnce(Reply, Room) -> Command + Send) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.order(command(reply, self.room().await?)).await?;
        answer.await.map_err(|_| self.over())?
    }

    /// Waits for a place among the operations that wait (C58).
    async fn room(&self) -> Result<Room> {
        self.shared.rooms.clone().acquire_owned().await.map_err(|_| self.over())
    }

    /// Hands a command to the driver. Boxed, so that an idle client keeps no large buffer.
    async fn order(&self, command: Command) -> Result<()> {
        self.commands.send(Box::new(command)).await.map_err(|_| self.over())
    }

    /// Why the driver is gone.
    fn over(&self) -> Error {
        self.shared.state().err().unwrap_or(Error::Closed)
    }
}

fn checked(what: &'static str, data: Value) -> Result<Map<String, Value>> {
    let data = object(what, data)?;
    refuse_reserved(what, data.keys())?;
    Ok(data)
}
