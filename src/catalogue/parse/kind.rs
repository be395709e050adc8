//! The type of a field and its limits.

use std::{collections::BTreeMap, sync::Arc};

use toml::{Spanned, de::DeValue};

use super::{
    reader::{Section, finite, type_name, whole},
    report::{Report, joined},
    sections::described,
};
use crate::catalogue::{
    hint::{did_you_mean, listed},
    model::{EnumType, FieldType},
    value::MAX_INT,
};

/// The types that every catalogue has.
pub(super) const BUILT_IN: [&str; 9] =
    ["string", "bool", "int", "number", "url", "timestamp", "enum", "array", "object"];

/// What these types are called elsewhere.
const ELSEWHERE: [(&str, &str); 18] = [
    ("str", "string"),
    ("text", "string"),
    ("boolean", "bool"),
    ("integer", "int"),
    ("i32", "int"),
    ("i64", "int"),
    ("long", "int"),
    ("float", "number"),
    ("f64", "number"),
    ("double", "number"),
    ("decimal", "number"),
    ("uri", "url"),
    ("date", "timestamp"),
    ("datetime", "timestamp"),
    ("list", "array"),
    ("map", "object"),
    ("dict", "object"),
    ("json", "object"),
];

/// Which limits belong to which types.
const LIMITS: [(&str, &[&str]); 5] = [
    ("min", &["int", "number"]),
    ("max", &["int", "number"]),
    ("max_len", &["string", "url", "array"]),
    ("values", &["enum"]),
    ("items", &["array"]),
];

/// The shared enums. One that is itself wrong is known without a value, so that its users are not blamed.
#[derive(Default)]
pub(super) struct Types {
    named: BTreeMap<String, Option<Arc<EnumType>>>,
}

impl Types {
    pub(super) fn add(&mut self, name: &str, shared: Option<Arc<EnumType>>) {
        self.named.insert(name.to_owned(), shared);
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        BUILT_IN.into_iter().chain(self.named.keys().map(String::as_str))
    }

    fn has(&self, name: &str) -> bool {
        BUILT_IN.contains(&name) || self.named.contains_key(name)
    }

    fn get(&self, name: &str) -> Option<&Option<Arc<EnumType>>> {
        self.named.get(name)
    }
}

/// `values` of an enum: at least one (rule 5), none twice.
pub(super) fn values(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    if !section.has("values") {
        report.add(section.at(), &section.path, "`values` is missing", "write `values = [\"…\", \"…\"]`");
    }
    let (_, value) = section.get(report, "values")?;
    if value.get_ref().as_array().is_some_and(|items| items.is_empty()) {
        let path = joined(&section.path, "values");
        report.add(value.span().start, &path, "an enum without values accepts nothing", "write at least one");
        return None;
    }
    section.texts(report, "values")
}

/// Type and limits of the field that the section declares. `None` after a violation.
pub(super) fn kind(section: &mut Section<'_>, report: &mut Report<'_>, types: &Types) -> Option<FieldType> {
    if !section.has("type") {
        let instead = format!("write `type = \"…\"` with one of {}", listed(types.names()));
        report.add(section.at(), &section.path, "`type` is missing", instead);
    }
    let named = section.get(report, "type");
    let Some(name) = named.and_then(|(_, value)| known_type(section, report, types, "type", value)) else {
        // Which limits belong here cannot be known, so that none is blamed.
        for (key, _) in LIMITS {
            let _ = section.get(report, key);
        }
        return None;
    };
    // The items of an array may be an enum whose values stand beside them.
    let of_items = (name == "array").then(|| section.get(report, "items")).flatten();
    let item_name = of_items.and_then(|(_, value)| value.get_ref().as_str());
    // Beside items of an unknown type values are not blamed.
    let takes_values = item_name.is_some_and(|item| item == "enum" || !types.has(item));
    refuse_foreign_limits(section, report, name, takes_values);
    if name != "array" {
        return simple(section, report, types, name);
    }
    let max_len = length(section, report);
    let Some((_, items)) = of_items else {
        if !section.has("items") {
            report.add(section.at(), &section.path, "`items` is missing", "write `items = \"string\"`");
        }
        return None;
    };
    let item_name = known_type(section, report, types, "items", items)?;
    if item_name == "array" {
        let path = joined(&section.path, "items");
        report.add(items.span().start, &path, "an array of arrays cannot be declared", "use `object`");
        return None;
    }
    let items = Box::new(item(section, report, types, item_name)?);
    Some(FieldType::Array { items, max_len })
}

fn known_type<'d>(
    section: &Section<'_>,
    report: &mut Report<'_>,
    types: &Types,
    key: &str,
    value: &'d Spanned<DeValue<'d>>,
) -> Option<&'d str> {
    let name = value.get_ref().as_str().filter(|name| types.has(name));
    if name.is_none() {
        let given = value.get_ref().as_str().unwrap_or_default();
        let elsewhere = ELSEWHERE.iter().find(|(other, _)| other.eq_ignore_ascii_case(given));
        let hint = match (did_you_mean(given, types.names()), elsewhere) {
            (near, Some((_, name))) if near.is_empty() => format!(" (did you mean `{name}`?)"),
            (near, _) => near,
        };
        let problem = format!("{} is no type{hint}", described(value.get_ref()));
        let instead = format!("write one of {} or declare it in [types]", listed(types.names()));
        report.add(value.span().start, &joined(&section.path, key), problem, instead);
    }
    name
}

fn refuse_foreign_limits(section: &mut Section<'_>, report: &mut Report<'_>, name: &str, takes_values: bool) {
    for (key, owners) in LIMITS {
        let holds = owners.contains(&name) || (key == "values" && takes_values);
        // Asked for in any case: it is a known key, in the wrong place.
        if let Some((key_at, _)) = section.get(report, key)
            && !holds
        {
            let instead = format!("leave it out: it belongs to {}", listed(owners.iter().copied()));
            let path = joined(&section.path, key);
            report.add(key_at.span().start, &path, format!("`{key}` means nothing for `{name}`"), instead);
        }
    }
}

fn simple(
    section: &mut Section<'_>,
    report: &mut Report<'_>,
    types: &Types,
    name: &str,
) -> Option<FieldType> {
    match name {
        "string" => Some(FieldType::String { max_len: length(section, report) }),
        "url" => Some(FieldType::Url { max_len: length(section, report) }),
        "int" => {
            let bound =
                |value: &DeValue<'_>| whole(value).filter(|number| (-MAX_INT..=MAX_INT).contains(number));
            let (min, max) = range(section, report, "an integer within ±2^53", bound);
            Some(FieldType::Int { min, max })
        }
        "number" => {
            let (min, max) = range(section, report, "a finite number", finite);
            Some(FieldType::Number { min, max })
        }
        other => item(section, report, types, other),
    }
}

/// A type without limits of its own, as the items of an array have it.
fn item(section: &mut Section<'_>, report: &mut Report<'_>, types: &Types, name: &str) -> Option<FieldType> {
    Some(match name {
        "string" => FieldType::String { max_len: None },
        "url" => FieldType::Url { max_len: None },
        "int" => FieldType::Int { min: None, max: None },
        "number" => FieldType::Number { min: None, max: None },
        "bool" => FieldType::Bool,
        "timestamp" => FieldType::Timestamp,
        "object" => FieldType::Object,
        "enum" => {
            let values = values(section, report)?;
            FieldType::Enum(Arc::new(EnumType { name: None, doc: String::new(), values }))
        }
        shared => FieldType::Enum(Arc::clone(types.get(shared)?.as_ref()?)),
    })
}

fn length(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<usize> {
    section.whole(report, "max_len", (0, MAX_INT)).and_then(|number| usize::try_from(number).ok())
}

/// `min` and `max`, in this order.
fn range<T: PartialOrd + Copy>(
    section: &mut Section<'_>,
    report: &mut Report<'_>,
    wanted: &str,
    bound: impl Fn(&DeValue<'_>) -> Option<T>,
) -> (Option<T>, Option<T>) {
    let mut read = |report: &mut Report<'_>, key: &'static str| {
        let (_, value) = section.get(report, key)?;
        let number = bound(value.get_ref());
        if number.is_none() {
            let problem = format!("`{key}` is {}", type_name(value.get_ref()));
            report.add(value.span().start, &joined(&section.path, key), problem, format!("write {wanted}"));
        }
        number.map(|number| (number, value.span().start))
    };
    let (min, max) = (read(report, "min"), read(report, "max"));
    if let (Some((least, _)), Some((most, at))) = (min, max)
        && least > most
    {
        let path = joined(&section.path, "max");
        report.add(at, &path, "`max` is below `min`: no value would fit", "exchange them or widen one");
    }
    (min.map(|(least, _)| least), max.map(|(most, _)| most))
}
