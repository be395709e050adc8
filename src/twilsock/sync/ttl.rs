//! How long an object lives.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Code, SyncError};
use crate::limits::TTL_MAX;

/// Time to live. Sync: whole seconds from 0 to a year, 0 is for ever; absent leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Until it is removed.
    Never,
    /// So long after this request; whole seconds, more than none.
    After(Duration),
}

impl Ttl {
    /// A time to live on the wire: parts of a second count as a whole one.
    #[must_use]
    pub fn of(duration: Duration) -> Self {
        match duration.min(TTL_MAX).as_millis().div_ceil(1000) {
            0 => Self::Never,
            seconds => Self::After(Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))),
        }
    }

    /// Reads the value of `ttl`.
    ///
    /// # Errors
    /// [`Code::BadTtl`] for anything but a whole number from 0 to a year.
    pub fn read(value: &Value) -> Result<Self, SyncError> {
        match value.as_u64().map(Duration::from_secs) {
            Some(Duration::ZERO) => Ok(Self::Never),
            Some(duration) if duration <= TTL_MAX => Ok(Self::After(duration)),
            _ => Err(Code::BadTtl.into()),
        }
    }

    /// Seconds, as they stand on the wire.
    #[must_use]
    pub fn seconds(self) -> u64 {
        match self {
            Self::Never => 0,
            Self::After(duration) => duration.as_secs(),
        }
    }
}

impl Serialize for Ttl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.seconds())
    }
}
