//! What the writers write, and that the committed Rust is fresh.

use serde_json::{Value, json};
use sp_sync::catalogue::{
    Catalogue,
    codegen::{Language, Options, generate},
};

const CALL: &str = "sp-sync codegen --lang rust";

/// Compares a committed file; set `UPDATE_GENERATED=1` to write it again.
pub(super) fn is_fresh(path: &str, wanted: &str) {
    let full = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&full, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&full).unwrap();
    assert!(found == wanted, "{path} is not fresh: run the command in its second line");
}

#[test]
fn the_committed_types_are_fresh() {
    let catalogue = Catalogue::from_toml_str(include_str!("../../../action_types.toml")).unwrap();
    let arguments = "--crate-path crate --catalogue action_types.toml --out src/catalogue/types.rs";
    let options = Options::default().with_crate_path("crate").with_regenerate(format!("{CALL} {arguments}"));
    is_fresh("src/catalogue/types.rs", &generate(&catalogue, Language::Rust, &options));
}

#[test]
fn every_generated_item_is_documented() {
    for item in include_str!("../../../src/catalogue/types.rs").split("\n\n") {
        let mut lines = item.lines().map(str::trim_start).filter(|line| !line.starts_with("#["));
        let first = lines.next().unwrap_or_default();
        assert!(!first.starts_with("pub "), "undocumented: {item}");
    }
}

#[test]
fn the_writers_repeat_themselves_and_never_depend_on_the_source_of_the_catalogue() {
    let file = Catalogue::from_toml_str(include_str!("../../../action_types.toml")).unwrap();
    for language in [
        Language::Rust,
        Language::TypeScript,
        Language::JsonSchema,
        Language::ActionTypesJson,
        Language::Markdown,
    ] {
        let text = generate(&file, language, &Options::default());
        assert_eq!(text, generate(Catalogue::proctoring(), language, &Options::default()));
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
        assert!(text.lines().all(|line| line == line.trim_end()), "{language:?} has blanks at a line's end");
    }
}

#[test]
fn action_types_json_is_the_original_object() {
    // C24: null is mandatory.
    let text = generate(Catalogue::proctoring(), Language::ActionTypesJson, &Options::default());
    let types: Value = serde_json::from_str(&text).unwrap();
    let extension = &types["extension"];
    assert_eq!(
        extension["openExam"].to_string(),
        r#"{"action":"openExam","executor":"extension","examURL":null,"newWindow":false}"#
    );
    assert_eq!(extension["stopSession"], json!({ "action": "stopSession", "executor": "extension" }));
    assert_eq!(types.as_object().unwrap().keys().collect::<Vec<_>>(), ["extension", "onboarding"]);
    let count: usize = types.as_object().unwrap().values().map(|of| of.as_object().unwrap().len()).sum();
    assert_eq!(count, Catalogue::proctoring().actions().len());
}

#[test]
fn the_reference_page_has_every_action_and_field() {
    let page = generate(Catalogue::proctoring(), Language::Markdown, &Options::default());
    for action in Catalogue::proctoring().actions() {
        assert!(page.contains(&format!("\n### {}\n", action.name)));
        for field in action.fields.iter().chain(action.response_fields()) {
            assert!(page.contains(&format!("\n| `{}` | ", field.name)), "{}", field.name);
        }
    }
    // Each row of a table has as many cells as its head.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(page.lines().filter(|line| line.starts_with('|')).all(|line| cells(line) == 5));
}
