//! From what a caller gives to what stands in the document: checked, and laid over the defaults (C24–C27, C53).
//!
//! Everything here happens before any request is made, so a batch that fails leaves no trace.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Catalogue,
    hint::{did_you_mean, listed, shown},
    model::{ActionType, Field, Presence},
    value::Misfit,
};
use crate::error::{Error, Result, json_type};

/// Keys that `info` and responses may not contain (C27), and what to do instead.
pub(super) const RESERVED: [(&str, &str); 6] = [
    ("action", "the name of the action is an argument of its own"),
    ("executor", "the executor follows from the action type"),
    ("_sp", "it belongs to the bookkeeping of this protocol"),
    ("__proto__", "JavaScript readers could be misled by it, choose another name"),
    ("constructor", "JavaScript readers could be misled by it, choose another name"),
    ("prototype", "JavaScript readers could be misled by it, choose another name"),
];

/// The key of `info` and of the wire that names who gets the response.
pub(super) const RESPOND_TO: &str = "respondTo";

/// An action that passed every check, ready to be put into the document.
#[derive(Clone)]
#[non_exhaustive]
pub struct BuiltAction {
    /// Its type.
    pub action: Arc<ActionType>,
    /// Its fields, flat: defaults written out, in the order of the catalogue, then extra fields in the order given.
    /// Never `action`, `executor`, `respondTo` or `_sp`, and no `null` at the top level.
    pub fields: Map<String, Value>,
    /// The executor that gets the response.
    pub respond_to: Option<String>,
}

impl BuiltAction {
    /// Name of the executor that carries it out.
    #[must_use]
    pub fn executor(&self) -> &str {
        &self.action.executor
    }
}

/// Shows sensitive values as `[redacted]` (C64).
impl fmt::Debug for BuiltAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = self.fields.clone();
        self.action.redact(&mut fields);
        f.debug_struct("BuiltAction")
            .field("action", &self.action.name)
            .field("fields", &fields)
            .field("respond_to", &self.respond_to)
            .finish()
    }
}

impl Catalogue {
    /// Checks one action of a batch and lays `info` over the type's defaults. `index` is its place in the batch,
    /// for the error, if it is one of several. `null` counts as absent, `respondTo` is allowed in `info`. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownAction`], [`Error::UnknownExecutor`] (of `respondTo`), [`Error::MissingField`],
    /// [`Error::UnknownField`], [`Error::WrongType`], [`Error::OutOfRange`], [`Error::Reserved`].
    pub fn build_info(
        &self,
        action: &str,
        mut info: Map<String, Value>,
        index: impl Into<Option<usize>>,
    ) -> Result<BuiltAction> {
        let index = index.into();
        let action = self.shared_action(action).ok_or_else(|| self.unknown_action(action, index))?;
        let scope = Scope { action, index, response: false };
        let respond_to = self.take_respond_to(&mut info, &scope)?;
        let fields = scope.fit(&action.fields, info, action.extra_fields)?;
        Ok(BuiltAction { action: Arc::clone(action), fields, respond_to })
    }

    /// Checks the fields of a response and puts them in the order of the catalogue (C53). `null` counts as absent
    /// and is left out of the result. An action that does not answer has a response without fields.
    ///
    /// # Errors
    ///
    /// As [`build_info`](Self::build_info); fields are named `response.<field>`.
    pub fn build_response(&self, action: &str, fields: Map<String, Value>) -> Result<Map<String, Value>> {
        let action = self.shared_action(action).ok_or_else(|| self.unknown_action(action, None))?;
        Scope { action, index: None, response: true }.fit(action.response_fields(), fields, false)
    }

    /// Checks the fields of a response (C53). See [`build_response`](Self::build_response), which also removes
    /// what is `null`.
    ///
    /// # Errors
    ///
    /// As [`build_response`](Self::build_response).
    pub fn check_response(&self, action: &str, fields: &Map<String, Value>) -> Result<()> {
        self.build_response(action, fields.clone()).map(drop)
    }

    fn take_respond_to(&self, info: &mut Map<String, Value>, scope: &Scope<'_>) -> Result<Option<String>> {
        match info.shift_remove(RESPOND_TO) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(executor)) if self.executor(&executor).is_some() => Ok(Some(executor)),
            Some(Value::String(executor)) => Err(self.unknown_executor(&executor)),
            Some(other) => Err(scope.misfit(
                RESPOND_TO,
                Misfit::Type { expected: "the name of an executor".to_owned(), found: json_type(&other) },
            )),
        }
    }

    fn unknown_action(&self, name: &str, index: Option<usize>) -> Error {
        // `extension.openExam` is how the generated types are named elsewhere.
        let last = name.rsplit(['.', ':']).next().unwrap_or(name);
        let hint = match did_you_mean(last, self.actions().map(|action| action.name.as_str())) {
            hint if hint.is_empty() => {
                format!(" (it is the catalogue `{}`; one of your own is given to the builder)", self.name())
            }
            hint => hint,
        };
        Error::UnknownAction { action: shown(name), index, hint }
    }

    /// The error for an executor that the catalogue does not have.
    #[must_use]
    pub fn unknown_executor(&self, name: &str) -> Error {
        let known = listed(self.executors().map(|executor| executor.name.as_str()));
        Error::UnknownExecutor { executor: shown(name), known }
    }
}

/// What is being checked, for the errors.
struct Scope<'a> {
    action: &'a ActionType,
    index: Option<usize>,
    response: bool,
}

impl Scope<'_> {
    /// The fields in the order of the catalogue, then the extra ones.
    fn fit(
        &self,
        declared: &[Field],
        mut given: Map<String, Value>,
        extra: bool,
    ) -> Result<Map<String, Value>> {
        let mut fields = Map::with_capacity(declared.len().max(given.len()));
        for field in declared {
            match given.shift_remove_entry(field.name.as_str()) {
                Some((name, value)) if !value.is_null() => {
                    field.kind.check(&value).map_err(|misfit| self.misfit(&field.name, misfit))?;
                    fields.insert(name, value);
                }
                _ => match &field.presence {
                    Presence::Required => return Err(self.missing(&field.name, declared, &given)),
                    Presence::Default(value) => {
                        fields.insert(field.name.clone(), value.clone());
                    }
                    Presence::Optional => {}
                },
            }
        }
        for (name, value) in given {
            // No field has a reserved name (contract rule 3), so each of them is met here.
            if let Some((key, instead)) = RESERVED.iter().find(|(key, _)| *key == name) {
                return Err(Error::Reserved { what: self.what(), key: (*key).to_owned(), instead });
            }
            if value.is_null() {
                continue;
            }
            if !extra {
                return Err(self.unknown_field(&name, declared));
            }
            fields.insert(name, value);
        }
        Ok(fields)
    }

    fn what(&self) -> String {
        let kind = if self.response { "response to" } else { "info of" };
        let index = self.index.map(|index| format!(" (index {index})")).unwrap_or_default();
        format!("{kind} {}{index}", self.action.name)
    }

    fn field_name(&self, field: &str) -> String {
        if self.response { format!("response.{}", shown(field)) } else { shown(field) }
    }

    /// One that is misspelt is told as such: whoever wrote `examUrl` does not miss `examURL`.
    fn missing(&self, field: &str, declared: &[Field], given: &Map<String, Value>) -> Error {
        let unknown = |name: &&String| declared.iter().all(|field| field.name != **name);
        let meant = |name: &&String| !did_you_mean(name, [field].into_iter()).is_empty();
        if let Some(misspelt) = given.keys().filter(unknown).find(meant) {
            return self.unknown_field(misspelt, declared);
        }
        Error::MissingField {
            action: self.action.name.clone(),
            field: self.field_name(field),
            index: self.index,
        }
    }

    fn unknown_field(&self, field: &str, declared: &[Field]) -> Error {
        let names = || declared.iter().map(|field| field.name.as_str());
        let known = if declared.is_empty() {
            "it has no fields".to_owned()
        } else {
            format!("it has {}{}", listed(names()), did_you_mean(field, names()))
        };
        Error::UnknownField {
            action: self.action.name.clone(),
            field: self.field_name(field),
            index: self.index,
            known,
        }
    }

    fn misfit(&self, field: &str, misfit: Misfit) -> Error {
        let (action, index) = (self.action.name.clone(), self.index);
        match misfit {
            Misfit::Item(place, inner) => self.misfit(&format!("{field}[{place}]"), *inner),
            Misfit::Type { expected, found } => {
                Error::WrongType { action, field: self.field_name(field), index, expected, found }
            }
            Misfit::Limit(limit) => Error::OutOfRange { action, field: self.field_name(field), index, limit },
        }
    }
}
