//! Every requirement has a test, and `tests/INDEX.md` tells which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{read, root, rust_files};

/// The last requirement; `docs/requirements.md` has them all.
const LAST: u32 = 64;
const INDEX: &str = "tests/INDEX.md";

/// Requirements named in a text: `C7`, and `C24–C26` or `C24-C26` for all between.
fn requirements(text: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut from: Option<u32> = None;
    let mut rest = text;
    while let Some(at) = rest.find('C') {
        let before = rest[..at].chars().next_back();
        let digits: String = rest[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        let joined = from.is_some() && at > 0 && matches!(&rest[..at], "–" | "-");
        rest = &rest[at + 1 + digits.len()..];
        let whole = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let alone = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '%');
        let number = digits.parse().ok().filter(|number| whole && alone && (1..=LAST).contains(number));
        match (number, from) {
            (Some(to), Some(first)) if joined => found.extend(first..=to),
            (Some(number), _) => found.extend([number]),
            (None, _) => {}
        }
        from = number;
    }
    found
}

/// The comment in a line, if any.
fn comment(line: &str) -> Option<&str> {
    line.find("//").map(|at| &line[at..])
}

/// The tests of a file, each with the requirements that the comments above it and in it name.
fn tests(text: &str) -> Vec<(String, BTreeSet<u32>)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let attribute = line.trim_start();
        if !(attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test")) {
            continue;
        }
        let indent = &line[..line.len() - attribute.len()];
        let above = |line: &&&str| line.trim_start().starts_with("//") || line.trim_start().starts_with("#[");
        let start = at - lines[..at].iter().rev().take_while(above).count();
        let end = lines[at..]
            .iter()
            .position(|line| *line == format!("{indent}}}"))
            .map_or(lines.len(), |end| at + end);
        let signature = lines[at..end].iter().find_map(|line| line.split_once("fn "));
        let Some((_, signature)) = signature else { continue };
        let name = signature.split(['(', '<']).next().unwrap().to_owned();
        let comments: Vec<&str> = lines[start..end].iter().filter_map(|line| comment(line)).collect();
        found.push((name, requirements(&comments.join("\n"))));
    }
    found
}

/// Test names by requirement, with the files they are in.
fn index() -> BTreeMap<u32, Vec<(String, String)>> {
    let mut index = BTreeMap::<u32, Vec<_>>::new();
    let own = |path: &String| path.starts_with("src/") || path.starts_with("tests/");
    for path in rust_files("src").into_iter().chain(rust_files("tests")).filter(own) {
        for (name, requirements) in tests(&read(&path)) {
            for requirement in requirements {
                index.entry(requirement).or_default().push((path.clone(), name.clone()));
            }
        }
    }
    index
}

fn page(index: &BTreeMap<u32, Vec<(String, String)>>) -> String {
    let mut page = String::from(
        "# Which test shows which requirement\n\n\
         The requirements are in [docs/requirements.md](../docs/requirements.md). Written by `tests/it/tidy/index.rs` from the\n\
         comments of the tests; after a change run `UPDATE_GENERATED=1 cargo test --all-features --test it tidy::index`.\n",
    );
    for (requirement, tests) in index {
        write!(page, "\n## C{requirement}\n\n").unwrap();
        let mut by_file = BTreeMap::<&str, Vec<&str>>::new();
        for (path, name) in tests {
            by_file.entry(path).or_default().push(name);
        }
        for (path, names) in by_file {
            let shown = path.strip_prefix("tests/").map_or_else(|| format!("../{path}"), ToOwned::to_owned);
            write!(page, "* [{path}]({shown}): ").unwrap();
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            writeln!(page, "{}", names.join(", ")).unwrap();
        }
    }
    page
}

#[test]
fn every_requirement_has_a_test_that_names_it() {
    let index = index();
    let missing: Vec<String> =
        (1..=LAST).filter(|number| !index.contains_key(number)).map(|number| format!("C{number}")).collect();
    assert!(missing.is_empty(), "no test names {}: say it in the comment above the test", missing.join(", "));
}

#[test]
fn the_index_of_requirements_is_fresh() {
    let page = page(&index());
    let path = root().join(INDEX);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "{INDEX} is stale: its first lines say how to write it again");
}

#[test]
fn every_requirement_is_written_down() {
    let page = read("docs/requirements.md");
    let has = |number: &u32| page.lines().any(|line| line.starts_with(&format!("| C{number} |")));
    let missing: Vec<u32> = (1..=LAST).filter(|number| !has(number)).collect();
    assert!(missing.is_empty(), "docs/requirements.md lacks {missing:?}");
}

#[test]
fn requirements_are_found_alone_and_in_ranges() {
    let found = |text: &str| requirements(text).into_iter().collect::<Vec<_>>();
    assert_eq!(found("C7, C9 (C3–C5) and C12-C13; ABC1, C1x, _C2, C99"), [3, 4, 5, 7, 9, 12, 13]);
}
