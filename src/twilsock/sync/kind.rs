//! Kinds of objects.

use serde::{Deserialize, Serialize};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One JSON object.
    Document,
    /// Numbered items.
    List,
    /// Named items.
    Map,
    /// Messages that nobody keeps.
    Stream,
    /// A standing query; only ever subscribed to.
    LiveQuery,
}

impl Kind {
    /// The kind of a path's segment: `Documents`.
    pub(super) fn of_segment(segment: &str) -> Option<Self> {
        Some(match segment {
            "Documents" => Self::Document,
            "Lists" => Self::List,
            "Maps" => Self::Map,
            "Streams" => Self::Stream,
            _ => return None,
        })
    }

    /// Its segment in paths.
    #[must_use]
    pub fn segment(self) -> &'static str {
        match self {
            Self::Document => "Documents",
            Self::List => "Lists",
            Self::Map => "Maps",
            Self::Stream => "Streams",
            Self::LiveQuery => "Insights",
        }
    }

    /// The first two letters of its SIDs.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Document => "ET",
            Self::List => "ES",
            Self::Map => "MP",
            Self::Stream => "TO",
            Self::LiveQuery => "QR",
        }
    }
}
