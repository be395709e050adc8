//! Rust: one struct for each action and each response, enums, constants, and the catalogue itself as data.
//!
//! The text is laid out here rather than by rustfmt, so that it does not change with rustfmt's version.

mod plan;
mod structs;
mod table;

use super::{Options, header, page::Page, words::comment_lines};
use crate::catalogue::{
    Catalogue,
    model::{EnumType, ExecutorType},
};
use plan::{Action, Module, Plan};

/// Lints that a catalogue's names and sizes may set off, whatever the generator does.
const ALLOWED: &str = "#[allow(dead_code, unused_imports, rustdoc::bare_urls, clippy::large_enum_variant, \
                       clippy::too_many_arguments, clippy::too_many_lines)]";

pub(super) fn write(catalogue: &Catalogue, options: &Options) -> String {
    let plan = Plan::of(catalogue);
    let mut writer =
        Writer { page: Page::default(), crate_path: comment_lines(&options.crate_path).collect() };
    for line in header(catalogue, options, "rust") {
        writer.page.line(format!("// {}", comment_lines(&line).collect::<String>()));
    }
    for (shared, ident) in &plan.shared {
        writer.page.line("");
        writer.enumeration(shared, ident, &shared.doc);
    }
    for module in &plan.modules {
        writer.page.line("");
        writer.module(module);
    }
    writer.page.line("");
    writer.constants(&plan);
    writer.page.line("");
    writer.table(catalogue, &plan);
    writer.page.finish()
}

struct Writer {
    page: Page,
    crate_path: String,
}

impl Writer {
    /// Path of the catalogue's room, as the generated file must write it.
    fn room(&self) -> String {
        format!("{}::catalogue", self.crate_path)
    }

    fn path(&self, item: &str) -> String {
        format!("{}::{item}", self.room())
    }

    fn doc(&mut self, text: &str) {
        for line in comment_lines(text) {
            // Brackets would be links, and angle brackets HTML.
            let mut escaped = String::new();
            for letter in line.chars() {
                if matches!(letter, '[' | ']' | '<' | '>' | '\\') {
                    escaped.push('\\');
                }
                escaped.push(letter);
            }
            self.page.line(format!("/// {escaped}").trim_end());
        }
    }

    /// The line that tells serde's derive where serde is. Inside this crate the derive finds it by itself.
    fn serde_crate(&mut self) {
        if self.crate_path != "crate" {
            let path = self.path("typed::serde");
            self.page.line(format!("#[serde(crate = \"{path}\")]"));
        }
    }

    fn enumeration(&mut self, of: &EnumType, ident: &str, doc: &str) {
        let variants = plan::variants(of);
        let serde = self.path("typed::serde");
        self.doc(doc);
        self.page.line("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]");
        self.page.line(format!("#[derive({serde}::Serialize, {serde}::Deserialize)]"));
        self.serde_crate();
        self.page.line("#[allow(dead_code)]");
        self.page.open(format!("pub enum {ident} {{"));
        for (value, variant) in &variants {
            self.doc(&format!("`{value}`."));
            self.page.line(format!("#[serde(rename = {value:?})]"));
            self.page.line(format!("{variant},"));
        }
        self.page.close("}");
        self.page.line("");
        self.page.open(format!("impl {ident} {{"));
        self.doc("Its value on the wire.");
        self.page.line("#[allow(dead_code)]");
        self.page.line("#[must_use]");
        self.page.open("pub fn as_str(self) -> &'static str {");
        self.page.open("match self {");
        for (value, variant) in &variants {
            self.page.line(format!("Self::{variant} => {value:?},"));
        }
        self.page.close("}");
        self.page.close("}");
        self.page.close("}");
        self.page.line("");
        let value = self.path("typed::serde_json::Value");
        self.page.open(format!("impl From<{ident}> for {value} {{"));
        self.page.open(format!("fn from(value: {ident}) -> Self {{"));
        self.page.line("Self::from(value.as_str())");
        self.page.close("}");
        self.page.close("}");
    }

    fn module(&mut self, module: &Module<'_>) {
        let ExecutorType { name, doc, .. } = module.executor;
        self.doc(&format!("Actions of `{name}`: {doc}"));
        self.page.line(ALLOWED);
        self.page.open(format!("pub mod {} {{", module.ident));
        let typed = self.path("typed");
        self.page.open(format!("use {typed}::{{"));
        self.page.line("self, TypedAction, TypedRequest,");
        self.page.line("serde::{Deserialize, Serialize},");
        self.page.line("serde_json::{Map, Value},");
        self.page.close("};");
        for ident in &module.enums {
            self.page.line(format!("pub use super::{ident};"));
        }
        self.page.line("");
        self.doc("Name of the executor.");
        self.page.line(format!("pub const EXECUTOR: &str = {name:?};"));
        for action in &module.actions {
            self.page.line("");
            self.action(action);
        }
        self.page.line("");
        self.received(module);
        self.page.close("}");
    }

    /// The enum of everything that may be received, for a handler that matches on types.
    fn received(&mut self, module: &Module<'_>) {
        let name = &module.executor.name;
        self.doc(&format!("Any action that `{name}` may receive."));
        self.page.line("#[derive(Clone, Debug, PartialEq)]");
        self.page.open("pub enum Action {");
        for Action { info, action, .. } in &module.actions {
            self.doc(&format!("`{}`.", action.name));
            self.page.line(format!("{0}({0}),", info.ident));
        }
        self.doc("An action that this program does not know; newer programs may send it.");
        self.page.line("Unknown,");
        self.page.close("}");
        self.page.line("");
        let error = format!("{}::Error", self.crate_path);
        self.page.open("impl Action {");
        self.doc(
            "Reads a received action: its name, and its fields without `action`, `executor` and `respondTo`.",
        );
        self.doc("\n# Errors\n");
        self.doc("`Decode` when the fields do not fit the type of that name.");
        self.page.line(format!(
            "pub fn from_fields(name: &str, fields: Map<String, Value>) -> Result<Self, {error}> {{"
        ));
        self.page.open("    match name {");
        for Action { info, action, .. } in &module.actions {
            self.page.line(format!(
                "    {:?} => typed::decode(name, fields).map(Self::{}),",
                action.name, info.ident
            ));
        }
        self.page.line("    _ => Ok(Self::Unknown),");
        self.page.close("    }");
        self.page.line("}");
        self.page.close("}");
    }

    fn constants(&mut self, plan: &Plan<'_>) {
        self.doc("Names of all actions by executor, as in the original's `ActionTypes`.");
        self.page.line("#[allow(dead_code, non_snake_case)]");
        self.page.open("pub mod ActionTypes {");
        for (place, module) in plan.modules.iter().enumerate() {
            if place > 0 {
                self.page.line("");
            }
            self.doc(&format!("Actions of `{}`.", module.executor.name));
            self.page.line("#[allow(rustdoc::bare_urls)]");
            self.page.open(format!("pub mod {} {{", module.ident));
            for action in &module.actions {
                self.doc(&action.action.doc);
                self.page.line(format!("pub const {}: &str = {:?};", action.constant, action.action.name));
            }
            self.page.close("}");
        }
        self.page.close("}");
    }
}
