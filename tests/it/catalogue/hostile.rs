//! Files that nobody should have written: they cost little and never cause a panic.

use proptest::prelude::*;
use sp_sync::catalogue::{Catalogue, MAX_CATALOGUE_BYTES, MAX_VIOLATIONS};

use super::rules::RIGHT;

#[test]
fn hostile_files_cost_little_and_never_panic() {
    let many = |line: &dyn Fn(usize) -> String| -> String {
        let mut text = RIGHT.to_owned();
        let mut count = 0;
        while text.len() < MAX_CATALOGUE_BYTES - 100 {
            text.push_str(&line(count));
            count += 1;
        }
        text
    };
    for text in [
        many(&|n| format!("[actions.door.x{n}]\n")),
        many(&|n| format!("[actions.y{n}.x]\n")),
        many(&|n| format!("f{n} = {{ type = \"x{n}\" }}\n")),
        many(&|_| "[[".to_owned()),
        many(&|_| "a.".to_owned()),
        many(&|_| "\u{0}".to_owned()),
        format!("x = {}", "[".repeat(500_000)),
        format!("x = {}", "{a=".repeat(300_000)),
        format!("x = {}1{}", "[".repeat(70), "]".repeat(70)),
        "\n".repeat(MAX_CATALOGUE_BYTES),
    ] {
        let error = Catalogue::from_toml_str(&text).unwrap_err();
        assert!((1..=MAX_VIOLATIONS).contains(&error.violations().len()));
    }
    let error = Catalogue::from_toml_str(&" ".repeat(MAX_CATALOGUE_BYTES + 1)).unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 1: the file has 1048577 bytes; keep it within 1 MiB");
}

proptest! {
    /// Pieces of catalogues in any order: never a panic, and an error has at least one violation inside the file.
    #[test]
    fn random_files_never_panic(pieces in prop::collection::vec(piece(), 0..30)) {
        let text: String = pieces.concat();
        if let Err(error) = Catalogue::from_toml_str(&text) {
            prop_assert!(!error.violations().is_empty());
            let lines = text.split('\n').count();
            prop_assert!(error.violations().iter().all(|violation| (1..=lines).contains(&violation.line)));
        }
    }
}

fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "format = 1\n",
        "name = \"n\"\nversion = \"1\"\n",
        "[executors.door]\n",
        "doc = \"d\"\n",
        "[actions.door.open]\n",
        "[actions.door.open.fields]\n",
        "a = { type = \"int\", min = 1, doc = \"d\" }\n",
        "b = null\n",
        "[types.t]\n",
        "values = [\"a\"]\n",
        "= ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\n",
        "'",
        "\u{e9}",
        "null",
        "1e999",
        "0x",
        "type = \"array\"\n",
        "items = \"t\"\n",
        "default = [[[{ a = 1 }]]]\n",
        "response = {}\n",
        "actions = 1\n",
        "executors = []\n",
    ];
    prop_oneof![4 => prop::sample::select(fixed.map(str::to_owned).to_vec()), 1 => ".{0,5}"]
}
