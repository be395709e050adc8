//! The command line: what it writes, and its exit status.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_sp-sync"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A file with this text, under a name of its own.
fn file(name: &str, text: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn catalogue_text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action_types.toml")).unwrap()
}

#[test]
fn a_right_catalogue_is_checked_with_status_0() {
    let (status, out, err) = run(&["catalogue", "check", "action_types.toml"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert_eq!(out, "action_types.toml: 49 actions for 2 executors\n");
}

#[test]
fn a_wrong_catalogue_is_told_line_by_line_with_status_2() {
    let text = catalogue_text().replacen("default = false", "default = null", 1).replacen(
        "format  = 1",
        "format  = 1\nx = 1",
        1,
    );
    let path = file("wrong.toml", text.as_bytes());
    let (status, out, err) = run(&["catalogue", "check", path.to_str().unwrap()]);
    assert_eq!((status, out.as_str(), err.lines().count()), (Some(2), "", 2));
    assert!(err.contains("wrong.toml: line 27, column 1: x: there is no key `x`"), "{err}");
    assert!(err.contains("newWindow.default: TOML has no null"), "{err}");
}

#[test]
fn what_cannot_be_read_is_told_with_status_2() {
    for (path, expected) in [
        (PathBuf::from("no-such-file.toml"), "no-such-file.toml: cannot be read"),
        (file("binary.toml", &[0xff, 0xfe]), "is not UTF-8"),
        (file("long.toml", &vec![b'\n'; (1 << 20) + 1]), "has more than 1048576 bytes"),
    ] {
        let (status, _, err) = run(&["catalogue", "check", path.to_str().unwrap()]);
        assert_eq!(status, Some(2));
        assert!(err.contains(expected), "{err}");
    }
    assert_eq!(run(&["catalogue", "chekc", "x"]).0, Some(2));
}

#[test]
fn a_comparison_tells_by_its_status_whether_programs_still_understand_each_other() {
    let compatible =
        file("compatible.toml", catalogue_text().replace("Open the exam page", "Open the page").as_bytes());
    let (status, out, _) = run(&["catalogue", "diff", "action_types.toml", compatible.to_str().unwrap()]);
    assert_eq!((status, out.as_str()), (Some(0), "compatible: actions.extension.openExam: `doc` changed\n"));
    let broken = file("broken.toml", catalogue_text().replace("\"welcome\", ", "").as_bytes());
    let (status, out, _) = run(&["catalogue", "diff", "action_types.toml", broken.to_str().unwrap()]);
    assert_eq!(
        (status, out.as_str()),
        (Some(1), "INCOMPATIBLE: types.onboardingStep: the value `welcome` was removed\n")
    );
    let same = run(&["catalogue", "diff", "action_types.toml", "action_types.toml"]);
    assert_eq!(same, (Some(0), "no differences\n".into(), String::new()));
    assert_eq!(run(&["catalogue", "diff", "action_types.toml", "missing.toml"]).0, Some(2));
    let (_, help, _) = run(&["catalogue", "diff", "--help"]);
    assert!(
        help.contains("Exit status: 0 when every change is compatible, 1 when one is not, 2 when"),
        "{help}"
    );
}

#[test]
fn programs_read_one_json_value_per_line() {
    let json = |arguments: &[&str]| {
        let (status, out, err) = run(&[arguments, &["--json"]].concat());
        (
            status,
            out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>(),
            err,
        )
    };
    let (status, lines, err) = json(&["catalogue", "check", "action_types.toml"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert_eq!(lines, [json!({ "file": "action_types.toml", "actions": 49, "executors": 2 })]);

    let wrong = catalogue_text().replacen("format  = 1", "format  = 1\nx = 1\ny = 1", 1);
    let wrong = file("wrong-for-programs.toml", wrong.as_bytes());
    let (status, lines, err) = json(&["catalogue", "check", wrong.to_str().unwrap()]);
    assert_eq!((status, lines.len()), (Some(2), 2), "{err}");
    assert_eq!((&lines[0]["path"], &lines[0]["column"]), (&json!("x"), &json!(1)));
    assert!(
        lines[1]["problem"].as_str().unwrap().contains("no key `y`") && err.ends_with("2 mistakes\n"),
        "{err}"
    );

    let shorter = catalogue_text().replace("\"welcome\", ", "");
    let shorter = file("shorter.toml", shorter.as_bytes());
    let (status, lines, _) = json(&["catalogue", "diff", "action_types.toml", shorter.to_str().unwrap()]);
    let what = "the value `welcome` was removed";
    assert_eq!(status, Some(1));
    assert_eq!(lines, [json!({ "compatible": false, "path": "types.onboardingStep", "what": what })]);
    assert_eq!(
        json(&["catalogue", "diff", "action_types.toml", "action_types.toml"]),
        (Some(0), vec![], String::new())
    );
}

#[test]
fn every_language_is_written_to_the_output_or_to_a_file() {
    for (lang, expected) in [
        ("rust", "sp_sync::catalogue::typed"),
        ("typescript", "export interface InfoOf {"),
        ("json-schema", "https://json-schema.org/draft/2020-12/schema"),
        ("action-types-json", "\"examURL\": null"),
        ("markdown", "# Actions of proctoring"),
    ] {
        let (status, out, err) = run(&["codegen", "--lang", lang]);
        assert_eq!((status, err.as_str()), (Some(0), ""));
        assert!(out.contains(expected), "{lang}");
    }
    let path = file("types.ts", b"");
    let arguments = [
        "codegen",
        "--lang",
        "typescript",
        "--catalogue",
        "action_types.toml",
        "--out",
        path.to_str().unwrap(),
    ];
    assert_eq!(run(&arguments), (Some(0), String::new(), String::new()));
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains(&format!("// To write it again: sp-sync {}", arguments.join(" "))));
    let (status, _, err) = run(&["codegen", "--lang", "markdown", "--out", "/nonexistent/page.md"]);
    assert_eq!(status, Some(1));
    assert!(err.starts_with("error: /nonexistent/page.md: cannot be written: "), "{err}");
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (status, out, _) = run(&["completions", shell]);
        assert!(status == Some(0) && out.contains("codegen"), "{shell}");
    }
}
