//! The JavaScript that tests run, pinned in `tests/node` and `examples/browser`.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

/// Path of a file under `tests/node/node_modules`, installing what is pinned there if need be. `None` at a desk
/// without node or without a network, where the test is skipped in one printed line; in CI (`CI=true`) a failure.
pub(crate) fn module(path: &str) -> Option<PathBuf> {
    module_of("tests/node", path)
}

/// The same of another folder with a `package-lock.json`.
pub(crate) fn module_of(package: &str, path: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(package);
    let file = folder.join("node_modules").join(path);
    let works = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    // Tests may run in processes of their own, and two installations at once destroy each other.
    let lock = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("node.lock")).unwrap();
    lock.lock().unwrap();
    let found = works(Command::new("node").arg("--version"))
        && (file.exists() || works(Command::new("npm").args(["ci", "--silent"]).current_dir(&folder)))
        && file.exists();
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs node, npm and `npm ci` in {package}");
        println!("skipped: node or npm is missing, or `npm ci` failed in {package}");
    }
    found.then_some(file)
}
