//! A table of typed handlers.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::delivery::Delivery;
use super::machine::Ending;
use crate::action::Action;
use crate::catalogue::typed::{TypedAction, TypedRequest, decode};
use crate::document::Failure;
use crate::error::{Error, Result};

/// What a handler has to say in the end: nothing, or a response.
type Said = std::result::Result<Option<Value>, Failed>;
type Handler = Arc<dyn Fn(Action) -> Pin<Box<dyn Future<Output = Said> + Send>> + Send + Sync>;

/// How it failed, and whether another attempt may end otherwise.
struct Failed {
    failure: Failure,
    again: bool,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, again: true }
    }
}

impl Failed {
    fn for_good(code: &str, why: impl ToString) -> Self {
        Self { failure: Failure::new(code, why.to_string()), again: false }
    }
}

/// Typed handlers by action. An action whose fields do not have their types is given up at once, and so is one whose
/// handler answers with what is no response to it: another attempt would end in the same way. An action without a handler is given up at once, as failed (C45). A handler that panics
/// has failed and is tried again (C42); where panics abort the process, the lease decides.
#[derive(Clone, Default)]
#[must_use]
pub struct Handlers {
    by_name: HashMap<&'static str, Handler>,
    /// Whose actions they are, and which were given twice.
    executors: BTreeMap<&'static str, &'static str>,
    twice: Option<&'static str>,
}

impl Handlers {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries out an action that does not answer, or whose answer nobody needs: whoever asks for one all the same
    /// waits in vain. Use [`answer`](Self::answer) for actions that answer.
    ///
    /// A handler that needs something from outside gives each of its futures a clone:
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::sync::Arc;
    ///
    /// use sp_sync::{Handlers, extension};
    ///
    /// let opened = Arc::new(AtomicU32::new(0));
    /// let handlers = Handlers::new().on(move |_: extension::OpenExam| {
    ///     let opened = opened.clone();
    ///     async move {
    ///         opened.fetch_add(1, Ordering::Relaxed);
    ///         Ok(())
    ///     }
    /// });
    /// # let _ = handlers;
    /// ```
    pub fn on<A, F, Fut>(self, handler: F) -> Self
    where
        A: TypedAction + DeserializeOwned + Send + 'static,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<(), Failure>> + Send + 'static,
    {
        self.insert::<A>(boxed(handler, |()| Ok(None)))
    }

    /// Carries out an action and answers it.
    pub fn answer<A, F, Fut>(self, handler: F) -> Self
    where
        A: TypedRequest + DeserializeOwned + Send + 'static,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<A::Response, Failure>> + Send + 'static,
    {
        let said = |response: A::Response| {
            let value = serde_json::to_value(response);
            value.map(Some).map_err(|error| Failed::for_good("response", error))
        };
        self.insert::<A>(boxed(handler, said))
    }

    fn insert<A: TypedAction>(mut self, handler: Handler) -> Self {
        self.executors.insert(A::ACTION, A::EXECUTOR);
        if self.by_name.insert(A::ACTION, handler).is_some() {
            self.twice = Some(A::ACTION);
        }
        self
    }

    /// Refuses a table that cannot be meant for this executor: it would give up its actions, one after the other.
    pub(super) fn check(&self, executor: &str) -> Result<()> {
        let wrong = |why| Err(Error::Invalid { what: "table of handlers", why });
        if self.by_name.is_empty() {
            return wrong(format!("it is empty: every action of `{executor}` would be given up"));
        }
        if let Some(twice) = self.twice {
            return wrong(format!("it has two handlers for `{twice}`"));
        }
        match self.executors.iter().find(|(_, its)| **its != executor) {
            Some((action, its)) => wrong(format!("`{action}` is an action of `{its}`, not of `{executor}`")),
            None => Ok(()),
        }
    }

    /// Carries one action out. Its end is recorded while the next one is carried out; what goes wrong with that is
    /// seen as a notice.
    pub(super) async fn carry_out(&self, delivery: Delivery) {
        let Some(handler) = self.by_name.get(delivery.action().name()) else {
            let message = format!("there is no handler for `{}`", delivery.action().name());
            let Failed { failure, again } = Failed::for_good("no_handler", message);
            return delivery.leave(Ending::Failed { failure, again, reply: None });
        };
        let mut handling = Box::pin(unwinding(|| handler(delivery.action().clone())));
        let said = tokio::select! {
            said = &mut handling => Some(said),
            () = delivery.cancelled() => None,
        };
        // A handler that is dropped where it waits may panic too.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handling)));
        let Some(said) = said else { return };
        let ending = match said {
            Ok(None) => Ending::Finished { response: None, reply: None },
            Ok(Some(response)) => delivery.ending(response),
            Err(Failed { failure, again }) => Ending::Failed { failure, again, reply: None },
        };
        delivery.leave(ending);
    }
}

/// A handler that panics has failed, like any other: its executor goes on, and the action is tried again.
async fn unwinding<F: Future<Output = Said>>(handler: impl FnOnce() -> F) -> Said {
    let panicked = |_| Failed::from(Failure::new("panic", "the handler panicked"));
    let mut handling = Box::pin(catch_unwind(AssertUnwindSafe(handler)).map_err(panicked)?);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(panic) => Poll::Ready(Err(panicked(panic))),
    })
    .await
}

fn boxed<A, T, Fut>(
    handler: impl Fn(A) -> Fut + Send + Sync + 'static,
    said: impl Fn(T) -> Said + Copy + Send + Sync + 'static,
) -> Handler
where
    A: DeserializeOwned + Send + 'static,
    Fut: Future<Output = std::result::Result<T, Failure>> + Send + 'static,
{
    let handler = Arc::new(handler);
    Arc::new(move |action: Action| {
        let handler = handler.clone();
        Box::pin(async move {
            let what = format!("action `{}`", action.name());
            let action = decode(&what, action.as_object().clone());
            let action = action.map_err(|error| Failed::for_good("fields", error))?;
            said(handler(action).await?)
        })
    })
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
