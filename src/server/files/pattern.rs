//! Names of documents by pattern.

/// `Session_*`, `Session_{identity}`: `*` stands for any characters, also none; `{identity}` for the user's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Identity,
    Any,
}

impl Pattern {
    pub(super) fn of(text: &str) -> Self {
        let mut pieces = Vec::new();
        for (at, between) in text.split('*').enumerate() {
            if at > 0 && pieces.last() != Some(&Piece::Any) {
                pieces.push(Piece::Any);
            }
            for (at, text) in between.split("{identity}").enumerate() {
                if at > 0 {
                    pieces.push(Piece::Identity);
                }
                if !text.is_empty() {
                    pieces.push(Piece::Text(text.to_owned()));
                }
            }
        }
        Self(pieces)
    }

    /// Whether a name fits. Takes time in proportion to name times pattern at most, whatever both hold.
    pub(super) fn fits(&self, name: &str, identity: &str) -> bool {
        let text = |piece: &Piece| -> Option<String> {
            match piece {
                Piece::Text(text) => Some(text.clone()),
                Piece::Identity => Some(identity.to_owned()),
                Piece::Any => None,
            }
        };
        // Runs of text between stars: the first must begin the name, the last end it, the others come in between.
        let mut runs = vec![String::new()];
        for piece in &self.0 {
            match (text(piece), runs.last_mut()) {
                (Some(text), Some(run)) => run.push_str(&text),
                _ => runs.push(String::new()),
            }
        }
        let Some((first, others)) = runs.split_first() else { return false };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for run in middle {
            match rest.find(run.as_str()) {
                Some(at) => rest = rest.get(at + run.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_what_they_say() {
        let fits = |pattern: &str, name: &str| Pattern::of(pattern).fits(name, "ES1");
        assert!(fits("*", "") && fits("*", "anything"));
        assert!(
            fits("Session_*", "Session_1")
                && fits("Session_*", "Session_")
                && !fits("Session_*", "session_1")
        );
        assert!(fits("Session_{identity}", "Session_ES1") && !fits("Session_{identity}", "Session_ES12"));
        assert!(!fits("Session_ES1", "Session_ES1x") && !fits("Session_ES1", "xSession_ES1"));
        assert!(fits("*_{identity}_*", "a_ES1_b") && !fits("*_{identity}_*", "a_ES2_b"));
        assert!(
            fits("a*b*c", "a-b-c") && fits("a**c", "ac") && !fits("a*b*c", "a-c-b") && !fits("ab*bc", "abc")
        );
    }

    #[test]
    fn an_identity_is_no_pattern() {
        assert!(!Pattern::of("Session_{identity}").fits("Session_other", "*"));
        assert!(!Pattern::of("Session_{identity}").fits("Session_x", "{identity}"));
        assert!(!Pattern::of("").fits("x", "x"));
    }
}
