//! An action in a handler's hands.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::SyncClient;
use super::hand::{AnswerRight, Hand};
use super::machine::{Addition, Ending, response_object};
use super::shared::{Command, object};
use crate::action::Action;
use crate::document::{Failure, Item};
use crate::error::{Error, Result, Retry};
use crate::id::{ActionId, Executor};

/// An action to be carried out. Say how it ended with [`finish`](Self::finish), [`respond`](Self::respond),
/// [`fail`](Self::fail) or [`detach`](Self::detach); dropped unfinished it is given back to the front of its array,
/// and its attempt counts.
///
/// While it is held its claim is renewed, however long that takes. If another client takes over all the same, after
/// this one was not heard of for a lease, [`cancelled`](Self::cancelled) tells.
#[must_use = "a delivery that is dropped is given back"]
#[derive(Debug)]
pub struct Delivery {
    client: SyncClient,
    action: Action,
    hand: Arc<Hand>,
}

impl Delivery {
    /// Takes an action in hand. `None` for what is no action; nothing like that is ever handed out.
    pub(super) fn new(client: SyncClient, hand: Arc<Hand>) -> Option<Self> {
        let action = hand.action()?.clone();
        hand.handle();
        Some(Self { client, action, hand })
    }

    /// The action, as the original would give it (C20).
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> &ActionId {
        &self.hand.start.id
    }

    /// Attempt, from 1. More than 1 says that it may have been carried out before, wholly or in part (C41).
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.hand.start.attempt
    }

    /// The fields as a type of the application, for example a generated struct.
    ///
    /// # Errors
    /// [`Error::Decode`] when a field is missing or of another type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        self.action.parse()
    }

    /// Whether the action is no longer this client's: another has taken it over, or it is gone from the document.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.hand.is_cancelled()
    }

    /// Waits until the action is no longer this client's; for ever if that never happens.
    ///
    /// # Cancel safety
    /// Only looks.
    pub async fn cancelled(&self) {
        self.hand.cancelled().await;
    }

    /// The action is done; nothing is answered (C39, C48). Recorded when every listener of this client has seen the
    /// action too: do not wait for this in the task that reads such a listener.
    ///
    /// # Errors
    /// [`Error::NotHeld`] when it was no longer this client's: nothing was written. [`Error::Closed`],
    /// [`Error::NotFound`].
    ///
    /// # Cancel safety
    /// Once the call has been polled, the end is recorded even if it is dropped; never polled, the action is given back.
    pub async fn finish(self) -> Result<()> {
        let (reply, told) = oneshot::channel();
        self.end(Ending::Finished { response: None, reply: Some(reply) }, told).await
    }

    /// As [`finish`](Self::finish), without waiting until the end is recorded: the ends of a run of quick actions
    /// share one write. A crash within [`finish_linger`](super::Settings::finish_linger) repeats them, with
    /// attempt > 1.
    pub fn done(self) {
        self.hand.end(Ending::Finished { response: None, reply: None });
    }

    /// The action is done; the response is posted in the same write, if the action asks for one (C39, C47).
    ///
    /// # Errors
    /// [`Error::MissingField`], [`Error::UnknownField`], [`Error::WrongType`], [`Error::OutOfRange`] when the
    /// response does not fit the catalogue: that is the handler's failure (C53), and as the work is done the action is
    /// given up at once, as by [`reject`](Self::reject). [`Error::NotAnObject`], [`Error::Decode`] likewise. Otherwise as
    /// [`finish`](Self::finish).
    ///
    /// # Cancel safety
    /// As [`finish`](Self::finish).
    pub async fn respond(self, response: impl Serialize) -> Result<()> {
        match self.check(&response) {
            Ok(_) if !self.hand.answer.take() => {
                let what = format!("the right to answer action {}", self.id());
                self.leave(Ending::Finished { response: None, reply: None });
                Err(Error::NotHeld { what })
            }
            Ok(fields) => {
                let (reply, told) = oneshot::channel();
                self.end(Ending::Finished { response: Some(fields), reply: Some(reply) }, told).await
            }
            Err(error) => {
                self.leave(unfit(&error));
                Err(error)
            }
        }
    }

    /// The handler has failed: the action is tried again after a growing delay, holding its place, and is given up
    /// after the last attempt (C42). The failure is answered to a requester that knows bookkeeping (C52).
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    ///
    /// # Cancel safety
    /// As [`finish`](Self::finish).
    pub async fn fail(self, failure: Failure) -> Result<()> {
        let (reply, told) = oneshot::channel();
        self.end(Ending::Failed { failure, again: true, reply: Some(reply) }, told).await
    }

    /// As [`fail`](Self::fail), but trying again would not help: the action is given up at once.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    ///
    /// # Cancel safety
    /// As [`finish`](Self::finish).
    pub async fn reject(self, failure: Failure) -> Result<()> {
        let (reply, told) = oneshot::channel();
        self.end(Ending::Failed { failure, again: false, reply: Some(reply) }, told).await
    }

    /// The action is done as far as the queue is concerned: the next one starts. The right to respond is kept, for
    /// steps that take a person minutes. A crash before the response loses the response, not the queue. `None` when
    /// the action asks for no response.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    ///
    /// # Cancel safety
    /// As [`finish`](Self::finish).
    pub async fn detach(self) -> Result<Option<Responder>> {
        let responder = Responder::new(&self.client, &self.hand);
        self.finish().await?;
        Ok(responder)
    }

    async fn end(self, ending: Ending, told: oneshot::Receiver<Result<()>>) -> Result<()> {
        let Self { client, hand, .. } = self;
        hand.end(ending);
        drop(hand);
        told.await.map_err(|_| client.over())?
    }

    /// Ends the action without waiting until that is recorded: ends of quick actions then share a write.
    pub(super) fn leave(self, ending: Ending) {
        self.hand.end(ending);
    }

    /// The end with this response, or the failure that an unfit response is (C53).
    pub(super) fn ending(&self, response: impl Serialize) -> Ending {
        match self.check(&response) {
            Ok(fields) => {
                Ending::Finished { response: Some(fields).filter(|_| self.hand.answer.take()), reply: None }
            }
            Err(error) => unfit(&error),
        }
    }

    fn check(&self, response: &impl Serialize) -> Result<Map<String, Value>> {
        self.client.shared.catalogue.build_response(self.action.name(), fields(response)?)
    }
}

/// The handler has done its work, and would answer the same after doing it again: it is not tried again.
fn unfit(error: &Error) -> Ending {
    Ending::Failed { failure: Failure::new("response", error.to_string()), again: false, reply: None }
}

/// The right to answer one action once, after its delivery was [detached](Delivery::detach) or given as an event.
/// Clones, and all others who were given the same action, share it: the first answer counts.
#[derive(Clone, Debug)]
pub struct Responder {
    right: Arc<AnswerRight>,
    client: SyncClient,
    request: Arc<Item>,
    name: String,
    respond_to: Executor,
}

impl Responder {
    pub(super) fn new(client: &SyncClient, hand: &Hand) -> Option<Self> {
        let request = hand.start.item.clone();
        let action = request.action()?;
        let respond_to: Executor = action.respond_to()?.into();
        client.shared.check_executor(&respond_to).ok()?;
        let right = hand.answer.clone();
        Some(Self { right, client: client.clone(), name: action.name().to_owned(), respond_to, request })
    }

    /// Where the response goes.
    #[must_use]
    pub fn respond_to(&self) -> &Executor {
        &self.respond_to
    }

    /// Posts the response (C47).
    ///
    /// # Errors
    /// As [`Delivery::respond`] for what does not fit the catalogue; then nothing is posted. [`Error::NotHeld`] when
    /// the action was answered already. Otherwise as [`SyncClient::add_action`]; where nothing was posted for certain,
    /// a clone may try again.
    ///
    /// # Cancel safety
    /// As [`SyncClient::set_sync`].
    pub async fn respond(self, response: impl Serialize) -> Result<()> {
        let fields = self.client.shared.catalogue.build_response(&self.name, fields(&response)?)?;
        if !self.right.take() {
            return Err(Error::NotHeld { what: format!("the right to answer `{}`", self.name) });
        }
        let tag = self.request.tag();
        let addition = Addition {
            executor: self.respond_to.clone(),
            action: response_object(&self.name, &self.respond_to, fields),
            expires: None,
            awaited: false,
            answers: Some((tag.id.clone(), tag.from.clone())),
        };
        self.client.send(|reply, room| Command::Add(vec![addition], reply, room)).await.map(drop).inspect_err(
            |error| {
                if error.retry() != Retry::MaybeApplied {
                    self.right.put_back();
                }
            },
        )
    }
}

fn fields(response: &impl Serialize) -> Result<Map<String, Value>> {
    let value = serde_json::to_value(response)
        .map_err(|source| Error::Decode { what: "the response".into(), why: source.to_string() })?;
    object("response", value)
}
