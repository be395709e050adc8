//! The reading threads. Each has a connection of its own; they take turns at one channel.

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::failure::Failure;
use super::files::Files;
use super::hub::Hub;
use super::row::{self, Row};
use super::still::Reading;
use super::{Options, Tally};
use crate::backend::BackendError;
use crate::id::DocumentId;

/// What a thread is asked to read.
#[derive(Debug)]
pub(super) enum Request {
    One {
        id: DocumentId,
        answer: oneshot::Sender<Result<Row, BackendError>>,
    },
    List {
        after: Option<DocumentId>,
        limit: usize,
        answer: oneshot::Sender<Result<Vec<DocumentId>, BackendError>>,
    },
}

/// Where the threads take their requests from.
pub(super) type Requests = Arc<Mutex<mpsc::Receiver<Request>>>;

pub(super) struct Reader {
    pub(super) reading: Reading,
    pub(super) path: PathBuf,
    pub(super) files: Arc<Files>,
    pub(super) options: Options,
    pub(super) clock: Arc<Clock>,
    pub(super) hub: Arc<Hub>,
    pub(super) tally: Arc<Tally>,
}

impl Reader {
    /// Works until the last handle of the store is dropped.
    pub(super) fn run(mut self, requests: &Requests) {
        loop {
            let request = requests.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            match request {
                None => return,
                // Nobody waits any more: the work can be saved.
                Some(Request::One { answer, .. }) if answer.is_closed() => {}
                Some(Request::One { id, answer }) => {
                    let (clock, hub) = (self.clock.clone(), self.hub.clone());
                    let found = self.read(|connection| row::read(connection, &clock, &id, hub.known(&id)));
                    let _ =
                        answer.send(found.map_err(|failure| self.told(&failure, &format!("reading `{id}`"))));
                }
                Some(Request::List { after, limit, answer }) => {
                    let clock = self.clock.clone();
                    let found = self.read(|connection| row::list(connection, &clock, after.as_ref(), limit));
                    let _ = answer.send(found.map_err(|failure| self.told(&failure, "listing documents")));
                }
            }
        }
    }

    fn read<T>(&mut self, attempt: impl FnMut(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        self.tally.reads.fetch_add(1, Relaxed);
        self.files.check()?;
        self.reading.read(attempt)
    }

    fn told(&self, failure: &Failure, doing: &str) -> BackendError {
        failure.told(doing, &self.path, self.options.busy_timeout)
    }
}
