//! The generated TypeScript, judged by the real compiler.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use sp_sync::catalogue::{
    Catalogue,
    codegen::{Language, Options, generate},
};

use crate::node::module;

fn compiler() -> Option<PathBuf> {
    module("typescript/bin/tsc")
}

const SETTINGS: &str = r#"{
  "compilerOptions": {
    "strict": true, "noEmit": true, "exactOptionalPropertyTypes": true, "noUncheckedIndexedAccess": true,
    "target": "es2022", "module": "es2022", "moduleResolution": "bundler", "types": []
  },
  "files": ["program.ts"]
}"#;

/// The compiler's messages for a program that imports the generated file, one a line.
fn messages(compiler: &Path, name: &str, catalogue: &Catalogue, program: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("typescript-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("types.ts"), generate(catalogue, Language::TypeScript, &Options::default()))
        .unwrap();
    std::fs::write(folder.join("program.ts"), program).unwrap();
    std::fs::write(folder.join("tsconfig.json"), SETTINGS).unwrap();
    let output = Command::new("node")
        .arg(compiler)
        .args(["--project", ".", "--pretty", "false"])
        .current_dir(&folder)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|l| !l.starts_with(' '))
        .map(str::to_owned)
        .collect()
}

const RIGHT: &str = r#"import { ActionTypes, type SyncActions, type ExtensionAction, type ActionObject, type OpenExam } from "./types";
export async function run(client: SyncActions): Promise<number> {
    await client.addAction("stopSession");
    await client.addAction("stopSession", { redirectURL: "https://a.example/" });
    await client.addAction("openExam", { examURL: "https://a.example/", newWindow: true, respondTo: "onboarding" });
    await client.addAction(ActionTypes.onboarding.goToStep, { step: "idCheck" });
    await client.request("showMessage", { text: "Hello", severity: "warning" });
    const mandatory: null = ActionTypes.extension.openExam.examURL;
    const usual: false = ActionTypes.extension.openExam.newWindow;
    const { displayCount } = await client.request(ActionTypes.extension.getDisplayCount);
    return displayCount + Number(mandatory) + Number(usual);
}
export function handle(action: ExtensionAction): string {
    switch (action.action) {
        case "openExam": return action.examURL;
        case "showMessage": return action.severity ?? "info";
        default: return action.executor satisfies "extension";
    }
}
export const literal: OpenExam & ActionObject = { action: "openExam", executor: "extension", examURL: "https://a.example/" };
"#;

#[test]
fn a_right_program_compiles_in_strict_mode() {
    let Some(compiler) = compiler() else { return };
    assert_eq!(messages(&compiler, "right", Catalogue::proctoring(), RIGHT), Vec::<String>::new());
}

#[test]
fn each_mistake_is_an_error_in_its_line() {
    let Some(compiler) = compiler() else { return };
    let program = [
        r#"import { ActionTypes, type SyncActions, type LockScreen } from "./types";"#,
        "export function run(client: SyncActions): void {",
        r#"    void client.addAction("openExam");"#,
        r#"    void client.addAction("openExam", { newWindow: true });"#,
        r#"    void client.addAction("openExam", { examURL: "https://a.example/", newwindow: true });"#,
        r#"    void client.addAction("showMessage", { text: "a", severity: "loud" });"#,
        r#"    void client.request("lockScreen", { message: "a" });"#,
        r#"    void client.addAction("stopSession", { redirectUrl: "https://a.example/" });"#,
        r#"    void client.addAction("ping", { misspelt: 1 });"#,
        r#"    void client.addAction("openexam", { examURL: "https://a.example/" });"#,
        r#"    void client.addAction("ping", { respondTo: "nobody" });"#,
        "    void client.addAction(ActionTypes.extension.openExam);",
        r#"    void client.request("getDisplayCount").then(answer => answer.count);"#,
        "}",
        r#"export const wrong: LockScreen = { action: "lockScreen", executor: "onboarding", message: "a" };"#,
    ]
    .join("\n");
    let found = messages(&compiler, "wrong", Catalogue::proctoring(), &program);
    let lines: Vec<&str> = found
        .iter()
        .map(|message| {
            message.strip_prefix("program.ts(").and_then(|rest| rest.split(',').next()).unwrap_or(message)
        })
        .collect();
    assert_eq!(lines, ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "15"], "{found:#?}");
}

#[test]
fn awkward_catalogues_compile_too() {
    let Some(compiler) = compiler() else { return };
    let own = Catalogue::from_toml_str(include_str!("own.toml")).unwrap();
    let program = r#"import type { SyncActions } from "./types";
export async function run(client: SyncActions): Promise<readonly ("x" | "X")[]> {
    const { kind } = await client.request("option", { type: "\"quoted\" */", mine: [1], self: ["3d"] });
    await client.addAction("action", { info: "", f: 1, objects: [{ a: 1 }] });
    return kind;
}
"#;
    assert_eq!(messages(&compiler, "own", &own, program), Vec::<String>::new());
}
