//! TypeScript, for `tsc --strict`: a missing mandatory field, a misspelt field, a value outside an enum and a
//! request to an action that does not answer are errors of type.

use super::{
    Options, action_rules, action_types_json, header,
    names::{Scope, pascal},
    page::Page,
    shared_enums,
    words::{action_notes, comment_lines, field_note},
};
use crate::catalogue::{
    Catalogue,
    model::{ActionType, EnumType, ExecutorType, Field, FieldType},
};
use serde_json::Value;

/// Names that the file itself uses.
const RESERVED: [&str; 20] = [
    "ActionName",
    "ActionObject",
    "ActionOf",
    "ActionOptions",
    "ActionRule",
    "ActionRules",
    "ActionTypes",
    "ExecutorName",
    "ExecutorNames",
    "FieldRule",
    "InfoArguments",
    "InfoOf",
    "Named",
    "Promise",
    "Readonly",
    "Record",
    "RequestName",
    "ResponseOf",
    "SyncActions",
    "ValueRule",
];

/// What is the same for every catalogue.
const FIXED: &str = include_str!("typescript_fixed.ts");

pub(super) fn write(catalogue: &Catalogue, options: &Options) -> String {
    let mut scope = Scope::new(&RESERVED);
    let mut page = Page::default();
    for line in header(catalogue, options, "typescript") {
        page.line(format!("// {}", comment_lines(&line).collect::<String>()));
    }
    page.line("");
    doc(&mut page, &["Whoever can be told to do something.".to_owned()]);
    let executors: Vec<String> = catalogue.executors().map(|executor| quoted(&executor.name)).collect();
    page.line(format!("export type ExecutorName = {};", union(&executors)));
    let enums: Vec<(String, String)> =
        shared_enums(catalogue).iter().map(|shared| write_enum(&mut page, &mut scope, shared)).collect();
    let actions: Vec<Names<'_>> =
        catalogue.actions().map(|action| write_action(&mut page, &mut scope, &enums, action)).collect();
    for executor in catalogue.executors() {
        write_union(&mut page, &mut scope, executor, &actions);
    }
    write_maps(&mut page, &actions);
    write_constant(&mut page, catalogue);
    format!("{}\n{FIXED}", page.finish())
}

/// What an action's interfaces are called.
struct Names<'a> {
    action: &'a ActionType,
    object: String,
    info: String,
    response: Option<String>,
}

fn write_enum(page: &mut Page, scope: &mut Scope, shared: &EnumType) -> (String, String) {
    let wire = shared.name.clone().unwrap_or_default();
    let name = scope.take(pascal(&wire));
    page.line("");
    doc(page, std::slice::from_ref(&shared.doc));
    page.line(format!("export type {name} = {};", literals(shared)));
    (wire, name)
}

fn write_action<'a>(
    page: &mut Page,
    scope: &mut Scope,
    enums: &[(String, String)],
    action: &'a ActionType,
) -> Names<'a> {
    let base = pascal(&action.name);
    let (object, info) = (scope.take(base.clone()), scope.take(format!("{base}Info")));
    page.line("");
    doc(page, &[format!("What `{}` is given.", action.name)]);
    page.open(format!("export interface {info} extends ActionOptions {{"));
    write_fields(page, enums, &action.fields);
    if action.extra_fields {
        doc(page, &["Fields of your own.".to_owned()]);
        page.line("readonly [field: string]: unknown;");
    }
    page.close("}");
    page.line("");
    let mut words = vec![action.doc.clone()];
    words.extend(action_notes(action));
    doc(page, &words);
    page.open(format!("export interface {object} extends {info} {{"));
    page.line(format!("readonly action: {};", quoted(&action.name)));
    page.line(format!("readonly executor: {};", quoted(&action.executor)));
    page.close("}");
    let response = action.response.as_ref().map(|fields| {
        let name = scope.take(format!("{base}Response"));
        page.line("");
        doc(page, &[format!("What `{}` answers.", action.name)]);
        page.open(format!("export interface {name} {{"));
        write_fields(page, enums, fields);
        page.close("}");
        name
    });
    Names { action, object, info, response }
}

fn write_fields(page: &mut Page, enums: &[(String, String)], fields: &[Field]) {
    for field in fields {
        doc(page, &[field.doc.clone(), field_note(field)]);
        let optional = if field.is_required() { "" } else { "?" };
        page.line(format!("readonly {}{optional}: {};", field.name, type_of(&field.kind, enums)));
    }
}

fn type_of(kind: &FieldType, enums: &[(String, String)]) -> String {
    match kind {
        FieldType::String { .. } | FieldType::Url { .. } | FieldType::Timestamp => "string".to_owned(),
        FieldType::Bool => "boolean".to_owned(),
        FieldType::Int { .. } | FieldType::Number { .. } => "number".to_owned(),
        FieldType::Enum(of) => enums
            .iter()
            .find(|(wire, _)| of.name.as_ref() == Some(wire))
            .map_or_else(|| literals(of), |(_, name)| name.clone()),
        FieldType::Array { items, .. } => match type_of(items, enums) {
            of if of.contains(' ') => format!("readonly ({of})[]"),
            of => format!("readonly {of}[]"),
        },
        FieldType::Object => "Record<string, unknown>".to_owned(),
    }
}

fn write_union(page: &mut Page, scope: &mut Scope, executor: &ExecutorType, actions: &[Names<'_>]) {
    let objects: Vec<String> = actions
        .iter()
        .filter(|names| names.action.executor == executor.name)
        .map(|names| names.object.clone())
        .collect();
    page.line("");
    doc(page, &[format!("What `{}` can be told, as it lies in `{}`.", executor.name, executor.array())]);
    let name = scope.take(format!("{}Action", pascal(&executor.name)));
    page.line(format!("export type {name} = {};", union(&objects)));
}

fn write_maps(page: &mut Page, actions: &[Names<'_>]) {
    let mut map = |name: &str, words: &str, of: &dyn Fn(&Names<'_>) -> Option<String>| {
        page.line("");
        doc(page, &[words.to_owned()]);
        page.open(format!("export interface {name} {{"));
        for names in actions {
            if let Some(value) = of(names) {
                page.line(format!("readonly {}: {value};", names.action.name));
            }
        }
        page.close("}");
    };
    map("InfoOf", "What each action is given.", &|names| Some(names.info.clone()));
    map("ResponseOf", "What each action that answers, answers.", &|names| names.response.clone());
    map("ActionOf", "Each action as it lies in the document.", &|names| Some(names.object.clone()));
}

fn write_constant(page: &mut Page, catalogue: &Catalogue) {
    page.line("");
    doc(page, &["Every action with its defaults; `null` is mandatory.".to_owned()]);
    page.line(format!("export const ActionTypes = {:#} as const;", action_types_json::object(catalogue)));
    page.line("");
    doc(page, &["Every executor.".to_owned()]);
    let executors: Vec<&str> = catalogue.executors().map(|executor| executor.name.as_str()).collect();
    page.line(format!("export const ExecutorNames: readonly ExecutorName[] = {};", Value::from(executors)));
    page.line("");
    doc(page, &["The catalogue as data, for checks at run time.".to_owned()]);
    page.open("export const ActionRules: Readonly<Record<string, ActionRule>> = {");
    for (name, rule) in action_rules::by_action(catalogue) {
        page.line(format!("{name}: {rule},"));
    }
    page.close("};");
}

fn doc(page: &mut Page, texts: &[String]) {
    let lines: Vec<String> =
        texts.iter().flat_map(|text| comment_lines(text)).map(|line| line.replace("*/", "*\\/")).collect();
    if let [line] = lines.as_slice() {
        page.line(format!("/** {line} */"));
    } else {
        page.line("/**");
        lines.iter().for_each(|line| page.line(format!(" * {line}").trim_end()));
        page.line(" */");
    }
}

fn literals(of: &EnumType) -> String {
    union(&of.values.iter().map(|value| quoted(value)).collect::<Vec<_>>())
}

fn union(members: &[String]) -> String {
    if members.is_empty() { "never".to_owned() } else { members.join(" | ") }
}

/// A JSON string is a TypeScript string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
