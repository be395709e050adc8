//! Names and SIDs of documents.
//!
//! A document with a unique name is stored under that name, so clients of this crate on the same store see it too. Its
//! SID is derived from the name: whoever knows one finds the other, on every server, without an index. A document
//! without one gets a random SID and is stored as `Unnamed_` and that SID. The rows of a document's permissions are stored
//! as `Permissions_` and its SID; nobody reaches them as a document.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::id::DocumentId;
use crate::limits::SERVER_SIDS_REMEMBERED;
use crate::twilsock::sync::{Code, Kind, SyncError, is_sid};

/// What stands before the SID in the name of a document without a unique name.
const UNNAMED: &str = "Unnamed_";

/// What stands before the SID in the name of a document's rows.
const ROWS: &str = "Permissions_";

/// SIDs of one service, and names that were met, by SID: the derivation cannot be turned round.
#[derive(Debug)]
pub(super) struct Names {
    namespace: Uuid,
    met: Mutex<Met>,
}

/// Two generations: when the young one is full it becomes the old one, and the old one is forgotten. What is looked up
/// among the old is young again.
#[derive(Debug, Default)]
struct Met {
    young: HashMap<Box<str>, DocumentId>,
    old: HashMap<Box<str>, DocumentId>,
}

/// The SID that a document's name contains, where it has no unique name.
fn contained(name: &str) -> Option<&str> {
    name.strip_prefix(UNNAMED).filter(|sid| is_sid(sid))
}

impl Names {
    pub(super) fn new(service_sid: &str) -> Self {
        let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, service_sid.as_bytes());
        Self { namespace, met: Mutex::default() }
    }

    /// SID of the document of this name.
    pub(super) fn sid(&self, document: &DocumentId) -> String {
        if let Some(sid) = contained(document.as_str()) {
            return sid.to_owned();
        }
        let mut key = String::with_capacity(Kind::Document.segment().len() + 1 + document.as_str().len());
        // Writing to a string does not fail.
        let _ = write!(key, "{}/{document}", Kind::Document.segment());
        format!("{}{}", Kind::Document.prefix(), Uuid::new_v5(&self.namespace, key.as_bytes()).simple())
    }

    /// Where the rows of a document are kept.
    pub(super) fn rows(&self, document: &DocumentId) -> DocumentId {
        let name = format!("{ROWS}{}", self.sid(document));
        // Shorter than any name may be, and no SID.
        DocumentId::new(name).unwrap_or_else(|_| document.clone())
    }

    /// Whether under this name are rows, and not a document.
    pub(super) fn is_rows(name: &str) -> bool {
        name.strip_prefix(ROWS).is_some_and(is_sid)
    }

    /// The unique name of a document, if it has one.
    pub(super) fn unique_name(document: &DocumentId) -> Option<&str> {
        Some(document.as_str()).filter(|name| contained(name).is_none())
    }

    /// The document that has, or may get, this unique name. Sync: names have 1 to 320 characters and do not look like a
    /// SID; those of stored documents end at 256.
    pub(super) fn named(name: &str) -> Result<DocumentId, SyncError> {
        if is_sid(name) {
            return Err(SyncError::from(Code::BadUniqueName).saying("A unique name must not look like a SID"));
        }
        if contained(name).is_some() || Self::is_rows(name) {
            let why = "Names of `Unnamed_` or `Permissions_` and a SID are this server's own: choose another";
            return Err(SyncError::from(Code::BadUniqueName).saying(why));
        }
        DocumentId::new(name).map_err(|error| SyncError::from(Code::BadUniqueName).saying(error.to_string()))
    }

    /// A name for a new document that is to have no unique one.
    pub(super) fn unnamed() -> Result<DocumentId, SyncError> {
        let name = format!("{UNNAMED}{}{}", Kind::Document.prefix(), Uuid::new_v4().simple());
        DocumentId::new(name).map_err(|_| Code::Internal.into())
    }

    /// Keeps in mind whose SID this is.
    pub(super) fn meet(&self, sid: &str, document: &DocumentId) {
        self.lock().insert(sid, document);
    }

    /// The same where it pushes out nothing.
    pub(super) fn meet_if_there_is_room(&self, sid: &str, document: &DocumentId) {
        let mut met = self.lock();
        if met.young.len() + 1 < SERVER_SIDS_REMEMBERED / 2 {
            met.insert(sid, document);
        }
    }

    /// The document of this SID, if it was met.
    pub(super) fn met(&self, sid: &str) -> Option<DocumentId> {
        let mut met = self.lock();
        if let Some(document) = met.young.get(sid) {
            return Some(document.clone());
        }
        let document = met.old.get(sid).cloned()?;
        met.insert(sid, &document);
        Some(document)
    }

    fn lock(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Met {
    fn insert(&mut self, sid: &str, document: &DocumentId) {
        if self.young.contains_key(sid) {
            return;
        }
        if self.young.len() >= SERVER_SIDS_REMEMBERED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(sid.into(), document.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "IS00000000000000000000000000000000";

    #[test]
    fn sids_are_the_same_everywhere_and_differ_by_service_and_name() {
        let (one, same) = (Names::new(SERVICE), Names::new(SERVICE));
        let other = Names::new("IS00000000000000000000000000000001");
        let (a, b) = (DocumentId::new("a").unwrap(), DocumentId::new("b").unwrap());
        assert!(is_sid(&one.sid(&a)) && one.sid(&a).starts_with("ET"));
        assert_eq!(one.sid(&a), same.sid(&a));
        assert_ne!(one.sid(&a), one.sid(&b));
        assert_ne!(one.sid(&a), other.sid(&a));
    }

    #[test]
    fn a_document_without_a_unique_name_contains_its_sid() {
        let names = Names::new(SERVICE);
        let document = Names::unnamed().unwrap();
        assert_eq!(document.as_str(), format!("Unnamed_{}", names.sid(&document)));
        assert_eq!(Names::unique_name(&document), None);
        assert!(Names::named(document.as_str()).unwrap_err().is(Code::BadUniqueName));
        assert_eq!(Names::unique_name(&Names::named("Unnamed_x").unwrap()), Some("Unnamed_x"));
    }

    /// A document of such a name would say who may do what.
    #[test]
    fn rows_are_not_reached_as_a_document() {
        let names = Names::new(SERVICE);
        let rows = names.rows(&DocumentId::new("a").unwrap());
        assert!(Names::is_rows(rows.as_str()) && !Names::is_rows("Permissions_x"));
        assert!(Names::named(rows.as_str()).unwrap_err().is(Code::BadUniqueName));
        assert_ne!(rows, names.rows(&DocumentId::new("b").unwrap()));
    }

    #[test]
    fn names_that_cannot_be_stored_are_refused() {
        for name in ["", &"x".repeat(257), "ET00000000000000000000000000000000"] {
            assert!(Names::named(name).unwrap_err().is(Code::BadUniqueName), "{name}");
        }
    }

    #[test]
    fn what_was_met_lately_is_known_and_there_is_an_end_to_it() {
        let names = Names::new(SERVICE);
        let document = |n: usize| DocumentId::new(format!("d{n}")).unwrap();
        for n in 0..2 * SERVER_SIDS_REMEMBERED {
            names.meet(&format!("{n}"), &document(n));
            assert_eq!(names.met("0"), Some(document(0)), "asked for all the time");
        }
        assert_eq!(names.met("1"), None);
        let met = names.lock();
        assert!(met.young.len() + met.old.len() <= SERVER_SIDS_REMEMBERED);
    }
}
