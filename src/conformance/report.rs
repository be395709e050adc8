//! What the suite found.

use std::fmt;
use std::time::Duration;

/// The outcome of a run of the suite. Shows as one line per promise.
#[derive(Clone, Debug)]
#[must_use = "call assert_ok, or look at it"]
pub struct Report {
    /// Every promise that was checked, in order.
    pub checked: Vec<Checked>,
}

/// One promise and whether it was kept.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Topic and name, like `watching::ends_at_the_newest`.
    pub name: &'static str,
    /// The promise in words.
    pub sentence: &'static str,
    /// Whether it was kept.
    pub verdict: Verdict,
    /// How long that took.
    pub took: Duration,
}

/// Whether a promise was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was.
    Kept,
    /// It was not: what was seen.
    Broken(String),
    /// This backend does not make it: why.
    NotApplicable(String),
}

impl Report {
    /// The promises that were broken.
    pub fn broken(&self) -> impl Iterator<Item = &Checked> {
        self.checked.iter().filter(|checked| matches!(checked.verdict, Verdict::Broken(_)))
    }

    /// Whether none was.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.broken().next().is_none()
    }

    /// For tests: nothing, when every promise was kept.
    ///
    /// # Panics
    /// When one was broken, with all of those and what was seen.
    pub fn assert_ok(&self) {
        let broken: Vec<String> = self.broken().map(|checked| checked.to_string()).collect();
        assert!(
            broken.is_empty(),
            "{} promises of a backend are broken:\n{}",
            broken.len(),
            broken.join("\n")
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for checked in &self.checked {
            writeln!(f, "{checked}")?;
        }
        write!(f, "{} promises checked, {} broken", self.checked.len(), self.broken().count())
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.took.as_millis();
        match &self.verdict {
            Verdict::Kept => write!(f, "kept    {:<50} {ms:>5} ms", self.name),
            Verdict::NotApplicable(why) => write!(f, "none    {:<50} {why}", self.name),
            Verdict::Broken(how) => {
                write!(f, "BROKEN  {:<50} {how}\n        promised: {}", self.name, self.sentence)
            }
        }
    }
}
