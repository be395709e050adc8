//! What an identity may do with a document: its row says, and where it has none, the rules do.
//!
//! Rows are set over REST while the server runs, [`Access`] is a rule from the configuration. The rows of a document live
//! in a document of their own beside it, in the same backend: so they are as durable as documents are, and every server on
//! that backend has the same. A request is judged by what the store says at that moment; a running subscription by what
//! its document's task has heard, which the store tells it as it tells of documents.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Once, PoisonError, RwLock};

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::connection::Peer;
use super::files::in_session;
use super::service::Core;
use super::{Access, Permissions, seeking, sweeping, trace};
use crate::backend::{Backend, BackendError, Revision, Stored, Written};
use crate::document::Document;
use crate::id::DocumentId;
use crate::twilsock::sync::{Code, SyncError};

/// A key of a document of rows. Its value has a member per identity: the first letters of what it may do.
const ROWS: &str = "rows";

/// The other: the name of the document that the rows are of.
const OF: &str = "of";

/// Who may do what with one document. Ordered, so that a list of them has an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    rows: BTreeMap<String, Permissions>,
    /// Something stands there that this server did not write: then nobody may do anything, until it is written anew.
    unreadable: bool,
    revision: Option<Revision>,
}

/// The rules, and the rows of those documents that somebody is subscribed to.
pub(super) struct Rights {
    pub(super) rules: Arc<dyn Access>,
    /// `None` where rows do not count.
    known: Option<RwLock<HashMap<Box<str>, Rows>>>,
    /// Somebody has begun to look for rows of documents that have expired.
    swept: Once,
}

impl Rows {
    /// Of the document that holds them.
    pub(super) fn of(stored: &Stored) -> Self {
        let rows = match stored.document.field(ROWS) {
            Some(Value::Object(rows)) => {
                rows.iter().map(|(who, may)| Some((who.clone(), read(may)?))).collect()
            }
            _ => None,
        };
        let (unreadable, revision) = (rows.is_none(), Some(stored.revision));
        Self { rows: rows.unwrap_or_default(), unreadable, revision }
    }

    /// Of a document that has just been written.
    pub(super) fn written(document: Arc<Document>, written: &Written) -> Self {
        let Written { revision, expires, at } = *written;
        Self::of(&Stored { revision, document, expires, created: at, updated: at, at })
    }

    /// The document that holds them.
    pub(super) fn document(&self, of: &DocumentId) -> Document {
        let rows: Map<String, Value> =
            self.rows.iter().map(|(who, may)| (who.clone(), letters(*may).into())).collect();
        let members = [(OF.to_owned(), of.as_str().into()), (ROWS.to_owned(), json!(rows))];
        Document::from_object(Map::from_iter(members))
    }

    /// The revision of the document that holds them, if there is one.
    pub(super) fn revision(&self) -> Option<Revision> {
        self.revision
    }

    pub(super) fn get(&self, identity: &str) -> Option<Permissions> {
        if self.unreadable { Some(Permissions::NONE) } else { self.rows.get(identity).copied() }
    }

    pub(super) fn after<'r>(
        &'r self,
        identity: Option<&str>,
    ) -> impl Iterator<Item = (&'r str, Permissions)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = identity.map_or(Unbounded, Excluded);
        self.rows.range::<str, _>((from, Unbounded)).map(|(who, may)| (who.as_str(), *may))
    }

    /// Gives an identity a row, or takes it away. Answers what it had.
    pub(super) fn set(&mut self, identity: &str, may: Option<Permissions>) -> Option<Permissions> {
        self.unreadable = false;
        match may {
            Some(may) => self.rows.insert(identity.to_owned(), may),
            None => self.rows.remove(identity),
        }
    }
}

/// Of which document these rows are, if they say so.
pub(super) fn document_of(rows: &Stored) -> Option<DocumentId> {
    let Some(Value::String(name)) = rows.document.field(OF) else { return None };
    DocumentId::new(name.as_str()).ok()
}

fn letters(may: Permissions) -> String {
    [(may.read, 'r'), (may.write, 'w'), (may.manage, 'm')]
        .iter()
        .filter(|(has, _)| *has)
        .map(|(_, l)| *l)
        .collect()
}

fn read(may: &Value) -> Option<Permissions> {
    let letters = may.as_str().filter(|text| text.chars().all(|letter| "rwm".contains(letter)))?;
    let has = |letter| letters.contains(letter);
    Some(Permissions { read: has('r'), write: has('w'), manage: has('m') })
}

impl Rights {
    pub(super) fn new(rules: Arc<dyn Access>, rows_count: bool) -> Self {
        Self { rules, known: rows_count.then(RwLock::default), swept: Once::new() }
    }

    pub(super) fn rows_count(&self) -> bool {
        self.known.is_some()
    }

    /// What an identity may do with a document that somebody is subscribed to: by the rows that were heard of. Where none
    /// were heard of yet, nothing.
    pub(super) fn may(&self, identity: &str, document: &str) -> Permissions {
        let Some(known) = &self.known else { return self.rules.may(identity, document) };
        let known = known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(document).map_or(Permissions::NONE, |rows| self.by(rows, identity, document))
    }

    /// A row decides alone. That of a person counts for the identity that this person has in a session, too.
    fn by(&self, rows: &Rows, identity: &str, document: &str) -> Permissions {
        let own = || in_session(identity).and_then(|(_, own)| rows.get(own));
        rows.get(identity).or_else(own).unwrap_or_else(|| self.rules.may(identity, document))
    }

    /// Hears of rows; answers whether they are news.
    pub(super) fn hear(&self, document: &DocumentId, rows: Rows) -> bool {
        let Some(known) = &self.known else { return false };
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(document.as_str());
        // What came another way may be ahead of the watch.
        if before.is_some_and(|before| rows.revision.is_some() && before.revision >= rows.revision) {
            return false;
        }
        known.insert(document.as_str().into(), rows);
        true
    }

    /// Nobody is subscribed to this document any more, or it is gone.
    pub(super) fn forget(&self, document: &DocumentId) {
        if let Some(known) = &self.known {
            known.write().unwrap_or_else(PoisonError::into_inner).remove(document.as_str());
        }
    }
}

impl Core {
    /// What an identity may do with a document, as the store says now.
    pub(super) async fn may(
        self: &Arc<Self>,
        identity: &str,
        document: &DocumentId,
    ) -> Result<Permissions, SyncError> {
        if !self.access.rows_count() {
            return Ok(self.access.rules.may(identity, document.as_str()));
        }
        // A connection waits for this, so it has an end.
        let rows = timeout(self.limits.write_within, self.rows(document)).await;
        let rows = rows.unwrap_or_else(|_| Err(Code::Unavailable.into()))?;
        Ok(self.access.by(&rows, identity, document.as_str()))
    }

    /// Why whoever asks by SID hears no more, whose rights do not cover it. SIDs are derived from names: whoever may do nothing
    /// with a document must not find out by its SID that it is there. By name that is not to be found out either, but
    /// there the answer is always that it is not allowed.
    pub(super) async fn denial(
        self: &Arc<Self>,
        peer: &Peer,
        document: &DocumentId,
        may: Permissions,
    ) -> SyncError {
        if may != Permissions::NONE || peer.knows(document) {
            return Code::NotAllowed.into();
        }
        seeking::in_vain(self).await
    }

    /// The rows of a document.
    pub(super) async fn rows(self: &Arc<Self>, document: &DocumentId) -> Result<Rows, SyncError> {
        self.access.swept.call_once(|| sweeping::start(self));
        let stored = self.backend.read(&self.names.rows(document)).await;
        let stored = stored.map_err(|error| {
            trace::store_failed(&error);
            SyncError::from(Code::Unavailable)
        })?;
        Ok(stored.as_ref().map(Rows::of).unwrap_or_default())
    }
}

/// Removes the rows of a document that is gone. They are read first and the document is looked for afterwards: if it is
/// not there then, these rows are of its earlier life, and if they have changed when they are to be removed, they stay.
pub(super) async fn sweep(
    backend: &dyn Backend,
    document: &DocumentId,
    rows: &DocumentId,
) -> Result<(), BackendError> {
    let Some(left) = backend.read(rows).await? else { return Ok(()) };
    if backend.read(document).await?.is_some() {
        return Ok(());
    }
    match backend.remove(rows, Some(left.revision)).await {
        Ok(_) | Err(BackendError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendTime;

    fn stored(text: &str, revision: u64) -> Stored {
        let (document, at) = (Arc::new(Document::from_json(text).unwrap()), BackendTime(0));
        Stored { revision: Revision(revision), document, expires: None, created: at, updated: at, at }
    }

    struct Readers;

    impl Access for Readers {
        fn may(&self, _: &str, _: &str) -> Permissions {
            Permissions::READ
        }
    }

    #[test]
    fn rows_are_written_and_read_and_what_is_no_row_lets_nobody_in() {
        let mut rows = Rows::default();
        assert_eq!(rows.set("ana", Some(Permissions::WRITE)), None);
        assert_eq!(rows.set("eve", Some(Permissions::NONE)), None);
        let text = rows.document(&DocumentId::new("seat").unwrap()).to_json();
        assert_eq!(&*text, r#"{"of":"seat","rows":{"ana":"rw","eve":""}}"#);
        assert_eq!(document_of(&stored(&text, 3)).unwrap().as_str(), "seat");
        assert_eq!(document_of(&stored(r#"{"of":1,"rows":{}}"#, 3)), None);
        let read = Rows::of(&stored(&text, 3));
        assert_eq!((read.get("ana"), read.get("eve")), (Some(Permissions::WRITE), Some(Permissions::NONE)));
        assert_eq!((read.get("petr"), read.revision()), (None, Some(Revision(3))));
        assert_eq!(read.after(Some("ana")).map(|(who, _)| who).collect::<Vec<_>>(), ["eve"]);
        for odd in ["{}", r#"{"rows":1}"#, r#"{"rows":{"ana":"rx"}}"#, r#"{"rows":{"ana":true}}"#] {
            let mut odd = Rows::of(&stored(odd, 1));
            assert_eq!(odd.get("ana"), Some(Permissions::NONE));
            odd.set("ana", None);
            assert_eq!(odd.get("ana"), None);
        }
    }

    #[test]
    fn the_newest_rows_count_and_unknown_ones_let_nobody_in() {
        let rights = Rights::new(Arc::new(Readers), true);
        let document = DocumentId::new("d").unwrap();
        let hear = |text: &str, revision| rights.hear(&document, Rows::of(&stored(text, revision)));
        assert_eq!(rights.may("ana", "d"), Permissions::NONE);
        assert!(hear(r#"{"rows":{"ana":"rwm"}}"#, 5));
        assert!(!hear(r#"{"rows":{}}"#, 4));
        assert_eq!((rights.may("ana", "d"), rights.may("eve", "d")), (Permissions::ALL, Permissions::READ));
        assert!(rights.hear(&document, Rows::default()));
        assert_eq!(rights.may("ana", "d"), Permissions::READ);
        rights.forget(&document);
        assert_eq!(rights.may("ana", "d"), Permissions::NONE);
        assert_eq!(Rights::new(Arc::new(Readers), false).may("ana", "d"), Permissions::READ);
    }
}
