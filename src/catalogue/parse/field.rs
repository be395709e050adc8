//! The fields of an action and of a response.

use super::{
    kind::{self, Types},
    reader::{Entry, Section, json},
    report::{Report, joined},
    sections::check_name,
};
use crate::catalogue::{
    build::{RESERVED, RESPOND_TO},
    model::{Field, FieldType, Presence},
    value::Misfit,
};

/// Who writes the fields.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Sent,
    Answered,
}

/// The fields under `fields` or `response`; `None` when there is no such table.
pub(super) fn fields(
    action: &mut Section<'_>,
    report: &mut Report<'_>,
    types: &Types,
    side: Side,
) -> Option<Vec<Field>> {
    let key = if side == Side::Sent { "fields" } else { "response" };
    let section = action.section(report, key)?;
    let entries = section.entries(report);
    Some(entries.into_iter().filter_map(|entry| field(&section, entry, report, types, side)).collect())
}

fn field(
    parent: &Section<'_>,
    entry: Entry<'_>,
    report: &mut Report<'_>,
    types: &Types,
    side: Side,
) -> Option<Field> {
    let (key, _) = entry;
    let name: &str = key.get_ref();
    let path = joined(&parent.path, name);
    check_field_name(report, key.span().start, &path, name, side);
    let mut section = Section::open(report, entry, path)?;
    let doc = section.required_text(report, "doc");
    let kind = kind::kind(&mut section, report, types);
    let required = section.boolean(report, "required").unwrap_or(false);
    let sensitive = section.boolean(report, "sensitive").unwrap_or(false);
    let presence = presence(&mut section, report, kind.as_ref(), required, side);
    section.finish(report);
    Some(Field { name: name.to_owned(), doc, kind: kind?, presence, sensitive })
}

/// Rules 3 and 1.
fn check_field_name(report: &mut Report<'_>, at: usize, path: &str, name: &str, side: Side) {
    let reserved = RESERVED.iter().any(|(key, _)| *key == name)
        || name == RESPOND_TO
        || (side == Side::Answered && name == "error");
    if reserved {
        report.add(at, path, format!("the name `{name}` belongs to the protocol"), "choose another name");
    } else {
        check_name(report, at, path, name);
    }
}

/// Rules 4 and 5.
fn presence(
    section: &mut Section<'_>,
    report: &mut Report<'_>,
    kind: Option<&FieldType>,
    required: bool,
    side: Side,
) -> Presence {
    let absent = if required { Presence::Required } else { Presence::Optional };
    let Some((key, value)) = section.get(report, "default") else { return absent };
    let path = joined(&section.path, "default");
    if side == Side::Answered {
        let instead = "leave it out: an executor says what it found";
        report.add(key.span().start, &path, "a response field has no default", instead);
        return absent;
    }
    if required {
        let instead = "keep `required` or `default`: a mandatory field is always given";
        report.add(key.span().start, &path, "a mandatory field has no default", instead);
    }
    match json(value.get_ref()) {
        Err(found) => {
            report.add(value.span().start, &path, format!("the default is {found}"), "write a JSON value");
            absent
        }
        Ok(default) => {
            if let Some(misfit) = kind.and_then(|kind| kind.check(&default).err()) {
                let instead = "write a value that the field itself would accept";
                report.add(value.span().start, &path, described(misfit), instead);
            }
            Presence::Default(default)
        }
    }
}

fn described(misfit: Misfit) -> String {
    match misfit {
        Misfit::Type { expected, found } => format!("the default must be {expected}, not {found}"),
        Misfit::Limit(limit) => format!("the default {limit}"),
        Misfit::Item(place, inner) => format!("item {place}: {}", described(*inner)),
    }
}
