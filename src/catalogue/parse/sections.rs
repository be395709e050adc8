//! The sections of the file: head, defaults, executors, types, actions.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use toml::de::{DeTable, DeValue};

use super::{
    field,
    kind::{BUILT_IN, Types},
    reader::{Entry, Section, type_name, whole},
    report::{Report, joined},
};
use crate::catalogue::{
    Catalogue,
    hint::{MAX_NAME_LEN, did_you_mean, listed, shown},
    model::{ActionType, EnumType, ExecutorType, Repeat},
};

/// Longest time that a catalogue may name: a day.
const MAX_MS: i64 = 24 * 60 * 60 * 1000;
const DEFAULT_REPLY_WITHIN: Duration = Duration::from_secs(10);

/// The whole file. `None` when its format is another one, of which nothing more can be said.
pub(super) fn catalogue(document: &DeTable<'_>, report: &mut Report<'_>) -> Option<Catalogue> {
    let mut root = Section::root(document);
    format_version(&mut root, report)?;
    let name = root.required_text(report, "name");
    let version = root.required_text(report, "version");
    let defaults =
        root.section(report, "defaults").map(|section| defaults(section, report)).unwrap_or_default();
    let types = root.section(report, "types").map(|section| types(&section, report)).unwrap_or_default();
    let executors =
        root.section(report, "executors").map(|section| executors(&section, report)).unwrap_or_default();
    let executor_names = executors.iter().map(|executor| executor.name.clone()).collect();
    let mut actions = Actions {
        types,
        executor_names,
        executors,
        defaults,
        first_lines: HashMap::new(),
        found: Vec::new(),
    };
    if let Some(section) = root.section(report, "actions") {
        actions.read(&section, report);
    }
    root.finish(report);
    Some(Catalogue::assemble(name, version, actions.executors, actions.found))
}

fn format_version(root: &mut Section<'_>, report: &mut Report<'_>) -> Option<()> {
    match root.get(report, "format") {
        Some((_, value)) if whole(value.get_ref()) == Some(1) => Some(()),
        Some((_, value)) => {
            report.add(value.span().start, "format", "only format 1 can be read", "write `format = 1`");
            None
        }
        None => {
            report.add(0, "format", "`format` is missing", "write `format = 1`");
            None
        }
    }
}

struct Defaults {
    repeat: Repeat,
    reply_within: Duration,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { repeat: Repeat::AtLeastOnce, reply_within: DEFAULT_REPLY_WITHIN }
    }
}

fn defaults(mut section: Section<'_>, report: &mut Report<'_>) -> Defaults {
    let repeat = delivery(&mut section, report).unwrap_or_default();
    let reply_within = millis(&mut section, report, "reply_within_ms").unwrap_or(DEFAULT_REPLY_WITHIN);
    section.finish(report);
    Defaults { repeat, reply_within }
}

fn delivery(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Repeat> {
    let (_, value) = section.get(report, "delivery")?;
    let choices = [Repeat::AtLeastOnce, Repeat::AtMostOnce];
    let found = choices.into_iter().find(|choice| value.get_ref().as_str() == Some(choice.as_str()));
    if found.is_none() {
        let instead = "write \"at-least-once\" or \"at-most-once\"";
        report.add(
            value.span().start,
            &joined(&section.path, "delivery"),
            "this is no kind of delivery",
            instead,
        );
    }
    found
}

fn millis(section: &mut Section<'_>, report: &mut Report<'_>, key: &'static str) -> Option<Duration> {
    let number = section.whole(report, key, (1, MAX_MS))?;
    u64::try_from(number).ok().map(Duration::from_millis)
}

/// Rule 1.
pub(super) fn check_name(report: &mut Report<'_>, at: usize, path: &str, name: &str) {
    let mut letters = name.bytes();
    let holds = letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| byte.is_ascii_alphanumeric())
        && name.len() <= MAX_NAME_LEN;
    if !holds {
        let instead =
            "begin with a small letter, go on with at most 63 letters and digits (A to Z, a to z, 0 to 9)";
        report.add(at, path, format!("`{}` is not a name", shown(name)), instead);
    }
}

fn types(section: &Section<'_>, report: &mut Report<'_>) -> Types {
    let mut types = Types::default();
    for entry in section.entries(report) {
        let (name, path) = named(report, section, entry);
        if BUILT_IN.contains(&name) {
            let at = entry.0.span().start;
            report.add(at, &path, format!("`{name}` is a type already"), "choose another name");
        }
        let Some(mut inner) = Section::open(report, entry, path) else { continue };
        let doc = inner.required_text(report, "doc");
        let values = super::kind::values(&mut inner, report);
        inner.finish(report);
        types.add(name, values.map(|values| Arc::new(EnumType { name: Some(name.to_owned()), doc, values })));
    }
    types
}

/// The name of an entry, checked, and its path.
fn named<'d>(report: &mut Report<'_>, section: &Section<'_>, (key, _): Entry<'d>) -> (&'d str, String) {
    let path = joined(&section.path, key.get_ref());
    check_name(report, key.span().start, &path, key.get_ref());
    (key.get_ref(), path)
}

fn executors(section: &Section<'_>, report: &mut Report<'_>) -> Vec<ExecutorType> {
    let mut executors = Vec::new();
    for entry in section.entries(report) {
        let (name, path) = named(report, section, entry);
        let Some(mut inner) = Section::open(report, entry, path) else { continue };
        let executor = ExecutorType::new(name, inner.required_text(report, "doc"));
        follows_rule(&mut inner, report, "array", executor.array());
        follows_rule(&mut inner, report, "event", executor.event());
        inner.finish(report);
        executors.push(executor);
    }
    executors
}

/// Rule 8.
fn follows_rule(section: &mut Section<'_>, report: &mut Report<'_>, key: &'static str, wanted: &str) {
    if let Some((_, value)) = section.get(report, key)
        && value.get_ref().as_str() != Some(wanted)
    {
        let instead = format!("write \"{}\" or leave it out", shown(wanted));
        report.add(value.span().start, &joined(&section.path, key), "this breaks the naming rule", instead);
    }
}

struct Actions {
    types: Types,
    executors: Vec<ExecutorType>,
    executor_names: HashSet<String>,
    defaults: Defaults,
    first_lines: HashMap<String, usize>,
    found: Vec<Arc<ActionType>>,
}

impl Actions {
    fn read(&mut self, section: &Section<'_>, report: &mut Report<'_>) {
        for entry in section.entries(report) {
            let (key, _) = entry;
            let executor: &str = key.get_ref();
            let path = joined(&section.path, executor);
            if !self.executor_names.contains(executor) {
                let names = || self.executors.iter().map(|known| known.name.as_str());
                let hint = did_you_mean(executor, names());
                let problem = format!("there is no executor `{}`{hint}", shown(executor));
                let known = listed(names());
                let instead = format!("declare it as [executors.{}]; known are {known}", shown(executor));
                report.add(key.span().start, &path, problem, instead);
            }
            let Some(of_executor) = Section::open(report, entry, path) else { continue };
            for entry in of_executor.entries(report) {
                let (name, path) = named(report, &of_executor, entry);
                self.refuse_second(report, entry, &path);
                if let Some(inner) = Section::open(report, entry, path) {
                    let action = self.action(executor, name, inner, report);
                    self.found.push(Arc::new(action));
                }
            }
        }
    }

    /// Rule 2. Within one executor the parser sees to it.
    fn refuse_second(&mut self, report: &mut Report<'_>, (key, _): Entry<'_>, path: &str) {
        let at = key.span().start;
        match self.first_lines.get(key.get_ref().as_ref()) {
            Some(line) => {
                let problem = format!("`{}` is already an action (line {line})", shown(key.get_ref()));
                let instead = "choose another name: a response carries its request's name into another array";
                report.add(at, path, problem, instead);
            }
            None => {
                self.first_lines.insert(key.get_ref().to_string(), report.line_of(at));
            }
        }
    }

    fn action(
        &self,
        executor: &str,
        name: &str,
        mut section: Section<'_>,
        report: &mut Report<'_>,
    ) -> ActionType {
        let action = ActionType {
            name: name.to_owned(),
            executor: executor.to_owned(),
            doc: section.required_text(report, "doc"),
            origin: section.text(report, "origin").map(str::to_owned),
            repeat: delivery(&mut section, report).unwrap_or(self.defaults.repeat),
            expires: millis(&mut section, report, "expires_ms"),
            reply_within: millis(&mut section, report, "reply_within_ms")
                .unwrap_or(self.defaults.reply_within),
            senders: section.texts(report, "senders").unwrap_or_default(),
            extra_fields: section.boolean(report, "extra_fields").unwrap_or(false),
            fields: field::fields(&mut section, report, &self.types, field::Side::Sent).unwrap_or_default(),
            response: field::fields(&mut section, report, &self.types, field::Side::Answered),
        };
        section.finish(report);
        action
    }
}

/// A value that should have been a text, in a violation.
pub(super) fn described(value: &DeValue<'_>) -> String {
    value.as_str().map_or_else(|| type_name(value).to_owned(), |text| format!("`{}`", shown(text)))
}
