//! The document's own fields as a type of the application.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_stream::Stream;

use super::SyncClient;
use super::updates::Updates;
use crate::backend::Revision;
use crate::error::{Error, Result};

/// A document read and written as `T`, which names the application's own fields. Fields that `T` does not name are
/// left alone; made by [`SyncClient::typed`].
#[derive(Clone, Debug)]
pub struct TypedDocument<T> {
    client: SyncClient,
    fields: PhantomData<fn() -> T>,
}

impl<T> TypedDocument<T> {
    pub(super) fn new(client: SyncClient) -> Self {
        Self { client, fields: PhantomData }
    }

    /// Stores every field of `fields`: what it leaves out (for example `None` with `skip_serializing_if`) stays as it
    /// is (C12). It need not be `T` itself: a struct with some of its fields does.
    ///
    /// # Errors
    /// [`Error::Decode`] when it cannot be written as JSON; otherwise as [`SyncClient::set_sync`].
    ///
    /// # Cancel safety
    /// As [`SyncClient::set_sync`].
    pub async fn set(&self, fields: &(impl Serialize + Sync)) -> Result<Revision> {
        let value = serde_json::to_value(fields)
            .map_err(|source| Error::Decode { what: "the fields".into(), why: source.to_string() })?;
        self.client.set_sync(value).await
    }
}

impl<T: DeserializeOwned> TypedDocument<T> {
    /// The fields now.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is stored does not fit; otherwise as [`SyncClient::get_sync`].
    ///
    /// # Cancel safety
    /// Only looks.
    pub async fn get(&self) -> Result<T> {
        self.client.get_sync().await?.parse()
    }

    /// The fields after every update; see [`Updates`]. An item is an error when what is stored does not fit, and
    /// the stream goes on.
    pub fn updates(&self) -> TypedUpdates<T> {
        TypedUpdates { updates: self.client.events().sp_sync_doc_updated(), fields: PhantomData }
    }
}

/// A stream of `T`; see [`TypedDocument::updates`].
#[must_use]
#[derive(Debug)]
pub struct TypedUpdates<T> {
    updates: Updates,
    fields: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Stream for TypedUpdates<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let update = ready!(Pin::new(&mut self.updates).poll_next(context));
        Poll::Ready(update.map(|update| update.and_then(|update| update.snapshot.parse())))
    }
}
