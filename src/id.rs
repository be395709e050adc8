//! Names, checked once when they are made, so that nothing behind them checks again.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits::NAME_CHARS_MAX;

/// Two capitals and 32 letters or digits: the form of every SID of the original system (C3).
fn looks_like_sid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 34
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..].iter().all(u8::is_ascii_alphanumeric)
}

fn sid<'a>(what: &'static str, text: &'a str) -> Result<&'a str> {
    if looks_like_sid(text) {
        return Ok(text);
    }
    Err(Error::Invalid {
        what,
        why: "expected two capitals and 32 letters or digits, like `ES` and 32 more".into(),
    })
}

fn name(what: &'static str, text: String) -> Result<Arc<str>> {
    match text.chars().count() {
        0 => Err(Error::Invalid { what, why: "it is empty".into() }),
        n if n > NAME_CHARS_MAX => {
            Err(Error::Invalid { what, why: format!("it has {n} characters, the limit is {NAME_CHARS_MAX}") })
        }
        _ => Ok(text.into()),
    }
}

/// The name of one shared document. Used as given (C2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// Any name of 1 to 256 characters that does not itself look like a SID.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty, too long, or a bare SID (a service would take that for an address).
    pub fn new(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        if looks_like_sid(&id) {
            let why = "it looks like a bare SID: use DocumentId::session or DocumentId::proctor_room".into();
            return Err(Error::Invalid { what: "document id", why });
        }
        name("document id", id).map(Self)
    }

    /// `Session_<sessionSid>`: the document of one exam session.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `session_sid` is not two capitals and 32 letters or digits.
    pub fn session(session_sid: &str) -> Result<Self> {
        Ok(Self(format!("Session_{}", sid("session sid", session_sid)?).into()))
    }

    /// `Proctor_Room_<proctorRoomSid>`: the document of one proctor room.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `proctor_room_sid` is not two capitals and 32 letters or digits.
    pub fn proctor_room(proctor_room_sid: &str) -> Result<Self> {
        Ok(Self(format!("Proctor_Room_{}", sid("proctor room sid", proctor_room_sid)?).into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a client is, in the words of the original system (C3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(Arc<str>);

impl Identity {
    /// Any identity of 1 to 256 characters.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty or too long.
    pub fn new(identity: impl Into<String>) -> Result<Self> {
        name("identity", identity.into()).map(Self)
    }

    /// A student: the session's SID.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `session_sid` is not two capitals and 32 letters or digits.
    pub fn student(session_sid: &str) -> Result<Self> {
        Ok(Self(sid("session sid", session_sid)?.into()))
    }

    /// A proctor in an exam session: the session's SID, then the account user's.
    ///
    /// # Errors
    /// [`Error::Invalid`] when either is not two capitals and 32 letters or digits.
    pub fn proctor_in_session(session_sid: &str, account_user_sid: &str) -> Result<Self> {
        let session = sid("session sid", session_sid)?;
        Ok(Self(format!("{session}{}", sid("account user sid", account_user_sid)?).into()))
    }

    /// A proctor in a room: the account user's SID.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `account_user_sid` is not two capitals and 32 letters or digits.
    pub fn proctor_in_room(account_user_sid: &str) -> Result<Self> {
        Ok(Self(sid("account user sid", account_user_sid)?.into()))
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A party that can be told to do something; it owns the array `<executor>Actions` (C19).
///
/// Which executors exist is the catalogue's to say. This type only promises the form of the name.
#[derive(Clone)]
pub struct Executor(Name);

/// Static or shared: executors are cloned with every action.
#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Executor {
    /// A name known when the program is written; generated code uses it.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Name::Static(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Static(name) => name,
            Name::Shared(name) => name,
        }
    }
}

impl PartialEq for Executor {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Executor {}

impl PartialOrd for Executor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Executor {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Executor {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Executor {
    fn from(name: &str) -> Self {
        Self(Name::Shared(name.into()))
    }
}

impl From<String> for Executor {
    fn from(name: String) -> Self {
        Self(Name::Shared(name.into()))
    }
}

impl From<&Self> for Executor {
    fn from(executor: &Self) -> Self {
        executor.clone()
    }
}

impl AsRef<str> for Executor {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// The identity of one action: opaque, at most 36 characters, never used twice.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(Arc<str>);

impl ActionId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ActionId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for ActionId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
