//! Every rule for a catalogue file, each with the line and column of what breaks it.

use sp_sync::catalogue::Catalogue;

/// A right catalogue; the tests replace a part of it.
pub(super) const RIGHT: &str = r#"format = 1
name = "doors"
version = "1"
[executors.door]
doc = "A door."
[types.speed]
doc = "How fast."
values = ["slow", "fast"]
[actions.door.open]
doc = "Open it."
[actions.door.open.fields]
wide = { type = "bool", default = false, doc = "All the way." }
[actions.door.open.response]
angle = { type = "int", doc = "Angle." }
"#;

fn violations(text: &str) -> Vec<String> {
    match Catalogue::from_toml_str(text) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

/// The one violation after a replacement.
#[track_caller]
fn breaks(from: &str, to: &str, expected: &str) {
    assert!(RIGHT.contains(from), "{from}");
    let found = violations(&RIGHT.replacen(from, to, 1));
    assert!(found.len() == 1 && found[0].starts_with(expected), "wanted {expected}\nfound  {found:#?}");
}

#[test]
fn the_right_catalogue_is_right_and_so_is_the_built_in_one() {
    assert_eq!(violations(RIGHT), Vec::<String>::new());
    let file = Catalogue::from_toml_str(include_str!("../../../action_types.toml")).unwrap();
    let built_in = Catalogue::proctoring();
    assert!(Catalogue::diff(&file, built_in).is_empty(), "{:?}", Catalogue::diff(&file, built_in));
    assert!(file.actions().eq(built_in.actions()) && file.executors().eq(built_in.executors()));
    assert_eq!(built_in.actions_of("extension").count(), 27);
    assert_eq!(built_in.actions_of("onboarding").count(), 22);
}

/// One mistake, one violation: what follows from it is not blamed.
#[test]
fn an_unknown_type_blames_none_of_its_limits() {
    let angle = "line 14, column 18: actions.door.open.response.angle.type";
    for (limits, given, meant) in [
        ("min = 10, max = 2", "integer", "int"),
        ("max_len = 3, values = [\"a\"]", "text", "string"),
        ("items = \"string\", max_len = 3", "list", "array"),
        ("min = 0.5", "Float", "number"),
    ] {
        let expected = format!("{angle}: `{given}` is no type (did you mean `{meant}`?)");
        breaks("type = \"int\"", &format!("type = \"{given}\", {limits}"), &expected);
    }
    breaks("\"int\"", "7, min = 10", &format!("{angle}: a number is no type;"));
    breaks(
        "type = \"int\"",
        "min = 10",
        "line 14, column 1: actions.door.open.response.angle: `type` is missing",
    );
    let items = "type = \"array\", items = \"enm\", values = [\"a\"]";
    breaks(
        "type = \"int\"",
        items,
        "line 14, column 35: actions.door.open.response.angle.items: `enm` is no type (did you mean `enum`?)",
    );
    // A key that is none stays wrong beside it.
    let found = violations(&RIGHT.replace("type = \"int\"", "type = \"integer\", minn = 3"));
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn rule_1_names_have_one_form() {
    breaks(
        "[executors.door]\n",
        "[executors.door]\ndoc = \"x\"\n[executors.Gate]\n",
        "line 6, column 12: executors.Gate: `Gate` is not",
    );
    breaks("[types.speed]", "[types.\"a-b\"]", "line 6, column 8: types.a-b: `a-b` is not a name");
    breaks(
        "wide =",
        "wide_open =",
        "line 12, column 1: actions.door.open.fields.wide_open: `wide_open` is not",
    );
    let long = "a".repeat(65);
    breaks("angle =", &format!("{long} ="), "line 14, column 1: actions.door.open.response.aaaa");
    let text = RIGHT.replace("[actions.door.open", "[actions.door.Open");
    assert!(violations(&text)[0].starts_with("line 9, column 15: actions.door.Open: `Open` is not a name"));
}

#[test]
fn rule_2_action_names_are_unique_over_all_executors() {
    let second =
        format!("{RIGHT}[executors.gate]\ndoc = \"A gate.\"\n[actions.gate.open]\ndoc = \"Open.\"\n");
    let found = violations(&second);
    assert_eq!(found.len(), 1);
    let expected = "line 17, column 15: actions.gate.open: `open` is already an action (line 9)";
    assert!(found[0].starts_with(expected), "{found:?}");
}

#[test]
fn rule_3_the_protocol_keeps_its_names() {
    for name in ["action", "executor", "respondTo", "_sp", "__proto__", "constructor", "prototype"] {
        breaks(
            "wide =",
            &format!("{name} ="),
            &format!("line 12, column 1: actions.door.open.fields.{name}: the name"),
        );
        breaks(
            "angle =",
            &format!("{name} ="),
            &format!("line 14, column 1: actions.door.open.response.{name}: the name"),
        );
    }
    breaks(
        "angle =",
        "error =",
        "line 14, column 1: actions.door.open.response.error: the name `error` belongs",
    );
    assert_eq!(violations(&RIGHT.replace("wide =", "error =")), Vec::<String>::new());
}

#[test]
fn rule_4_required_and_default_exclude_each_other() {
    breaks(
        "default = false",
        "required = true, default = false",
        "line 12, column 42: actions.door.open.fields.wide.default: a mandatory",
    );
    breaks(
        "type = \"int\"",
        "type = \"int\", default = 1",
        "line 14, column 25: actions.door.open.response.angle.default: a response",
    );
}

#[test]
fn rule_5_a_default_satisfies_its_own_type_and_limits() {
    for (declaration, expected) in [
        ("type = \"bool\", default = 1", "the default must be a boolean, not a number"),
        ("type = \"int\", max = 3, default = 4", "the default must be at most 3"),
        ("type = \"int\", default = 1.5", "the default must be an integer"),
        ("type = \"int\", default = 9007199254740993", "the default must be at most 9007199254740992"),
        ("type = \"number\", default = nan", "the default is a number that is not finite"),
        ("type = \"string\", max_len = 2, default = \"abc\"", "the default must have at most 2 characters"),
        ("type = \"url\", default = \"x\"", "the default must be an absolute URL"),
        ("type = \"timestamp\", default = \"today\"", "the default must be an RFC 3339 timestamp"),
        (
            "type = \"timestamp\", default = 2026-01-01T00:00:00Z",
            "the default is a TOML date, write it in quotes",
        ),
        ("type = \"speed\", default = \"mid\"", "the default must be one of `slow`, `fast`"),
        (
            "type = \"array\", items = \"int\", default = [1, \"2\"]",
            "item 1: the default must be an integer, not a string",
        ),
        ("type = \"object\", default = []", "the default must be an object, not an array"),
    ] {
        let text = RIGHT.replace("type = \"bool\", default = false", declaration);
        let found = violations(&text);
        let column = 10 + declaration.find("default = ").unwrap() + "default = ".len();
        let place = format!("line 12, column {column}: actions.door.open.fields.wide.default: {expected}");
        assert!(found.len() == 1 && found[0].starts_with(&place), "wanted {place}\nfound  {found:#?}");
    }
    breaks("[\"slow\", \"fast\"]", "[]", "line 8, column 10: types.speed.values: an enum without values");
    breaks(
        "\"slow\", ",
        "\"fast\", ",
        "line 8, column 19: types.speed.values: `values` is a value that is already there",
    );
}

#[test]
fn rule_6_unknown_keys_are_errors() {
    breaks(
        "format = 1\n",
        "format = 1\ntitle = 1\n",
        "line 2, column 1: title: there is no key `title` here",
    );
    breaks(
        "doc = \"Open",
        "dok = 1\ndoc = \"Open",
        "line 10, column 1: actions.door.open.dok: there is no key `dok` here (did you mean `doc`?)",
    );
    breaks(
        "default = false",
        "defualt = false",
        "line 12, column 25: actions.door.open.fields.wide.defualt: there is no key `defualt` here (did you mean `default`?)",
    );
    breaks("doc = \"A door.\"", "doc = \"A door.\"\nkey = 1", "line 6, column 1: executors.door.key: there");
    breaks("doc = \"How fast.\"", "doc = \"How fast.\"\nkey = 1", "line 8, column 1: types.speed.key: there");
    breaks(
        "[executors.door]",
        "[defaults]\nkey = 1\n[executors.door]",
        "line 5, column 1: defaults.key: there",
    );
}

#[test]
fn rule_7_everything_is_explained() {
    breaks("doc = \"A door.\"\n", "", "line 4, column 12: executors.door: `doc` is missing; write `doc = ");
    breaks("doc = \"How fast.\"\n", "", "line 6, column 8: types.speed: `doc` is missing");
    breaks("doc = \"Open it.\"\n", "", "line 9, column 15: actions.door.open: `doc` is missing");
    breaks(
        ", doc = \"All the way.\"",
        "",
        "line 12, column 1: actions.door.open.fields.wide: `doc` is missing",
    );
    breaks("\"A door.\"", "\" \"", "line 5, column 7: executors.door.doc: `doc` is an empty string");
    breaks("name = \"doors\"\n", "", "line 1, column 1: `name` is missing");
    breaks("version = \"1\"", "version = 1", "line 3, column 11: version: `version` is a number");
}

#[test]
fn rule_8_array_and_event_follow_the_naming_rule() {
    breaks(
        "doc = \"A door.\"",
        "doc = \"A door.\"\narray = \"doorsActions\"",
        "line 6, column 9: executors.door.array: this breaks the naming rule; write \"doorActions\"",
    );
    breaks(
        "doc = \"A door.\"",
        "doc = \"A door.\"\nevent = 1",
        "line 6, column 9: executors.door.event: this breaks",
    );
    let right = "doc = \"A door.\"\narray = \"doorActions\"\nevent = \"doorActionsAdded\"";
    assert_eq!(violations(&RIGHT.replace("doc = \"A door.\"", right)), Vec::<String>::new());
}

#[test]
fn types_and_limits_must_make_sense() {
    breaks(
        "\"bool\"",
        "\"boolean\"",
        "line 12, column 17: actions.door.open.fields.wide.type: `boolean` is no type",
    );
    breaks(
        "\"int\"",
        "\"sped\"",
        "line 14, column 18: actions.door.open.response.angle.type: `sped` is no type (did you mean `speed`?)",
    );
    breaks("\"int\"", "7", "line 14, column 18: actions.door.open.response.angle.type: a number is no type");
    breaks("type = \"int\", ", "", "line 14, column 1: actions.door.open.response.angle: `type` is missing");
    breaks(
        "\"int\"",
        "\"int\", min = 3, max = 2",
        "line 14, column 40: actions.door.open.response.angle.max: `max` is below `min`",
    );
    breaks(
        "\"int\"",
        "\"int\", min = 0.5",
        "line 14, column 31: actions.door.open.response.angle.min: `min` is a number; write an integer",
    );
    breaks(
        "\"int\"",
        "\"number\", max = inf",
        "line 14, column 34: actions.door.open.response.angle.max: `max` is a number; write a finite",
    );
    breaks(
        "\"int\"",
        "\"int\", max_len = 3",
        "line 14, column 25: actions.door.open.response.angle.max_len: `max_len` means nothing for `int`",
    );
    breaks(
        "\"int\"",
        "\"string\", max_len = -3",
        "line 14, column 38: actions.door.open.response.angle.max_len: `max_len` is a number; write a whole",
    );
    breaks(
        "\"int\"",
        "\"speed\", values = [\"a\"]",
        "line 14, column 27: actions.door.open.response.angle.values: `values` means nothing",
    );
    breaks("\"int\"", "\"enum\"", "line 14, column 1: actions.door.open.response.angle: `values` is missing");
    breaks("\"int\"", "\"array\"", "line 14, column 1: actions.door.open.response.angle: `items` is missing");
    breaks(
        "\"int\"",
        "\"array\", items = \"array\"",
        "line 14, column 35: actions.door.open.response.angle.items: an array of arrays",
    );
}

#[test]
fn properties_of_actions_and_fields_must_make_sense() {
    breaks("[types.speed]", "[types.url]", "line 6, column 8: types.url: `url` is a type already");
    breaks(
        "doc = \"Open it.\"",
        "doc = \"Open it.\"\ndelivery = \"once\"",
        "line 11, column 12: actions.door.open.delivery: this is no kind",
    );
    breaks(
        "doc = \"Open it.\"",
        "doc = \"Open it.\"\nexpires_ms = 0",
        "line 11, column 14: actions.door.open.expires_ms: `expires_ms` is a number; write a whole",
    );
    breaks(
        "doc = \"Open it.\"",
        "doc = \"Open it.\"\nsenders = [\"a\", 1]",
        "line 11, column 17: actions.door.open.senders: `senders` is a number",
    );
    breaks(
        "\"bool\"",
        "\"bool\", required = \"yes\"",
        "line 12, column 36: actions.door.open.fields.wide.required: `required` is a string; write `true`",
    );
    breaks(
        "angle = {",
        "other = 1\nangle = {",
        "line 14, column 1: actions.door.open.response.other: this is a number; write a table",
    );
    let gate = violations(&RIGHT.replace("[actions.door", "[actions.dor"));
    assert!(
        gate[0]
            .starts_with("line 9, column 10: actions.dor: there is no executor `dor` (did you mean `door`?)")
    );
}

#[test]
fn arrays_may_hold_every_other_type() {
    for items in ["string", "url", "int", "number", "bool", "timestamp", "object", "speed"] {
        let declaration = format!("type = \"array\", items = \"{items}\", max_len = 3");
        assert_eq!(violations(&RIGHT.replace("type = \"int\"", &declaration)), Vec::<String>::new());
    }
    let listed = "type = \"array\", items = \"enum\", values = [\"a\", \"b\"]";
    assert_eq!(violations(&RIGHT.replace("type = \"int\"", listed)), Vec::<String>::new());
}

#[test]
fn only_format_1_is_read() {
    breaks(
        "format = 1",
        "format = 2",
        "line 1, column 10: format: only format 1 can be read; write `format = 1`",
    );
    breaks("format = 1\n", "", "line 1, column 1: format: `format` is missing");
}

#[test]
fn null_is_answered_with_what_toml_has_instead() {
    breaks(
        "default = false",
        "default = null",
        "line 12, column 35: actions.door.open.fields.wide.default: TOML has no null; for a mandatory field write `required = true`",
    );
    breaks(
        "{ type = \"int\", doc = \"Angle.\" }",
        "null",
        "line 14, column 9: actions.door.open.response.angle: TOML has no null",
    );
}

#[test]
fn all_violations_are_found_in_one_run_in_the_order_of_the_file() {
    let text = RIGHT
        .replace("default = false", "default = null")
        .replace("doc = \"How fast.\"\n", "")
        .replace("doc = \"Angle.\"", "dock = \"Angle.\"");
    let places: Vec<String> =
        violations(&text).iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(places, ["line 6, column 8", "line 11, column 35", "line 13, column 1", "line 13, column 25"]);
}

#[test]
fn mistakes_of_syntax_have_places_too() {
    let found = violations("format = 1\nname = doors\nversion = \"1\nversion = \"1\"\n");
    assert!(found[0].starts_with("line 2, column 8: "), "{found:?}");
    assert!(found.len() >= 2, "{found:?}");
    let found = violations("format = 1\n[executors.a]\ndoc = \"ä\" x\n");
    assert!(found[0].starts_with("line 3, column 11: "), "columns count characters: {found:?}");
}
