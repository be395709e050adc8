//! The users file: who may log in with which SP token, who that is, and which documents they may open.
//!
//! ```toml
//! format   = 1
//! unlisted = "student"    # optional: the role of who comes with a good access token and stands in no entry
//!
//! [users.ana]                                  # a name of your own, for messages
//! token_sha256 = "9f86d081884c7d659a2feaa0…"   # of the SP token: `printf %s "$TOKEN" | sha256sum`
//! identity     = "ES0123456789abcdef0123456789abcdef"
//! role         = "student"
//!
//! [users.petr]
//! token_sha256 = "60303ae22b998861bce3b28f…"
//! identity     = "AU0123456789abcdef0123456789abcdef"
//! role         = "proctor"
//! documents    = ["Session_*", "Proctor_Room_PR0123456789abcdef0123456789abcdef"]
//!
//! [roles.auditor]                              # optional: a role of your own
//! documents = ["Session_*"]
//! rights    = ["read"]
//! ```
//!
//! Built in are `student` (reads and writes `Session_` and its own identity), `proctor` (reads and writes the documents of
//! its entry) and `backend` (everything, and tokens for anybody). What nobody allows is refused.
//!
//! SP tokens are kept as plain SHA-256: they must be random (16 bytes or more), not passwords.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use ctutils::CtEq as _;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::pattern::Pattern;
use super::role::{self, Role};
use super::{FileError, format, parse, read};
use crate::catalogue::parse::reader::Section;
use crate::catalogue::parse::report::{Report, joined};
use crate::id::Identity;
use crate::server::{Access, Permissions};

/// Length of a SID.
const SID: usize = 34;

/// An SP token as the users file keeps it: its SHA-256.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of this token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// In lower-case hexadecimal, as in the file.
    #[must_use]
    pub fn to_hex(self) -> String {
        HEXLOWER.encode(&self.0)
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.to_ascii_lowercase().as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Who may log in, and what they may do: the built-in [`Access`] and
/// [`TokenPolicy`](crate::server::TokenPolicy). See the [users file](Self::from_toml_str).
#[derive(Clone, Debug, Default)]
pub struct Users {
    users: Vec<User>,
    by_identity: HashMap<String, usize>,
    roles: BTreeMap<String, Role>,
    unlisted: Option<String>,
}

/// One entry.
#[derive(Clone, Debug)]
pub(in crate::server) struct User {
    digest: TokenDigest,
    pub(in crate::server) identity: String,
    role: String,
    documents: Vec<Pattern>,
}

impl Users {
    /// Reads a users file from its text:
    ///
    /// ```
    /// use sp_sync::server::{Access as _, Users};
    ///
    /// let users = Users::from_toml_str(
    ///     r#"
    ///     format = 1
    ///     [users.ana]
    ///     token_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    ///     identity     = "ES0123456789abcdef0123456789abcdef"
    ///     role         = "student"
    ///     "#,
    /// )?;
    /// let ana = "ES0123456789abcdef0123456789abcdef";
    /// assert!(users.may(ana, "Session_ES0123456789abcdef0123456789abcdef").write);
    /// assert!(!users.may(ana, "Session_ES99999999999999999999999999999999").read);
    /// # Ok::<(), sp_sync::server::FileError>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError::Wrong`] with everything that is wrong, each with line and column.
    pub fn from_toml_str(text: &str) -> Result<Self, FileError> {
        parse(text, |root, report| {
            format(root, report);
            let mut users = Self { roles: role::read(root, report), ..Self::default() };
            users.unlisted = root.text(report, "unlisted").map(str::to_owned);
            if let Some(role) = users.unlisted.clone() {
                users.known(&role, root, report, "unlisted");
            }
            if let Some(section) = root.section(report, "users") {
                for entry in section.entries(report) {
                    let path = joined("users", entry.0.get_ref());
                    if let Some(user) = Section::open(report, entry, path) {
                        users.add(user, report);
                    }
                }
            }
            Some(users)
        })
    }

    /// Reads a users file.
    ///
    /// # Errors
    /// [`FileError::Io`] when it cannot be read; otherwise as [`Users::from_toml_str`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        read(path, Self::from_toml_str)
    }

    fn add(&mut self, mut section: Section<'_>, report: &mut Report<'_>) {
        let path = section.path.clone();
        let [at_digest, at_identity] = ["token_sha256", "identity"].map(|key| section.at_value(key));
        let digest = section.required_text(report, "token_sha256");
        let identity = section.required_text(report, "identity");
        let role = section.required_text(report, "role");
        let documents = role::patterns(&mut section, report);
        if !role.is_empty() {
            self.known(&role, &section, report, "role");
        }
        section.finish(report);
        let read = TokenDigest::read(&digest);
        if read.is_none() && !digest.is_empty() {
            let instead = "write the 64 hexadecimal digits of the token's SHA-256";
            report.add(at_digest, &joined(&path, "token_sha256"), "this is no SHA-256", instead);
        }
        if !identity.is_empty() && Identity::new(identity.clone()).is_err() {
            let instead = "write 1 to 256 characters";
            report.add(at_identity, &joined(&path, "identity"), "the identity is too long", instead);
        }
        let Some(digest) = read else { return };
        if self.users.iter().any(|user| user.digest.0 == digest.0) {
            let instead = "give each user a token of their own";
            report.add(at_digest, &path, "another user has the same token", instead);
        }
        if self.by_identity.insert(identity.clone(), self.users.len()).is_some() {
            let instead = "give each user an identity of their own";
            report.add(at_identity, &path, "another user has the same identity", instead);
        }
        self.users.push(User { digest, identity, role, documents });
    }

    fn known(&self, role: &str, section: &Section<'_>, report: &mut Report<'_>, key: &'static str) {
        if !self.roles.contains_key(role) {
            let roles: Vec<&str> = self.roles.keys().map(String::as_str).collect();
            let instead = format!("the roles are {}", roles.join(", "));
            let at = section.at_value(key);
            report.add(at, &joined(&section.path, key), "there is no such role", instead);
        }
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody may log in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Whose SP token this is. All are compared, each in constant time, so that the time tells nothing.
    pub(in crate::server) fn bearer(&self, token: &str) -> Option<&User> {
        let digest = TokenDigest::of(token);
        let mut found = None;
        for user in &self.users {
            if user.digest.0.ct_eq(&digest.0).to_bool() {
                found = Some(user);
            }
        }
        found
    }

    /// Whether this user may have a token as this identity: their own; a proctor's in a session they may open; any, for
    /// a back end.
    pub(in crate::server) fn may_be(&self, user: &User, identity: &str) -> bool {
        let for_others = self.roles.get(&user.role).is_some_and(|role| role.for_others);
        for_others
            || user.identity == identity
            || in_session(identity).is_some_and(|(session, own)| {
                own == user.identity && self.rights(user, own, &format!("Session_{session}")).read
            })
    }

    fn rights(&self, user: &User, identity: &str, document: &str) -> Permissions {
        let Some(role) = self.roles.get(&user.role) else { return Permissions::NONE };
        let mut patterns = role.documents.iter().chain(&user.documents);
        match patterns.any(|pattern| pattern.fits(document, identity)) {
            true => role.rights,
            false => Permissions::NONE,
        }
    }

    fn listed(&self, identity: &str) -> Option<&User> {
        self.by_identity.get(identity).and_then(|at| self.users.get(*at))
    }
}

/// A proctor in an exam session is called by the session's SID and then their own.
pub(in crate::server) fn in_session(identity: &str) -> Option<(&str, &str)> {
    (identity.len() == 2 * SID).then(|| identity.split_at_checked(SID)).flatten()
}

impl Access for Users {
    fn may(&self, identity: &str, document: &str) -> Permissions {
        if let Some(user) = self.listed(identity) {
            return self.rights(user, identity, document);
        }
        if let Some((session, own)) = in_session(identity)
            && let Some(user) = self.listed(own)
        {
            let here = document.strip_prefix("Session_") == Some(session);
            return if here { self.rights(user, own, document) } else { Permissions::NONE };
        }
        let role = self.unlisted.as_ref().and_then(|role| self.roles.get(role));
        match role {
            Some(role) if role.documents.iter().any(|pattern| pattern.fits(document, identity)) => {
                role.rights
            }
            _ => Permissions::NONE,
        }
    }
}
