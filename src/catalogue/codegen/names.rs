//! Names in other languages. Catalogue names are unique; what they become need not be, so a scope keeps count.

use std::collections::HashSet;

/// The names taken in one scope.
pub(super) struct Scope {
    taken: HashSet<String>,
}

impl Scope {
    /// A scope in which some names have a meaning already.
    pub(super) fn new(reserved: &[&str]) -> Self {
        Self { taken: reserved.iter().map(|name| (*name).to_owned()).collect() }
    }

    pub(super) fn is_free(&self, name: &str) -> bool {
        !self.taken.contains(name)
    }

    /// The wanted name, with underscores behind it when it is taken.
    pub(super) fn take(&mut self, wanted: String) -> String {
        let mut name = wanted;
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// `openExam` → `OpenExam`. Of any other text the ASCII letters and digits remain: `at-least` → `AtLeast`.
pub(super) fn pascal(text: &str) -> String {
    let mut name = String::new();
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    match name.bytes().next() {
        None => "Value".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("V{name}"),
        Some(_) => name,
    }
}

/// `examURL` → `exam_url`, `allowedURLs` → `allowed_urls`.
pub(super) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let upper = |place: usize| letters.get(place).is_some_and(char::is_ascii_uppercase);
    let mut snake = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let after_small = place > 0 && !upper(place - 1);
        let before_small = letters.get(place + 1).is_some_and(char::is_ascii_lowercase);
        // The plural of an abbreviation is one word.
        let plural = letters.get(place + 1) == Some(&'s') && (place + 2 == letters.len() || upper(place + 2));
        if place > 0 && upper(place) && (after_small || (before_small && !plural)) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A Rust identifier: keywords become raw, or get an underscore where they cannot.
pub(super) fn rust_ident(snake: String) -> String {
    const NEVER_RAW: [&str; 4] = ["self", "super", "crate", "extern"];
    const KEYWORDS: [&str; 47] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
        "else", "enum", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
        "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct",
        "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while",
        "yield",
    ];
    if NEVER_RAW.contains(&snake.as_str()) {
        format!("{snake}_")
    } else if KEYWORDS.contains(&snake.as_str()) {
        format!("r#{snake}")
    } else {
        snake
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        for (name, expected) in [
            ("examURL", "exam_url"),
            ("allowedURLs", "allowed_urls"),
            ("memoryMB", "memory_mb"),
            ("URLsSeen", "urls_seen"),
            ("durationMs", "duration_ms"),
            ("oneTwo3Four", "one_two3_four"),
            ("HTTPServer", "http_server"),
        ] {
            assert_eq!(snake(name), expected);
        }
        for (text, expected) in [("openExam", "OpenExam"), ("a-b c", "ABC"), ("3d", "V3d"), ("é", "Value")] {
            assert_eq!(pascal(text), expected);
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_an_underscore() {
        let mut scope = Scope::new(&["Option"]);
        let taken = ["Option", "Option", "Other"].map(|name| scope.take(name.to_owned()));
        assert_eq!(taken, ["Option_", "Option__", "Other"]);
    }
}
