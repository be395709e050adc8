//! What is said twice is said the same.

use super::{files, read};

/// The commands under the README's heading of this name.
fn commands(heading: &str) -> Vec<String> {
    let readme = read("README.md");
    let (_, after) = readme.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let (_, block) = after.split_once("```sh\n").expect("a block of commands");
    let (block, _) = block.split_once("```").expect("its end");
    block.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

/// Names of the examples: files, and folders with a `main.rs`.
fn examples() -> Vec<String> {
    let name = |path: String| {
        let inner = path.strip_prefix("examples/")?.strip_suffix(".rs")?.to_owned();
        match inner.split_once('/') {
            None => Some(inner),
            Some((folder, "main")) => Some(folder.to_owned()),
            Some(_) => None,
        }
    };
    files("examples").into_iter().filter_map(name).collect()
}

#[test]
fn the_two_commands_of_the_readme_are_what_ci_runs() {
    let (commands, ci) = (commands("Two commands"), read(".ci/run"));
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in commands {
        let called = ci.lines().any(|line| {
            let line = line.trim();
            line == command
                || line.strip_prefix("step ").is_some_and(|line| line.ends_with(&format!("\" {command}")))
        });
        assert!(called, ".ci/run does not call `{command}` as the README does");
    }
}

/// What is hidden from the crate's page is not hidden from who reads or pastes the README.
#[test]
fn no_program_of_the_readme_has_hidden_lines() {
    let readme = read("README.md");
    let programs = readme.split("\n```rust").skip(1).filter_map(|after| after.split("\n```").next());
    for program in programs {
        let hidden = program.lines().find(|line| *line == "#" || line.starts_with("# "));
        assert!(hidden.is_none(), "a reader of the README sees: {hidden:?}");
        assert!(program.contains("async fn main()"), "no whole program: {program}");
    }
}

#[test]
fn every_example_is_in_the_readme_and_runs_in_ci() {
    for example in examples() {
        let call = format!("--example {example}");
        assert!(read(".ci/run").contains(&call), ".ci/run does not run `{example}`");
        assert!(read("README.md").contains(&call), "the README does not mention `{call}`");
    }
}

#[test]
fn versions_match() {
    let version = env!("CARGO_PKG_VERSION");
    let (minor, _) = version.rsplit_once('.').unwrap();
    assert!(
        read("README.md").contains(&format!("sp-sync = {{ version = \"{minor}\"")),
        "the README shows another version"
    );
    let changelog = read("CHANGELOG.md");
    let latest = changelog.lines().find_map(|line| line.strip_prefix("## ")).expect("a version");
    assert!(
        latest.split(' ').next() == Some(version),
        "CHANGELOG.md begins with {latest}, the crate is {version}"
    );
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(read("README.md").contains(&format!("Rust {rust}")), "the README names another Rust than {rust}");
}

/// C58: every bound is in the README's table with its name.
#[test]
fn every_bound_is_in_the_readme() {
    let (limits, readme) = (read("src/limits.rs") + &read("src/limits/nats.rs"), read("README.md"));
    let names = limits.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let missing: Vec<&str> = names.filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "the README's table of limits lacks {missing:?}");
}

#[test]
fn every_error_and_every_feature_is_in_the_readme() {
    let readme = read("README.md");
    let errors = read("src/error.rs");
    let (_, after) = errors.split_once("pub enum Error {").expect("the error type");
    let (body, _) = after.split_once("\n}").expect("its end");
    let variants = body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        let end = name.find([' ', ',', '('])?;
        name.starts_with(|c: char| c.is_uppercase()).then(|| &name[..end])
    });
    for variant in variants {
        assert!(readme.contains(&format!("| `{variant}` |")), "the README's table of errors lacks {variant}");
    }
    let manifest = read("Cargo.toml");
    let (_, after) = manifest.split_once("[features]\n").expect("features");
    let (features, _) = after.split_once("\n\n").expect("their end");
    let names =
        features.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next());
    for feature in names {
        assert!(
            readme.contains(&format!("| `{feature}` |")),
            "the README's table of features lacks {feature}"
        );
    }
}

/// Links between the pages of this repository lead somewhere.
#[test]
fn links_between_pages_lead_somewhere() {
    for page in files(".").iter().filter(|path| path.ends_with(".md")) {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in read(page)
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
            .map(|(link, _)| link.to_owned())
        {
            let Some(file) = link.split('#').next().filter(|file| !file.is_empty() && !file.contains("://"))
            else {
                continue;
            };
            let there = super::root().join(folder).join(file).exists();
            let code = file.contains("::") || !file.contains(['/', '.']);
            assert!(there || code, "{page}: `{link}` leads nowhere");
        }
    }
}

/// C46, C62: what plain mode gives up, and what is not supported beside an original client, is said in these words.
#[test]
fn the_readme_says_what_is_given_up() {
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "a crash between removal and handler loses the action; an answer lost on removal leaves it unknown who has it, \
         and it is not run; and with several readers order holds only within each",
        "one executor served by an original client and by a Rust client at the same time is not supported**: the \
         original looks at no claims and runs what it sees",
    ] {
        assert!(readme.contains(said), "the README does not say: {said}");
    }
}
