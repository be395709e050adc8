//! The structs of one action.

use super::{
    Writer,
    plan::{Action, Member, Struct},
};
use crate::catalogue::{codegen::words, model::FieldType};

impl Writer {
    pub(super) fn action(&mut self, action: &Action<'_>) {
        let of = action.action;
        self.doc(&of.doc);
        let notes = words::action_notes(of);
        if !notes.is_empty() {
            self.page.line("///");
            self.doc(&notes.join("\n"));
        }
        self.structure(&action.info);
        self.constructor(&action.info);
        let ident = &action.info.ident;
        self.page.line("");
        self.page.open(format!("impl TypedAction for {ident} {{"));
        self.page.line(format!("const ACTION: &'static str = {:?};", of.name));
        self.page.line(format!("const EXECUTOR: &'static str = {:?};", of.executor));
        self.page.line("");
        self.page.open("fn into_info(self) -> Map<String, Value> {");
        self.laid_out(&action.info);
        self.page.close("}");
        self.page.close("}");
        self.enums(&action.info, &of.name);
        if let Some(response) = &action.response {
            self.page.line("");
            self.doc(&format!("What `{}` answers.", of.name));
            self.structure(response);
            self.constructor(response);
            self.page.line("");
            self.page.open(format!("impl TypedRequest for {ident} {{"));
            self.page.line(format!("type Response = {};", response.ident));
            self.page.close("}");
            self.enums(response, &of.name);
        }
    }

    fn structure(&mut self, of: &Struct<'_>) {
        let hides = of.fields.iter().any(|member| member.field.sensitive);
        let mut derives = vec!["Clone"];
        if !hides {
            derives.push("Debug");
        }
        if !of.fields.iter().any(|member| member.field.is_required()) {
            derives.push("Default");
        }
        derives.extend(["PartialEq", "Serialize", "Deserialize"]);
        self.page.line(format!("#[derive({})]", derives.join(", ")));
        self.serde_crate();
        if of.fields.is_empty() && of.extra.is_none() {
            self.page.line(format!("pub struct {} {{}}", of.ident));
            return;
        }
        self.page.open(format!("pub struct {} {{", of.ident));
        for Member { field, ident, rust_type } in &of.fields {
            self.doc(&field.doc);
            self.page.line("///");
            self.doc(&words::field_note(field));
            let name = &field.name;
            if field.is_required() {
                self.page.line(format!("#[serde(rename = {name:?})]"));
                self.page.line(format!("pub {ident}: {rust_type},"));
            } else {
                let skip = "skip_serializing_if = \"Option::is_none\"";
                self.page.line(format!("#[serde(rename = {name:?}, default, {skip})]"));
                self.page.line(format!("pub {ident}: Option<{rust_type}>,"));
            }
        }
        if let Some(extra) = &of.extra {
            self.doc("Fields of your own. One that the catalogue names is overridden by it.");
            self.page.line("#[serde(flatten)]");
            self.page.line(format!("pub {extra}: Map<String, Value>,"));
        }
        self.page.close("}");
        if hides {
            self.redacting_debug(of);
        }
    }

    /// Sensitive values never appear in logs (C64), also not by `{:?}`.
    fn redacting_debug(&mut self, of: &Struct<'_>) {
        self.page.line("");
        self.page.open(format!("impl std::fmt::Debug for {} {{", of.ident));
        self.page.open("fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {");
        self.page.line(format!("f.debug_struct({:?})", of.ident));
        for Member { field, ident, .. } in &of.fields {
            let shown = if field.sensitive { "typed::REDACTED".to_owned() } else { format!("self.{ident}") };
            self.page.line(format!("    .field({ident:?}, &{shown})"));
        }
        if let Some(extra) = &of.extra {
            self.page.line(format!("    .field({extra:?}, &self.{extra})"));
        }
        self.page.line("    .finish()");
        self.page.close("}");
        self.page.close("}");
    }

    /// Only where something is mandatory: elsewhere `Default` says the same.
    fn constructor(&mut self, of: &Struct<'_>) {
        let (given, left): (Vec<_>, Vec<_>) = of.fields.iter().partition(|member| member.field.is_required());
        if given.is_empty() {
            return;
        }
        let is_text = |member: &Member<'_>| member.rust_type == "String";
        let parameters: Vec<String> = given
            .iter()
            .map(|member| match is_text(member) {
                true => format!("{}: impl Into<String>", member.ident),
                false => format!("{}: {}", member.ident, member.rust_type),
            })
            .collect();
        self.page.line("");
        self.page.open(format!("impl {} {{", of.ident));
        self.doc(if left.is_empty() {
            "With its fields."
        } else {
            "With what is mandatory; the rest is left out."
        });
        self.page.line("#[must_use]");
        self.page.open(format!("pub fn new({}) -> Self {{", parameters.join(", ")));
        let mut values: Vec<String> = given
            .iter()
            .map(|member| match is_text(member) {
                true => format!("{0}: {0}.into()", member.ident),
                false => member.ident.clone(),
            })
            .collect();
        values.extend(left.iter().map(|member| format!("{}: None", member.ident)));
        values.extend(of.extra.iter().map(|extra| format!("{extra}: Map::new()")));
        if values.len() > 3 {
            self.page.open("Self {");
            values.iter().for_each(|value| self.page.line(format!("{value},")));
            self.page.close("}");
        } else {
            self.page.line(format!("Self {{ {} }}", values.join(", ")));
        }
        self.page.close("}");
        self.page.close("}");
    }

    fn laid_out(&mut self, of: &Struct<'_>) {
        let bind = if of.extra.is_some() { "let info = " } else { "" };
        if of.fields.is_empty() {
            self.page.line(format!("{bind}typed::info([]){}", if of.extra.is_some() { ";" } else { "" }));
        } else {
            self.page.open(format!("{bind}typed::info(["));
            for Member { field, ident, .. } in &of.fields {
                self.page.line(format!("({:?}, self.{ident}.into()),", field.name));
            }
            self.page.close(if of.extra.is_some() { "]);" } else { "])" });
        }
        if let Some(extra) = &of.extra {
            self.page.line(format!("typed::with_extra(info, self.{extra})"));
        }
    }

    fn enums(&mut self, of: &Struct<'_>, action: &str) {
        for (listed, ident, field) in &of.enums {
            let each = if matches!(field.kind, FieldType::Array { .. }) { "Each item" } else { "Value" };
            self.page.line("");
            self.enumeration(
                listed,
                ident,
                &format!("{each} of `{}` in `{action}`: {}", field.name, field.doc),
            );
        }
    }
}
