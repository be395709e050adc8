//! Names, checked once when they are made, so that nothing behind them checks again.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits::NAME_CHARS_MAX;

/// What stands before the SID in the name of a session's document, and of a proctor room's (C2).
const SESSION: &str = "Session_";
const PROCTOR_ROOM: &str = "Proctor_Room_";

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
    let prefix = [SESSION, PROCTOR_ROOM].into_iter().find(|prefix| text.starts_with(prefix));
    let why = match prefix {
        Some(prefix) => format!("give the SID alone, without `{prefix}`"),
        None => "expected two capitals and 32 letters or digits, like `ES` and 32 more".into(),
    };
    Err(Error::Invalid { what, why })
}

/// 1 to 256 characters (C2, C3). Control characters are refused on top of that: whoever sends one has a defect, and in
/// logs, on terminals and in the addresses of services it would do harm.
fn name(what: &'static str, text: String) -> Result<Arc<str>> {
    let invalid = |why: String| Err(Error::Invalid { what, why });
    match text.chars().count() {
        0 => return invalid("it is empty".into()),
        n if n > NAME_CHARS_MAX => {
            return invalid(format!("it has {n} characters, the limit is {NAME_CHARS_MAX}"));
        }
        _ => {}
    }
    match text.chars().enumerate().find(|(_, c)| c.is_control()) {
        None => Ok(text.into()),
        Some((place, control)) => invalid(format!(
            "character {} is the control character U+{:04X}: leave it out",
            place + 1,
            u32::from(control)
        )),
    }
}

/// The name of one shared document. Used as given (C2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// Any name of 1 to 256 characters, none of them a control character, that does not itself look like a SID.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty, too long, or a bare SID (a service would take that for an address), or
    /// contains a control character such as NUL or a line end.
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
        Ok(Self(format!("{SESSION}{}", sid("session sid", session_sid)?).into()))
    }

    /// `Proctor_Room_<proctorRoomSid>`: the document of one proctor room.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `proctor_room_sid` is not two capitals and 32 letters or digits.
    pub fn proctor_room(proctor_room_sid: &str) -> Result<Self> {
        Ok(Self(format!("{PROCTOR_ROOM}{}", sid("proctor room sid", proctor_room_sid)?).into()))
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
    /// Any identity of 1 to 256 characters, none of them a control character.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty, too long, or contains a control character such as NUL or a line end.
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
