//! The keys file: the account, its service, and the API keys that sign tokens and open the REST doors.
//!
//! ```toml
//! format  = 1
//! account = "AC0123456789abcdef0123456789abcdef"
//! service = "IS00112233445566778899aabbccddeeff"
//! name    = "exams"        # optional: the service's name for people
//!
//! [keys.SKfedcba9876543210fedcba9876543210]
//! secret = "at least sixteen characters, better more"
//! ```
//!
//! Whoever reads this file can make tokens for anybody. It should belong to the server's user alone (mode 600).

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use super::{FileError, format, parse, read};
use crate::catalogue::parse::reader::Section;
use crate::catalogue::parse::report::{Report, joined};
use crate::token::jwt::{ApiKey, Minter, Verifier};
use crate::twilsock::sync::is_sid;

/// Characters that a secret must have.
const SECRET_CHARS_MIN: usize = 16;

/// Account, service and API keys of a server. See the [keys file](Self::from_toml_str). Secrets are never printed.
#[derive(Clone)]
pub struct Keys {
    account_sid: String,
    service_sid: String,
    name: Option<String>,
    keys: BTreeMap<String, ApiKey>,
}

impl Keys {
    /// Reads a keys file from its text:
    ///
    /// ```
    /// let keys = sp_sync::server::Keys::from_toml_str(
    ///     r#"
    ///     format  = 1
    ///     account = "AC0123456789abcdef0123456789abcdef"
    ///     service = "IS00112233445566778899aabbccddeeff"
    ///     [keys.SKfedcba9876543210fedcba9876543210]
    ///     secret = "at least sixteen characters"
    ///     "#,
    /// )?;
    /// assert_eq!(keys.service_sid(), "IS00112233445566778899aabbccddeeff");
    /// # Ok::<(), sp_sync::server::FileError>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError::Wrong`] with everything that is wrong, each with line and column; never a secret.
    pub fn from_toml_str(text: &str) -> Result<Self, FileError> {
        parse(text, |root, report| {
            format(root, report);
            let account_sid = sid(root, report, "account", "AC");
            let service_sid = sid(root, report, "service", "IS");
            let name = root.text(report, "name").map(str::to_owned);
            let keys = keys(root, report);
            Some(Self { account_sid, service_sid, name, keys })
        })
    }

    /// Reads a keys file.
    ///
    /// # Errors
    /// [`FileError::Io`] when it cannot be read; otherwise as [`Keys::from_toml_str`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        read(path, Self::from_toml_str)
    }

    /// New random keys for a new account and service.
    #[must_use]
    pub fn generate() -> Self {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let key = ApiKey::new(format!("SK{}", random()), random() + &random());
        Self {
            account_sid: format!("AC{}", random()),
            service_sid: format!("IS{}", random()),
            name: None,
            keys: BTreeMap::from([(key.sid().to_owned(), key)]),
        }
    }

    /// As the text of a keys file. It holds the secrets: keep it where only the server's user can read it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text =
            format!("format  = 1\naccount = \"{}\"\nservice = \"{}\"\n", self.account_sid, self.service_sid);
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        // Writing to a string does not fail.
        if let Some(name) = &self.name {
            let _ = writeln!(text, "name    = {}", quoted(name));
        }
        for key in self.keys.values() {
            let _ = write!(text, "\n[keys.{}]\nsecret = {}\n", key.sid(), quoted(key.secret()));
        }
        text
    }

    /// Whether others than its owner may read this file, which should be mended. Never where files have no modes.
    #[must_use]
    pub fn is_exposed(path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            false
        }
    }

    /// `AC…`.
    #[must_use]
    pub fn account_sid(&self) -> &str {
        &self.account_sid
    }

    /// `IS…`.
    #[must_use]
    pub fn service_sid(&self) -> &str {
        &self.service_sid
    }

    /// The service's name for people.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The API keys, by SID.
    #[must_use]
    pub fn api_keys(&self) -> &BTreeMap<String, ApiKey> {
        &self.keys
    }

    /// Checks tokens that any of the keys signed.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let verifier = Verifier::new(&self.account_sid, &self.service_sid);
        self.keys.values().fold(verifier, |verifier, key| verifier.key(key.clone()))
    }

    /// Makes tokens with the first key; `None` when there is no key.
    #[must_use]
    pub fn minter(&self) -> Option<Minter> {
        let key = self.keys.values().next()?.clone();
        Some(Minter::new(&self.account_sid, &self.service_sid, key))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("account_sid", &self.account_sid)
            .field("service_sid", &self.service_sid)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn sid(root: &mut Section<'_>, report: &mut Report<'_>, key: &'static str, prefix: &str) -> String {
    let given = root.required_text(report, key);
    let good = is_sid(&given) && given.starts_with(prefix);
    if !good && !given.is_empty() {
        let instead = format!("write `{prefix}` and 32 lower-case hexadecimal digits");
        report.add(root.at_value(key), &joined(&root.path, key), "this is no such SID", instead);
    }
    given
}

fn keys(root: &mut Section<'_>, report: &mut Report<'_>) -> BTreeMap<String, ApiKey> {
    let mut keys = BTreeMap::new();
    let instead = "write `[keys.SK…]` with `secret = \"…\"` under it";
    let Some(section) = root.section(report, "keys") else {
        if !root.has("keys") {
            report.add(0, "", "there are no keys", instead);
        }
        return keys;
    };
    for entry in section.entries(report) {
        let (name, path) = (entry.0.get_ref().to_string(), joined("keys", entry.0.get_ref()));
        let Some(mut key) = Section::open(report, entry, path) else { continue };
        if !(is_sid(&name) && name.starts_with("SK")) {
            let form = "name it `SK` and 32 lower-case hexadecimal digits";
            report.add(key.at(), &key.path, "this is no SID of an API key", form);
        }
        let secret = key.required_text(report, "secret");
        if !secret.is_empty() && secret.chars().count() < SECRET_CHARS_MIN {
            let instead = format!("use at least {SECRET_CHARS_MIN} characters that nobody can guess");
            let at = key.at_value("secret");
            report.add(at, &joined(&key.path, "secret"), "the secret is too short", instead);
        }
        key.finish(report);
        keys.insert(name.clone(), ApiKey::new(name, secret));
    }
    if keys.is_empty() {
        report.add(section.at(), "keys", "there are no keys", instead);
    }
    keys
}
