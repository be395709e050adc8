//! What a path names.

use super::{Address, Kind};

/// A target, and the service the path names, if it does. Sync: `/v3/X` and `/v3/Services/{sid}/X` are the same; the
/// service comes from the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// SID of the service in the path.
    pub service: Option<String>,
    /// What stands behind it.
    pub target: Target,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `/v3/Configuration`: the addresses of everything. Sync: the Kotlin SDK asks first.
    Configuration,
    /// `/v3/Documents`: all objects of a kind.
    Collection(Kind),
    /// `/v3/Documents/{id}`.
    Object(Kind, Address),
    /// `/v3/Lists/{id}/Items`.
    Items(Kind, Address),
    /// `/v3/Maps/{id}/Items/{key}`.
    Item(Kind, Address, String),
    /// `/v3/Lists/{id}/Context`.
    Context(Address),
    /// `/v3/Streams/{id}/Messages`.
    Messages(Address),
    /// `/v3/Documents/{id}/Permissions`: named in responses, asked for by no SDK.
    Permissions(Kind, Address),
    /// `/v3/Insights/{index}/Items`: queries.
    Query(String),
    /// `/v4/Subscriptions`.
    Subscriptions,
}

impl Place {
    /// Reads the decoded segments of a path; `None` when nothing of this protocol is there.
    #[must_use]
    pub fn of(path: &[String]) -> Option<Self> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (service, path) = match path.as_slice() {
            ["v4", "Subscriptions"] => return Some(Target::Subscriptions.anywhere()),
            ["v3", "Services", service, rest @ ..] => (Some((*service).to_owned()), rest),
            ["v3", rest @ ..] => (None, rest),
            _ => return None,
        };
        Some(Self { service, target: Target::of(path)? })
    }

    /// The segments of its path.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        let mut segments = match (&self.target, &self.service) {
            (Target::Subscriptions, _) => vec!["v4".to_owned()],
            (_, None) => vec!["v3".to_owned()],
            (_, Some(service)) => vec!["v3".to_owned(), "Services".to_owned(), service.clone()],
        };
        segments.extend(self.target.segments().into_iter().map(str::to_owned));
        segments
    }
}

impl Target {
    /// Without a service in the path.
    #[must_use]
    pub fn anywhere(self) -> Place {
        Place { service: None, target: self }
    }

    /// With the service in the path, where it is known.
    #[must_use]
    pub fn within(self, service: Option<&str>) -> Place {
        Place { service: service.map(str::to_owned), target: self }
    }

    fn of(path: &[&str]) -> Option<Self> {
        match *path {
            ["Configuration"] => return Some(Self::Configuration),
            ["Insights", index, "Items"] => return Some(Self::Query(index.to_owned())),
            _ => {}
        }
        let (kind, rest) = path.split_first()?;
        let kind = Kind::of_segment(kind)?;
        if rest.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        Some(match (kind, rest) {
            (_, []) => Self::Collection(kind),
            (_, [id]) => Self::Object(kind, Address::of(id)),
            (_, [id, "Permissions"]) => Self::Permissions(kind, Address::of(id)),
            (Kind::List | Kind::Map, [id, "Items"]) => Self::Items(kind, Address::of(id)),
            (Kind::List | Kind::Map, [id, "Items", key]) => {
                Self::Item(kind, Address::of(id), (*key).to_owned())
            }
            (Kind::List, [id, "Context"]) => Self::Context(Address::of(id)),
            (Kind::Stream, [id, "Messages"]) => Self::Messages(Address::of(id)),
            _ => return None,
        })
    }

    fn segments(&self) -> Vec<&str> {
        match self {
            Self::Configuration => vec!["Configuration"],
            Self::Collection(kind) => vec![kind.segment()],
            Self::Object(kind, id) => vec![kind.segment(), id.as_str()],
            Self::Items(kind, id) => vec![kind.segment(), id.as_str(), "Items"],
            Self::Item(kind, id, key) => vec![kind.segment(), id.as_str(), "Items", key],
            Self::Context(id) => vec![Kind::List.segment(), id.as_str(), "Context"],
            Self::Messages(id) => vec![Kind::Stream.segment(), id.as_str(), "Messages"],
            Self::Permissions(kind, id) => vec![kind.segment(), id.as_str(), "Permissions"],
            Self::Query(index) => vec!["Insights", index, "Items"],
            Self::Subscriptions => vec!["Subscriptions"],
        }
    }
}
