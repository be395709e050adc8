//! The task that owns one document.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::super::connection::PeerId;
use super::super::service::Core;
use super::subscribers::Subscribers;
use super::watching::Watching;
use super::write::{Writing, Wrote};
use super::{Answer, Change, Command, Done, Subscription};
use crate::backend::{self, BackendError, Stored};
use crate::id::DocumentId;
use crate::limits::BACKOFF_MIN;
use crate::twilsock::sync::Code;

/// Work for the backend; one thing at a time.
type Work = Pin<Box<dyn Future<Output = Worked> + Send>>;

enum Worked {
    /// A write has ended.
    Wrote(Box<(Option<PeerId>, Answer, Wrote)>),
    /// The watch said that the document is gone, and this is what a look shows: by now it may be there again.
    Looked(Result<Option<Stored>, BackendError>),
}

struct Task {
    core: Arc<Core>,
    document: DocumentId,
    /// The newest state that was seen, by whichever way.
    newest: Option<Stored>,
    /// The newest revision that subscribers were told of, or knew already.
    told: Option<backend::Revision>,
    subscribers: Subscribers,
    /// There while there are subscribers, or some that wait to be.
    watching: Option<Watching>,
    /// Those who wait for the watch to say what there is.
    arriving: Vec<Subscription>,
    /// The watch has said what there is.
    watched: bool,
    waiting: VecDeque<Box<Change>>,
    work: Option<Work>,
}

pub(super) fn start(core: Arc<Core>, document: DocumentId, commands: mpsc::Receiver<Command>) {
    let sid = core.names.sid(&document);
    core.names.meet(&sid, &document);
    let subscribers = Subscribers::new(document.clone(), sid, core.access.clone());
    let task = Task {
        core,
        document,
        newest: None,
        told: None,
        subscribers,
        watching: None,
        arriving: Vec::new(),
        watched: false,
        waiting: VecDeque::new(),
        work: None,
    };
    tokio::spawn(task.run(commands));
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.core.counters.documents.up();
        loop {
            self.settle();
            let idle = self.work.is_none() && self.watching.is_none();
            let idle_for = self.core.limits.document_idle;
            // Ranked: an answer goes out before anything else is told; while a write is on its way the watch is not asked,
            // so what it has to say of that write comes after the answer; a command may wait for both.
            tokio::select! {
                biased;
                worked = poll(&mut self.work), if self.work.is_some() => self.worked(worked),
                change = next(&mut self.watching), if self.watching.is_some() && self.work.is_none() => {
                    self.changed(change);
                }
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
                () = sleep(idle_for), if idle => {
                    if self.core.forget(&self.document, &commands) {
                        break;
                    }
                }
            }
        }
        self.core.counters.documents.down();
    }

    /// Begins what is to be begun, and ends the watch when nobody wants it.
    fn settle(&mut self) {
        while self.work.is_none()
            && let Some(change) = self.waiting.pop_front()
        {
            self.begin(*change);
        }
        let wanted = !self.subscribers.is_empty() || !self.arriving.is_empty();
        if wanted && self.watching.is_none() {
            self.watching = Some(Watching::new(self.core.backend.clone(), self.document.clone()));
        } else if !wanted && self.watching.is_some() {
            self.watching = None;
            self.watched = false;
            self.told = None;
        }
    }

    fn begin(&mut self, change: Change) {
        let Change { edit, author, until, answer } = change;
        if until <= Instant::now() {
            self.core.counters.writes_refused.up();
            return answer(Err(Code::Unavailable.into()));
        }
        let writing = Writing {
            backend: self.core.backend.clone(),
            counters: self.core.counters.clone(),
            document: self.document.clone(),
            edit,
            until,
            known: self.newest.clone(),
        };
        self.work =
            Some(Box::pin(
                async move { Worked::Wrote(Box::new((author, answer, writing.carry_out().await))) },
            ));
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Change(change) => {
                if self.waiting.len() < self.core.limits.writes_waiting_max {
                    self.waiting.push_back(change);
                } else {
                    self.core.counters.writes_refused.up();
                    (change.answer)(Err(Code::RateLimit.into()));
                }
            }
            Command::Subscribe(subscription) => match &self.newest {
                Some(newest) if self.watched => self.subscribers.take(&subscription, newest),
                _ => {
                    self.arriving.retain(|other| other.peer.id != subscription.peer.id);
                    self.arriving.push(*subscription);
                }
            },
            Command::Cancel(peer, correlation) => {
                self.arriving.retain(|other| other.peer.id != peer.id);
                self.subscribers.cancel(&peer, &correlation);
            }
            Command::Leave(peer) => {
                self.arriving.retain(|other| other.peer.id != peer);
                self.subscribers.drop_peer(peer);
            }
        }
    }

    fn worked(&mut self, worked: Worked) {
        self.work = None;
        match worked {
            Worked::Wrote(wrote) => {
                let (author, answer, Wrote { result, newest }) = *wrote;
                let done = result.clone().ok();
                answer(result);
                match done {
                    Some(Done::Written(stored)) => self.seen(stored, author),
                    Some(Done::Removed) => self.gone(author),
                    // A state that came first: the watch will tell of it.
                    None => self.newest = newest,
                }
            }
            Worked::Looked(Ok(Some(stored))) => self.there(stored),
            Worked::Looked(Ok(None)) => {
                self.watched = true;
                self.gone(None);
            }
            // Whether it is gone is asked again, by watching anew.
            Worked::Looked(Err(_)) => self.watching = None,
        }
    }

    /// The watch has something to say.
    fn changed(&mut self, change: backend::Change) {
        match change {
            backend::Change::Updated(stored) => self.there(stored),
            backend::Change::Removed => {
                let (backend, document) = (self.core.backend.clone(), self.document.clone());
                self.work = Some(Box::pin(async move {
                    let looked = backend.read(&document).await;
                    if looked.is_err() {
                        sleep(BACKOFF_MIN).await;
                    }
                    Worked::Looked(looked)
                }));
            }
        }
    }

    fn there(&mut self, stored: Stored) {
        self.watched = true;
        self.seen(stored, None);
        if let Some(newest) = &self.newest {
            for subscription in self.arriving.drain(..) {
                self.subscribers.take(&subscription, newest);
            }
        }
    }

    /// There is this state. Whoever was not told of it or of a newer one is told, except its author.
    fn seen(&mut self, stored: Stored, author: Option<PeerId>) {
        if self.told.is_none_or(|told| stored.revision > told) {
            self.subscribers.tell_updated(&stored, author);
            self.told = Some(stored.revision);
        }
        if self.newest.as_ref().is_none_or(|newest| stored.revision >= newest.revision) {
            self.newest = Some(stored);
        }
    }

    /// There is none.
    fn gone(&mut self, author: Option<PeerId>) {
        self.newest = None;
        self.told = None;
        self.subscribers.tell_removed(None, author);
        if self.watched {
            for subscription in std::mem::take(&mut self.arriving) {
                self.subscribers.refuse(&subscription, Code::NoDocument.into());
            }
        }
        // What the watch has still to say may be of the document that is gone.
        self.watching = None;
        self.watched = false;
    }
}

/// Only called when there is some.
async fn poll(work: &mut Option<Work>) -> Worked {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

/// Only called when there is one.
async fn next(watching: &mut Option<Watching>) -> backend::Change {
    match watching {
        Some(watching) => watching.next().await,
        None => std::future::pending().await,
    }
}
