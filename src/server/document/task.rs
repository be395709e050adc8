//! The task that owns one document.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::super::connection::PeerId;
use super::super::queues::Observer;
use super::super::rights::{Rows, sweep};
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
    observer: Observer,
    /// There while there are subscribers, or some that wait to be.
    watching: Option<Watching>,
    /// The same for its rows, where rows count.
    watching_rows: Option<Watching>,
    /// The watch has said who may do what.
    rows_heard: bool,
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
    let subscribers = Subscribers::new(document.clone(), sid);
    let observer = core.queues.observer(&document);
    let task = Task {
        core,
        document,
        newest: None,
        told: None,
        subscribers,
        observer,
        watching: None,
        watching_rows: None,
        rows_heard: false,
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
        let mut is_over = false;
        loop {
            self.settle();
            if is_over && self.work.is_none() {
                break;
            }
            let idle = self.work.is_none() && self.watching.is_none();
            let idle_for = self.core.limits.document_idle;
            // Ranked: an answer goes out before anything else is told; while a write is on its way the watch is not asked,
            // so what it has to say of that write comes after the answer; who may do what is heard before a command, which
            // may wait for all of them.
            tokio::select! {
                biased;
                worked = poll(&mut self.work), if self.work.is_some() => self.worked(worked),
                change = next(&mut self.watching), if self.watching.is_some() && self.work.is_none() => {
                    self.changed(change);
                }
                change = next(&mut self.watching_rows), if self.watching_rows.is_some() => self.rows_changed(change),
                command = commands.recv(), if !is_over => match command {
                    Some(command) => self.obey(command),
                    None => is_over = true,
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
        if self.core.access.rows_count() {
            if wanted && self.watching_rows.is_none() {
                let rows = self.core.names.rows(&self.document);
                self.watching_rows = Some(Watching::new(self.core.backend.clone(), rows));
            } else if !wanted && self.watching_rows.is_some() {
                self.forget_rows();
            }
        }
    }

    fn begin(&mut self, change: Change) {
        let Change { edit, author, until, answer } = change;
        if until <= Instant::now() {
            self.core.counters.writes_refused.up();
            return answer(Err(Code::Unavailable.into()));
        }
        let mut writing = Writing {
            backend: self.core.backend.clone(),
            counters: self.core.counters.clone(),
            document: self.document.clone(),
            bytes_max: self.core.document_bytes_max(),
            rows: self.core.access.rows_count().then(|| self.core.names.rows(&self.document)),
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
                Some(_) if self.watched && self.may_judge() => self.take(*subscription),
                _ => {
                    self.arriving.retain(|other| other.peer.id != subscription.peer.id);
                    self.arriving.push(*subscription);
                }
            },
            Command::Cancel(of) => {
                let (peer, correlation) = *of;
                self.arriving.retain(|other| other.peer.id != peer.id);
                self.subscribers.cancel(&peer, &correlation);
            }
            Command::Leave(peer) => {
                self.arriving.retain(|other| other.peer.id != peer);
                self.subscribers.drop_peer(peer);
            }
            Command::Judge(rows) if self.watching_rows.is_some() => self.judge(*rows),
            // The watch will say it to whoever comes.
            Command::Judge(_) => {}
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
                let rows = self.core.access.rows_count().then(|| self.core.names.rows(&document));
                self.work = Some(Box::pin(async move {
                    let looked = backend.read(&document).await;
                    if let (Ok(None), Some(rows)) = (&looked, rows) {
                        // What is left now is removed before anybody makes the document anew.
                        let _ = sweep(&*backend, &document, &rows).await;
                    }
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
        self.take_arriving();
    }

    /// Takes in those who wait, once it is known what there is and who may see it.
    fn take_arriving(&mut self) {
        if self.watched && self.newest.is_some() && self.may_judge() {
            for subscription in std::mem::take(&mut self.arriving) {
                self.take(subscription);
            }
        }
    }

    fn take(&mut self, subscription: Subscription) {
        let may = self.core.access.may(subscription.peer.identity(), self.document.as_str());
        match &self.newest {
            Some(newest) if may.read => self.subscribers.take(&subscription, newest),
            // The right was there a moment ago, so it is no secret that the document is.
            Some(_) => self.subscribers.refuse(&subscription, Code::NotAllowed.into()),
            None => self.arriving.push(subscription),
        }
    }

    /// Whether it is known who may do what.
    fn may_judge(&self) -> bool {
        self.rows_heard || !self.core.access.rows_count()
    }

    /// The watch says who may do what.
    fn rows_changed(&mut self, change: backend::Change) {
        self.judge(match change {
            backend::Change::Updated(stored) => Rows::of(&stored),
            backend::Change::Removed => Rows::default(),
        });
    }

    fn judge(&mut self, rows: Rows) {
        self.rows_heard = true;
        if self.core.access.hear(&self.document, rows) {
            self.bar();
        }
        self.take_arriving();
    }

    /// Ends the subscriptions of those who may not read any more. The rules tell nobody when they change, so they are
    /// asked whenever there is something to tell.
    fn bar(&mut self) {
        let (access, document) = (&self.core.access, self.document.as_str());
        self.subscribers.bar(|identity| access.may(identity, document).read);
    }

    fn forget_rows(&mut self) {
        self.watching_rows = None;
        self.rows_heard = false;
        self.core.access.forget(&self.document);
    }

    /// There is this state. Whoever was not told of it or of a newer one is told, except its author.
    fn seen(&mut self, stored: Stored, author: Option<PeerId>) {
        if self.told.is_none_or(|told| stored.revision > told) {
            self.bar();
            self.subscribers.tell_updated(&stored, author);
            self.told = Some(stored.revision);
        }
        if self.newest.as_ref().is_none_or(|newest| stored.revision >= newest.revision) {
            self.observer.see(&stored.document, Instant::now());
            self.newest = Some(stored);
        }
    }

    /// There is none.
    fn gone(&mut self, author: Option<PeerId>) {
        self.newest = None;
        self.told = None;
        self.observer.see_nothing(Instant::now());
        self.bar();
        self.subscribers.tell_removed(None, author);
        if self.watched {
            for subscription in std::mem::take(&mut self.arriving) {
                self.subscribers.refuse(&subscription, Code::NoDocument.into());
            }
        }
        // What the watches have still to say may be of the document that is gone.
        self.watching = None;
        self.watched = false;
        if self.watching_rows.is_some() {
            self.forget_rows();
        }
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
