//! What the documentation of every language says about a field.

use crate::catalogue::model::{ActionType, Field, FieldType, Presence, Repeat};

/// Type and limits, for example `string, at most 200 characters`.
pub(super) fn type_words(kind: &FieldType) -> String {
    match kind {
        FieldType::String { max_len } => with_length("string", *max_len, "characters"),
        FieldType::Bool => "boolean".to_owned(),
        FieldType::Int { min, max } => with_range("integer", *min, *max),
        FieldType::Number { min, max } => with_range("number", *min, *max),
        FieldType::Url { max_len } => with_length("absolute URL", *max_len, "characters"),
        FieldType::Timestamp => "RFC 3339 timestamp".to_owned(),
        FieldType::Enum(of) => {
            let values: Vec<String> = of.values.iter().map(|value| format!("`{value}`")).collect();
            format!("one of {}", values.join(", "))
        }
        FieldType::Array { items, max_len } => {
            let list = with_length("array", *max_len, "items");
            format!("{list}, each: {}", type_words(items))
        }
        FieldType::Object => "object".to_owned(),
    }
}

fn with_length(name: &str, max_len: Option<usize>, unit: &str) -> String {
    max_len.map_or_else(|| name.to_owned(), |max| format!("{name}, at most {max} {unit}"))
}

fn with_range<T: std::fmt::Display>(name: &str, min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{name} from {min} to {max}"),
        (Some(min), None) => format!("{name}, at least {min}"),
        (None, Some(max)) => format!("{name}, at most {max}"),
        (None, None) => name.to_owned(),
    }
}

/// Whether it must be given, and what stands there otherwise.
pub(super) fn presence_words(field: &Field) -> String {
    match &field.presence {
        Presence::Required => "mandatory".to_owned(),
        Presence::Default(value) => format!("default `{value}`"),
        Presence::Optional => "optional".to_owned(),
    }
}

/// One line behind a field's own words.
pub(super) fn field_note(field: &Field) -> String {
    let hidden = if field.sensitive { "; sensitive, never shown" } else { "" };
    let note = format!("{}; {}{hidden}.", presence_words(field), type_words(&field.kind));
    let mut letters = note.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// What the sender of an action should know, one sentence each.
pub(super) fn action_notes(action: &ActionType) -> Vec<String> {
    let mut notes = Vec::new();
    if action.repeat == Repeat::AtMostOnce {
        notes.push("Run at most once: it is never repeated.".to_owned());
    }
    if let Some(expires) = action.expires {
        notes.push(format!("Expires after {expires:?}."));
    }
    if action.answers() {
        notes.push(format!("Answers, by default within {:?}.", action.reply_within));
    }
    if !action.senders.is_empty() {
        notes.push(format!("Meant to be sent by: {}.", action.senders.join(", ")));
    }
    if action.extra_fields {
        notes.push("Fields of your own are allowed.".to_owned());
    }
    notes
}

/// The lines of a text from the catalogue, without what could end a comment or mislead a reader of the source:
/// control characters and those that change the direction of writing.
pub(super) fn comment_lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| {
        let misleading = |letter: char| {
            letter.is_control()
                || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
        };
        line.replace(misleading, " ").trim_end().to_owned()
    })
}
