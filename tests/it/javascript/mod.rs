//! The JavaScript helper of `examples/browser`: it follows the same rules, and shares documents with this crate.

mod attacks;
mod checks;
mod heart;
mod rooms;
mod strangers;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sp_sync::Catalogue;
use sp_sync::catalogue::codegen::{Language, Options, generate};

use crate::server::puppet::Puppet;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/browser/src")
}

/// The helper as programs for Node. `None` where there is no Node; then a line was printed.
fn compiled() -> Option<PathBuf> {
    static DONE: OnceLock<Option<PathBuf>> = OnceLock::new();
    DONE.get_or_init(|| {
        let compiler = crate::node::module("typescript/bin/tsc")?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("javascript");
        // Tests may run in processes of their own.
        let lock = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("javascript.lock")).unwrap();
        lock.lock().unwrap();
        let output = Command::new("node")
            .arg(compiler)
            .args(["--project", "."])
            .arg("--outDir")
            .arg(&folder)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/helper"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        Some(folder)
    })
    .clone()
}

/// A Node process with the helper over the official SDK.
fn puppet() -> Option<Puppet> {
    Puppet::running("session.cjs", Some(&compiled()?))
}

#[test]
fn its_catalogue_is_fresh() {
    let file = sources().join("catalogue.ts");
    let command = "sp-sync codegen --lang typescript --out examples/browser/src/catalogue.ts";
    let options = Options::default().with_regenerate(command);
    let fresh = generate(Catalogue::proctoring(), Language::TypeScript, &options);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&file, &fresh).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), fresh, "set UPDATE_GENERATED and run this test");
}
