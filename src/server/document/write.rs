//! One write against a backend that knows conditional writes only.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::super::{Counters, rights, trace};
use super::{Done, Edit};
use crate::backend::{self, Backend, BackendError, Expect, Stored, Write, Written};
use crate::document::Document;
use crate::id::DocumentId;
use crate::twilsock::sync::{Code, Data, EventId, Revision, SyncError, Ttl};

/// A write on its way.
pub(super) struct Writing {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) counters: Arc<Counters>,
    pub(super) document: DocumentId,
    /// Bytes of compact JSON it may have.
    pub(super) bytes_max: usize,
    /// Where its rows are, if rows count: they go when it does.
    pub(super) rows: Option<DocumentId>,
    pub(super) edit: Edit,
    pub(super) until: Instant,
    /// The state that this server believes to be the newest; a read decides where it matters.
    pub(super) known: Option<Stored>,
}

/// What became of it, and the newest state that was seen on the way.
pub(super) struct Wrote {
    pub(super) result: Result<Done, SyncError>,
    pub(super) newest: Option<Stored>,
}

/// Why an attempt was not the last.
enum Failed {
    /// Another write came first.
    Overtaken,
    For(SyncError),
}

impl From<SyncError> for Failed {
    fn from(error: SyncError) -> Self {
        Self::For(error)
    }
}

impl From<Code> for Failed {
    fn from(code: Code) -> Self {
        Self::For(code.into())
    }
}

impl Writing {
    pub(super) async fn carry_out(&mut self) -> Wrote {
        let until = self.until;
        let result = match timeout_at(until, self.until_it_holds()).await {
            Ok(result) => result,
            // What was dropped halfway may have held.
            Err(_) => {
                trace::store_failed(&format_args!("writing `{}`: no answer in time", self.document));
                Err(self.unknown("the store did not answer in time"))
            }
        };
        self.count(&result);
        Wrote { result, newest: self.known.take() }
    }

    /// Sync: a write without `If-Match` goes over whatever is there, so it is repeated until it holds; one with it is
    /// judged anew against every state that came first.
    async fn until_it_holds(&mut self) -> Result<Done, SyncError> {
        let mut fresh = false;
        loop {
            match self.attempt(fresh).await {
                Ok(done) => return Ok(done),
                Err(Failed::For(error)) => return Err(error),
                Err(Failed::Overtaken) => self.counters.writes_repeated.up(),
            }
            self.look().await?;
            fresh = true;
        }
    }

    async fn look(&mut self) -> Result<(), SyncError> {
        self.known = self.backend.read(&self.document).await.map_err(|error| refusal(&error))?;
        Ok(())
    }

    async fn attempt(&mut self, fresh: bool) -> Result<Done, Failed> {
        match self.edit.clone() {
            Edit::Create { data, ttl } => self.create(data, ttl).await,
            Edit::Update { data, ttl, if_match } => self.update(data, ttl, if_match, fresh).await,
            Edit::Remove { if_match } => self.remove(if_match).await,
        }
    }

    async fn create(&mut self, data: Data, ttl: Option<Ttl>) -> Result<Done, Failed> {
        // One that has expired may have left some.
        if let Some(rows) = &self.rows
            && rights::sweep(&*self.backend, &self.document, rows).await.is_err()
        {
            return Err(Code::Unavailable.into());
        }
        let ttl = ttl.map_or(backend::Ttl::Never, stored_ttl);
        let document = self.read(&data, None)?;
        let write = Write { document: document.clone(), expect: Expect::Absent, ttl };
        match self.backend.write(&self.document, write).await {
            Ok(written) => Ok(self.wrote(written, document, None)),
            Err(BackendError::Conflict) => Err(Code::NameTaken.into()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn update(
        &mut self,
        data: Option<Data>,
        ttl: Option<Ttl>,
        if_match: Option<Revision>,
        fresh: bool,
    ) -> Result<Done, Failed> {
        let stale = |known: &Stored| if_match.as_ref().is_some_and(|expected| revision(known) != *expected);
        // What is believed may be old: before anybody is refused, the backend is asked.
        if !fresh && self.known.as_ref().is_none_or(stale) {
            self.look().await?;
        }
        let Some(known) = self.known.clone() else { return Err(Code::NoDocument.into()) };
        if stale(&known) {
            return Err(Code::StaleDocument.into());
        }
        let document = match data {
            Some(data) => self.read(&data, Some(&known.document))?,
            None => known.document.clone(),
        };
        let ttl = ttl.map_or(backend::Ttl::Keep, stored_ttl);
        let write = Write { document: document.clone(), expect: Expect::Revision(known.revision), ttl };
        match self.backend.write(&self.document, write).await {
            Ok(written) => Ok(self.wrote(written, document, Some(known))),
            Err(BackendError::Conflict) => Err(Failed::Overtaken),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn remove(&mut self, if_match: Option<Revision>) -> Result<Done, Failed> {
        let expect = match if_match.as_ref().map(Revision::event_id) {
            None => None,
            Some(Some(EventId(id))) => Some(backend::Revision(u64::try_from(id).unwrap_or(u64::MAX))),
            Some(None) => {
                self.look().await?;
                let missing = self.known.is_none();
                return Err(if missing { Code::NoDocument } else { Code::StaleDocument }.into());
            }
        };
        match self.backend.remove(&self.document, expect).await {
            Ok(there) => {
                self.known = None;
                if let Some(rows) = &self.rows {
                    // What is left now is removed before anybody makes the document anew.
                    let _ = rights::sweep(&*self.backend, &self.document, rows).await;
                }
                if there { Ok(Done::Removed) } else { Err(Code::NoDocument.into()) }
            }
            Err(BackendError::Conflict) => Err(Code::StaleDocument.into()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// New data, of which most is as before.
    fn read(&self, data: &Data, before: Option<&Document>) -> Result<Arc<Document>, SyncError> {
        let document =
            Document::from_shared(data.text(), before).map_err(|_| SyncError::from(Code::NotJson))?;
        match document.size_bytes() {
            bytes if bytes > self.bytes_max => Err(too_large(bytes, self.bytes_max)),
            _ => Ok(Arc::new(document)),
        }
    }

    fn wrote(&mut self, written: Written, document: Arc<Document>, before: Option<Stored>) -> Done {
        let Written { revision, expires, at } = written;
        let created = before.map_or(at, |before| before.created);
        let stored = Stored { revision, document, expires, created, updated: at, at };
        self.known = Some(stored.clone());
        Done::Written(stored)
    }

    fn failed(&self, error: &BackendError) -> Failed {
        Failed::For(match error {
            BackendError::Unknown { .. } => {
                trace::store_failed(error);
                self.unknown("the store's answer was lost")
            }
            error => refusal(error),
        })
    }

    /// Sync: the SDKs repeat what is answered with 502 to 504, and nothing else. A write over whatever is there may be
    /// repeated; one over a revision would be taken for somebody else's when it held, and be done twice.
    fn unknown(&self, why: &str) -> SyncError {
        let conditional = !matches!(self.edit, Edit::Update { if_match: None, .. });
        let error =
            SyncError::from(Code::Internal).saying(format!("It is not known whether this held: {why}"));
        SyncError { status: if conditional { 500 } else { 504 }, ..error }
    }

    fn count(&self, result: &Result<Done, SyncError>) {
        match result {
            Ok(_) => {
                trace::store_works();
                self.counters.writes_held.up();
            }
            Err(error) if error.is(Code::StaleDocument) => self.counters.writes_stale.up(),
            Err(error) if error.is(Code::Internal) => self.counters.writes_unknown.up(),
            Err(_) => self.counters.writes_refused.up(),
        }
    }
}

/// A revision as the Sync protocol writes it.
pub(super) fn revision(stored: &Stored) -> Revision {
    event_id(stored).revision()
}

/// The number of a state's event: the backend's revision.
pub(in super::super) fn event_id(stored: &Stored) -> EventId {
    EventId(i64::try_from(stored.revision.0).unwrap_or(i64::MAX))
}

fn stored_ttl(ttl: Ttl) -> backend::Ttl {
    match ttl {
        Ttl::Never => backend::Ttl::Never,
        Ttl::After(time) => backend::Ttl::After(time),
    }
}

/// A backend's failure, as a client hears it. 503 says that nothing was stored.
pub(in super::super) fn refusal(error: &BackendError) -> SyncError {
    if !matches!(
        error,
        BackendError::TooLarge { .. } | BackendError::RateLimited { .. } | BackendError::Conflict
    ) {
        trace::store_failed(error);
    }
    match error {
        BackendError::TooLarge { size_bytes, limit_bytes } => too_large(*size_bytes, *limit_bytes),
        BackendError::RateLimited { .. } => Code::RateLimit.into(),
        BackendError::Refused { .. } => {
            SyncError::from(Code::Unavailable).saying("The store refuses this server")
        }
        BackendError::Conflict | BackendError::Unknown { .. } => Code::Internal.into(),
        _ => Code::Unavailable.into(),
    }
}

/// The refusal of data of so many bytes.
pub(in super::super) fn too_large(size_bytes: usize, limit_bytes: usize) -> SyncError {
    SyncError::from(Code::TooLarge).saying(format!("Data has {size_bytes} bytes, the limit is {limit_bytes}"))
}
