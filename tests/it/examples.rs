//! The examples run to their end, and say what they should.

use std::path::PathBuf;
use std::process::Command;

/// An example that `cargo test` has built beside this binary. `None` when only this binary was built
/// (`cargo test --test it`): a printed skip at a desk, in CI (`CI=true`) a failure.
fn built(name: &str) -> Option<PathBuf> {
    let binary = std::env::current_exe().unwrap();
    let path =
        binary.parent()?.parent()?.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "CI builds the examples: `cargo test` without --test"
        );
        println!("skipped: {name} was not built; `cargo test` without --test builds the examples");
        return None;
    }
    Some(path)
}

/// Runs an example and looks for words in what it prints.
fn says(name: &str, expected: &[&str]) {
    says_at(name, None, expected);
}

/// The same with its documents at an address.
fn says_at(name: &str, backend: Option<&str>, expected: &[&str]) {
    let Some(path) = built(name) else { return };
    let scratch =
        std::env::temp_dir().join(format!("sp-sync-example-{name}-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&scratch).unwrap();
    let mut command = Command::new(path);
    command.env("TMPDIR", &scratch).env_remove("SP_SYNC_BACKEND");
    let output = command.envs(backend.map(|address| ("SP_SYNC_BACKEND", address))).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    for words in expected {
        assert!(out.contains(words), "`{words}` is missing in\n{out}");
    }
    std::fs::remove_dir_all(scratch).unwrap();
}

#[test]
fn quickstart_asks_and_is_answered() {
    let ends_with = r#""extensionActions":[],"onboardingActions":[],"displays":2}"#;
    says("quickstart", &["the extension counts 2 displays", ends_with]);
}

#[test]
fn watch_document_shows_every_change() {
    says("watch_document", &["step is now \"headshot\"", "the whole document"]);
}

#[test]
fn batch_is_whole_or_not_at_all() {
    says("batch", &["refused as a whole", "in this order: startSession, openExam, showMessage"]);
}

#[test]
fn request_response_shows_an_answer_a_failure_and_a_timeout() {
    says("request_response", &["2 displays", "no camera is connected", "nobody answered"]);
}

#[test]
fn executor_worker_shows_every_way_to_end_an_action() {
    says("executor_worker", &["attempt 2", "never repeated", "answers later", "gives up"]);
}

#[cfg(feature = "toml")]
#[test]
fn own_catalogue_checks_its_own_actions() {
    says("own_catalogue", &["printed 3 pages", "must be at most 20"]);
}

#[cfg(feature = "embedded")]
#[test]
fn exam_session_proves_its_checklist() {
    says(
        "exam_session",
        &["waits one lease", "ended exactly once", "✓ lockScreen outlived", "✓ the file is whole"],
    );
}

#[cfg(feature = "embedded")]
#[tokio::test]
async fn examples_keep_their_documents_where_they_are_told() {
    let scratch = crate::embedded::Scratch::new();
    let address = format!("file:{}", scratch.file().display());
    if built("batch").is_none() {
        return;
    }
    says_at("batch", Some(&address), &["refused as a whole"]);
    says_at("quickstart", Some(&address), &["the extension counts 2 displays"]);
    says_at("exam_session", Some(&address), &["✓ the file is whole", &address]);
    let store = sp_sync::backend::from_url(&address).await.unwrap();
    let names = store.directory().unwrap().list(None, 10).await.unwrap();
    assert_eq!(names.len(), 2, "{names:?}");
}
