//! Every name of the generated file, chosen before anything is written.

use std::sync::Arc;

use super::super::{
    enum_of,
    names::{Scope, pascal, rust_ident, snake},
    shared_enums,
};
use crate::catalogue::{
    Catalogue,
    model::{ActionType, EnumType, ExecutorType, Field, FieldType},
};

/// Names of the prelude and of the generated code itself that an action's name could hide.
const TAKEN: [&str; 31] = [
    "Action",
    "Box",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "Err",
    "Eq",
    "From",
    "Hash",
    "Into",
    "Iterator",
    "Map",
    "None",
    "Ok",
    "Option",
    "PartialEq",
    "Result",
    "Self",
    "Send",
    "Serialize",
    "Sized",
    "Some",
    "String",
    "Sync",
    "TypedAction",
    "TypedRequest",
    "Unknown",
    "Value",
    "Vec",
];

pub(super) struct Plan<'a> {
    pub(super) shared: Vec<(Arc<EnumType>, String)>,
    pub(super) modules: Vec<Module<'a>>,
}

pub(super) struct Module<'a> {
    pub(super) executor: &'a ExecutorType,
    pub(super) ident: String,
    pub(super) actions: Vec<Action<'a>>,
    /// Shared enums that its fields use, so that they can be reached through it. Without those whose name it has
    /// given away.
    pub(super) enums: Vec<String>,
}

pub(super) struct Action<'a> {
    pub(super) action: &'a ActionType,
    pub(super) constant: String,
    pub(super) info: Struct<'a>,
    pub(super) response: Option<Struct<'a>>,
}

pub(super) struct Struct<'a> {
    pub(super) ident: String,
    pub(super) fields: Vec<Member<'a>>,
    /// The enums that a field lists itself.
    pub(super) enums: Vec<(&'a EnumType, String, &'a Field)>,
    /// Name of the member that takes fields the catalogue does not know.
    pub(super) extra: Option<String>,
}

pub(super) struct Member<'a> {
    pub(super) field: &'a Field,
    pub(super) ident: String,
    /// Without the `Option` of a field that may be left out.
    pub(super) rust_type: String,
}

impl<'a> Plan<'a> {
    pub(super) fn of(catalogue: &'a Catalogue) -> Self {
        let mut top = Scope::new(&TAKEN);
        top.take("ActionTypes".to_owned());
        let shared: Vec<(Arc<EnumType>, String)> = shared_enums(catalogue)
            .into_iter()
            .map(|shared| {
                let ident = top.take(pascal(shared.name.as_deref().unwrap_or_default()));
                (shared, ident)
            })
            .collect();
        let mut names = Scope::new(&["catalogue"]);
        let modules = catalogue
            .executors()
            .map(|executor| {
                let mut types = Scope::new(&TAKEN);
                let actions = actions(catalogue, executor, &shared, &mut types);
                let ident = names.take(rust_ident(snake(&executor.name)));
                Module { executor, ident, enums: used(&actions, &shared, &types), actions }
            })
            .collect();
        Self { shared, modules }
    }
}

fn actions<'a>(
    catalogue: &'a Catalogue,
    executor: &'a ExecutorType,
    shared: &[(Arc<EnumType>, String)],
    types: &mut Scope,
) -> Vec<Action<'a>> {
    let mut constants = Scope::new(&[]);
    // All actions first: it is their names that people write.
    let idents: Vec<_> =
        catalogue.actions_of(&executor.name).map(|action| types.take(pascal(&action.name))).collect();
    catalogue
        .actions_of(&executor.name)
        .zip(idents)
        .map(|(action, ident)| {
            let response = action.response.as_ref().map(|fields| {
                let base = format!("{}Response", pascal(&action.name));
                let ident = types.take(base.clone());
                Struct::of(types, (&base, ident), fields, shared, false)
            });
            Action {
                action,
                constant: constants.take(snake(&action.name).to_uppercase()),
                info: Struct::of(
                    types,
                    (&pascal(&action.name), ident),
                    &action.fields,
                    shared,
                    action.extra_fields,
                ),
                response,
            }
        })
        .collect()
}

fn used(actions: &[Action<'_>], shared: &[(Arc<EnumType>, String)], types: &Scope) -> Vec<String> {
    let fields = || actions.iter().flat_map(|of| of.action.fields.iter().chain(of.action.response_fields()));
    shared
        .iter()
        .filter(|(of, ident)| {
            types.is_free(ident) && fields().filter_map(enum_of).any(|met| met.name == of.name)
        })
        .map(|(_, ident)| ident.clone())
        .collect()
}

impl<'a> Struct<'a> {
    fn of(
        types: &mut Scope,
        (base, ident): (&str, String),
        fields: &'a [Field],
        shared: &[(Arc<EnumType>, String)],
        extra: bool,
    ) -> Self {
        let mut members = Scope::new(&[]);
        let mut enums = Vec::new();
        let fields = fields
            .iter()
            .map(|field| {
                let own = enum_of(field).filter(|of| of.name.is_none()).map(|of| {
                    let name = types.take(format!("{base}{}", pascal(&field.name)));
                    enums.push((of.as_ref(), name.clone(), field));
                    name
                });
                Member {
                    field,
                    ident: members.take(rust_ident(snake(&field.name))),
                    rust_type: rust_type(&field.kind, own.as_deref(), shared),
                }
            })
            .collect();
        let extra = extra.then(|| members.take("extra_fields".to_owned()));
        Self { ident, fields, enums, extra }
    }
}

fn rust_type(kind: &FieldType, own: Option<&str>, shared: &[(Arc<EnumType>, String)]) -> String {
    match kind {
        FieldType::String { .. } | FieldType::Url { .. } | FieldType::Timestamp => "String".to_owned(),
        FieldType::Bool => "bool".to_owned(),
        FieldType::Int { .. } => "i64".to_owned(),
        FieldType::Number { .. } => "f64".to_owned(),
        FieldType::Enum(of) => match own {
            Some(ident) => ident.to_owned(),
            None => {
                let found = shared.iter().find(|(known, _)| known.name == of.name);
                found.map_or_else(|| "String".to_owned(), |(_, ident)| format!("super::{ident}"))
            }
        },
        FieldType::Array { items, .. } => format!("Vec<{}>", rust_type(items, own, shared)),
        FieldType::Object => "Map<String, Value>".to_owned(),
    }
}

/// The variants of an enum: value on the wire and name.
pub(super) fn variants(of: &EnumType) -> Vec<(&str, String)> {
    let mut scope = Scope::new(&["Self"]);
    of.values.iter().map(|value| (value.as_str(), scope.take(pascal(value)))).collect()
}
