//! What a change of a catalogue means: the table of the contract's section 5.
#![cfg(feature = "toml")]

use sp_sync::catalogue::Catalogue;

const OLD: &str = r#"
format = 1
name = "doors"
version = "1"
[executors.door]
doc = "A door."
[types.speed]
doc = "How fast."
values = ["slow", "fast"]
[actions.door.open]
doc = "Open it."
fields = { wide = { type = "bool", default = false, doc = "All the way." }, key = { type = "string", max_len = 8, required = true, doc = "Key." }, speed = { type = "speed", doc = "Speed." }, times = { type = "array", items = "int", doc = "Times." } }
response = { angle = { type = "int", min = 0, max = 180, required = true, doc = "Angle." } }
[actions.door.close]
doc = "Close it."
"#;

fn parse(text: &str) -> Catalogue {
    Catalogue::from_toml_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The changes when one part of the text is replaced, as `+path` (compatible) or `-path`.
fn changes(from: &str, to: &str) -> Vec<String> {
    assert!(OLD.contains(from), "{from}");
    Catalogue::diff(&parse(OLD), &parse(&OLD.replace(from, to)))
        .into_iter()
        .map(|change| format!("{}{}", if change.compatible { '+' } else { '-' }, change.path))
        .collect()
}

#[test]
fn nothing_changes_between_equal_catalogues() {
    assert!(Catalogue::diff(Catalogue::proctoring(), Catalogue::proctoring()).is_empty());
    assert!(changes("Open it", "Open it").is_empty());
}

#[test]
fn each_row_of_the_table_holds() {
    let close = "[actions.door.close]\ndoc = \"Close it.\"";
    let open = "[actions.door.open]\ndoc = \"Open it.\"";
    for (from, to, expected) in [
        // add an action, an executor, an optional field, a response field: yes
        (
            close,
            "[actions.door.close]\ndoc = \"Close it.\"\n[actions.door.ring]\ndoc = \"Ring.\"",
            "+actions.door.ring",
        ),
        ("[types.speed]", "[executors.gate]\ndoc = \"A gate.\"\n[types.speed]", "+executors.gate"),
        (
            "fields = {",
            "fields = { far = { type = \"bool\", doc = \"Far.\" },",
            "+actions.door.open.fields.far",
        ),
        (
            "response = {",
            "response = { ok = { type = \"bool\", required = true, doc = \"Ok.\" },",
            "+actions.door.open.response.ok",
        ),
        // add a value to an enum that receivers read: no
        ("\"slow\", ", "\"slow\", \"mid\", ", "-types.speed"),
        // add a mandatory field; make a field mandatory: no
        (
            "fields = {",
            "fields = { far = { type = \"bool\", required = true, doc = \"Far.\" },",
            "-actions.door.open.fields.far",
        ),
        ("default = false", "required = true", "-actions.door.open.fields.wide"),
        // remove or rename anything: no
        (close, "", "-actions.door.close"),
        ("\"slow\", ", "", "-types.speed"),
        (
            ", times = { type = \"array\", items = \"int\", doc = \"Times.\" }",
            "",
            "-actions.door.open.fields.times",
        ),
        (
            "angle = { type = \"int\", min = 0, max = 180, required = true, doc = \"Angle.\" }",
            "",
            "-actions.door.open.response.angle",
        ),
        // widen a limit of a sent field: no for receivers that check
        ("max_len = 8", "max_len = 9", "-actions.door.open.fields.key"),
        ("max = 180", "max = 90", "-actions.door.open.response.angle"),
        // change doc, reply_within_ms, senders: yes
        ("Open it.", "Open the door.", "+actions.door.open"),
        (open, "[actions.door.open]\nreply_within_ms = 5\ndoc = \"Open it.\"", "+actions.door.open"),
        (open, "[actions.door.open]\nsenders = [\"guard\"]\ndoc = \"Open it.\"", "+actions.door.open"),
        // at-least-once to at-most-once: no
        (open, "[actions.door.open]\ndelivery = \"at-most-once\"\ndoc = \"Open it.\"", "-actions.door.open"),
        // ours, by the same reasoning
        (open, "[actions.door.open]\nexpires_ms = 5\ndoc = \"Open it.\"", "-actions.door.open"),
        (open, "[actions.door.open]\nextra_fields = true\ndoc = \"Open it.\"", "+actions.door.open"),
        ("default = false", "default = true", "+actions.door.open.fields.wide"),
        ("default = false, ", "", "-actions.door.open.fields.wide"),
        ("max_len = 8, required = true", "max_len = 8, default = \"\"", "+actions.door.open.fields.key"),
        ("items = \"int\"", "items = \"number\"", "-actions.door.open.fields.times"),
        (
            "type = \"bool\", default = false",
            "type = \"string\", default = \"\"",
            "-actions.door.open.fields.wide",
        ),
    ] {
        let found = changes(from, to);
        assert!(found.iter().any(|change| change == expected), "{from} -> {to}: {found:?}");
        // One incompatible change must not be hidden by another, nor a compatible one be blamed.
        let blamed = found.iter().any(|change| change.starts_with('-'));
        assert_eq!(blamed, expected.starts_with('-'), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn an_action_that_moves_to_another_executor_breaks() {
    let gate = OLD.replace("[types.speed]", "[executors.gate]\ndoc = \"A gate.\"\n[types.speed]");
    let moved = gate.replace("[actions.door.close]", "[actions.gate.close]");
    let found = Catalogue::diff(&parse(&gate), &parse(&moved));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "INCOMPATIBLE: actions.door.close: the action moved to `gate`");
}

#[test]
fn a_changed_limit_is_shown_old_and_new() {
    let told = |from: &str, to: &str| {
        let found = Catalogue::diff(&parse(OLD), &parse(&OLD.replace(from, to)));
        found.into_iter().map(|change| change.what).collect::<Vec<_>>()
    };
    let [sent, answered] =
        ["executors", "requesters"].map(|who| format!("{who} that check may refuse values"));
    assert_eq!(told("max_len = 8", "max_len = 9"), [format!("`max_len` changed from 8 to 9: {sent}")]);
    assert_eq!(told("max_len = 8, ", ""), [format!("`max_len` changed from 8 to no limit: {sent}")]);
    assert_eq!(
        told("min = 0, max = 180", "max = 90"),
        [
            format!("`min` changed from 0 to no limit: {answered}"),
            format!("`max` changed from 180 to 90: {answered}")
        ]
    );
    assert_eq!(
        told("items = \"int\"", "items = \"int\", max_len = 3"),
        [format!("`max_len` changed from no limit to 3: {sent}")]
    );
}
