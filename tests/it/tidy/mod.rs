//! Rules of this repository, as tests.

mod floors;
mod index;
mod pages;

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines a file in `src` may have, unless it is generated.
const LINES_MAX: usize = 500;

/// Written by this crate's own generator.
const GENERATED: [&str; 1] = ["src/catalogue/types.rs"];

/// What an application gets that asks for no feature.
const DEFAULT_DEPENDENCIES: [&str; 7] =
    ["async-trait", "serde", "serde_json", "thiserror", "tokio", "tokio-stream", "uuid"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files under a folder, as paths from the root with `/`, in order.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true if name == "node_modules" || name == "target" || name == ".git" => {}
                true => open.push(path),
                false => found.push(path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")),
            }
        }
    }
    found.sort();
    found
}

fn rust_files(folder: &str) -> Vec<String> {
    files(folder).into_iter().filter(|path| path.ends_with(".rs")).collect()
}

/// Runs cargo in this repository and answers what it printed; never touches the network.
fn cargo(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stdout) + &text(&output.stderr)),
    }
}

#[test]
fn everything_is_formatted() {
    if cargo(&["fmt", "--version"]).is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs rustfmt");
        println!("skipped: rustfmt is missing");
        return;
    }
    cargo(&["fmt", "--all", "--check"]).unwrap_or_else(|difference| panic!("run `cargo fmt`:\n{difference}"));
}

#[test]
fn no_file_of_the_library_is_long() {
    let long = |path: &String| {
        let lines = read(path).lines().count();
        (lines > LINES_MAX).then(|| format!("{path}: {lines}"))
    };
    let written = rust_files("src").into_iter().filter(|path| !GENERATED.contains(&path.as_str()));
    let long: Vec<String> = written.filter_map(|path| long(&path)).collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: split by what belongs together: {long:#?}");
}

/// C58: every channel has a bound.
#[test]
fn there_is_no_unbounded_channel() {
    let unbounded = concat!("unbounded", "_channel");
    let with: Vec<String> =
        rust_files("src").into_iter().filter(|path| read(path).contains(unbounded)).collect();
    assert!(with.is_empty(), "{unbounded} in {with:?}");
}

#[test]
fn the_default_dependencies_are_the_seven() {
    let arguments =
        ["tree", "-e", "normal", "--depth", "1", "--no-default-features", "--prefix", "none", "--offline"];
    let tree = cargo(&arguments).unwrap();
    let mut names: Vec<&str> = tree
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    assert_eq!(names, DEFAULT_DEPENDENCIES);
}

#[test]
fn no_path_of_anybodys_machine_is_mentioned() {
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Use", "rs/")];
    let kinds = [".rs", ".md", ".toml", ".json", "/run", "/test"];
    for path in files(".").iter().filter(|path| kinds.iter().any(|kind| path.ends_with(kind))) {
        let Ok(text) = read_to_string(root().join(path)) else { continue };
        let found = paths.iter().find(|mentioned| text.contains(**mentioned));
        assert!(found.is_none(), "{path} mentions {found:?}");
    }
}
