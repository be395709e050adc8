//! The catalogue as constant data; see `catalogue::table`.

use serde_json::Value;

use super::{Writer, plan::Plan};
use crate::catalogue::{
    Catalogue,
    model::{ActionType, Field, FieldType, Presence, Repeat},
};

impl Writer {
    pub(super) fn table(&mut self, catalogue: &Catalogue, plan: &Plan<'_>) {
        let (room, table) = (self.path("Catalogue"), self.path("table"));
        self.doc("The catalogue that this file was generated from. Making it cannot fail; it is made once.");
        self.page.line("#[must_use]");
        self.page.line("#[allow(dead_code)]");
        self.page.open(format!("pub fn catalogue() -> &'static {room} {{"));
        self.page.line(format!("static MADE: std::sync::OnceLock<{room}> = std::sync::OnceLock::new();"));
        self.page.line(format!("MADE.get_or_init(|| {room}::from_table(&data::TABLE))"));
        self.page.close("}");
        self.page.line("");
        self.page.line(
            "#[allow(dead_code, unused_imports, clippy::approx_constant, clippy::excessive_precision)]",
        );
        self.page.open("mod data {");
        self.page.open(format!("use {table}::{{"));
        self.page.line("Action, Constant, Enum, Executor, Given, Kind, Row, Table,");
        self.page.close("};");
        self.page.line(format!("use {}::Repeat;", self.room()));
        self.page.line("");
        self.page.open("pub(super) static TABLE: Table = Table {");
        self.page.line(format!("name: {:?},", catalogue.name()));
        self.page.line(format!("version: {:?},", catalogue.version()));
        self.page.open("executors: &[");
        for executor in catalogue.executors() {
            self.page.line(format!("Executor {{ name: {:?}, doc: {:?} }},", executor.name, executor.doc));
        }
        self.page.close("],");
        self.page.open("types: &[");
        for (shared, _) in &plan.shared {
            let name = shared.name.as_deref().unwrap_or_default();
            self.page.line(format!(
                "Enum {{ name: {name:?}, doc: {:?}, values: &{:?} }},",
                shared.doc, shared.values
            ));
        }
        self.page.close("],");
        self.page.open("actions: &[");
        catalogue.actions().for_each(|action| self.row(action));
        self.page.close("],");
        self.page.close("};");
        self.page.close("}");
    }

    fn row(&mut self, action: &ActionType) {
        let repeat = match action.repeat {
            Repeat::AtLeastOnce => "AtLeastOnce",
            Repeat::AtMostOnce => "AtMostOnce",
        };
        self.page.open("Action {");
        self.page.line(format!("name: {:?},", action.name));
        self.page.line(format!("executor: {:?},", action.executor));
        self.page.line(format!("doc: {:?},", action.doc));
        self.page.line(format!("origin: {:?},", action.origin));
        self.page.line(format!("repeat: Repeat::{repeat},"));
        self.page.line(format!("expires_ms: {:?},", action.expires.map(|expires| expires.as_millis())));
        self.page.line(format!("reply_within_ms: {},", action.reply_within.as_millis()));
        self.page.line(format!("senders: &{:?},", action.senders));
        self.page.line(format!("extra_fields: {},", action.extra_fields));
        self.rows("fields: &[", &action.fields, "],");
        match &action.response {
            Some(fields) => self.rows("response: Some(&[", fields, "]),"),
            None => self.page.line("response: None,"),
        }
        self.page.close("},");
    }

    fn rows(&mut self, open: &str, fields: &[Field], close: &str) {
        if fields.is_empty() {
            self.page.line(format!("{open}{close}"));
            return;
        }
        self.page.open(open);
        for Field { name, doc, kind, presence, sensitive } in fields {
            let given = match presence {
                Presence::Required => "Required".to_owned(),
                Presence::Default(value) => format!("Default({})", constant(value)),
                Presence::Optional => "Optional".to_owned(),
            };
            self.page.line(format!(
                "Row {{ name: {name:?}, doc: {doc:?}, kind: {}, given: Given::{given}, sensitive: {sensitive} }},",
                kind_of(kind)
            ));
        }
        self.page.close(close);
    }
}

fn kind_of(kind: &FieldType) -> String {
    let kind = match kind {
        FieldType::String { max_len } => format!("String {{ max_len: {max_len:?} }}"),
        FieldType::Bool => "Bool".to_owned(),
        FieldType::Int { min, max } => format!("Int {{ min: {min:?}, max: {max:?} }}"),
        FieldType::Number { min, max } => format!("Number {{ min: {min:?}, max: {max:?} }}"),
        FieldType::Url { max_len } => format!("Url {{ max_len: {max_len:?} }}"),
        FieldType::Timestamp => "Timestamp".to_owned(),
        FieldType::Enum(of) => match &of.name {
            Some(name) => format!("Named({name:?})"),
            None => format!("Values(&{:?})", of.values),
        },
        FieldType::Array { items, max_len } => {
            format!("Array {{ items: &{}, max_len: {max_len:?} }}", kind_of(items))
        }
        FieldType::Object => "Object".to_owned(),
    };
    format!("Kind::{kind}")
}

fn constant(value: &Value) -> String {
    let constant = match value {
        Value::Null => "Null".to_owned(),
        Value::Bool(value) => format!("Bool({value})"),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => format!("Int({whole})"),
            // A whole number beyond 64 bits with sign cannot stand in a catalogue; it would become a float.
            None => format!("Number({:?})", number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => format!("String({text:?})"),
        Value::Array(items) => {
            format!("Array(&[{}])", items.iter().map(constant).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("({key:?}, {})", constant(value))).collect();
            format!("Object(&[{}])", entries.join(", "))
        }
    };
    format!("Constant::{constant}")
}
