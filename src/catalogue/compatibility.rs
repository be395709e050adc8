//! What a change of a catalogue means for programs that still have the old one.

use super::{
    Catalogue,
    model::{ActionType, Field, FieldType, Presence},
};

/// One difference between two catalogues.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Programs with the old catalogue and programs with the new one still understand each other.
    pub compatible: bool,
    /// Where, for example `actions.extension.openExam.fields.examURL`.
    pub path: String,
    /// What changed.
    pub what: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.compatible { "compatible" } else { "INCOMPATIBLE" };
        write!(f, "{verdict}: {}: {}", self.path, self.what)
    }
}

impl Catalogue {
    /// Every difference from `old` to `new`, and whether programs with either still understand each other. Where
    /// one direction of travel suffers, the change counts as incompatible. Order and comments do not count.
    #[must_use]
    pub fn diff(old: &Self, new: &Self) -> Vec<Change> {
        let mut changes = Changes::default();
        for executor in old.executors() {
            let path = format!("executors.{}", executor.name);
            match new.executor(&executor.name) {
                None => changes.broken(&path, "the executor was removed"),
                Some(now) => changes.if_differs(true, &path, "doc", &executor.doc, &now.doc),
            }
        }
        for executor in new.executors().filter(|executor| old.executor(&executor.name).is_none()) {
            changes.fine(&format!("executors.{}", executor.name), "an executor was added");
        }
        for action in old.actions() {
            let path = action_path(action);
            match new.action(&action.name) {
                None => changes.broken(&path, "the action was removed"),
                Some(now) if now.executor != action.executor => {
                    changes.broken(&path, &format!("the action moved to `{}`", now.executor));
                }
                Some(now) => changes.action(&path, action, now),
            }
        }
        for action in new.actions().filter(|action| old.action(&action.name).is_none()) {
            changes.fine(&action_path(action), "an action was added");
        }
        changes.found
    }
}

fn action_path(action: &ActionType) -> String {
    format!("actions.{}.{}", action.executor, action.name)
}

#[derive(Default)]
struct Changes {
    found: Vec<Change>,
}

fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name)
}

/// Who writes a field: it decides whom a changed default or limit hurts.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Sent,
    Answered,
}

impl Changes {
    fn fine(&mut self, path: &str, what: &str) {
        self.push(true, path, what);
    }

    fn broken(&mut self, path: &str, what: &str) {
        self.push(false, path, what);
    }

    fn push(&mut self, compatible: bool, path: &str, what: &str) {
        let change = Change { compatible, path: path.to_owned(), what: what.to_owned() };
        // A shared enum is met once for each field that uses it.
        if !path.starts_with("types.") || !self.found.contains(&change) {
            self.found.push(change);
        }
    }

    fn if_differs<T: PartialEq>(&mut self, compatible: bool, path: &str, key: &str, old: &T, new: &T) {
        if old != new {
            self.push(compatible, path, &format!("`{key}` changed"));
        }
    }

    fn action(&mut self, path: &str, old: &ActionType, new: &ActionType) {
        self.if_differs(true, path, "doc", &old.doc, &new.doc);
        self.if_differs(true, path, "origin", &old.origin, &new.origin);
        self.if_differs(true, path, "reply_within_ms", &old.reply_within, &new.reply_within);
        self.if_differs(true, path, "senders", &old.senders, &new.senders);
        // Both are promises to the sender: whether a command may run twice, and whether it may be dropped.
        self.if_differs(false, path, "delivery", &old.repeat, &new.repeat);
        self.if_differs(false, path, "expires_ms", &old.expires, &new.expires);
        match (old.extra_fields, new.extra_fields) {
            (false, true) => self.fine(path, "extra fields are now allowed"),
            (true, false) => self.broken(path, "extra fields are no longer allowed"),
            _ => {}
        }
        self.fields(&format!("{path}.fields"), Side::Sent, &old.fields, &new.fields);
        let path = format!("{path}.response");
        match (&old.response, &new.response) {
            (Some(_), None) => self.broken(&path, "the response was removed"),
            (None, Some(_)) => self.fine(&path, "a response was added"),
            (Some(old), Some(new)) => self.fields(&path, Side::Answered, old, new),
            (None, None) => {}
        }
    }

    fn fields(&mut self, path: &str, side: Side, old: &[Field], new: &[Field]) {
        for field in old {
            let path = format!("{path}.{}", field.name);
            match find(new, &field.name) {
                None => self.broken(&path, "the field was removed"),
                Some(now) => self.field(&path, side, field, now),
            }
        }
        for field in new.iter().filter(|field| find(old, &field.name).is_none()) {
            let path = format!("{path}.{}", field.name);
            match side {
                Side::Sent if field.is_required() => self.broken(&path, "a mandatory field was added"),
                Side::Sent => self.fine(&path, "an optional field was added"),
                Side::Answered => self.fine(&path, "a response field was added"),
            }
        }
    }

    fn field(&mut self, path: &str, side: Side, old: &Field, new: &Field) {
        self.if_differs(true, path, "doc", &old.doc, &new.doc);
        self.if_differs(true, path, "sensitive", &old.sensitive, &new.sensitive);
        match (&old.presence, &new.presence) {
            (Presence::Required, Presence::Required) | (Presence::Optional, Presence::Optional) => {}
            (_, Presence::Required) => self.broken(path, "the field became mandatory"),
            (Presence::Default(old), Presence::Default(new)) => {
                self.if_differs(true, path, "default", old, new);
            }
            (_, Presence::Default(_)) => self.fine(path, "the field got a default, which senders write out"),
            (_, Presence::Optional) => {
                self.broken(path, "readers can no longer rely on the field being there")
            }
        }
        self.kind(path, side, &old.kind, &new.kind);
    }

    fn kind(&mut self, path: &str, side: Side, old: &FieldType, new: &FieldType) {
        match (old, new) {
            (FieldType::Enum(old), FieldType::Enum(new)) => {
                let path = match (&old.name, &new.name) {
                    (Some(before), Some(after)) if before == after => format!("types.{before}"),
                    _ => path.to_owned(),
                };
                self.if_differs(true, &path, "doc", &old.doc, &new.doc);
                self.values(&path, &old.values, &new.values);
            }
            (
                FieldType::Array { items: old, max_len: old_max },
                FieldType::Array { items: new, max_len: new_max },
            ) => {
                self.limit(path, side, "max_len", old_max, new_max);
                self.kind(path, side, old, new);
            }
            (FieldType::String { max_len: old }, FieldType::String { max_len: new })
            | (FieldType::Url { max_len: old }, FieldType::Url { max_len: new }) => {
                self.limit(path, side, "max_len", old, new);
            }
            (FieldType::Int { min, max }, FieldType::Int { min: new_min, max: new_max }) => {
                self.limit(path, side, "min", min, new_min);
                self.limit(path, side, "max", max, new_max);
            }
            (FieldType::Number { min, max }, FieldType::Number { min: new_min, max: new_max }) => {
                self.limit(path, side, "min", min, new_min);
                self.limit(path, side, "max", max, new_max);
            }
            _ if old == new => {}
            _ => self.broken(path, "the type changed"),
        }
    }

    /// Widened, old readers that check refuse what new writers send; narrowed, new ones refuse what old ones send.
    fn limit<T: PartialEq + ToString>(
        &mut self,
        path: &str,
        side: Side,
        key: &str,
        old: &Option<T>,
        new: &Option<T>,
    ) {
        if old != new {
            let shown = |limit: &Option<T>| limit.as_ref().map_or("no limit".into(), ToString::to_string);
            let reader = if side == Side::Sent { "executors" } else { "requesters" };
            let (old, new) = (shown(old), shown(new));
            let what = format!("`{key}` changed from {old} to {new}: {reader} that check may refuse values");
            self.broken(path, &what);
        }
    }

    fn values(&mut self, path: &str, old: &[String], new: &[String]) {
        for value in old.iter().filter(|value| !new.contains(value)) {
            self.broken(path, &format!("the value `{value}` was removed"));
        }
        for value in new.iter().filter(|value| !old.contains(value)) {
            self.broken(path, &format!("the value `{value}` was added, which old readers do not know"));
        }
    }
}
