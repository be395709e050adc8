//! One table being read: each key is asked for once, and what nobody asked for is a violation (rule 6).

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::report::{Report, joined};
use crate::catalogue::hint::{did_you_mean, listed, shown};

/// A value with the place of its key.
pub(crate) type Entry<'d> = (&'d Spanned<toml::de::DeString<'d>>, &'d Spanned<DeValue<'d>>);

pub(crate) struct Section<'d> {
    table: &'d DeTable<'d>,
    at: usize,
    pub(crate) path: String,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The whole document.
    pub(crate) fn root(table: &'d DeTable<'d>) -> Self {
        Self { table, at: 0, path: String::new(), asked: Vec::new() }
    }

    /// The table that a key holds; anything else is a violation.
    pub(crate) fn open(report: &mut Report<'_>, entry: Entry<'d>, path: String) -> Option<Self> {
        let (key, value) = entry;
        let at = key.span().start;
        match value.get_ref() {
            DeValue::Table(table) => Some(Self { table, at, path, asked: Vec::new() }),
            _ if report.is_null(value) => None,
            other => {
                report.add(at, &path, format!("this is {}", type_name(other)), "write a table");
                None
            }
        }
    }

    /// Where the section stands; violations about what it lacks point there.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Where the value of a key stands; where there is none, the section.
    #[cfg(feature = "server")]
    pub(crate) fn at_value(&self, key: &str) -> usize {
        self.entry(key).map_or(self.at, |(_, value)| value.span().start)
    }

    /// All entries that are not `null`, for tables whose keys are names. None once the report is full: looking for
    /// more violations, and for the names they might mean, would only cost time.
    pub(crate) fn entries(&self, report: &Report<'_>) -> Vec<Entry<'d>> {
        let wanted = if report.is_full() { 0 } else { usize::MAX };
        self.table.iter().filter(|(_, value)| !report.is_null(value)).take(wanted).collect()
    }

    fn entry(&self, key: &str) -> Option<Entry<'d>> {
        self.table.get_key_value(key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The value of a key; `None` when it is absent or `null`.
    pub(crate) fn get(&mut self, report: &Report<'_>, key: &'static str) -> Option<Entry<'d>> {
        self.asked.push(key);
        self.entry(key).filter(|(_, value)| !report.is_null(value))
    }

    /// A table under this section; `None` when it is absent.
    pub(crate) fn section(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<Self> {
        let entry = self.get(report, key)?;
        Self::open(report, entry, joined(&self.path, key))
    }

    /// A text that is not blank.
    pub(crate) fn text(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<&'d str> {
        let (_, value) = self.get(report, key)?;
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text),
            other => {
                let found = if other.is_str() { "an empty string" } else { type_name(other) };
                self.wrong(report, value, key, found, "write a string that is not empty");
                None
            }
        }
    }

    /// A text that must be there.
    pub(crate) fn required_text(&mut self, report: &mut Report<'_>, key: &'static str) -> String {
        if !self.has(key) {
            report.add(self.at, &self.path, format!("`{key}` is missing"), format!("write `{key} = \"…\"`"));
        }
        self.text(report, key).unwrap_or_default().to_owned()
    }

    pub(crate) fn boolean(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<bool> {
        let (_, value) = self.get(report, key)?;
        if value.get_ref().as_bool().is_none() {
            self.wrong(report, value, key, type_name(value.get_ref()), "write `true` or `false`");
        }
        value.get_ref().as_bool()
    }

    /// A whole number within the two bounds.
    pub(crate) fn whole(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        (least, most): (i64, i64),
    ) -> Option<i64> {
        let (_, value) = self.get(report, key)?;
        let number = whole(value.get_ref()).filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let instead = format!("write a whole number from {least} to {most}");
            self.wrong(report, value, key, type_name(value.get_ref()), &instead);
        }
        number
    }

    /// Texts that are neither blank nor repeated.
    pub(crate) fn texts(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<Vec<String>> {
        let (_, value) = self.get(report, key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(report, value, key, type_name(value.get_ref()), "write an array of strings");
            return None;
        };
        let mut texts: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for item in items.iter() {
            match item.get_ref().as_str() {
                Some(text) if !text.trim().is_empty() && seen.insert(text) => texts.push(text.to_owned()),
                Some(text) if seen.contains(text) => {
                    self.wrong(report, item, key, "a value that is already there", "write each value once");
                }
                Some(_) => self.wrong(report, item, key, "an empty string", "write a string with letters"),
                None if report.is_null(item) => {}
                None => self.wrong(report, item, key, type_name(item.get_ref()), "write a string"),
            }
        }
        Some(texts)
    }

    fn wrong(
        &self,
        report: &mut Report<'_>,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        found: &str,
        instead: &str,
    ) {
        report.add(value.span().start, &joined(&self.path, key), format!("`{key}` is {found}"), instead);
    }

    /// Every key that was not asked for is unknown.
    pub(crate) fn finish(self, report: &mut Report<'_>) {
        let unknown = |key: &str| !self.asked.contains(&key);
        for (key, _) in self.table.iter().filter(|(key, _)| unknown(key.get_ref())) {
            if report.is_full() {
                break;
            }
            let known = || self.asked.iter().copied();
            let hint = did_you_mean(key.get_ref(), known());
            let problem = format!("there is no key `{}` here{hint}", shown(key.get_ref()));
            let instead = format!("the keys are {}", listed(known()));
            report.add(key.span().start, &joined(&self.path, key.get_ref()), problem, instead);
        }
    }
}

pub(crate) fn whole(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A finite number.
pub(crate) fn finite(value: &DeValue<'_>) -> Option<f64> {
    let text = match value {
        DeValue::Float(number) => number.as_str().to_owned(),
        other => whole(other)?.to_string(),
    };
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// The value as JSON, or what JSON has no form for.
pub(crate) fn json(value: &DeValue<'_>) -> Result<Value, &'static str> {
    match value {
        DeValue::String(text) => Ok(Value::from(text.as_ref())),
        DeValue::Boolean(value) => Ok(Value::from(*value)),
        DeValue::Integer(_) => whole(value).map(Value::from).ok_or("an integer outside 64 bits"),
        DeValue::Float(_) => finite(value).map(Value::from).ok_or("a number that is not finite"),
        DeValue::Datetime(_) => Err("a TOML date, write it in quotes"),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), json(value.get_ref())?))).collect()
        }
    }
}

pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
