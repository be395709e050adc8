//! How an object is named in a request.

use std::fmt;

use super::is_sid;
use super::{Code, SyncError};
use crate::limits::SYNC_UNIQUE_NAME_CHARS_MAX;

/// An object's SID or its unique name. Names are unique per kind and service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// Given by the service.
    Sid(String),
    /// Given by its creator.
    Name(String),
}

impl Address {
    /// What a path's segment names.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if is_sid(text) { Self::Sid(text.to_owned()) } else { Self::Name(text.to_owned()) }
    }

    /// As it stands in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sid(text) | Self::Name(text) => text,
        }
    }

    /// Whether an object may get this unique name.
    ///
    /// # Errors
    /// [`Code::BadUniqueName`] for one that is empty, longer than 320 characters, or looks like a SID.
    pub fn check_unique_name(name: &str) -> Result<(), SyncError> {
        let length = name.chars().count();
        if length == 0 || length > SYNC_UNIQUE_NAME_CHARS_MAX || is_sid(name) {
            return Err(Code::BadUniqueName.into());
        }
        Ok(())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
